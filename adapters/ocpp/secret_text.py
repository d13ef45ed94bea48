"""Texts that are no JSON (any more) without their secrets: pure, and in one pass however hostile the text is.

password=x   'idTag':'x'   "key":"WifiPSK","value":"x"   tag 04AABBCC   ftp://me:x@host   OCMF|...
"""

from __future__ import annotations

import re
import secrets
from hashlib import blake2b

from adapters.ocpp.secret_names import Kind, kind_of

BLANK = "***"
VALUES = frozenset(("value", "attributevalue", "actualvalue", "val"))
"""What holds the value of the setting or variable that another field names."""
_KEY = secrets.token_bytes(16)

_PRIVATE = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(?:-----END [A-Z ]*PRIVATE KEY-----|$)", re.DOTALL)
_CREDENTIALS = re.compile(r"(://)(?:[^/\s\"'@:]{0,200}:[^\s\"'@]{0,200}|[^/\s\"'@]{1,200})@(?:[^/\s\"'@]{0,200}@){0,3}")
_TOKEN = re.compile(r"(/upload/)[\w-]{16,}")
_HEADER = re.compile(r"\b(Basic|Bearer)\s+[\w+/=.~-]{6,}", re.IGNORECASE)
_OCMF = re.compile(r"OCMF\|[^\s'<>]*|T0NNRn[\w+/=-]{8,}")
"""Open Charge Metering Format, plain and as base64."""

_NAME = re.compile(
    r"(?<![\w.-])([A-Za-z_][\w.-]*)(?:[\"'\\]*\s*(:=|=>|=|:)\s*|(>)(?=[^<\s]))",
)
_QUOTED = re.compile(r"(\\*[\"']).*?(?:(?<!\\)\1|$)", re.DOTALL)
_BARE = re.compile(r"[^\s,;&\"'}\])<]+")
_NAMED = re.compile(r"[\"'](?:key|name)\\*[\"']\s*:\s*\\*[\"']([^\"'\\]+)", re.IGNORECASE)
_SPOKEN = re.compile(
    r"\b(id ?tag|tag|rfid|uid|card|token|pin|psk|password|passphrase)\b"
    r"([\s:#='\"(]+(?:(?:is|was|id|no|number|uid|card|tag)\b[\s:#='\"(]*){0,3})([A-Za-z0-9][\w:.-]{3,})",
    re.IGNORECASE,
)
_PLAIN_WORDS = frozenset(("READER", "FAILURE", "FAILED", "INVALID", "REJECTED", "ACCEPTED", "UNKNOWN", "EXPIRED"))


def mark(tag: str) -> str:
    """What stands for a tag: the same for the same tag, as long as this process runs, and not to be turned back."""
    return BLANK + blake2b(tag.encode("utf-8", "surrogatepass"), digest_size=3, key=_KEY).hexdigest()


def signed(text: str) -> str:
    """What stands for a signed record."""
    return f"{BLANK}({len(text)} characters)"


def hushed(text: str) -> str:
    """A text without its secrets, by what stands before and around them."""
    text = _OCMF.sub(lambda found: signed(found[0]), _PRIVATE.sub(f"PRIVATE KEY {BLANK}", text))
    text = _TOKEN.sub(rf"\1{BLANK}", _CREDENTIALS.sub(rf"\1{BLANK}@", text))
    return _SPOKEN.sub(_spoken, _assigned(_HEADER.sub(rf"\1 {BLANK}", text)))


def _spoken(found: re.Match[str]) -> str:
    word = found[3]
    looks_so = any(sign.isdigit() for sign in word) or (len(word) >= 6 and word.isupper() and word not in _PLAIN_WORDS)
    return f"{found[1]}{found[2]}{mark(word)}" if looks_so and BLANK not in word else found[0]


def _assigned(text: str) -> str:
    """Every `name = value` whose name is a secret's; all values, where a setting that is secret is named."""
    if "=" not in text and ":" not in text and ">" not in text:
        return text
    about = "signeddata" in text.lower() or any(kind_of(name) is not Kind.PLAIN for name in _NAMED.findall(text))
    parts, done = [], 0
    for found in _NAME.finditer(text):
        if found.start() < done or not _is_secret(found[1], found[2], about):
            continue
        end, blank = _value(text, found.end())
        parts.append(text[done : found.end()] + blank)
        done = end
    return "".join(parts) + text[done:]


def _is_secret(name: str, sign: str | None, about: bool) -> bool:
    if name.lower() in VALUES:
        return about
    if name.lower() == "key" and sign == ":":  # the name of a setting
        return False
    return kind_of(name.rpartition(".")[2]) is not Kind.PLAIN


def _value(text: str, start: int) -> tuple[int, str]:
    """Where the value that starts here ends, and what to write for it."""
    if quoted := _QUOTED.match(text, start):
        return quoted.end(), f"{quoted[1]}{BLANK}{quoted[1]}"
    if text[start : start + 1] in ("[", "{"):
        return _closed(text, start), f'"{BLANK}"'
    bare = _BARE.match(text, start)
    if bare is None or bare[0] in ("null", "true", "false", BLANK):
        return (bare.end(), bare[0]) if bare else (start, "")
    return bare.end(), BLANK


def _closed(text: str, start: int) -> int:
    """The end of the list or object that starts here; that of the text when it never ends."""
    depth = 0
    for place in range(start, len(text)):
        depth += (text[place] in "[{") - (text[place] in "]}")
        if depth == 0:
            return place + 1
    return len(text)
