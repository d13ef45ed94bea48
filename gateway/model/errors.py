"""Hearth's errors: one tree, one question each answers.

HearthError
├── SiteFileError        mend the site file            (what, where, remedy)
├── DeviceError          about one device, the rest runs
│   ├── DeviceUnreachable    retry later, by itself
│   ├── DeviceAnswerWrong    the device answered, but not what was asked: drop the answer, retry
│   └── CommandRefused       the device said no: try another way or tell a person
├── ServerError          about a utility's server
│   ├── ServerUnreachable    retry later, by itself
│   ├── ServerRefused        credentials or request are wrong: tell a person
│   └── ServerAnswerWrong    an answer that cannot be used
├── StoreError           the disk or the database
└── WishRefused          a person's or server's wish that cannot be granted, with the reason in words
"""

from __future__ import annotations


class HearthError(Exception):
    """Base of all of Hearth's own errors."""


class SiteFileError(HearthError):
    """The site file cannot be used; `findings` name each place with its remedy."""

    def __init__(self, findings: list[Finding]) -> None:
        super().__init__("\n".join(str(finding) for finding in findings))
        self.findings = findings


class Finding(Exception):
    """One thing wrong in a file: where it is, what is wrong, how to mend it."""

    def __init__(self, where: str, what: str, remedy: str, *, severity: str = "error") -> None:
        super().__init__(f"{where}: {what}. {remedy}")
        self.where = where
        self.what = what
        self.remedy = remedy
        self.severity = severity


class DeviceError(HearthError):
    """Something about one device; `device` and `action` say which and doing what."""

    def __init__(self, device: str, action: str, reason: str, remedy: str = "") -> None:
        super().__init__(f"{device}: {action}: {reason}" + (f". {remedy}" if remedy else ""))
        self.device = device
        self.action = action
        self.reason = reason
        self.remedy = remedy


class DeviceUnreachable(DeviceError):
    """No answer in time, or no connection; worth another try later.

    `expected` when somebody asked for it, as a restart: nobody is alarmed.
    """

    expected = False


class DeviceAnswerWrong(DeviceError):
    """An answer that does not fit the question (count, unit, function, shape); never used as a value."""


class CommandRefused(DeviceError):
    """The device understood a command and refused it."""


class ServerError(HearthError):
    """Something about a utility's server (VTN, price source); `server` names it."""

    def __init__(self, server: str, reason: str, remedy: str = "") -> None:
        super().__init__(f"{server}: {reason}" + (f". {remedy}" if remedy else ""))
        self.server = server
        self.reason = reason
        self.remedy = remedy


class ServerUnreachable(ServerError):
    """No connection, a time-out, or an answer 408, 429 or 5xx; worth another try later.

    `retry_after_s` carries the server's own wish, in seconds, when it stated one.
    """

    def __init__(self, server: str, reason: str, remedy: str = "", retry_after_s: float | None = None) -> None:
        super().__init__(server, reason, remedy)
        self.retry_after_s = retry_after_s


class ServerRefused(ServerError):
    """The server refuses us (wrong credentials, wrong request): a person must mend it."""


class ServerAnswerWrong(ServerError):
    """The server answered something that cannot be used."""


class StoreError(HearthError):
    """The disk or the database failed; nothing after this was acknowledged."""


class WishRefused(HearthError):
    """A wish from outside (owner, installer, utility) that cannot be granted; the text says why."""
