"""Passwords of chargers: the site file's first, rotated ones as salted hashes in the fact store.

    site file's password -> rotate: next = random -> charger comes back with it -> it alone holds
                                      both hold

A site file's password that was changed after a rotation is a new beginning: whoever wrote it has reset the charger.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import string
from dataclasses import dataclass, replace
from typing import Any

from gateway.model.errors import CommandRefused
from gateway.ports import FactStore

PASSWORD_LENGTH = 20
"""Characters of a password of ours: 119 bits; OCPP 1.6's AuthorizationKey holds 20 bytes, 2.x asks for 16 at least."""
ALPHABET = string.ascii_letters + string.digits
MOST_OPEN = 8
"""So many new passwords may wait to be shown by a charger."""
HEX_LENGTH = 32
"""From so many hexadecimal digits on a password may be a key in the notation of OCPP-J 1.6, section 6.2.2."""


@dataclass(frozen=True, slots=True)
class Secret:
    """A password as it is kept: random salt and SHA-256 of both, hexadecimal.

    A fast hash is right here: ours are random 119 bits, which nobody can search.
    """

    salt: str
    digest: str

    @classmethod
    def of(cls, password: bytes) -> Secret:
        """Keep this password."""
        salt = secrets.token_hex(16)
        return cls(salt, _digest(salt, password))

    def holds(self, given: bytes) -> bool:
        """Whether one of the ways to write what was given is the password kept."""
        return any(hmac.compare_digest(self.digest, _digest(self.salt, each)) for each in _readings(given))


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of one charge point; `site` is the site file's password at the time of the last rotation."""

    current: Secret | None = None
    next: tuple[Secret, ...] = ()
    """Told to the charger and not yet shown by it: every one holds, for the answer to any may have been lost."""
    site: Secret | None = None


def new_password() -> str:
    """A random password that every charger can hold and type."""
    return "".join(secrets.choice(ALPHABET) for _ in range(PASSWORD_LENGTH))


class Credentials:
    """Whose password is right; reads and writes raise StoreError."""

    def __init__(self, store: FactStore) -> None:
        self._store = store
        self._kept: dict[str, Kept] = {}

    async def knows(self, identity: str) -> bool:
        """Whether any password is kept for this charge point, beside the site file's."""
        kept = await self._load(identity)
        return kept.current is not None or bool(kept.next)

    async def shown(self, identity: str) -> bool:
        """Whether the charger has shown a password that it was given: from then on it is asked for one."""
        return (await self._load(identity)).current is not None

    async def accepts(self, identity: str, given: bytes, site_password: str | None) -> bool:
        """Whether `given` is a password of this charge point; the first use of a new one ends the old one."""
        kept = self._unless_reset(await self._load(identity), site_password)
        for secret in kept.next:
            if secret.holds(given):
                await self._save(identity, Kept(secret, (), kept.site))
                return True
        if kept.current is not None:
            return kept.current.holds(given)
        return site_password is not None and Secret.of(site_password.encode()).holds(given)

    async def propose(self, identity: str, password: str, site_password: str | None) -> Secret:
        """From now on this password holds too; kept before the charger is told, for its answer may be lost.

        Raises CommandRefused while too many wait to be shown: to forget one may be to forget the one it took.
        """
        kept = self._unless_reset(await self._load(identity), site_password)
        if len(kept.next) >= MOST_OPEN:
            why = f"it has shown none of the last {MOST_OPEN} it was sent; restart it, so that it connects with the one it took"
            raise CommandRefused(identity, "rotate password", why)
        site = Secret.of(site_password.encode()) if site_password is not None else None
        proposed = Secret.of(password.encode())
        await self._save(identity, Kept(kept.current, (*kept.next, proposed), site))
        return proposed

    async def withdraw_proposal(self, identity: str, refused: Secret) -> None:
        """The charger refused this password: what held before holds, with the other proposals."""
        kept = await self._load(identity)
        await self._save(identity, replace(kept, next=tuple(each for each in kept.next if each != refused)))

    async def adopt(self, identity: str, secret: Secret | None) -> None:
        """Begin anew with this password (None: with none), whatever was kept before."""
        await self._save(identity, Kept(secret))

    @staticmethod
    def _unless_reset(kept: Kept, site_password: str | None) -> Kept:
        reset = site_password is not None and not (kept.site and kept.site.holds(site_password.encode()))
        return Kept() if reset else kept

    async def _load(self, identity: str) -> Kept:
        if identity not in self._kept:
            document = await self._store.get(_key(identity)) or {}
            told = document.get("next")
            found = (_secret(each) for each in (told if isinstance(told, list) else [told]))
            self._kept[identity] = Kept(
                _secret(document.get("current")), tuple(each for each in found if each), _secret(document.get("site"))
            )
        return self._kept[identity]

    async def _save(self, identity: str, kept: Kept) -> None:
        document: dict[str, Any] = {
            name: _document(secret) for name, secret in (("current", kept.current), ("site", kept.site)) if secret
        }
        if kept.next:
            document["next"] = [_document(secret) for secret in kept.next]
        await self._store.put(_key(identity), document)
        self._kept[identity] = kept


def _key(identity: str) -> str:
    return f"ocpp/credential/{identity}"


def _document(secret: Secret) -> dict[str, str]:
    return {"salt": secret.salt, "digest": secret.digest}


def _secret(document: Any) -> Secret | None:
    if not isinstance(document, dict):
        return None
    return Secret(str(document.get("salt")), str(document.get("digest")))


def _digest(salt: str, password: bytes) -> str:
    return hashlib.sha256(salt.encode() + b":" + password).hexdigest()


def _readings(given: bytes) -> list[bytes]:
    """What was given, and the same read as hexadecimal and written so.

    Interpretation: OCPP-J 1.6 sends the bytes that AuthorizationKey notes in hexadecimal; much firmware sends the
    key as it was typed. Both are the same secret.
    """
    readings = [given, given.hex().encode(), given.hex().upper().encode()]
    try:
        return [*readings, binascii.unhexlify(given)] if len(given) >= HEX_LENGTH else readings
    except (binascii.Error, ValueError):
        return readings
