"""Which version of OpenADR 3 a server speaks: stated in the site file, told by its address, or found out."""

from __future__ import annotations

import logging
import re
from urllib.parse import urlsplit

from adapters.openadr.account import Account
from adapters.openadr.bodies import V310
from adapters.openadr.dialect import Dialect
from adapters.openadr.v301 import V301, looks_old

log = logging.getLogger(__name__)

KNOWN = {"3.1.0": V310, "3.0.1": V301}
IN_PATH = {"3.1": V310, "3.0": V301}
ABSENT = frozenset({404, 405, 501})
ASK_AGAIN_S = 300.0


class Versions:
    """The dialect of one server; what a server leaves open is asked again."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._settled: Dialect | None = KNOWN.get(account.settings.version) or _in_path(account.settings.base)
        self._ask_again_at = float("-inf")

    @property
    def found(self) -> str:
        """The version, empty while it is not known."""
        return self._settled.version if self._settled else ""

    async def dialect(self) -> Dialect:
        """What to speak; 3.1.0 while a server leaves it open. Raises ServerUnreachable."""
        now = self._account.clock.monotonic()
        if self._settled is None and now >= self._ask_again_at:
            self._settled = await self._ask()
            self._ask_again_at = now + ASK_AGAIN_S
            if self._settled is not None:
                log.info("%s: the server speaks OpenADR %s", self._account.name, self._settled.version)
        return self._settled or V310

    def saw(self, objects: list[object]) -> None:
        """A listing of programs or events; shapes that only 3.0.1 has settle an open question."""
        if self._settled is None and looks_old(objects):
            self._settled = V301

    async def _ask(self) -> Dialect | None:
        """3.1.0 has /auth/server and /notifiers, 3.0.1 has neither."""
        account = self._account
        server = await account.web.exchange("GET", f"{account.settings.base}/auth/server")
        if server.status >= 500:
            account.check(server, "the question for the version")
        if server.status == 200 and isinstance(server.body, dict) and server.body.get("tokenURL"):
            return V310
        notifiers = await account.request("GET", "/notifiers")
        if notifiers.status == 200:
            return V310
        return V301 if notifiers.status in ABSENT else None


def _in_path(base: str) -> Dialect | None:
    """The version a base path names, as in /openadr3/3.0.1."""
    for part in urlsplit(base).path.split("/"):
        match = re.fullmatch(r"v?(3\.\d)(\.\d+)?", part)
        if match:
            return IN_PATH.get(match.group(1))
    return None
