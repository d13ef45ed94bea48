"""Login: one owner, a password hashed with argon2id, opaque sessions, a one-time set-up code, throttled tries."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from gateway.model.errors import WishRefused
from gateway.ports import Clock, FactStore

OWNER = "login/owner"
SESSIONS = "login/sessions"
LASTS = timedelta(days=30)
KEPT = 50
MIN_PASSWORD = 10
FREE_TRIES = 5
LONGEST_WAIT_S = 300.0
CODE_LETTERS = "ABCDEFGHJKMNPQRSTUVWXYZ23456789"


@dataclass(slots=True)
class Throttle:
    """After five failures each further try waits twice as long, up to five minutes; real seconds."""

    clock: Clock
    failures: dict[str, tuple[int, float]] = field(default_factory=dict)

    def wait_s(self, *keys: str) -> float:
        """How long until another try is heard, s; 0 when at once."""
        return max((self._wait(key) for key in keys), default=0.0)

    def _wait(self, key: str) -> float:
        count, last = self.failures.get(key, (0, 0.0))
        if count < FREE_TRIES:
            return 0.0
        return max(0.0, last + min(LONGEST_WAIT_S, 2.0 ** (count - FREE_TRIES + 1)) - self._now())

    def failed(self, *keys: str) -> None:
        """Count a failure for each key; the oldest keys are forgotten beyond a thousand."""
        for key in keys:
            count, _ = self.failures.pop(key, (0, 0.0))
            self.failures[key] = (count + 1, self._now())
        while len(self.failures) > 1000:
            del self.failures[next(iter(self.failures))]

    def succeeded(self, *keys: str) -> None:
        """Forget the failures of these keys."""
        for key in keys:
            self.failures.pop(key, None)

    def _now(self) -> float:
        return self.clock.monotonic() / self.clock.speed


class Login:
    """Who is who: passwords and sessions, kept in the fact store (sessions as hashes only)."""

    def __init__(self, facts: FactStore, clock: Clock) -> None:
        self.facts = facts
        self.clock = clock
        self.throttle = Throttle(clock)
        self.setup_code = "".join(secrets.choice(CODE_LETTERS) for _ in range(10))
        self.said: dict[str, str] = {}
        """What to tell each visitor on the next page, by session."""
        self._hasher = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1)
        self._one = asyncio.Lock()

    async def is_set_up(self) -> bool:
        """Whether the owner has a password."""
        return await self.facts.get(OWNER) is not None

    async def set_up(self, code: str, password: str, address: str) -> str:
        """Set the first password with the set-up code; returns a session token, raises WishRefused."""
        async with self._one:
            self._heard(address)
            if await self.is_set_up():
                raise WishRefused("This home has a password already; log in with it.")
            given = code.strip().upper().replace("-", "").encode()
            if not hmac.compare_digest(given, self.setup_code.encode()):
                self.throttle.failed(address, OWNER)
                raise WishRefused("That is not the set-up code. Hearth prints it when it starts; read it again there.")
            if len(password) < MIN_PASSWORD:
                raise WishRefused(f"A password needs at least {MIN_PASSWORD} characters; three words make a good one.")
            kept = await asyncio.to_thread(self._hasher.hash, password)
            await self.facts.put(OWNER, {"hash": kept})
        return await self._open()

    async def log_in(self, password: str, address: str) -> str:
        """Returns a session token; raises WishRefused."""
        async with self._one:
            self._heard(address)
            document = await self.facts.get(OWNER)
            if document is None or not await asyncio.to_thread(self._verify, str(document["hash"]), password):
                self.throttle.failed(address, OWNER)
                raise WishRefused("The password is wrong. Check capitals and keyboard layout, then try again.")
            self.throttle.succeeded(address, OWNER)
        return await self._open()

    def _heard(self, address: str) -> None:
        wait = self.throttle.wait_s(address, OWNER)
        if wait > 0:
            raise WishRefused(f"Too many wrong tries. Try again in {wait:.0f} s.")

    def _verify(self, kept: str, password: str) -> bool:
        try:
            return self._hasher.verify(kept, password)
        except (VerificationError, InvalidHashError):
            return False

    async def _open(self) -> str:
        token = secrets.token_urlsafe(32)
        sessions = await self._sessions()
        sessions[_hash(token)] = (self.clock.now() + LASTS).isoformat()
        newest = sorted(sessions.items(), key=lambda item: item[1])[-KEPT:]
        await self.facts.put(SESSIONS, dict(newest))
        return token

    async def who(self, token: str) -> str:
        """The account of a session; empty when it is not open."""
        return "owner" if token and _hash(token) in await self._sessions() else ""

    async def log_out(self, token: str) -> None:
        """End a session."""
        sessions = await self._sessions()
        if sessions.pop(_hash(token), None):
            await self.facts.put(SESSIONS, dict(sessions))

    async def _sessions(self) -> dict[str, str]:
        kept = await self.facts.get(SESSIONS) or {}
        now = self.clock.now()
        return {key: end for key, end in kept.items() if datetime.fromisoformat(end) > now}


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
