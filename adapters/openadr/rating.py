"""For which programs the home suits, as a resource of our VEN with attributes: there while the owner shares it, else gone.

    {"resourceName": "hearth_suitability", "attributes": [{"type": "SUITABILITY_EVENING_SHED", "values": ["high", 72]}, ...]}

Interpretation: attribute types may be a vendor's own (Definition, enumerations: "privately defined strings"). A resource of
its own, so that nothing the utility or another made is changed, and it can be taken back without a trace.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from adapters.openadr.account import Account
from adapters.openadr.enrolment import NOT_OFFERED, RATING, Enrolment
from adapters.openadr.listing import Listings
from adapters.openadr.versions import Versions
from gateway.model.dr import DrRating, DrResource

OURS = DrResource(RATING, "")


class Rating:
    """Keeps that one resource at one VTN as it should be."""

    def __init__(self, account: Account, listings: Listings, versions: Versions, enrolment: Enrolment) -> None:
        self._account = account
        self._listings = listings
        self._versions = versions
        self._enrolment = enrolment

    async def tell(self, ratings: Sequence[DrRating]) -> bool:
        """Have it say `ratings`, with none be gone; whether the server keeps such objects for us. Raises ServerError."""
        ven = self._enrolment.ven_id
        if not ven:
            return not ratings
        dialect = await self._versions.dialect()
        path, query = dialect.resources_path(ven), dialect.resources_query(ven)
        probe = await self._account.request("GET", path, params={**query, "skip": "0", "limit": "1"})
        if probe.status in NOT_OFFERED:
            return not ratings
        listed = await self._listings.complete(path, query)
        there = [
            x
            for x in listed
            if isinstance(x, dict) and x.get("resourceName") == RATING and x.get("venID") in (None, ven)
        ]
        body = {**dialect.resource(replace(OURS), ven), "attributes": _attributes(ratings)}
        if not ratings:
            for each in there:
                await self._ask("DELETE", f"{path}/{quote(str(each.get('id')), safe='')}")
            return True
        if not there:
            return await self._ask("POST", path, body)
        if there[0].get("attributes") == body["attributes"]:
            return True
        # What the utility granted to it (targets) is not ours to send: a VEN's request has no such field (3.1.0).
        return await self._ask("PUT", f"{path}/{quote(str(there[0].get('id')), safe='')}", body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> bool:
        answer = await self._account.request(method, path, **({"json": body} if body is not None else {}))
        if answer.status in NOT_OFFERED:
            return False
        self._account.check(answer, "the suitability of the home")
        return True


def _attributes(ratings: Sequence[DrRating]) -> list[dict[str, Any]]:
    return [{"type": f"SUITABILITY_{each.program.upper()}", "values": [each.label, each.score]} for each in ratings]
