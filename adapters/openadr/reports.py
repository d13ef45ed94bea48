"""Reports on their way to one VTN: each is there once, whatever is sent again (User Guide, reporting)."""

from __future__ import annotations

from urllib.parse import quote

from adapters.openadr.account import Account
from adapters.openadr.dialect import Dialect
from adapters.openadr.listing import Listings
from gateway.model.dr import DrReport
from gateway.model.errors import ServerRefused


async def send(account: Account, listings: Listings, dialect: Dialect, report: DrReport) -> None:
    """Deliver one report; one that the server has already (409) is replaced. Raises ServerError."""
    body = dialect.report(report, account.settings.ven_name)
    answer = await account.request("POST", "/reports", json=body)
    if answer.status == 409:
        there = await _id_of(account, listings, report)
        answer = await account.request("PUT", f"/reports/{quote(there, safe='')}", json=body)
    account.check(answer, "the report")


async def withdraw(account: Account, listings: Listings, report: DrReport) -> None:
    """Remove a report of ours again; raises ServerError."""
    there = await _id_of(account, listings, report)
    account.check(await account.request("DELETE", f"/reports/{quote(there, safe='')}"), "the removal")


async def _id_of(account: Account, listings: Listings, report: DrReport) -> str:
    name = report.name or report.key
    ours = {"eventID": report.event, "clientName": account.settings.ven_name}
    for item in await listings.complete("/reports", ours):
        if isinstance(item, dict) and item.get("reportName") == name and item.get("eventID") == report.event:
            return str(item.get("id"))
    raise ServerRefused(account.name, f"no report {name!r} of ours can be found among those of {report.event}")
