"""Which names stand for secrets: of fields, of configuration keys and variables, of words in a text; pure.

By their words, however they are written: WifiPSK, wifi_psk, apnKey, VendorPIN, id_tag. What only tells of a secret
(idTagInfo, PasswordLength, publicKey) is none.
"""

from __future__ import annotations

import re
from enum import Enum, auto


class Kind(Enum):
    """What a name stands for."""

    PLAIN = auto()
    SECRET = auto()
    """Blanked."""
    TAG = auto()
    """Who charges: replaced by a mark."""
    SIGNED = auto()
    """A signed record, in which the tag stands: blanked but for its length."""


_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
LONGEST = 100

_SECRET_WORDS = frozenset(
    ("pass", "pwd", "pw", "psk", "pin", "puk", "otp", "cookie", "key", "secret", "credential", "credentials")
)
_TAG_WORDS = frozenset(("tag", "tags", "uid", "rfid", "token", "tokens"))
_SECRET_STEMS = ("password", "passwort", "passwd", "passphrase", "passcode", "secret", "psk", "credential", "simpin")
_TAG_STEMS = ("idtag", "idtoken", "rfid", "emaid", "customeridentifier")
_SECRET_ENDS = ("key", "pin", "pins", "pwd", "userpass")
_TAG_ENDS = ("tag", "token", "taguid", "carduid")
"""Of names in one word, such as apnkey and freevendtag."""
_SIGNED = frozenset(("signedmeterdata", "signeddata", "signedmetervalue", "ocmf"))

_TELLING = frozenset(
    (
        "allowed", "count", "disabled", "enable", "enabled", "expiry", "format", "info", "interval", "length", "limit",
        "max", "min", "mode", "reader", "required", "retries", "size", "status", "supported", "timeout", "type",
    )
)  # fmt: skip
"""Last words of names that tell of a secret and hold none."""
_OPEN = frozenset(("configurationkey", "unknownkey", "issuerkeyhash", "idtaginfo", "idtokeninfo"))
_GENERIC = frozenset(("value", "text", "data", "current", "default", "actual"))


def kind_of(name: str) -> Kind:
    """What the value under this name is."""
    bare = re.sub(r"[^a-z0-9]", "", name[:LONGEST].lower())
    if bare in _SIGNED:
        return Kind.SIGNED
    words = [word.lower() for word in _WORD.findall(name[:LONGEST])]
    if not words or bare in _OPEN or "publickey" in bare or words[-1] in _TELLING:
        return Kind.PLAIN
    if any(stem in bare for stem in _SECRET_STEMS) or not _SECRET_WORDS.isdisjoint(words):
        return Kind.SECRET
    if any(stem in bare for stem in _TAG_STEMS) or not _TAG_WORDS.isdisjoint(words):
        return Kind.TAG
    return _by_end(bare)


def _by_end(bare: str) -> Kind:
    if bare.endswith(_SECRET_ENDS):
        return Kind.SECRET
    return Kind.TAG if bare.endswith(_TAG_ENDS) else Kind.PLAIN


def kind_of_setting(name: str) -> Kind:
    """The same of a configuration key or variable: "Component.Variable(instance)" is judged by its last words."""
    whole, _, instance = name.partition("(")
    parts = [part for part in re.split(r"[./:]", whole) if part] or [""]
    if parts[-1].lower() in _GENERIC and len(parts) > 1:
        parts.pop()
    own = kind_of(parts[-1])
    return kind_of(instance) if own is Kind.PLAIN else own
