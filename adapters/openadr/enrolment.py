"""Our VEN object and its resources at the VTN: found or made, never changed (User Guide, VENs).

A resource of ours is deleted only when the owner does not share single devices any more.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Any, TypeGuard
from urllib.parse import quote

from adapters.openadr.account import Account
from adapters.openadr.bodies import attributes
from adapters.openadr.listing import Listings
from adapters.openadr.v301 import targets
from adapters.openadr.versions import Versions
from gateway.model.dr import DrResource
from gateway.model.errors import ServerError

log = logging.getLogger(__name__)

NOT_OFFERED = frozenset({403, 404, 405, 501})
"""Answers of a server that keeps no VEN objects for us: we go on without."""
RATING = "hearth_suitability"
"""The resource that tells for which programs the home suits (rating.py): it stands for the whole home."""
ASK_AGAIN_S = 3600.0
RESOURCES_EVERY_S = 300.0
FAILURES_THAT_STOP = 3
"""A server whose /resources never works is followed without, after so many failures."""


class Enrolment:
    """Who we are at one VTN, and the groups (targets) it put us and our devices in."""

    def __init__(self, account: Account, listings: Listings, versions: Versions) -> None:
        self._account = account
        self._listings = listings
        self._versions = versions
        self._one_at_a_time = asyncio.Lock()
        self._ask_again_at = 0.0
        self._wanted: tuple[DrResource, ...] = ()
        self._gone: dict[str, DrResource] = {}
        self._resources_due_at = float("-inf")
        self._resources_read = False
        self._resources_failed = 0
        self._name = account.settings.ven_name
        """What our VEN object is called there."""
        self.ven_id = ""
        """Our id at the VTN; empty before enrolment, or where it keeps none."""
        self.granted: tuple[str, ...] = ()
        """Groups of the home, as the VEN object and the site file name them."""
        self.resources: dict[str, tuple[str, ...]] = {}
        """The resources of our VEN, by name, with the groups each was put in; whoever made them."""
        self.trouble = ""
        """Why there is no VEN object of ours, in words."""

    async def refresh(self) -> None:
        """Find or make our VEN object, and the resources wanted; raises ServerError.

        The grants are the utility's to change, so they are read again at every call; a server that keeps no VENs for us
        is asked again hourly. What was known stays while /vens or /resources alone fail: an event for a group that we no
        longer ask for would look cancelled. For the same reason the first reading may not fail, or only a few times.
        """
        async with self._one_at_a_time:
            try:
                await self._refresh_ven()
            except ServerError:
                if not self.ven_id:
                    raise
            await self._try_resources(stops=FAILURES_THAT_STOP)

    async def want(self, resources: Sequence[DrResource], gone: Sequence[DrResource] = ()) -> None:
        """Have these devices as resources of our VEN, and none named in `gone`; trouble is tried again. Raises ServerError."""
        async with self._one_at_a_time:
            self._gone = {each.name[:128]: each for each in gone}
            self._wanted = tuple({each.name[:128]: each for each in resources if each.name}.values())
            self._resources_due_at = float("-inf")
            await self._refresh_ven()
            await self._try_resources(stops=0)

    async def find(self) -> bool:
        """Look for our VEN object without making one; whether it is there. Raises ServerError."""
        ven = await self._own_ven()
        self._take(ven)
        return ven is not None

    @property
    def names(self) -> frozenset[str]:
        """What an event may be targeted at to be meant for us."""
        known = (self.ven_id, self._name, self._account.settings.ven_name, *self.granted, *self.resources)
        return frozenset(known).union(*self.resources.values()) - {""}

    @property
    def groups(self) -> tuple[str, ...]:
        """Every group to ask for by name: the home's and its devices'."""
        return tuple(dict.fromkeys((*self.granted, *(name for one in self.resources.values() for name in one))))

    def devices_of(self, wanted: Sequence[str]) -> tuple[str, ...]:
        """Our resources that a group among `wanted` was granted to, where none of them is the whole home's."""
        if not {self.ven_id, self._name, self._account.settings.ven_name, *self.granted}.isdisjoint(wanted):
            return ()
        if not set(self.resources.get(RATING, ())).isdisjoint(wanted):
            return ()
        return tuple(name for name, groups in self.resources.items() if not set(groups).isdisjoint(wanted))

    async def _refresh_ven(self) -> None:
        ven = None
        if self._account.token.wanted and self._still_asked():
            ven = await self._own_ven() or (await self._new_ven() if self._still_asked() else None)
        self._take(ven)

    def _take(self, ven: dict[str, Any] | None) -> None:
        granted = targets(ven.get("targets")) if ven else ()
        self.trouble = "" if ven else self.trouble
        self.ven_id = str(ven.get("id") or "") if ven else ""
        self._name = str(ven.get("venName") or self._name) if ven else self._account.settings.ven_name
        self.granted = tuple(dict.fromkeys((*granted, *self._account.settings.targets)))

    async def _own_ven(self) -> dict[str, Any] | None:
        """Our VEN object: by name, else the one the utility made for our client id under a name of its own."""
        answer = await self._account.request("GET", "/vens", params={"venName": self._name, "skip": "0", "limit": "50"})
        if answer.status in NOT_OFFERED and not self.ven_id:
            self._none_kept(f"the server keeps no VEN object for us ({answer.status})")
            return None
        self._account.check(answer, "the list of VENs")
        found = _named(answer.body, "venName", self._name)
        if found is not None:
            return found
        listed = await self._listings.complete("/vens")
        client = self._account.settings.client_id
        return _named(listed, "venName", self._account.settings.ven_name) or _named(listed, "clientID", client)

    async def _new_ven(self) -> dict[str, Any] | None:
        dialect = await self._versions.dialect()
        name = self._account.settings.ven_name
        answer = await self._account.request("POST", "/vens", json=dialect.ven(name))
        if answer.status == 409:
            found = await self._own_ven()
            if found is None and self._still_asked():
                self._none_kept(f"the name {name} is taken there by another account: set another ven_name")
            return found
        if answer.status in NOT_OFFERED:
            self._none_kept(f"the server makes no VEN object for us ({answer.status})")
            return None
        made = self._account.check(answer, "the enrolment")
        return made if isinstance(made, dict) else None

    def _still_asked(self) -> bool:
        return self._account.clock.monotonic() >= self._ask_again_at

    def _none_kept(self, why: str) -> None:
        if why != self.trouble:
            log.info("%s: %s; going on without", self._account.name, why)
        self.trouble = why
        self._ask_again_at = self._account.clock.monotonic() + ASK_AGAIN_S

    async def _try_resources(self, stops: int) -> None:
        """Read and make resources; raises ServerError only while they were never read, for fewer than `stops` times."""
        try:
            await self._refresh_resources()
        except ServerError as error:
            self._resources_failed += 1
            if not self._resources_read and self._resources_failed < stops:
                raise
            self._resources_due_at = self._account.clock.monotonic() + RESOURCES_EVERY_S
            log.warning("%s; tried again in %d minutes", error, RESOURCES_EVERY_S // 60)

    async def _refresh_resources(self) -> None:
        """Read our resources, then make each that is wanted and absent; raises what the last failure said."""
        now = self._account.clock.monotonic()
        if not self.ven_id or now < self._resources_due_at:
            return
        listed = await self._list_resources()
        self._resources_read = True
        self._resources_due_at = now + RESOURCES_EVERY_S
        if listed is None:
            return
        failed: ServerError | None = None
        left = []
        for each in listed:
            if not self._is_gone(each):
                left.append(each)
                continue
            try:
                await self._delete(each)
            except ServerError as error:
                failed = error
        self.resources = _by_name(left)
        for resource in self._wanted:
            if resource.name[:128] not in self.resources:
                try:
                    self.resources |= _by_name(await self._new_resource(resource))
                except ServerError as error:
                    failed = error
        if failed is not None:
            raise failed

    async def _list_resources(self) -> list[object] | None:
        """The resources of our VEN; None where the server keeps none."""
        dialect = await self._versions.dialect()
        path, query = dialect.resources_path(self.ven_id), dialect.resources_query(self.ven_id)
        answer = await self._account.request("GET", path, params={**query, "skip": "0", "limit": "1"})
        if answer.status in NOT_OFFERED:
            return None
        listed = await self._listings.complete(path, query)
        return [x for x in listed if isinstance(x, dict) and x.get("venID") in (None, self.ven_id)]

    def _is_gone(self, resource: object) -> TypeGuard[dict[str, Any]]:
        """Whether a resource is to be taken back: only one that is as we made it, for others are not ours to delete."""
        name = resource.get("resourceName") if isinstance(resource, dict) else None
        ours = self._gone.get(name) if isinstance(name, str) else None
        return ours is not None and isinstance(resource, dict) and resource.get("attributes") == attributes(ours)

    async def _delete(self, resource: dict[str, Any]) -> None:
        """Have the server forget one; one that it keeps for itself (403) or has forgotten (404) is left to it."""
        dialect = await self._versions.dialect()
        path = f"{dialect.resources_path(self.ven_id)}/{quote(str(resource.get('id')), safe='')}"
        answer = await self._account.request("DELETE", path)
        if answer.status not in NOT_OFFERED:
            self._account.check(answer, f"the withdrawal of {resource.get('resourceName')}")

    async def _new_resource(self, resource: DrResource) -> list[object]:
        dialect = await self._versions.dialect()
        body = dialect.resource(resource, self.ven_id)
        answer = await self._account.request("POST", dialect.resources_path(self.ven_id), json=body)
        if answer.status == 409:  # it is there: somebody was quicker, or the listing hides it
            return [{"resourceName": body["resourceName"]}]
        if answer.status in NOT_OFFERED:
            return []
        made = self._account.check(answer, f"the enrolment of {resource.name}")
        return [made] if isinstance(made, dict) else []


def _named(objects: object, field: str, name: str) -> dict[str, Any] | None:
    items = objects if isinstance(objects, list) else []
    return next((item for item in items if isinstance(item, dict) and item.get(field) == name), None)


def _by_name(resources: Sequence[object]) -> dict[str, tuple[str, ...]]:
    """Resources with a name, and the groups of each."""
    ours = [each for each in resources if isinstance(each, dict) and isinstance(each.get("resourceName"), str)]
    return {each["resourceName"]: targets(each.get("targets")) for each in ours}
