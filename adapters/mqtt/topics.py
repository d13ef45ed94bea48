"""Where the home stands on the broker: PREFIX/SITE/state/..., PREFIX/SITE/set/..., and its availability."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from adapters.mqtt.settings import MqttSettings
from gateway.model.site import Site


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of one home."""

    site: str
    base: str
    discovery: str

    @property
    def availability(self) -> str:
        """online, or offline as the last will says."""
        return f"{self.base}/availability"

    def availability_of(self, device: str) -> str:
        """online, or offline while nothing is heard from the device itself."""
        return f"{self.base}/availability/{device}"

    def state(self, key: str, device: str = "") -> str:
        """Where a value is shown; without a device: of the whole home."""
        return f"{self.base}/state/{device}/{key}" if device else f"{self.base}/state/{key}"

    def command(self, key: str, device: str = "") -> str:
        """Where a wish is heard; without a device: for the whole home."""
        return f"{self.base}/set/{device}/{key}" if device else f"{self.base}/set/{key}"

    def config(self, device: str = "") -> str:
        """Home Assistant's device discovery."""
        return f"{self.discovery}/device/{self.identifier(device)}/config"

    def identifier(self, device: str = "") -> str:
        """A name that is unique on the broker and never changes."""
        return f"hearth_{self.site}_{slug(device)}" if device else f"hearth_{self.site}"


def topics_of(site: Site, settings: MqttSettings) -> Topics:
    """The topics of a site by its name."""
    name = slug(site.name)
    return Topics(name, f"{settings.state_prefix}/{name}", settings.discovery_prefix)


def slug(text: str) -> str:
    """Letters, digits and underscores only."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", plain.lower()).strip("_") or "home"
