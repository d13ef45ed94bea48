"""How real chargers misbehave, by name: given on the command line for good, or as a fault for a while.

The number is that of the quirk in the guide's table (Q1 to Q15), 0 for faults and for habits outside it.
"""

from __future__ import annotations

from dataclasses import dataclass

ALL_VERSIONS = ("1.6", "2.0.1", "2.1")
ONLY_16 = ("1.6",)
ONLY_2 = ("2.0.1", "2.1")


@dataclass(frozen=True)
class Quirk:
    """One habit: its number, the versions it exists in, what the station does."""

    number: int
    does: str
    versions: tuple[str, ...] = ALL_VERSIONS


HANG, LIE, DROP, REBOOT = "hang", "lie", "drop", "reboot"
NO_BOOT, EMPTY_VENDOR, OVERLONG_BOOT = "no-boot", "empty-vendor", "overlong-boot"
MAX_REFUSED, MAX_IGNORED = "max-profile-refused", "max-profile-ignored"
REJECT_TX, TX_NEEDS_ID = "reject-tx", "tx-profile-needs-id"
REJECT_ABSOLUTE, REJECT_RELATIVE = "reject-absolute", "reject-relative"
RELATIVE_ONLY_SILENT, ABSOLUTE_ONLY_SILENT = "relative-only-silent", "absolute-only-silent"
STACK0_ONLY, STACK0_HONOURED = "stack0-only", "stack0-honoured"
WATTS_ONLY, WATTS_WORD, AMPS_ONLY = "watts-only", "watts-word", "amps-only"
NO_ZERO, ZERO_IGNORED = "no-zero", "zero-ignored"
MEASURAND_REFUSE_LIST, REBOOTS_ON_PROBING, SENDS_FEW = "measurand-refuse-list", "reboots-on-probing", "sends-few"
METER_PARTIAL, METER_ON_TRIGGER, METER_SILENT = "meter-partial", "meter-trigger-only", "meter-silent"
METER_KWH, METER_BLANKS, METER_L1_N, METER_UNNAMED = "meter-kwh", "meter-blanks", "meter-l1-n", "meter-unnamed"
SLOW_REDIAL, DROPS_IN_SETUP = "no-redial-for-minutes", "drops-in-setup"
AVAILABILITY_SCHEDULED, AVAILABILITY_BREAKS = "availability-scheduled", "availability-breaks"
TAG_OVERREAD, GARBLED_TAG = "tag-overread", "garbled-tag"
GARBAGE_TRANSACTION_ID, OFFLINE_MINUS_ONE, REPEAT_START = "garbage-transaction-id", "offline-minus-one", "repeat-start"
NEEDS_REMOTE_START, STUCK_IN_FINISHING = "needs-remote-start", "stuck-in-finishing"
SIXTEEN_SHAPES, SIXTEEN_ON_201 = "sixteen-shapes", "sixteen-on-201"
INVENTORY_WITHOUT_EVSE, NO_SMART_AVAILABLE = "inventory-without-evse", "no-smart-available"
WHOLE_AMPS, PHASES_IGNORED, COMPOSITE_NONSENSE = "whole-amps", "number-phases-ignored", "composite-nonsense"
OVER_BY_2, OFFERED_LIES, SMART_OFF = "over-by-2", "offered-lies", "smart-charging-off"
METER_VALUES_ON_2, METER_MULTIPLIER = "meter-values-instead-of-events", "meter-multiplier"

GARBAGE_ID = 2**63 - 1

QUIRKS: dict[str, Quirk] = {
    HANG: Quirk(0, "reads nothing, answers nothing, keeps the line open and the current as it is"),
    LIE: Quirk(0, "accepts profiles and keeps its current"),
    DROP: Quirk(0, "the line is cut and stays down"),
    REBOOT: Quirk(0, "restarts: line and TxProfile lost, boots again, the transaction goes on"),
    MAX_REFUSED: Quirk(1, "refuses the installation ceiling (ChargePointMaxProfile, ChargingStationMaxProfile)"),
    MAX_IGNORED: Quirk(1, "accepts the installation ceiling and ignores it"),
    REJECT_TX: Quirk(2, "refuses TxProfile even inside a transaction; outside one every station here refuses it"),
    TX_NEEDS_ID: Quirk(2, "refuses a TxProfile that does not name the running transaction", ONLY_16),
    REJECT_ABSOLUTE: Quirk(3, "relative schedules only, Absolute is rejected"),
    REJECT_RELATIVE: Quirk(3, "absolute schedules only, Relative is rejected"),
    RELATIVE_ONLY_SILENT: Quirk(3, "relative schedules only, Absolute is never answered"),
    ABSOLUTE_ONLY_SILENT: Quirk(3, "absolute schedules only, Relative is never answered"),
    STACK0_ONLY: Quirk(4, "announces and takes stack level 0 only"),
    STACK0_HONOURED: Quirk(4, "announces and accepts higher stack levels, and follows level 0 only"),
    WATTS_ONLY: Quirk(5, "limits in W only, A is rejected; announced as Power (2.x: W)"),
    WATTS_WORD: Quirk(5, "limits in W only, announced by the word W instead of Power", ONLY_16),
    AMPS_ONLY: Quirk(5, "limits in A only, W is rejected"),
    NO_ZERO: Quirk(6, "refuses a limit of 0"),
    ZERO_IGNORED: Quirk(6, "accepts a limit of 0 and charges on at its minimum"),
    MEASURAND_REFUSE_LIST: Quirk(7, "refuses the whole measurand list for one it cannot measure"),
    REBOOTS_ON_PROBING: Quirk(7, "restarts when its measurands are set more than once after a boot"),
    SENDS_FEW: Quirk(7, "accepts any measurand list and goes on sending its own five"),
    METER_PARTIAL: Quirk(8, "tells its energy register and nothing else"),
    METER_ON_TRIGGER: Quirk(8, "sends meter values only when triggered"),
    METER_SILENT: Quirk(8, "sends no meter values at all, and rejects the trigger"),
    METER_KWH: Quirk(8, "energy in kWh and power in kW"),
    METER_BLANKS: Quirk(8, "blanks around the numbers", ONLY_16),
    METER_L1_N: Quirk(8, "phases of the current named L1-N, L2-N, L3-N"),
    METER_MULTIPLIER: Quirk(8, "energy and power in thousands, told by the multiplier of the unit", ONLY_2),
    METER_UNNAMED: Quirk(8, "only an energy register without measurand, unit, context or location"),
    NO_BOOT: Quirk(9, "never sends BootNotification by itself"),
    EMPTY_VENDOR: Quirk(9, "empty vendor and model in BootNotification"),
    OVERLONG_BOOT: Quirk(9, "boot fields longer than the standard allows"),
    SLOW_REDIAL: Quirk(10, "dials again only after six minutes of home time"),
    DROPS_IN_SETUP: Quirk(10, "drops the line while it is being set up, three times"),
    AVAILABILITY_SCHEDULED: Quirk(11, "answers every ChangeAvailability with Scheduled"),
    AVAILABILITY_BREAKS: Quirk(11, "ChangeAvailability is rejected and the connector is out of order until a reset"),
    TAG_OVERREAD: Quirk(12, "reads past a tag of 20 characters and quotes the garbage when stopping"),
    GARBLED_TAG: Quirk(12, "quotes its tag with unprintable characters in it"),
    GARBAGE_TRANSACTION_ID: Quirk(13, "quotes 2^63-1 instead of the transaction id it was given", ONLY_16),
    OFFLINE_MINUS_ONE: Quirk(13, "quotes -1 for ever in a transaction begun without the line", ONLY_16),
    REPEAT_START: Quirk(13, "sends the start of a transaction twice, with a new message id"),
    NEEDS_REMOTE_START: Quirk(14, "never starts by itself"),
    STUCK_IN_FINISHING: Quirk(14, "after a remote stop it starts nothing until the plug is pulled or it is reset"),
    SIXTEEN_SHAPES: Quirk(15, "boots and reports status in 1.6 shapes, and numbers as strings", ONLY_2),
    SIXTEEN_ON_201: Quirk(15, "a 1.6 firmware that dials as ocpp2.0.1", ONLY_16),
    INVENTORY_WITHOUT_EVSE: Quirk(15, "the inventory names no EVSE, and evse 0 has a status", ONLY_2),
    NO_SMART_AVAILABLE: Quirk(15, "SmartChargingCtrlr has no variable Available", ONLY_2),
    METER_VALUES_ON_2: Quirk(0, "sends MeterValues where TransactionEvent Updated belongs", ONLY_2),
    WHOLE_AMPS: Quirk(0, "cuts limits down to whole amperes"),
    PHASES_IGNORED: Quirk(0, "ignores numberPhases"),
    COMPOSITE_NONSENSE: Quirk(0, "its composite schedule has no sense: no true period, 8.6e12 s long"),
    OVER_BY_2: Quirk(0, "lets the car take 2 A more than the limit"),
    OFFERED_LIES: Quirk(0, "follows no limit and tells the limit as its offered current"),
    SMART_OFF: Quirk(0, "smart charging is switched off in its own menu: every profile is rejected"),
}
ALL = tuple(QUIRKS)
MOMENTARY = frozenset({HANG, DROP, REBOOT})


def named(name: str) -> str:
    """A quirk as it may be typed, underscores or hyphens; raises ValueError for one there is not."""
    plain = name.replace("_", "-")
    if plain not in QUIRKS:
        raise ValueError(f"{name} is no quirk; there are {', '.join(ALL)}")
    return plain
