"""The evaluation report for people: a short page made from the JSON report."""

from __future__ import annotations

from typing import Any

from demo_training.evaluate import LEVELS, RULES

_INTRO = """# Evaluation of the demo models

Written by `tools/train_demo_model.py`; every number comes from `evaluation.json`. The worlds were
never seen in training. The detector ran through the product's own pipeline (letterbox, ONNX
Runtime, decoding, polygons).

The detector's classes are by look: it is meant to answer to a thing and to its decoy alike; telling
them apart is the classifier's work. *things*: only things count, and who finds a decoy is neither
right nor wrong. *by_look*: both count. *strict*: a decoy that is found is an error. A sweep is
zoom 1 to 1.15 (Level 1); a close-up fills a quarter to a half of the picture (Level 2); an approach
lies between. Recall is at the detector's default confidence; AP and recall are at IoU 0.5.
"""


def to_markdown(report: dict[str, Any]) -> str:
    """The page."""
    lines = [_INTRO, _goals(report), _worlds(report)]
    lines += [
        "| view | rule | box mAP50 | mask mAP50 | recall |",
        "| --- | --- | --- | --- | --- |",
    ]
    for level in LEVELS:
        for rule in RULES:
            mean = report["detector"][level][rule]["mean"]
            figures = " | ".join(f"{mean[key]:.3f}" for key in ("box_ap50", "mask_ap50", "recall"))
            lines.append(f"| {level} | {rule} | {figures} |")
    for level in LEVELS:
        lines += ["", f"## {level}, things", ""]
        lines += ["| class | things | box AP50 | mask AP50 | recall |", "| --- " * 5 + "|"]
        for name, row in report["detector"][level]["things"]["classes"].items():
            lines.append(
                f"| {name} | {row['things']} | {row['box_ap50']:.3f} | {row['mask_ap50']:.3f} "
                f"| {row['recall']:.3f} |"
            )
    lines += [*_classifier(report), *_sizes(report)]
    if "words" in report:
        lines += _words(report["words"])
    if "examples" in report:
        lines += _examples(report["examples"])
    return "\n".join([*lines, ""])


def _goals(report: dict[str, Any]) -> str:
    close = report["detector"]["close_up"]["things"]["mean"]
    sweep = report["detector"]["sweep"]["things"]["mean"]
    rows = (
        ("box mAP50, close-up, things", close["box_ap50"], 0.80),
        ("mask mAP50, close-up, things", close["mask_ap50"], 0.70),
        ("recall, sweep, things", sweep["recall"], 0.70),
        ("classifier, crops of the detector", report["classifier"]["detected"]["accuracy"], 0.95),
    )
    lines = ["| goal | reached | wanted | |", "| --- | --- | --- | --- |"]
    for name, value, wanted in rows:
        verdict = "met" if value >= wanted else "missed"
        lines.append(f"| {name} | {value:.3f} | {wanted:.2f} | {verdict} |")
    return "\n".join(lines) + "\n"


def _worlds(report: dict[str, Any]) -> str:
    first, last = report["worlds"]["seeds"]
    pictures = ", ".join(f"{n} {level}" for level, n in report["worlds"]["pictures"].items())
    return f"World seeds {first} to {last}; pictures: {pictures}.\n"


def _classifier(report: dict[str, Any]) -> list[str]:
    told = report["classifier"]
    lines = ["", "## Classifier, close-ups", "", "| label | detected | true box |"]
    lines.append("| --- | --- | --- |")
    for label in told["labels"]:
        shares = [told[source]["per_label"][label] for source in ("detected", "true_box")]
        lines.append(f"| {label} | {shares[0]:.3f} | {shares[1]:.3f} |")
    crops = [told[source]["crops"] for source in ("detected", "true_box")]
    return [*lines, "", f"{crops[0]} crops of detections, {crops[1]} of true boxes."]


def _sizes(report: dict[str, Any]) -> list[str]:
    lines = ["", "## Size and time", "", "| model | MB | ms, 1 thread | ms, 2 threads |"]
    lines.append("| --- | --- | --- | --- |")
    for name in ("detector", "classifier"):
        row = report[name]
        times = row["milliseconds"]
        lines.append(
            f"| {name} | {row['file_bytes'] / 1e6:.2f} | {times['1_threads']:.1f} "
            f"| {times['2_threads']:.1f} |"
        )
    return lines


def _words(told: dict[str, Any]) -> list[str]:
    first, last = told["seeds"]
    known, all_words = told["understood"]
    refused, strangers = told["strangers_refused"]
    verdict = "met" if told["share"] >= told["wanted_share"] else "missed"
    taken = ", ".join(told["strangers_taken"])
    lines = [
        "",
        "## Words that the text side was not trained on",
        "",
        "`held_out.json` fixed them before the training. Recall of such a word, as a share of the",
        "known word's at its precision, within 0.01; 0 for a word that is refused. Never two words",
        "for one thing at once: they would take it from each other. World seeds",
        f"{first} to {last}, {told['pictures']} pictures, things only.",
        "",
        f"Mean share {told['share']:.3f}, wanted {told['wanted_share']:.2f}: {verdict}. "
        f"Understood: {known} of {all_words} words. Strangers refused: {refused} of {strangers}"
        + (f" (taken: {taken})." if taken else "."),
        "",
        "| known word | things | recall | precision | mean share | refused |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for name, row in told["classes"].items():
        mean = sum(row["shares"].values()) / len(row["shares"])
        lines.append(
            f"| {name} | {row['things']} | {row['recall']:.3f} | {row['precision']:.3f} "
            f"| {mean:.3f} | {', '.join(row['refused']) or '-'} |"
        )
    return lines


def _examples(told: dict[str, Any]) -> list[str]:
    first, last = told["seeds"]
    wanted = told["wanted"]
    lines = [
        "",
        "## Kinds that were shown",
        "",
        "`held_out.json` fixed the first three kinds before the training; no training saw any of",
        "them. Recall at a precision of "
        f"{wanted['precision']:.2f}, each class alone, mean of ten draws of examples from other",
        "worlds; in parentheses recall and precision at the default confidence. Looked at: the",
        "share of the things that the second look gets to see. World seeds "
        f"{first} to {last}, {told['pictures']} pictures,",
        f"{told['things_a_picture']:.1f} things looked at in each.",
        "",
        "| | one example | wanted | three examples | wanted |",
        "| --- | --- | --- | --- | --- |",
    ]
    for title, text in (("held_out", "mean of the first three"), ("all", "mean of all five")):
        one, three = told[f"one_{title}"], told[f"three_{title}"]
        lines.append(
            f"| {text} | {one:.3f} | {wanted['one_recall']:.2f} | {three:.3f} "
            f"| {wanted['three_recall']:.2f} |"
        )
    lines += [
        "",
        "| kind | things | looked at | one example | three examples |",
        "| --- | --- | --- | --- | --- |",
    ]
    for kind, row in told["kinds"].items():
        cells = [
            f"{row[called]['recall']:.3f} ({row[called]['default_recall']:.2f}, "
            f"{row[called]['default_precision']:.2f})"
            for called in ("one", "three")
        ]
        lines.append(f"| {kind} | {row['things']} | {row['looked_at']:.3f} | {' | '.join(cells)} |")
    return lines
