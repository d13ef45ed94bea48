"""What a message means for a connector, whatever version told it: status, start, samples, end."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from adapters.ocpp.connector import Connector
from adapters.ocpp.samples import BEGIN, Sample
from adapters.ocpp.sessions import ORPHAN
from gateway.model.quantity import Quantity
from gateway.model.session import EvSession
from gateway.model.snapshot import ChargePhase

DRAWING_W = 100.0
_WITH_CAR = (ChargePhase.PLUGGED, ChargePhase.CHARGING)


def rebooted(connector: Connector) -> None:
    """The charger started anew: profiles may be lost, and a car that goes on charging needs its limit at once."""
    connector.live.reboot()
    connector.stamps.new_line()
    connector.limiter.reboot()
    connector.wish_is_due = connector.book.open_session() is not None


async def take_status(
    connector: Connector,
    phase: ChargePhase,
    time: datetime | None,
    error: str = "",
    *,
    orphaned: bool = False,
    idle: bool = False,
) -> None:
    """A status of the connector, whose stamp was heard (`Connector.stamped`); raises StoreError.

    `orphaned`: it ends a session whose end was never told; `idle`: it says itself that it does not charge.
    """
    before = connector.live.phase
    if not connector.live.take_status(phase, time, idle=idle):
        return
    connector.live.error = error
    if orphaned:
        await _close_orphan(connector, time)
        connector.book.freed()
    tell_plug(connector, before)
    connector.rest()


async def _close_orphan(connector: Connector, time: datetime | None) -> None:
    """Nothing is plugged in, so the connector's session is over."""
    session, at = connector.book.open_session(), connector.book.told(time)
    if session is not None and (at is None or at >= session.start):
        await connector.book.stop(session, time, None, ORPHAN + "the connector became available")
        connector.needs = None
        connector.changed("session")


def tell_plug(connector: Connector, before: ChargePhase | None) -> None:
    """Tell when a car came or went since `before`."""
    was, is_now = before in _WITH_CAR, connector.live.phase in _WITH_CAR
    if was != is_now:
        connector.changed("plugged" if is_now else "unplugged")
    if was and not is_now:
        connector.needs = None


def began(connector: Connector) -> None:
    """A new session is open: limits are told anew once the charger has our answer."""
    before = connector.live.phase
    connector.limiter.new_session()
    if before is not ChargePhase.CHARGING:
        connector.live.assume(ChargePhase.PLUGGED)
    connector.wish_is_due = True
    tell_plug(connector, before)
    connector.changed("session")


async def end(
    connector: Connector, session: EvSession, time: datetime | None, register_wh: float | None, reason: str
) -> None:
    """The charger ended a session; raises StoreError."""
    was_current = is_current(connector, session)
    await connector.book.stop(session, time, register_wh, reason)
    if was_current:
        connector.needs = None
    if connector.live.phase in _WITH_CAR and connector.book.open_session() is None:
        connector.live.assume(ChargePhase.PLUGGED, idle=True)
    connector.changed("session")
    connector.rest()


def is_current(connector: Connector, session: EvSession) -> bool:
    """Whether this session is the connector's open one."""
    current = connector.book.open_session()
    return current is not None and current.transaction == session.transaction


async def take_samples(
    connector: Connector, samples: Sequence[Sample], transaction: int | None, *, ended: bool = False
) -> None:
    """Live samples become readings; registers, live or replayed, count for the session; raises StoreError.

    `ended`: they came with its end. What the charger will not tell again is on the disk when this returns.
    """
    beside = ended or any(BEGIN not in sample.contexts for sample in samples)
    for sample in samples:
        register = sample.values.get(Quantity.ENERGY_IMPORT)
        if BEGIN in sample.contexts and connector.book.is_told_again(transaction, register, sample.time, beside=beside):
            continue  # its start is known, and what was then is told once more: it is not of now
        live = connector.live.take_sample(sample)
        await connector.stamped(sample.time, sampled=True)
        if live:
            connector.measured(live)
        if transaction is not None and register is not None:
            power = connector.live.measured() if live else connector.live.measured_then(sample)
            await connector.book.take_register(transaction, register, live=bool(live), time=sample.time, power=power)
    await connector.book.settle()


def infer_charging(connector: Connector, *, whenever: bool = False) -> None:
    """A gateway that restarted in mid-session may learn of the charging by its power only.

    `whenever`: so it is with a charger that never says when it charges.
    """
    power, phase = connector.live.value(Quantity.POWER), connector.live.phase
    unsaid = phase is None or (whenever and phase in _WITH_CAR)
    if unsaid and power is not None and connector.book.open_session() is not None:
        connector.live.assume(ChargePhase.CHARGING if power > DRAWING_W else ChargePhase.PLUGGED)
