"""A profile file from disk: text in UTF-8 with a table of keys, or a finding that says what it is instead."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from gateway.model.errors import Finding, SiteFileError

log = logging.getLogger(__name__)
T = TypeVar("T")


def read_table(path: Path) -> dict[str, Any]:
    """The file's keys; raises SiteFileError whatever the file is."""
    try:
        table = YAML(typ="safe").load(path.read_text(encoding="utf-8-sig"))
    except OSError as error:
        raise _wrong(path.name, f"cannot be read ({error.strerror})", "Check the file and its rights.") from error
    except UnicodeError as error:
        raise _wrong(path.name, "is not UTF-8 text", "Save it as UTF-8.") from error
    except MarkedYAMLError as error:
        line = f" line {error.problem_mark.line + 1}" if error.problem_mark else ""
        raise _wrong(f"{path.name}{line}", str(error.problem), "Mend the YAML there.") from error
    except (YAMLError, ValueError, RecursionError) as error:
        words = "it is nested without end" if isinstance(error, RecursionError) else str(error).split("\n")[0]
        raise _wrong(path.name, f"is not YAML ({words})", "Mend it, or copy it anew.") from error
    if table is None:
        raise _wrong(path.name, "is empty", "Start from another profile of the folder.")
    if not isinstance(table, dict):
        raise _wrong(path.name, "holds no keys", "Start from another profile of the folder.")
    return table


def load_usable(names: Iterable[str], load: Callable[[str], T]) -> list[T]:
    """All profiles that can be used; each of the others is told in one line of the log."""
    profiles = []
    for name in names:
        try:
            profiles.append(load(name))
        except SiteFileError as error:
            log.warning("a profile is left out: %s", error.findings[0])
    return profiles


def _wrong(where: str, what: str, remedy: str) -> SiteFileError:
    return SiteFileError([Finding(where, what, remedy)])
