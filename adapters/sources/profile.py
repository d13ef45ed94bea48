"""Reads the tables of config/sources and says what is wrong with one, by place and remedy."""

from __future__ import annotations

import difflib
from pathlib import Path

from pydantic import ValidationError

from adapters.profiles.file import read_table
from adapters.profiles.words import finding_of
from adapters.sources.wire import (
    AnswerWire,
    OptionWire,
    PublishedWire,
    RequestWire,
    SeriesWire,
    SourceProfile,
)
from gateway.model.errors import Finding, SiteFileError

TABLES = (SourceProfile, RequestWire, AnswerWire, SeriesWire, PublishedWire, OptionWire)


def source_names(folder: Path) -> list[str]:
    """The services that are known, sorted."""
    return sorted(path.stem for path in folder.glob("*.yaml"))


def load_source(name: str, folder: Path) -> SourceProfile:
    """One service's table; raises SiteFileError."""
    known = source_names(folder)
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        remedy = f"Did you mean {close[0]}?" if close else f"Known are: {', '.join(known)}."
        raise SiteFileError([Finding("profile", f"there is no source '{name}'", remedy)])
    try:
        return SourceProfile.model_validate(read_table(folder / f"{name}.yaml"))
    except ValidationError as error:
        problems = [finding_of(dict(problem), f"{name}.yaml", TABLES) for problem in error.errors()]
        raise SiteFileError(problems) from None
