"""`$(name argument ...)` in texts: the grammar, the functions, and the scope that they look in.

Grammar (launch, share/launch/frontend/grammar.lark): arguments are parted by exactly one space;
an argument is plain or quoted as a whole by ' or "; a backslash makes the next character literal.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from launch_runner.errors import LaunchError, Where
from launch_runner.packages import package_prefix, package_share


@dataclass(frozen=True)
class Call:
    """One substitution; each argument is itself a sequence of texts and calls."""

    name: str
    arguments: tuple[Parts, ...]


Part = str | Call
Parts = tuple[Part, ...]


@dataclass(frozen=True)
class Template:
    """A text of a launch file with its substitutions found, and where it stands."""

    text: str
    parts: Parts
    where: Where

    @property
    def literal(self) -> str | None:
        """The text, if it has no substitution."""
        if any(isinstance(part, Call) for part in self.parts):
            return None
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass
class Scope:
    """Launch configurations (`arg`, `let`) and environment, as visible at one point of a file."""

    configurations: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)

    def child(self) -> Scope:
        """Return a copy: what is set in it is not seen outside."""
        return Scope(dict(self.configurations), dict(self.environment))

    def expand(self, template: Template) -> str:
        """Return the text with every substitution replaced. Raises LaunchError."""
        try:
            return self.expand_parts(template.parts)
        except LaunchError as error:
            raise LaunchError(str(error), template.where) from None

    def expand_optional(self, template: Template | None) -> str | None:
        """Like `expand`; None for an attribute that was not written."""
        return None if template is None else self.expand(template)

    def expand_parts(self, parts: Parts) -> str:
        """Like `expand`, for parts that do not know where they stand."""
        return "".join(self._perform(p) if isinstance(p, Call) else p for p in parts)

    def _perform(self, call: Call) -> str:
        arguments = [self.expand_parts(argument) for argument in call.arguments]
        return FUNCTIONS[call.name].perform(self, *arguments)


def _var(scope: Scope, name: str, default: str | None = None) -> str:
    value = scope.configurations.get(name, default)
    if value is None:
        raise LaunchError(f"$(var {name}): no argument or let of that name is set here")
    return value


def _env(scope: Scope, name: str, default: str | None = None) -> str:
    value = scope.environment.get(name, default)
    if value is None:
        raise LaunchError(f"$(env {name}): not set, and no default is given")
    return value


def _eval(_scope: Scope, expression: str) -> str:
    try:
        return str(eval(expression, {}, dict(vars(math))))
    except Exception as error:
        raise LaunchError(f"$(eval {expression}): {type(error).__name__}: {error}") from None


@dataclass(frozen=True)
class Function:
    """What a substitution does; `arity` holds the numbers of arguments that it takes."""

    arity: Sequence[int]
    perform: Callable[..., str]


FUNCTIONS = {
    "var": Function((1, 2), _var),
    "env": Function((1, 2), _env),
    "find-pkg-share": Function((1,), lambda _scope, package: str(package_share(package))),
    "find-pkg-prefix": Function((1,), lambda _scope, package: str(package_prefix(package))),
    "eval": Function((1,), _eval),
}


def unescape(text: str) -> str:
    """Drop the backslash before each escaped character."""
    return re.sub(r"\\(.)", r"\1", text)


def parse_template(text: str, where: Where) -> Template:
    """Find the substitutions in `text`.

    Raises LaunchError for a syntax error, an unsupported substitution, a wrong number of arguments.
    """
    try:
        return Template(text, _Scanner(text).fragments(""), where)
    except LaunchError as error:
        raise LaunchError(f"{error} in '{text}'", where) from None


class _Scanner:
    """Recursive descent over one text. `quote` is the quotation that we are in: "", ' or \"."""

    _NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*")
    # The official grammar looks back one character only: $( after two backslashes is text, too.
    _CALL = re.compile(r"(?<!\\)\$\(")

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def fragments(self, quote: str) -> Parts:
        """Read text and calls up to the closing `quote`, or to the end outside quotes."""
        parts = self._parts(quote, stops=quote)
        if quote:
            self._expect(quote)
        return parts

    def _parts(self, quote: str, stops: str, refused: str = "") -> Parts:
        parts: list[Part] = []
        literal = ""
        while self._at < len(self._text) and (ahead := self._text[self._at]) not in stops:
            if self._CALL.match(self._text, self._at):
                parts += [literal, self._call(quote)] if literal else [self._call(quote)]
                literal = ""
                continue
            if ahead in refused:
                raise LaunchError(f"character {ahead} needs a backslash or quotes around it")
            following = self._text[self._at + 1 : self._at + 2]
            # A backslash does not join two arguments: the space still parts them.
            is_parting = following == " " and " " in stops
            self._at += ahead == "\\" and following != "" and not is_parting
            literal += self._text[self._at]
            self._at += 1
        return tuple([*parts, literal] if literal or not parts else parts)

    def _call(self, quote: str) -> Call:
        self._expect("$(")
        match = self._NAME.match(self._text, self._at)
        if not match:
            raise LaunchError("a substitution's name must follow $(")
        self._at = match.end()
        arguments: list[Parts] = []
        while self._text.startswith(" ", self._at):
            self._at += 1
            arguments.append(self._argument(quote))
        self._expect(")")
        return _checked(Call(match.group(), tuple(arguments)))

    def _argument(self, quote: str) -> Parts:
        ahead = self._text[self._at : self._at + 1]
        if not quote and ahead and ahead in "'\"":
            self._at += 1
            return self.fragments(ahead)
        start = self._at
        parts = self._parts(quote, stops=" )", refused="(" + (quote or "'\""))
        if self._at == start:
            raise LaunchError("an argument is missing (one space parts the arguments)")
        return parts

    def _expect(self, token: str) -> None:
        if not self._text.startswith(token, self._at):
            raise LaunchError(f"{token} is missing")
        self._at += len(token)


def _checked(call: Call) -> Call:
    function = FUNCTIONS.get(call.name)
    if function is None:
        raise LaunchError(
            f"substitution $({call.name}) is not supported; supported: {', '.join(FUNCTIONS)}"
        )
    if len(call.arguments) not in function.arity:
        allowed = " or ".join(map(str, function.arity))
        raise LaunchError(f"$({call.name}) takes {allowed} arguments, not {len(call.arguments)}")
    return call
