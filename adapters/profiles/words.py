"""What pydantic says of a profile file, in words for people: place, what is wrong, remedy."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel
from pydantic_core import PydanticCustomError

from gateway.model.errors import Finding
from gateway.model.quantity import Quantity
from gateway.model.setpoint import SetpointKind


def mistake(what: str, remedy: str) -> PydanticCustomError:
    """A mistake with its own remedy, for validators to raise."""
    return PydanticCustomError("mistake", "{what}", {"what": what, "remedy": remedy})


def finding_of(problem: dict[str, Any], file: str, tables: Sequence[type[BaseModel]]) -> Finding:
    """One of pydantic's errors as a finding; `tables` are all tables of the file, for suggestions."""
    place = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in problem["loc"]).lstrip(".")
    where = f"{file}: {place}" if place else file
    return Finding(where, *_words(problem, tables))


def suggest(word: str, known: Sequence[str]) -> str:
    """The known word that was probably meant, or all of them."""
    close = difflib.get_close_matches(word, known, n=1)
    if close:
        return f"Did you mean {close[0]}?"
    return f"Known are: {', '.join(known)}." if known else "There are none: remove it."


def _words(problem: dict[str, Any], tables: Sequence[type[BaseModel]]) -> tuple[str, str]:
    kind, given, context = problem["type"], problem["input"], problem.get("ctx", {})
    if kind == "extra_forbidden":
        return "unknown key", suggest(str(problem["loc"][-1]), sorted({f for t in tables for f in t.model_fields}))
    if kind == "missing":
        return "it is missing", "Add it."
    if kind == "mistake":
        return str(context["what"]), str(context["remedy"])
    if given is None or kind == "string_too_short":
        return "it is empty", "Write it down."
    if kind == "string_type" and not isinstance(given, (dict, list)):
        return f"{given} is read as a number, a date or yes/no, not as text", f'Quote it: "{given}".'
    if kind == "finite_number":
        return f"{given} is no number to count with", "Write a finite number."
    return _not_this(problem)


def _not_this(problem: dict[str, Any]) -> tuple[str, str]:
    kind, given = problem["type"], problem["input"]
    what = str(problem["msg"]).removeprefix("Value error, ")
    if not isinstance(given, dict):
        what = f"{given!r} does not do: {what}"
    if kind == "enum":
        return what, suggest(str(given), _kinds(problem))
    if kind == "literal_error":
        choices = str(problem["ctx"]["expected"]).replace("'", "").replace(" or ", ", ").split(", ")
        return what, suggest(str(given), choices)
    return what, "Mend the value."


def _kinds(problem: dict[str, Any]) -> list[str]:
    return [str(kind) for kind in (SetpointKind if problem["loc"][-1] == "setpoint" else Quantity)]
