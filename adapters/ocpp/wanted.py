"""What every charger is asked for at its set-up, whatever version it speaks."""

from __future__ import annotations

from adapters.ocpp.samples import REGISTER

MEASURANDS = (REGISTER, "Power.Active.Import", "Current.Import", "Voltage", "Current.Offered", "SoC")
ALIGNED_S = 900
"""Its register at each quarter hour, on which interval data stand."""
HEARTBEAT_S = 60
DEFAULT_INTERVAL_S = 10
MOST_SILENCES = 2
"""So often an action may stay unanswered: each time costs many seconds in which the charger can be told nothing else."""
