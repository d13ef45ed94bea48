"""The tariffs of config/tariffs that a home may ask about: those in its own currency."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gateway.assembly import load_tariff
from gateway.model.tariff import Tariff


@dataclass(frozen=True, slots=True)
class TariffFolder:
    """A folder of tariff files."""

    folder: Path
    currency: str

    def names(self) -> Sequence[str]:
        """The ids of those in the home's currency, sorted; a file that cannot be read is not among them."""
        wanted = re.compile(rf"^currency: *{re.escape(self.currency)}\b", re.MULTILINE)
        return [path.stem for path in sorted(self.folder.glob("*.yaml")) if wanted.search(_text(path))]

    def load(self, name: str) -> Tariff:
        """One of `names`; raises SiteFileError."""
        return load_tariff(self.folder / f"{name}.yaml", self.currency)


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
