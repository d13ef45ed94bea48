"""Wiring mistakes of a meter, from what physics does not allow: pure.

A current transformer (CT) is clamped around one conductor and its input is paired with one voltage. With U_k the
voltage of input k and I the current of the clamped conductor, the meter computes P_k = U I cos(phi + s):

    right                s = 0      P = U I cos(phi)          power factor near +1
    CT turned round      s = 180    P = -U I cos(phi)         near -1
    CT on another phase  s = 120    P = U I cos(phi + 120)    near -0.5 for loads that are nearly resistive

Without anything that generates, a home's phases lie within some 40 degrees of +1. With a load whose change is known
(a charger), the change of each phase's power says the same, whatever else generates.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

LEAST_A = 1.0
"""A phase with less current says nothing: standby loads have any power factor."""
LEAST_FACTOR = -0.3
"""No finding unless a phase's power factor is below this: low ones alone belong to reactive loads."""
MARGIN_DEG = 60.0
"""So much better a mistake must explain a sample than right wiring does."""
CLEAR_DEG = 20.0
"""... and than another mistake does."""
WINDOW = 60
VOTES = 24
"""Samples before anything is said; at one each 5 s two minutes."""
MAJORITY = 0.9
STEP_W = 900.0
"""A change of a charger by less is lost in the noise of a home."""
STEP_VOTES = 3
STEP_FIT = 0.2
"""So far a change may lie from what a wiring makes of it, as a part of the charger's."""
FACTORS = (1.0, -1.0, -0.5, 0.5)
PHASES = (1, 2, 3)
NOTHING = (None, None, None)
Triple = tuple[float | None, float | None, float | None]


@dataclass(frozen=True, slots=True)
class WiringSample:
    """One instant of a meter; powers with our sign, currents as magnitudes.

    `generating` says whether anything on the site can produce or discharge now; None when nobody knows.
    """

    volts: Triple = NOTHING
    amps: Triple = NOTHING
    watts: Triple = NOTHING
    total_w: float | None = None
    generating: bool | None = None


@dataclass(frozen=True, slots=True)
class KnownStep:
    """A load whose change is known: on grid `phases`, by `watts` on each; and how the meter's inputs moved with it."""

    name: str
    phases: tuple[int, ...]
    watts: float
    moved_w: tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class Mistake:
    """One thing wired wrong: `turned` CTs, inputs whose CTs are `crossed`, or `moved`: (grid phase, meter's input).

    Crossed inputs measure other phases' currents against their own voltage; moved ones are right, but numbered
    otherwise than the grid.
    """

    turned: tuple[int, ...] = ()
    crossed: tuple[int, ...] = ()
    moved: tuple[tuple[int, int], ...] = ()
    whole: bool = False


RIGHT = Mistake()


@dataclass(frozen=True, slots=True)
class WiringFinding:
    """One mistake in words: `cause` names it for good, `sure` says how sure, `remedy` what to do."""

    cause: str
    what: str
    remedy: str
    sure: str

    def __str__(self) -> str:
        return f"{self.what} ({self.sure}). {self.remedy}"


@dataclass(slots=True)
class WiringWatch:
    """Gathers evidence on one meter and says what it proves; forgets what is older than its window."""

    device: str
    name: str
    keys: bool = True
    """Whether the site file has keys to correct this meter's wiring."""
    _votes: deque[tuple[Mistake, bool]] = field(default_factory=lambda: deque(maxlen=WINDOW))
    _steps: deque[tuple[KnownStep, Mistake]] = field(default_factory=lambda: deque(maxlen=2 * STEP_VOTES))

    def add(self, sample: WiringSample) -> None:
        """Take a sample of the meter; one that proves nothing changes nothing."""
        mistake = explain(sample)
        if mistake is not None:
            self._votes.append((mistake, sample.generating is None))

    def add_step(self, step: KnownStep) -> None:
        """Take a known load's change; one that does not fit anything changes nothing."""
        mistake = explain_step(step)
        if mistake is not None:
            self._steps.append((step, mistake))

    def settled(self) -> bool:
        """Whether there is evidence enough to say that nothing is wrong."""
        return len(self._votes) >= VOTES or len(self._steps) >= STEP_VOTES

    def findings(self) -> list[WiringFinding]:
        """What the evidence proves now, the surest first; [] while there is too little of it."""
        found = [*self._from_steps(), *self._from_samples()]
        return list({finding.cause: finding for finding in reversed(found)}.values())[::-1]

    def _from_steps(self) -> Iterable[WiringFinding]:
        last = list(self._steps)[-STEP_VOTES:]
        mistakes = {mistake for _, mistake in last}
        if len(last) < STEP_VOTES or len(mistakes) != 1 or mistakes == {RIGHT}:
            return []
        return [_words(mistakes.pop(), self, "certain", last[-1][0])]

    def _from_samples(self) -> Iterable[WiringFinding]:
        if len(self._votes) < VOTES:
            return []
        mistake, count = Counter(mistake for mistake, _ in self._votes).most_common(1)[0]
        if mistake == RIGHT or count < MAJORITY * len(self._votes):
            return []
        doubtful = any(unknown for _, unknown in self._votes)
        return [_words(mistake, self, "possible" if doubtful else "likely")]


def explain(sample: WiringSample) -> Mistake | None:
    """The mistake one sample speaks for, RIGHT, or None when it proves nothing (something generates, no load)."""
    if sample.generating:
        return None
    angles = _angles(sample)
    if not angles:
        return _explain_total(sample)
    scores = sorted((_strain(mistake, angles), index) for index, mistake in enumerate(_mistakes(sample, angles)))
    mistakes = _mistakes(sample, angles)
    best = mistakes[scores[0][1]]
    if best == RIGHT:
        return RIGHT
    right = _strain(RIGHT, angles)
    if max(angles.values()) < math.degrees(math.acos(LEAST_FACTOR)) or right - scores[0][0] < MARGIN_DEG:
        return None
    second = next((score for score, index in scores[1:] if mistakes[index] != best), math.inf)
    return best if second - scores[0][0] >= CLEAR_DEG else None


def _angles(sample: WiringSample) -> dict[int, float]:
    """Phase angle between voltage and current of each loaded input, degrees 0-180 (its sign is not measured)."""
    angles = {}
    for phase, volts, amps, watts in zip(PHASES, sample.volts, sample.amps, sample.watts, strict=True):
        if volts and watts is not None and amps is not None and abs(amps) >= LEAST_A:
            angles[phase] = math.degrees(math.acos(max(-1.0, min(1.0, watts / (volts * abs(amps))))))
    return angles


def _explain_total(sample: WiringSample) -> Mistake | None:
    """Without currents only the sign of the total is left."""
    if _known(sample.amps) or sample.total_w is None or abs(sample.total_w) < 100 or sample.generating is None:
        return None
    return Mistake(whole=True) if sample.total_w < 0 else RIGHT


def _mistakes(sample: WiringSample, angles: dict[int, float]) -> list[Mistake]:
    inputs = _known(sample.watts)
    single = [Mistake(turned=(phase,)) for phase in angles] if len(inputs) > 1 else []
    whole = [Mistake(whole=True)] if len(angles) > 1 or len(inputs) == 1 else []
    pairs = [Mistake(crossed=(a, b)) for a in angles for b in angles if a < b]
    two = [Mistake(turned=(a, b)) for a in angles for b in angles if a < b and len(angles) == len(PHASES)]
    rotated = [Mistake(crossed=PHASES)] if len(angles) == len(PHASES) else []
    return [RIGHT, *single, *whole, *pairs, *two, *rotated]


def _strain(mistake: Mistake, angles: dict[int, float]) -> float:
    """How far the loads' own angles would lie from a plain load's, degrees in all, and some for the mistake itself."""
    strain = {0: 0.0, 1: 10.0}.get(len(mistake.turned), 25.0) + 15.0 * (bool(mistake.crossed) + mistake.whole)
    for phase, angle in angles.items():
        if mistake.whole or phase in mistake.turned:
            strain += 180 - angle
        elif phase in mistake.crossed:
            strain += abs(120 - angle)
        else:
            strain += angle
    return strain


def explain_step(step: KnownStep) -> Mistake | None:
    """What a known change proves: RIGHT, a mistake, or None when something else moved at the same time."""
    if abs(step.watts) < STEP_W:
        return None
    factors = [_factor(moved / step.watts) for moved in step.moved_w]
    if any(factor is None for factor in factors):
        return None
    moved = tuple(phase for phase, factor in zip(PHASES, factors, strict=True) if factor)
    values = {factor for factor in factors if factor}
    if len(step.phases) == 1 and len(moved) == 1:
        return _from_one(step.phases[0], moved[0], values.pop())
    if len(step.phases) == len(PHASES) == len(moved):
        turned = tuple(p for p, factor in zip(PHASES, factors, strict=True) if factor == -1.0)
        crossed = tuple(p for p, factor in zip(PHASES, factors, strict=True) if factor == -0.5)
        if len(crossed) == 1 or 0.5 in values:
            return None
        return Mistake(whole=True) if turned == PHASES else Mistake(turned, crossed)
    return None


def _from_one(phase: int, moved: int, factor: float) -> Mistake | None:
    if factor in (1.0, -1.0):
        turned = (moved,) if factor < 0 else ()
        return Mistake(turned=turned, moved=() if moved == phase else ((phase, moved),))
    # Half the power, and not on its own input: the CT measures this phase's current against another's voltage.
    return Mistake(crossed=tuple(sorted((phase, moved)))) if moved != phase and factor == -0.5 else None


def _factor(ratio: float) -> float | None:
    """The nearest of 0, 1, -1, -0.5 and 0.5; None when it is none of them."""
    nearest = min((0.0, *FACTORS), key=lambda factor: abs(ratio - factor))
    return nearest if abs(ratio - nearest) <= STEP_FIT else None


def _words(mistake: Mistake, watch: WiringWatch, sure: str, step: KnownStep | None = None) -> WiringFinding:
    name, where = watch.name, f"devices.{watch.device}"
    proof = f" when {step.name} changed by {abs(step.watts):.0f} W a phase" if step else " while nothing generates"
    caveat = "" if sure == "certain" else " Make sure that nothing the site file does not list generates there."
    if mistake.moved:
        return _moved_words(mistake, where, name, sure, step)
    if mistake.crossed:
        return _crossed_words(mistake, name, sure, proof)
    if mistake.whole:
        what = f"{name} counts the wrong way round: its powers are negative{proof}"
        return WiringFinding("whole", what, _mend("Turn it", "invert: true", where, watch.keys) + caveat, sure)
    phases = " and ".join(f"L{phase}" for phase in mistake.turned)
    what = f"the current transformer on {phases} of {name} is turned round: its power is negative{proof}"
    remedy = _mend("Turn it", f"invert_phases: {list(mistake.turned)}", where, watch.keys)
    return WiringFinding(f"turned {phases}", what, remedy + caveat, sure)


def _mend(deed: str, key: str, where: str, keys: bool) -> str:
    return f"{deed}, or set `{key}` in {where} of the site file." if keys else f"{deed} at the meter."


def _crossed_words(mistake: Mistake, name: str, sure: str, proof: str) -> WiringFinding:
    phases = " and ".join(f"L{phase}" for phase in mistake.crossed)
    what = (
        f"the current transformers on {phases} of {name} sit on each other's conductors: "
        f"each shows about minus half its power{proof}"
    )
    remedy = (
        "Exchange them at the conductors or at the meter's terminals, so that each is with its own voltage; no setting "
        "can mend this, as the meter multiplies current and voltage inside"
    )
    if len(mistake.crossed) == len(PHASES):
        remedy += (
            ". All three are moved on by one, and the two ways to do that look alike: "
            "move each to the next phase, and once more if nothing has changed"
        )
    return WiringFinding(f"crossed {phases}", what, f"{remedy}.", sure)


def _moved_words(mistake: Mistake, where: str, name: str, sure: str, step: KnownStep | None) -> WiringFinding:
    phase, seen = mistake.moved[0]
    order = list(PHASES)
    order[seen - 1], order[phase - 1] = phase, seen
    load = step.name if step else "the load"
    what = f"{load} is on phase {phase}, but phase {seen} of {name} moved with it"
    remedy = (
        f"If {load} really hangs on phase {phase}, set `phases: {order}` in {where} of the site file; "
        f"else correct {load}: `phases: [{seen}]`"
    )
    if mistake.turned:
        remedy += f". Its current transformer is turned as well: `invert_phases: [{phase}]`"
    return WiringFinding(f"moved {phase} to {seen}", what, f"{remedy}.", sure)


def _known(values: Sequence[float | None]) -> list[float]:
    return [value for value in values if value is not None]
