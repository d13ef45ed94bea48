"""Our account at one VTN: requests that carry the token, renewed once where the server refuses it."""

from __future__ import annotations

from typing import Any

from adapters.openadr.settings import OpenAdrSettings
from adapters.openadr.token import Token
from adapters.openadr.web import Answer, Web
from gateway.ports import Clock


class Account:
    """One account; without credentials its requests go without a token (public price servers)."""

    def __init__(self, name: str, settings: OpenAdrSettings, clock: Clock) -> None:
        self.name = name
        self.settings = settings
        self.clock = clock
        self.web = Web(name, settings, clock)
        self.token = Token(name, settings, clock, self.web)

    async def request(self, method: str, path: str, **request: Any) -> Answer:
        """One request below the base URL; a refused token (401, or 403 as some servers say) is renewed once."""
        url = self.settings.base + path
        header = await self.token.header()
        answer = await self.web.exchange(method, url, headers=header, **request)
        if answer.status in (401, 403) and self.token.reject(header):
            answer = await self.web.exchange(method, url, headers=await self.token.header(), **request)
        return answer

    def check(self, answer: Answer, what: str) -> Any:
        """The body of a good answer; raises ServerError by the status otherwise."""
        return self.web.check(answer, what)

    async def close(self) -> None:
        """Close the connections."""
        await self.web.close()
