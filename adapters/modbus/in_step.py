"""Whether a unit on a serial line is in step: what it still owes an answer to, and what would prove it. Pure.

An RTU answer carries no number. One that comes late fits the next question of the same function and length. After a
time-out nothing the unit says is believed until it has answered a question whose answer has another length than any
it may still owe: a unit answers in the order it was asked, so whatever it owed before can no longer come. Answers of
other units carry their own unit id and are told apart by it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

LATEST = 10.0
"""An answer is held to be lost after so many time-outs."""
LONGEST_READ = 125
REMEMBERED = 8
READS = frozenset({3, 4})


@dataclass(frozen=True, slots=True)
class Question:
    """What was asked: function code, first register, number of registers."""

    function: int
    address: int
    count: int


@dataclass
class Step:
    """What one unit owes; times in s of the world."""

    quiet_until: float = 0.0
    """Until then it is not asked: its late answer and the next one would fall on each other."""
    _owed: dict[Question, float] = field(default_factory=dict)
    """Until when an answer may still come."""
    _refused: set[int] = field(default_factory=set)
    """Counts it answered with an exception: no proof, as an exception has the same length whatever was asked."""
    _known: dict[int, Question] = field(default_factory=dict)
    """Reads it has answered with registers, by count."""

    def owes(self, question: Question, now_s: float, timeout_s: float) -> None:
        """No fitting answer came to this question."""
        self._owed[question] = now_s + LATEST * timeout_s
        self.quiet_until = now_s + 2 * timeout_s

    def in_doubt(self, now_s: float) -> bool:
        """Whether an answer to an earlier question may still come."""
        self._owed = {question: until for question, until in self._owed.items() if until > now_s}
        if not self._owed:
            self._refused.clear()
        return bool(self._owed)

    def gave(self, question: Question) -> None:
        """It answered this read with registers: a question for later proofs."""
        if question.function in READS and (question.count in self._known or len(self._known) < REMEMBERED):
            self._known[question.count] = question

    def proven(self) -> None:
        """It answered what no earlier question could have made it answer."""
        self._owed.clear()
        self._refused.clear()

    def refuses(self, proof: Question) -> None:
        """An exception came: to the proof, or late to an earlier question; another proof is needed."""
        self._refused.add(proof.count)

    def proof(self, like: Question) -> Question | None:
        """A read whose answer no owed one can be: one it has answered before, else near `like`; None: none is left."""
        spent = {question.count for question in self._owed} | self._refused
        known = next((question for count, question in self._known.items() if count not in spent), None)
        if known is not None:
            return known
        near = (like.count + change for change in (-2, 2, -4, 4, -1, 1, 3))
        count = next((count for count in near if 1 <= count <= LONGEST_READ and count not in spent), None)
        function = like.function if like.function in READS else 3
        return None if count is None else Question(function, like.address, count)
