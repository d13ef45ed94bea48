"""Complete listings out of pages, also from servers that page oddly or change while they are read.

Absence from a listing means "cancelled", so a listing is complete or an error:

    page 1 [a b c]   -> c's neighbour a is deleted here ->   page 2 [e f]        d was never shown

A server may give fewer objects than asked for, so that only a page that is empty, or brings nothing new, is the end.
A listing is believed when it lacks nothing that the reading before it named (of several pages, and of none, there must be
one); else it is read again. So objects that only come in hold nobody up, and one that is gone is gone in two readings. An
answer that is no list but may mean none (204, null) is believed when the next look at the same listing gets it, too.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from adapters.openadr.account import Account
from adapters.openadr.wire import identity, keys, merged
from gateway.model.errors import ServerAnswerWrong, ServerError, ServerUnreachable

log = logging.getLogger(__name__)

PAGE = 50
"""The greatest `limit` the specification allows."""
MOST_OBJECTS = 20_000
MOST_BYTES = 40_000_000
MAX_READINGS = 4
FAILURES_THAT_STOP = 3
"""A group's listing that never worked is gone on without, after so many failures: some servers answer them with 500."""
PAST_THE_END = frozenset({400, 404, 416})
"""What some servers answer to a `skip` behind the last object."""


class MayBeEmpty(ServerAnswerWrong):
    """An answer that is no list, but may mean none: a fault, or how this server writes it; the next look tells."""


class Listings:
    """Reads the listings of one account."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._agreed: dict[tuple[str, str], frozenset[str]] = {}
        """What the last complete reading of each listing of several pages named."""
        self._failures: dict[tuple[str, str], int] = {}
        """How often a group's listing has failed that never worked."""
        self._worked: set[tuple[str, str]] = set()
        self.unlisted: set[str] = set()
        """Groups whose listings are gone on without: what is for them is not listed, which does not mean withdrawn."""
        self._blank: set[tuple[str, str]] = set()
        """Listings whose last answer was no list, but may have meant none: each by itself, also of one path."""

    async def complete(self, path: str, query: Mapping[str, str] | None = None) -> list[object]:
        """Every object of a listing, once; raises ServerError for any page that fails, or when it keeps changing."""
        key = _listing(path, query or {})
        before = self._agreed.get(key)
        for _ in range(MAX_READINGS):
            objects, pages = await self._read(path, query or {})
            named = frozenset(identity(each) for each in objects)
            self._agreed[key] = named
            if named >= before if before is not None else pages == 1:
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
        doubtful: MayBeEmpty | None = None
        for query in queries:
            for group in (None, *groups):
                try:
                    found += await (self._of_group(group, path, query) if group else self.complete(path, query))
                except MayBeEmpty as error:  # the others are read, so that one more look tells it of all
                    doubtful = error
        if doubtful is not None:
            raise doubtful
        return merged(found)

    async def _of_group(self, group: str, path: str, query: Mapping[str, str]) -> list[object]:
        """What is listed to who names a group; nothing where the server never answered that. Raises ServerError."""
        key = (path, group)
        try:
            found = await self.complete(path, {**query, "targets": group})
        except ServerError as error:
            if key in self._worked:
                raise
            self._failures[key] = self._failures.get(key, 0) + 1
            if self._failures[key] < FAILURES_THAT_STOP:
                raise
            self.unlisted.add(group)
            if self._failures[key] == FAILURES_THAT_STOP:
                log.warning("%s; going on without what is listed for the group %r alone", error, group)
            return []
        self._worked.add(key)
        self.unlisted.discard(group)
        return found

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
        found, listing = self._account.check(answer, f"GET {path}"), _listing(path, params)
        blank = answer.status == 204 or (found is None and answer.size)  # no objects as some servers write it
        if blank and (listing in self._blank or params["skip"] != "0"):
            return [], answer.size
        if blank:
            self._blank.add(listing)
            raise MayBeEmpty(self._account.name, f"GET {path} did not give a list")
        self._blank.discard(listing)
        if not isinstance(found, list):
            raise ServerAnswerWrong(self._account.name, f"GET {path} did not give a list")
        return found, answer.size


def _listing(path: str, query: Mapping[str, str]) -> tuple[str, str]:
    """What tells one listing from the others, also those of the same path; the same for all its pages."""
    return path, repr(sorted((name, value) for name, value in query.items() if name not in ("skip", "limit")))
