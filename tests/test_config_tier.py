"""What becomes of a device while the grid is lost: said in the site file, or as is usual for its role."""

from __future__ import annotations

from pathlib import Path

from gateway.model.site import Tier
from tests.test_config_circuits import DEVICES, load


def tiers(tmp_path: Path, devices: str) -> dict[str, Tier]:
    found = load(tmp_path, "", devices.replace(", circuit: garage", ""))
    assert found.findings == ()
    return {device.id: device.load_tier for device in found.site.devices}


def test_a_car_is_not_essential_unless_the_site_file_says_so(tmp_path: Path) -> None:
    assert tiers(tmp_path, DEVICES)["car"] is Tier.NON_ESSENTIAL
    said = DEVICES.replace("charge_point_id: CP_1", "charge_point_id: CP_1, tier: must")
    assert tiers(tmp_path, said)["car"] is Tier.MUST


def test_a_tier_nobody_knows_is_named_with_the_next_one(tmp_path: Path) -> None:
    wrong = DEVICES.replace("charge_point_id: CP_1, circuit: garage", "charge_point_id: CP_1, tier: musst")
    found = load(tmp_path, "", wrong)
    (finding,) = found.findings
    assert "unknown tier 'musst'" in finding.what and "must" in finding.remedy
    assert [device.id for device in found.site.devices] == ["grid_meter", "garage_meter"]
