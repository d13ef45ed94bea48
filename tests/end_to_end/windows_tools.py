"""What the windows at speed 1 need: a witness of every second, a broker that comes back, figures in a table."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

from gateway.demo import Child, find_mosquitto
from tests.end_to_end.harness import LivingHome

REACH_A = 10.0
"""From this current on the car counts as charging freely: the house may leave it less than its 16 A."""
STEADY_S = 4


def say(text: str) -> None:
    """Show a figure (with pytest -s, or when a test fails)."""
    sys.stdout.write(f"{text}\n")


class Witness:
    """Hears every state of the house, with the home time at which it came; `with` listens."""

    def __init__(self, home: LivingHome) -> None:
        self.seen: list[tuple[datetime, dict[str, Any]]] = []
        self._home = home
        self._line = socket.create_connection(("127.0.0.1", home.child("house").port or 0), timeout=10)
        self._line.settimeout(None)
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Witness:
        self._line.sendall(b'{"hello": "witness"}\n')
        self._thread.start()
        self._home.until(lambda: self.seen, 10)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._line.shutdown(socket.SHUT_RDWR)
        self._line.close()
        self._thread.join(5)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            for text in self._line.makefile():
                message = json.loads(text)
                if "state" in message:
                    self.seen.append((now(self._home), message["state"]))

    def last(self) -> dict[str, Any]:
        """The newest state."""
        return self.seen[-1][1]

    def charges(self) -> bool:
        """Whether the car has charged freely and steadily for some seconds."""
        amps = [state["ev"]["current_a"][0] for _, state in self.seen[-STEADY_S:]]
        return bool(min(amps) >= REACH_A and max(amps) - min(amps) < 0.2)

    def first(self, since: datetime, what: Any) -> datetime | None:
        """When after `since` a state was first so, None when never."""
        return next((time for time, state in list(self.seen) if time >= since and what(state)), None)

    def longest_above(self, amps: float, since: datetime, until: datetime) -> float:
        """The longest time any phase drew above `amps` in [since, until], s, to the second of the states."""
        best = 0.0
        for phase in range(3):
            begin: datetime | None = None
            for at, state in list(self.seen):
                if not since <= at <= until:
                    continue
                if state["current_a"][phase] <= amps:
                    begin = None
                    continue
                begin = begin or at
                best = max(best, (at - begin).total_seconds())
        return best


def now(home: LivingHome) -> datetime:
    """Home time, as every process of the home reckons it."""
    return home.demo.home_epoch + timedelta(seconds=(time.time() - home.demo.real_epoch) * home.demo.speed)


def at(home: LivingHome, clock: str) -> datetime:
    """A local time of the home's day, "18:00:40"."""
    hour, minute, second = (int(part) for part in clock.split(":"))
    return home.demo.home_epoch.replace(hour=hour, minute=minute, second=second)


def sleep_until(home: LivingHome, when: datetime) -> None:
    """Let the home live until then."""
    time.sleep(max(0.0, (when - now(home)).total_seconds() / home.demo.speed))


def charger(home: LivingHome) -> dict[str, Any]:
    """The car's charger as the API tells it."""
    found: dict[str, Any] = home.get("/api/v1/chargers")[0]
    return found


def accepted(home: LivingHome, amps: float, since: datetime) -> float | None:
    """Seconds from `since` to the acceptance of a limit of `amps`; None while it is not accepted after it."""
    status = charger(home)
    if status["accepted_limit_a"] != amps or status["accepted_at"] is None:
        return None
    return (datetime.fromisoformat(status["accepted_at"]) - since).total_seconds()


def commands(home: LivingHome, since: datetime, subject: str = "car") -> list[dict[str, Any]]:
    """What was commanded of one device after `since`, oldest first, from the audit."""
    rows = home.get(f"/api/v1/audit?start={since.astimezone().isoformat().replace('+', '%2B')}")
    mine = [row for row in rows if row["subject"] == subject and row["step"] == "commanded"]
    return sorted(mine, key=lambda row: str(row["time"]))


def until_accepted(home: LivingHome, amps: float, since: datetime, within_s: float) -> float:
    """Wait for a limit of exactly `amps` accepted after `since`; returns the seconds to it."""
    found: list[float] = []

    def look() -> bool:
        delay = accepted(home, amps, since)
        if delay is not None and delay >= -0.05:
            found.append(delay)
        return bool(found)

    home.until(look, within_s, every_s=0.05)
    return found[0]


def until_raised(home: LivingHome, since: datetime, within_s: float) -> float:
    """Wait for a limit of at least 6 A commanded after `since`; returns the seconds to it."""
    return _until_commanded(home, since, within_s, lambda amps: amps >= 6)


def until_lowered(home: LivingHome, since: datetime, within_s: float) -> float:
    """Wait for any new limit accepted after `since`; returns the seconds to the first."""
    return _until_commanded(home, since, within_s, lambda amps: True)


def _until_commanded(home: LivingHome, since: datetime, within_s: float, fits: Callable[[float], bool]) -> float:
    def found() -> list[str]:
        return [row["time"] for row in commands(home, since) if fits(float(row["text"].split(" A ")[0]))]

    home.until(found, within_s, every_s=0.1)
    return (datetime.fromisoformat(found()[0]) - since).total_seconds()


def causes(home: LivingHome) -> set[str]:
    """The causes of the notifications that are open."""
    return {row["cause"] for row in home.get("/api/v1/notifications") if row["ended"] is None}


def metric(home: LivingHome, name: str) -> float:
    """One figure of /metrics."""
    lines = home.get("/metrics").splitlines()
    return next(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


def restart_broker(home: LivingHome) -> Child:
    """Start the killed broker again: the same port, the same configuration."""
    program, configuration = find_mosquitto(), home.folder / "mosquitto.conf"
    assert program is not None
    port = int(configuration.read_text().split()[1])
    process = subprocess.Popen(
        [program, "-c", str(configuration)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    child = Child("mosquitto", process, port)
    home.demo.children.append(child)
    return child


def overload(home: LivingHome, witness: Witness, to_a: float, *, on_top_of_w: float = 0.0) -> float:
    """Switch on what brings L1 to `to_a` A at this instant; returns all that is switched on there now, W."""
    state = witness.last()
    more = max(0.0, to_a - state["grid_w"][0] / state["voltage_v"][0]) * state["voltage_v"][0]
    home.hub({"house": {"extra_w": [on_top_of_w + more, 0, 0]}})
    return float(on_top_of_w + more)


def relief(home: LivingHome) -> None:
    """Switch it off again."""
    home.hub({"house": {"extra_w": [0, 0, 0]}})


class Figures:
    """What was measured against what is promised; printed as a table, and judged at three times the promise."""

    def __init__(self, title: str) -> None:
        self._title = title
        self.rows: list[tuple[str, float, float, float]] = []

    def note(self, what: str, measured: float, promised: float, *, most: float | None = None) -> None:
        """Keep one figure, s; it fails the test above `most`, which is three times the promise when not given."""
        self.rows.append((what, measured, promised, 3 * promised if most is None else most))

    def judge(self) -> None:
        """Print the table, then fail for whatever is above what is let through."""
        say(f"\n{self._title}")
        for what, measured, promised, _ in self.rows:
            say(
                f"  {what:<72} {measured:7.2f} s   promised {promised:5.1f} s{'' if measured <= promised else '   (!)'}"
            )
        late = [row for row in self.rows if row[1] > row[3]]
        assert not late, late


@contextlib.contextmanager
def told(figures: Figures) -> Iterator[Figures]:
    """Print the figures also when the test fails before its end."""
    try:
        yield figures
    except BaseException:
        with contextlib.suppress(AssertionError):
            figures.judge()
        raise
    figures.judge()
