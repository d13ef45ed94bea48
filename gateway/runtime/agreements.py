"""The owner's agreements with programs beside their short form, `consents`, that older clients still say and read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TypeVar

from gateway.model.agreement import Agreement
from gateway.model.preferences import Preferences

T = TypeVar("T")
CONSENTS = frozenset({"binding", "voluntary", "none"})


def with_agreement(wishes: Preferences, program: str, word: Agreement, now: datetime) -> Preferences:
    """The preferences with a program's agreement (by key) replaced; its consent says the same in short."""
    agreements = _others(wishes.agreements, program) | {program: replace(word, since=now)}
    consents = _others(wishes.consents, program)
    if word.standing in CONSENTS:
        consents[program] = word.standing
    return replace(wishes, agreements=agreements, consents=consents)


def with_consents(said: Preferences, held: Preferences) -> Preferences:
    """What an older client says, which knows no agreements: they stay, but a consent it changed counts for its program."""
    agreements = dict(held.agreements)
    for program, word in held.agreements.items():
        before, now = _consent(held.consents, program), _consent(said.consents, program)
        if now != before:
            agreements[program] = replace(word, standing=now, policy=None)
    return replace(said, agreements=agreements)


def _others(table: Mapping[str, T], program: str) -> dict[str, T]:
    """The entries of other programs."""
    return {name: word for name, word in table.items() if not _is_same(name, program)}


def _consent(consents: Mapping[str, str], program: str) -> str:
    return next((word for name, word in consents.items() if _is_same(name, program)), "")


def _is_same(name: str, program: str) -> bool:
    """A program is named by its key, or by its id at its server."""
    return name == program or name == program.partition(":")[2]
