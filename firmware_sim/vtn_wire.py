"""A utility's business logic on the wire: token, lists and changes at any OpenADR 3 VTN, for the command line."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

import httpx

from firmware_sim.vtn_store import Object

PAGE = 50
TIMEOUT_S = 10.0
WHOLE_SECONDS = timedelta(seconds=5)
"""Date tells whole seconds and the answer took a while: a server less off than this has our time."""


class Refused(Exception):
    """The server did not do it; the text says what it answered, and what to look at."""


@dataclass
class Wire:
    """One account of business logic at one VTN; `http` is closed by whoever made it."""

    http: httpx.Client
    client_id: str
    secret: str
    token_url: str = ""
    _token: str = field(default="", repr=False)
    _behind: timedelta = timedelta()

    def now(self) -> datetime:
        """The server's time, by the Date of its last answer; a simulated utility lives in its home's time."""
        return datetime.now(UTC) - self._behind

    def all(self, path: str, **query: str) -> list[Object]:
        """Every object of a collection, page after page."""
        found: list[Object] = []
        while True:
            page = self.ask("GET", path, params={**query, "skip": str(len(found)), "limit": str(PAGE)})
            if not isinstance(page, list):
                raise Refused(f"GET {path} gave no list; is this the base URL of a VTN?")
            known = {item.get("id") for item in found}
            found += [item for item in page if item.get("id") not in known]
            if len(page) < PAGE:
                return found

    def one(self, path: str, named: str, field_name: str) -> Object:
        """An object by id, or by name when only one has it."""
        listed = self.all(path)
        fits = [item for item in listed if item.get("id") == named]
        fits = fits or [item for item in listed if item.get(field_name) == named]
        if len(fits) == 1:
            return fits[0]
        what = path.strip("/").removesuffix("s")
        if fits:
            raise Refused(f"{len(fits)} {what}s are called {named!r}; say its id: {', '.join(i['id'] for i in fits)}")
        there = ", ".join(f"{item.get(field_name)} ({item['id']})" for item in listed) or "none"
        raise Refused(f"there is no {what} {named!r}; there is: {there}")

    def ask(self, method: str, path: str, json: Any = None, params: dict[str, str] | None = None) -> Any:
        """One request with a token; Refused with the server's own words."""
        if not self._token:
            self._token = self._new_token()
        answer = self._sent(method, path, json=json, params=params, headers={"Authorization": f"Bearer {self._token}"})
        if answer.is_error:
            raise Refused(f"{method} {path}: {answer.status_code}, {_words(answer)}")
        try:
            return answer.json()
        except ValueError:
            raise Refused(f"{method} {path} was not answered in JSON; is this the base URL of a VTN?") from None

    def _new_token(self) -> str:
        form = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.secret}
        answer = self._sent("POST", self.token_url or "/auth/token", data=form)
        if answer.is_error:
            raise Refused(f"no token for {self.client_id}: {answer.status_code}, {_words(answer)}. See --client")
        found = answer.json().get("access_token") if _is_object(answer) else None
        if not found:
            raise Refused("the token endpoint gave no access_token; is this the base URL of a VTN?")
        return str(found)

    def _sent(self, method: str, path: str, **more: Any) -> httpx.Response:
        try:
            answer = self.http.request(method, path, **more)
        except httpx.HTTPError as error:
            raise Refused(f"{self.http.base_url} does not answer: {error}") from error
        with contextlib.suppress(KeyError, ValueError):
            behind = datetime.now(UTC) - parsedate_to_datetime(answer.headers["date"])
            self._behind = behind if abs(behind) > WHOLE_SECONDS else timedelta()
        return answer


def _is_object(answer: httpx.Response) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except ValueError:
        return False


def _words(answer: httpx.Response) -> str:
    if _is_object(answer):
        body = answer.json()
        return str(body.get("detail") or body.get("title") or body)
    return answer.text[:200] or "no words"
