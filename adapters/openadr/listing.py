"""Complete listings out of pages, also from servers that page oddly or change while they are read.

Absence from a listing means "cancelled", so a listing is complete or an error:

    page 1 [a b c]   -> c's neighbour a is deleted here ->   page 2 [e f]        d was never shown

A listing of one page is one answer and cannot be torn. One of several pages is believed when it names the same objects
as the reading before it, or else is read again until two readings in a row agree.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from adapters.openadr.account import Account
from adapters.openadr.wire import identities
from gateway.model.errors import ServerAnswerWrong, ServerUnreachable

PAGE = 50
"""The greatest `limit` the specification allows."""
MAX_PAGES = 100
MAX_READINGS = 4
FEW = 10
"""A page of fewer objects ends the listing; a server's own page size, below our limit, is not as small as that."""


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
            named = frozenset(identities(objects))
            self._agreed[key] = named
            if pages == 1 or named == before:
                return objects
            before = named
        raise ServerUnreachable(self._account.name, f"GET {path} changed at each of {MAX_READINGS} readings")

    async def _read(self, path: str, query: Mapping[str, str]) -> tuple[list[object], int]:
        """One reading, and how many pages brought something.

        The end is a page of few objects, or one that brings nothing new: it is empty, or `skip` is not known.
        """
        objects: list[object] = []
        seen: set[str] = set()
        for page in range(MAX_PAGES):
            found = await self._page(path, {**query, "skip": str(len(objects)), "limit": str(PAGE)})
            names = identities(found)
            fresh = [item for item, name in zip(found, names, strict=True) if not name or name not in seen]
            if page and not {name for name in names if name} - seen:
                return objects, page
            objects += fresh
            seen |= set(names)
            if len(found) < FEW:
                return objects, page + 1
        raise ServerAnswerWrong(self._account.name, f"GET {path} has no end: more than {MAX_PAGES} pages")

    async def _page(self, path: str, params: Mapping[str, str]) -> list[Any]:
        answer = await self._account.request("GET", path, params=params)
        found = self._account.check(answer, f"GET {path}")
        if not isinstance(found, list):
            raise ServerAnswerWrong(self._account.name, f"GET {path} did not give a list")
        return found
