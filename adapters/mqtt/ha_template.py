"""The value templates of Home Assistant discovery that a table can hold: a path, and a factor.

A template is a program in a language of its own (Jinja) and comes from whoever may write to the broker. It is read
here as text and never run, not even in a sandbox: a sandbox keeps the file system safe, not the event loop from
`range(10**9)`, and a value that only a program can tell has no place in a meter. What devices really send is short:

    {{ value }}    {{ value_json.ENERGY.Total }}    {{ value_json['em:0']["power"][0] | float(0) / 1000 | round(2) }}

`float`, `int`, `round`, `default` and `is_defined` are how a value is to be shown or what stands in for an absent
one: they are passed over, so the number keeps its digits and an absent one stays absent. Anything else is refused.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_TEMPLATE = 500
"""Characters."""
MAX_TOKENS = 100
"""Enough for any of them, and no depth of brackets hurts."""
PASSED_OVER = frozenset({"float", "int", "round", "default", "is_defined"})
_TOKEN = re.compile(
    r"""\s*(?:(?P<number>[0-9]+(?:\.[0-9]+)?) | (?P<word>[A-Za-z_]\w*) | '(?P<single>[^'\\]*)' | "(?P<double>[^"\\]*)"
        | (?P<sign>[.|()\[\]*/,-]))""",
    re.VERBOSE,
)
_ONE = re.compile(r"\{\{(?!.*\{[{%])(.*)\}\}", re.DOTALL)
_SHAPE = "it is no path into the payload with a factor"


class TemplateRefused(ValueError):
    """A template that is not one of the simple shapes; the message quotes it."""


@dataclass(frozen=True, slots=True)
class Shape:
    """Where a value stands in the payload, and the factor it is multiplied by."""

    path: tuple[str, ...] = ()
    scale: float = 1.0


def read_template(text: str) -> Shape:
    """The shape of a template, the whole payload for an empty one; raises TemplateRefused."""
    if not text.strip():
        return Shape()
    try:
        return _Reader(_tokens(text)).whole()
    except (ValueError, IndexError, ZeroDivisionError) as error:
        short = text if len(text) <= 80 else text[:77] + "..."
        raise TemplateRefused(f"its template {short!r} is not understood: {error or _SHAPE}") from error


def _tokens(text: str) -> list[tuple[str, str]]:
    found = _ONE.fullmatch(text.strip()) if len(text) <= MAX_TEMPLATE else None
    if found is None:
        raise ValueError(_SHAPE)
    body, place, tokens = found[1].strip(), 0, []
    while place < len(body):
        match = _TOKEN.match(body, place)
        if match is None:
            raise ValueError(_SHAPE)
        kind = str(match.lastgroup)
        tokens.append(("text" if kind in ("single", "double") else kind, match[kind]))
        place = match.end()
        if len(tokens) > MAX_TOKENS:
            raise ValueError("it is too long")
    return [*tokens, ("end", "")]


class _Reader:
    """Reads tokens left to right.

    product = term {("*" | "/") term};  term = ("(" product ")" | path | number) {"|" filter}
    """

    def __init__(self, tokens: list[tuple[str, str]]) -> None:
        self._tokens, self._place = tokens, 0

    def whole(self) -> Shape:
        path, scale = self._product()
        if path is None or self._look()[0] != "end":
            raise ValueError(_SHAPE)
        return Shape(path, scale)

    def _look(self) -> tuple[str, str]:
        return self._tokens[self._place]

    def _next(self, *wanted: str) -> str:
        kind, text = self._look()
        if wanted and kind not in wanted and text not in wanted:
            raise ValueError(_SHAPE)
        self._place += 1
        return text

    def _product(self) -> tuple[tuple[str, ...] | None, float]:
        path, scale = self._term()
        while self._look() in (("sign", "*"), ("sign", "/")):
            divides = self._next() == "/"
            other, factor = self._term()
            if other is not None and (path is not None or divides):
                raise ValueError("it combines two values")
            path = other if path is None else path
            scale = scale / factor if divides else scale * factor
        return path, scale

    def _term(self) -> tuple[tuple[str, ...] | None, float]:
        if self._look() == ("sign", "-"):
            self._next()
            path, scale = self._term()
            return path, -scale
        kind, text = self._look()
        found: tuple[tuple[str, ...] | None, float]
        if (kind, text) == ("sign", "("):
            self._next()
            found = self._product()
            self._next(")")
        elif kind == "number":
            found = (None, float(self._next()))
        else:
            found = (self._path(), 1.0)
        self._filters(constant=found[0] is None and found[1] % 1 != 0)
        return found

    def _path(self) -> tuple[str, ...]:
        root, keys = self._next("word"), []
        while self._look() in (("sign", "."), ("sign", "[")):
            if self._next() == ".":
                keys.append(self._next("word", "number"))
            else:
                keys.append(self._next("text", "number"))
                self._next("]")
        if root not in ("value", "value_json") or (root == "value" and keys):
            raise ValueError(f"it speaks of {root}")
        return tuple(keys)

    def _filters(self, *, constant: bool) -> None:
        while self._look() == ("sign", "|"):
            self._next()
            name = self._next("word")
            if name not in PASSED_OVER or constant:
                raise ValueError(f"it uses {name}")
            if self._look() == ("sign", "("):
                self._skip_arguments()

    def _skip_arguments(self) -> None:
        self._next("(")
        while self._look() != ("sign", ")"):
            if self._look()[0] == "end" or self._look()[1] in ("(", "["):
                raise ValueError(_SHAPE)
            self._next()
        self._next(")")
