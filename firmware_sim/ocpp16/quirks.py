"""How real chargers misbehave, by name: given on the command line for good, or as a fault for a while."""

from __future__ import annotations

HANG = "hang"
"""Reads nothing, answers nothing, keeps the line open and the current as it is."""
LIE = "lie"
"""Accepts profiles and keeps its current."""
DROP = "drop"
"""The line is cut and stays down."""
REBOOT = "reboot"
"""Restarts: line and TxProfile lost, boots again, the transaction goes on."""
NO_BOOT = "no-boot"
"""Never sends BootNotification."""
REJECT_ABSOLUTE = "reject-absolute"
STACK0_ONLY = "stack0-only"
WATTS_ONLY = "watts-only"
NO_ZERO = "no-zero"
"""Refuses a limit of 0."""
REJECT_TX = "reject-tx"
"""Refuses TxProfile even inside a transaction."""
WHOLE_AMPS = "whole-amps"
"""Cuts limits down to whole amperes."""
MEASURAND_REFUSE_LIST = "measurand-refuse-list"
"""Refuses the whole measurand list for one it cannot measure."""
REPEAT_START = "repeat-start"
"""Sends StartTransaction twice, with a new message id."""
GARBAGE_TRANSACTION_ID = "garbage-transaction-id"
"""Quotes 2^63-1 instead of the transaction id it was given."""

GARBAGE_ID = 2**63 - 1
ALL = (
    HANG, LIE, DROP, REBOOT, NO_BOOT, REJECT_ABSOLUTE, STACK0_ONLY, WATTS_ONLY, NO_ZERO, REJECT_TX, WHOLE_AMPS,
    MEASURAND_REFUSE_LIST, REPEAT_START, GARBAGE_TRANSACTION_ID,
)  # fmt: skip
