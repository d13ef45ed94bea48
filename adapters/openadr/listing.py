"""Complete listings out of pages, also from servers that page oddly or change while they are read.

Absence from a listing means "cancelled", so a listing is complete or an error:

    page 1 [a b c]   -> c's neighbour a is deleted here ->   page 2 [e f]        d was never shown

A server may give fewer objects than asked for, so that only a page that is empty, or brings nothing new, is the end.
A listing is believed when it is one page that lacks nothing of what was known, or when it names the same objects as the
reading before it; else it is read again until two readings in a row agree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from adapters.openadr.account import Account
from adapters.openadr.wire import identity, keys, merged
from gateway.model.errors import ServerAnswerWrong, ServerUnreachable

PAGE = 50
"""The greatest `limit` the specification allows."""
MOST_OBJECTS = 20_000
MOST_BYTES = 40_000_000
MAX_READINGS = 4
PAST_THE_END = frozenset({204, 400, 404, 416})
"""What some servers answer to a `skip` behind the last object."""


class Listings:
    """Reads the listings of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._agreed: dict[tuple[str, str], frozenset[str]] = {}
        """What the last complete reading of each listing of several pages named."""

    async def complete(self, path: str, query: Mapping[str, str] | None = None) -> list[object]:
        """Every object of a listing, once; raises ServerError for any page that fails, or when it keeps changing."""
        key = (path, repr(sorted((query or {}).items())))
        before = self._agreed.get(key)
        for _ in range(MAX_READINGS):
            objects, pages = await self._read(path, query or {})
            named = frozenset(identity(each) for each in objects)
            self._agreed[key] = named
            if not objects or named == before or (pages == 1 and named >= (before or frozenset())):
                return objects
            before = named
        raise ServerUnreachable(self._account.name, f"GET {path} changed at each of {MAX_READINGS} readings")

    async def shown_to(
        self, groups: Sequence[str], path: str, queries: Sequence[Mapping[str, str]] = ({},)
    ) -> list[object]:
        """Each object of all these listings once, with what is listed only to who names one of `groups`.

        A server shows of an object's targets only those asked for (Definition, Object Privacy): they are put together.
        """
        found: list[object] = []
        for query in queries:
            for more in ({}, *({"targets": group} for group in groups)):
                found += await self.complete(path, {**query, **more})
        return merged(found)

    async def _read(self, path: str, query: Mapping[str, str]) -> tuple[list[object], int]:
        """One reading, and how many pages brought something."""
        objects: dict[str, object] = {}
        pages = size = 0
        while len(objects) <= MOST_OBJECTS and size <= MOST_BYTES:
            found, weight = await self._page(path, {**query, "skip": str(len(objects)), "limit": str(PAGE)})
            fresh = {name: item for name, item in zip(keys(found), found, strict=True) if name not in objects}
            if not fresh:
                return list(objects.values()), pages
            objects |= fresh
            pages, size = pages + 1, size + weight
        words = f"more than {MOST_OBJECTS} objects, or {MOST_BYTES // 1_000_000} MB"
        raise ServerAnswerWrong(self._account.name, f"GET {path} has no end: {words}")

    async def _page(self, path: str, params: Mapping[str, str]) -> tuple[list[Any], int]:
        """What one page holds, and its bytes."""
        answer = await self._account.request("GET", path, params=params)
        if answer.status in PAST_THE_END and params["skip"] != "0":
            return [], 0
        found = self._account.check(answer, f"GET {path}")
        if not isinstance(found, list):
            raise ServerAnswerWrong(self._account.name, f"GET {path} did not give a list")
        return found, answer.size
