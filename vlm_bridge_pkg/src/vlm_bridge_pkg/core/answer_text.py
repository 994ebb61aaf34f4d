"""Read yes or no out of what a model wrote. Whatever leaves a doubt is uncertain, never "no".

A model that saw no picture, refuses, hedges or speaks another language often begins with the
letters of a verdict: "No image was provided", "No idea", "No doubt, that is a tent", "Non.". So
"no" counts alone, or before punctuation and a reason that fits. A wrong "no" rejects a person; a
wrong "uncertain" costs an operator a look.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any

from ros_support_pkg.core.words import Verdict
from semantic_detection_pkg.common.core.foreign_text import read_json

_VERDICTS = {
    "yes": Verdict.YES,
    "no": Verdict.NO,
    "unsure": Verdict.UNSURE,
    "uncertain": Verdict.UNSURE,
}
_TAGS = "think|thinking|thought|reasoning|analysis|reflection"
_THINKING = re.compile(rf"<({_TAGS})>.*?(</\1>|$)|\[THINK\].*?(\[/THINK\]|$)", re.DOTALL | re.I)
#: Harmony's channels (gpt-oss): only what comes after the last "final" is said.
_CHANNEL = re.compile(r"<\|channel\|>\s{0,9}final\s{0,9}(<\|message\|>)?")
_MARKUP = re.compile(r"</?(s|b|i|em|strong|answer|p)>|<br ?/?>|<\|[^|>]*\|>|```\w*|[*_#>`~]")
_LABEL = re.compile(r"^(the )?(final |short |my )?(answer|verdict|response)\s*:\s*", re.IGNORECASE)
_FIRST = re.compile(r"[^\w]*([^\W\d_]+)\s*([^\w\s]*)\s*(.*)", re.DOTALL)
_LIST_NUMBER = re.compile(r"^\s*\d{1,2}[.)]\s+")
#: Marks after which "no" stands for itself. Not an apostrophe, a hyphen, a slash.
_ENDS = frozenset(".,;:!\u2014\u2013()[]\"'\u201d")

#: What an answer in JSON may lack that was cut off at its limit.
_CUT_ENDS = ("}", '"}', '""}', ': ""}', '": ""}', '"": ""}')
#: A verdict that is all there: of one that was cut off, "no" may be the beginning of more.
_WHOLE_VERDICT = re.compile(r'"(answer|verdict|result|response)"\s*:\s*"[^"\\]*"', re.IGNORECASE)
#: Keys under which models put a verdict into JSON, and the reason.
_VERDICT_KEYS = ("answer", "verdict", "result", "response", "is_there", "present", "detected")
_REASON_KEYS = ("reason", "explanation", "reasoning", "description", "why")

_PICTURE = r"(image|picture|photo|photograph|attachment|file|frame|screenshot)s?"
#: Within one sentence, and not far: models that repeat themselves would be read for minutes.
_ON = r"[^.!?\n]{0,100}"
#: A longer reason is none: what was asked for is a sentence.
_REASON_CHARS_MAX = 2000
#: Cause -> patterns of reasons that carry no verdict, in the order in which they are looked for.
_CAUSES = {
    "no_picture": (
        rf"\b(no|not|n't|any|without|missing|unable|cannot|never)\b{_ON}\b{_PICTURE}\b{_ON}"
        r"\b(provided|attached|given|supplied|uploaded|included|shared|available|loaded"
        r"|received|sent"
        r"|displayed|accessible)\b",
        rf"\b{_PICTURE}\b{_ON}\b(is|was|were|are|has|did|could|appears|seems)\b{_ON}"
        r"\b(not|n't|missing|blank|empty|black|corrupted|broken|unavailable)\b",
        rf"\b{_PICTURE}\b{_ON}\bfail(ed|s)\b",
        rf"\b(don't|do not|can't|cannot|didn't|did not|unable to)\b{_ON}"
        rf"\b(see|view|access|open|load|receive|find|detect)\b{_ON}\b(the|an?|any|your"
        rf"|this) {_PICTURE}\b",
        rf"\b(see|upload|attach|provide|share|send)\b{_ON}\b(an?|the|your) {_PICTURE}\b{_ON}"
        r"\b(so|and|then|first|again)\b",
        rf"^\s*(there (is|was) )?no {_PICTURE}\b",
    ),
    "refusal": (
        r"\b(i|we)('m| am|'re| are)? ?(sorry|afraid|unable|not able|not allowed|not comfortable"
        r"|cannot|can't|can not|won't|will not|must decline|apologi[sz]e)\b",
        r"\bas an ai\b|\blanguage model\b|\bcontent polic|\bpolic(y|ies)\b",
        r"\bunable to (tell|determine|say|see|view|assist|identify|answer|help|confirm|verify"
        r"|analy[sz]e|process|judge)\b",
        r"\b(can't|cannot|can not|could not|couldn't) (tell|determine|say|see|view|assist|identify"
        r"|answer|help|confirm|verify|judge|make out|be (determined|confirmed|seen clearly))\b",
        r"\bnot (possible|able) to (tell|say|determine|see|judge|confirm)\b",
    ),
    "doubt": (
        r"\b(not|n't|isn't|am not|never) (entirely|completely|fully|quite|really|100 ?%|very"
        r"|at all)? ?(sure|certain|clear|confident)\b",
        r"\b(unclear|unsure|uncertain|ambiguous|inconclusive)\b",
        r"\b(hard|difficult|tough|impossible) to (say|tell|see|know|judge|determine|make out)\b",
        r"\b(maybe|perhaps|possibl[ey]|probabl[ey]|likely|unlikely|might|may be|could be"
        r"|could have|could also|i think|i guess|i believe|appears to|seems to|seems like"
        r"|looks like it could)\b",
        r"\btoo (small|dark|blurry|blurred|far|bright|noisy|low|grainy|unclear)\b",
        r"\b(need|requires?) (more|a closer|another|better)\b|\bno (way|idea|clue) (to|of|how)\b",
    ),
    "contradiction": (r"\b(but|however|although|though|yet|on second thought|wait|actually)\b",),
}
#: The same of a "no" only. They are wider: a "yes" with such a reason still names what it saw.
_CAUSES_OF_NO = {
    "no_picture": (
        rf"\b(no|not|n't|nothing|never|none|please|failed|error|broken)\b{_ON}"
        r"\b(attach(ed)?|upload(ed)?|provided?|re-?send|sent|shared?|receive[ds]?|supplied"
        r"|load(ed)?|fetch(ed)?|decoded?|opened|links?|url)\b",
        r"\b(links?|urls?)\b" rf"{_ON}\b(broken|invalid|expired|fetched|opened)\b",
        rf"\b(input|crop|view|frame|everything|all|{_PICTURE})\b{_ON}\b(is|are|was|looks|appears"
        r"|seems)\b( all| completely| entirely| totally| just| mostly)?"
        r" ?(black|white|blank|empty|dark|grey|gray|blurr?(ed|y)?|out of focus|overexposed"
        r"|underexposed|unreadable|corrupt(ed)?)\b",
        r"\b(black|blank|empty) (input|crop|view|frame|screen|image|picture|photo)\b",
        rf"^\W*{_PICTURE}\W*$",
        r"\bnothing (is|was|were|has been) (given|shown|presented)\b|\bnothing to look at\b",
        rf"\b(content|data|input|pixels?|{_PICTURE})\b{_ON}\b(missing|lost|transmitted"
        r"|delivered|come through)\b",
        rf"\b(lens|camera|sensor|view)\b{_ON}\b(is|was|looks|seems)\b"
        r" ?(\w+ )?(covered|blocked|obstructed|obscured|dirty|fogged|wet)\b",
        r"\b(static|noise)\b",
    ),
    "refusal": (
        r"\b(text|language)[- ](based|only)\b|\b(the|this) model\b|\bprivacy\b",
        r"\b(text|language|chat|vision)[- ]?(model|bot)\b|\bassistant\b|\bhave (no )?eyes\b",
        r"\bability to\b|\bcapab(le|ility|ilities)\b",
        r"\b(do(es)? not|don't|doesn't|am not able to|won't|will not) (support|process|describe"
        r"|identify|comment|answer|analy[sz]e)\b|\bnot supported\b",
        r"\b(can't|cannot|can not|couldn't|could not)\b|\bthank(s| you)\b",
    ),
    "doubt": (
        r"\b(higher|better|more|greater|enough|sufficient|insufficient|clearer|closer)[- ]"
        r"?(resolution|details?|context|information|info|zoom|data|evidence|views?|look|light)\b",
        r"\bblurr?(ed|y)?\b|\bout of focus\b|\b(over|under)exposed\b|\bresolution\b"
        r"|\b(poor|bad|low) (quality|visibility|light|contrast|confidence)\b|\bquality is\b",
        r"\bguess(ing)?\b|\bconfiden(ce|t)\b|\d ?%|\bchances?\b|\?",
    ),
    "contradiction": (
        r"\b(unless|except|apart from|other than|besides|aside from|rather|yes)\b",
        r"^\s*(definitely|certainly|clearly|of course|without (a )?doubt)\b",
    ),
    # What servers write in the model's place.
    "unreadable": (
        r"\b(error|exception|https?|time[- ]?out|timed out|try again|out of memory|overloaded"
        r"|unavailable)\b",
        rf"\b(length|limit|quota|context|tokens?|rate)\b{_ON}\bexceed(s|ed)?\b"
        rf"|\bexceed(s|ed)?\b{_ON}\b(length|limit|quota)\b",
    ),
}


_PARTS = re.compile(r"[.,;:!?()\u2014\u2013\n]+|\band\b|\bso\b|\bbecause\b", re.IGNORECASE)
#: In a part of a reason: what it names is not there, or is only what it looks like.
_DENIED = re.compile(
    r"\b(no|not|none|never|nobody|nothing|without|neither|nor|cannot|absent|absence|lacks?|than"
    r"|like|resembles?|shaped|instead|would|if|any|free of|rather)\b|n't\b|\b(no|some)one else\b",
    re.IGNORECASE,
)


def _compiled(causes: dict[str, tuple[str, ...]]) -> dict[str, re.Pattern[str]]:
    return {cause: re.compile("|".join(one), re.IGNORECASE) for cause, one in causes.items()}


_REASONS = _compiled(_CAUSES)
_REASONS_OF_NO = _compiled(_CAUSES_OF_NO)
_BUT_NO = re.compile(
    r"\b(but|however|though|yet|although)[ ,]+(there (is|are) )?(no|not|none)\b", re.IGNORECASE
)

#: Words that no English reason has, of the languages that models fall into.
_FOREIGN = frozenset(
    word
    for words in (
        "ja nein kein keine keinen nicht ich ist sind das der ein eine auf bild es gibt und zelt",
        "oui non pas une il dans aucun aucune n'y y'a cette je vois les",
        "hay ninguna ning\u00fan veo una el los imagen se ve tienda ninguno aparece",
        "solo es del con por y nada pero solamente persona personas hierba roca rocas piedras",
        "sim n\u00e3o uma nenhum nenhuma h\u00e1 vejo imagem",
        "s\u00ec nessun nessuna vedo immagine c'\u00e8 sono della questa nell'immagine di che",
        "niente nulla erba roccia rocce persone albero alberi",
        "nee nej nei geen niet een het inte finns ingen ikke bildet afbeelding nie",
        "evet hay\u0131r yok resimde",
    )
    for word in words.split()
)


def read_verdict(text: str) -> tuple[Verdict, str, str]:
    """Return the verdict, the reason in the model's words, and why it is uncertain.

    Args:
        text: everything that the model wrote; any text is read.

    Returns:
        verdict: YES, NO or UNSURE.
        reason: one line; may be empty.
        cause: empty unless UNSURE: "empty", "unreadable", "unsure", "no_picture", "refusal",
            "doubt", "contradiction", "other_language".
    """
    said = _CHANNEL.split(_THINKING.sub("", text))[-1]
    from_json = _read_json(said)
    if from_json is not None:
        return from_json
    plain = _LIST_NUMBER.sub("", _LABEL.sub("", _MARKUP.sub("", said).strip()))
    return _read_plain(plain)


def _read_plain(plain: str) -> tuple[Verdict, str, str]:
    first_line, _, rest = plain.partition("\n")
    reason = " ".join((rest if rest.strip() else first_line).split())
    match = _FIRST.match(plain)
    if match is None:
        return Verdict.UNSURE, reason, "unreadable" if plain else "empty"
    word, marks, after = match[1].lower(), match[2], match[3]
    verdict = _VERDICTS.get(word)
    if verdict is None:
        return Verdict.UNSURE, reason, _cause_of(plain) or "unreadable"
    if verdict is Verdict.UNSURE:
        return verdict, reason, "unsure"
    if _of_another_verdict(verdict, first_line):
        return Verdict.UNSURE, reason, "contradiction"
    is_alone = not after.strip() or first_line.strip().lower().rstrip(".!,;: ") == word
    is_ended = bool(marks) and marks[0] in _ENDS
    # "Yes there is" is a yes; "No image", "No idea", "No doubt" are not a no.
    if verdict is Verdict.NO and not (is_alone or is_ended):
        return Verdict.UNSURE, reason, _cause_of(plain) or "unreadable"
    if verdict is Verdict.NO and (marks.startswith("?") or after[:1].isdecimal()):
        return Verdict.UNSURE, reason, "doubt" if marks.startswith("?") else "unreadable"
    cause = _cause_of(after, verdict)
    return (Verdict.UNSURE, reason, cause) if cause else (verdict, reason, "")


def _of_another_verdict(verdict: Verdict, first_line: str) -> bool:
    words = re.findall(r"[^\W\d_]+", first_line.lower())[1:]
    if verdict is Verdict.YES:  # "yes, no doubt" and "yes, there are no trees around it" are a yes
        return words[:2] in (["and", "no"], ["or", "no"], ["no"])
    return bool({"yes", "unsure", "uncertain"} & set(words))


def _cause_of(reason: str, verdict: Verdict = Verdict.YES) -> str:
    """Return why a reason does not carry its verdict; empty: it does."""
    if len(reason) > _REASON_CHARS_MAX:
        return "unreadable"
    if _is_foreign(reason):
        return "other_language"
    for cause, pattern in _REASONS.items():
        text = _BUT_NO.sub("", reason) if cause == "contradiction" else reason
        if pattern.search(text):
            return cause
    if verdict is Verdict.NO:
        return next((why for why, one in _REASONS_OF_NO.items() if one.search(reason)), "")
    return ""


def says_it_is_there(reason: str, names: Collection[str]) -> bool:
    """Return whether a part of a reason names one of these things and denies nothing.

    "No, a person lies there" is no answer to whether there is a person; "No, that is no person" is.
    """
    shown = [re.escape(" ".join(name.split())).replace(r"\ ", r"\s+") for name in names if name]
    if not shown:
        return False
    named = re.compile(rf"(?<!\w)({'|'.join(shown)})(s|es)?(?!\w)", re.IGNORECASE)
    parts = _PARTS.split(reason[:_REASON_CHARS_MAX])
    return any(named.search(part) and not _DENIED.search(part) for part in parts)


def _is_foreign(reason: str) -> bool:
    words = re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)?", reason.lower())
    if any(not _may_be_english(word) for word in words):
        return True
    return bool(set(words) & _FOREIGN)


def _may_be_english(word: str) -> bool:
    return word.isascii()


def _read_json(said: str) -> tuple[Verdict, str, str] | None:
    """Read an answer in JSON; None where it is none."""
    start = said.find("{")
    if start < 0 or re.search(r"\w{3}", said[:start].replace("json", "")):
        return None
    document = _document(said[start:])
    if document is None:
        return None
    keys = {str(key).strip().lower(): value for key, value in document.items()}
    reason = " ".join(str(_first(keys, _REASON_KEYS) or "").split())
    value = _first(keys, _VERDICT_KEYS)
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if not isinstance(value, str):
        return Verdict.UNSURE, reason, "unreadable"
    verdict, own_reason, cause = _read_plain(value.strip())
    if not cause and reason:
        cause = _cause_of(reason, verdict)
    return (Verdict.UNSURE if cause else verdict), reason or own_reason, cause


def _document(text: str) -> dict[str, Any] | None:
    """Return the object that a text is, also where its end was cut off; None: it is none."""
    end = text.rfind("}") + 1
    cut = text.rstrip("\\")
    ends = _CUT_ENDS if _WHOLE_VERDICT.search(cut) else ()
    for tried in (text[:end], *(cut + missing for missing in ends)):
        try:
            document = read_json(tried)
        except ValueError:
            continue
        if isinstance(document, dict):
            return document
    return None


def _first(values: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((values[key] for key in keys if key in values), None)
