"""What is known beforehand of chargers by their make, as a table in config/devices/ocpp, never code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from fnmatch import fnmatchcase
from itertools import zip_longest
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from gateway.model.errors import Finding, SiteFileError

_WHOM = ("vendor", "model", "firmware", "firmware_up_to")


class FirstRung(BaseModel):
    """The way of limiting to try first."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    purpose: str = Field(description="Purpose of the charging profile, in the word of the version it speaks.")
    kind: Literal["Absolute", "Relative"] = Field(description="Kind of the charging profile.")
    stack: int = Field(ge=0, le=100, description="Stack level.")
    unit: Literal["A", "W"] = Field(description="Unit of the limit.")


class Quirk(BaseModel):
    """One entry: which chargers it is about, and what is known of them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    vendor: str = Field("*", description="Pattern of the vendor's name.")
    model: str = Field("*", description="Pattern of the model's name.")
    firmware: str = Field("*", description="Pattern of the firmware's name.")
    firmware_up_to: str = Field("", description="Last firmware it is about, by the numbers in it; empty: all.")
    never_probe: bool | None = Field(None, description="Never ask for one measurand after the other.")
    never_zero: bool | None = Field(None, description="Never send a limit of 0 A.")
    no_remote_stop: bool | None = Field(None, description="Never stop a transaction to pause.")
    remote_start: bool | None = Field(None, description="A plugged car waits for a start from us.")
    whole_amps: bool | None = Field(None, description="It takes whole amperes only.")
    composite: bool | None = Field(None, description="False: what it says of its combined limits makes no sense.")
    first_rung: FirstRung | None = Field(None, description="The way of limiting to try first.")

    def fits(self, vendor: str, model: str, firmware: str) -> bool:
        """Whether a charger of this make is meant."""
        pairs = ((self.vendor, vendor), (self.model, model), (self.firmware, firmware))
        return all(fnmatchcase(name.lower(), pattern.lower()) for pattern, name in pairs) and (
            not self.firmware_up_to or _is_up_to(firmware, self.firmware_up_to)
        )

    def facts(self) -> dict[str, Any]:
        """What it says, by name."""
        return self.model_dump(exclude=set(_WHOM), exclude_none=True)


class Quirks(BaseModel):
    """The whole table, asked by make."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    quirks: tuple[Quirk, ...] = ()

    def of(self, vendor: str, model: str, firmware: str) -> dict[str, Any]:
        """All that is known of this make, by name; the first entry that tells something counts."""
        known: dict[str, Any] = {}
        for entry in self.quirks:
            if entry.fits(vendor, model, firmware):
                known = {**entry.facts(), **known}
        return known


def load_quirks(path: Path) -> Quirks:
    """The table of a file; raises SiteFileError."""
    try:
        return Quirks.model_validate(YAML(typ="safe").load(path.read_text("utf-8")))
    except (OSError, YAMLError, ValidationError) as error:
        finding = Finding(str(path), "the table of chargers cannot be read", f"Mend it: {error}")
        raise SiteFileError([finding]) from None


def _is_up_to(firmware: str, last: str) -> bool:
    """A firmware without numbers is not known to be later."""
    pairs = zip_longest(_numbers(firmware), _numbers(last), fillvalue=0)
    return next((ours < theirs for ours, theirs in pairs if ours != theirs), True)


def _numbers(firmware: str) -> Sequence[int]:
    return [int(number) for number in re.findall(r"\d{1,9}", firmware)]
