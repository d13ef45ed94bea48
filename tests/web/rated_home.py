"""A home whose rating is known: one car that charges in the evening, made by the product's own arithmetic."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from gateway.core.demand_response.rating import rating_document
from gateway.core.learning.flexible import DeviceDays
from gateway.core.learning.targeting import TargetingInput, target
from gateway.model.site import Role


@dataclass
class FakeTargeting:
    """Stands in for the loop: the same nouns from 28 equal days, or nothing while `blank`."""

    home: object
    blank: bool = False
    measured_days: int = 28
    told: list[str] = field(default_factory=list)

    def current(self):
        if self.blank:
            return None
        load = np.zeros((28, 24))
        load[:, 18:20] = 7000.0
        load[: 28 - self.measured_days] = np.nan
        car = DeviceDays("charger", "Car", Role.EV_CHARGER, 11_000.0, load)
        given = TargetingInput([car], np.full((28, 24), 3000.0), excluded={"heatpump": "Heat pump is not reached."})
        return target(given, self.home.clock.now())

    def document(self):
        found = self.current()
        return rating_document(found, self.home.clock.now().date()) if found else None

    def shared(self):
        return self.document() if self.home.preferences().share_suitability else None
