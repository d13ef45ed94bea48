"""Browsers for the pages' tests: on this machine, in the local network, with and without a login."""

from __future__ import annotations

import functools
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager

import httpx
import pytest
from fastapi import FastAPI

from gateway.web.app import create_app
from gateway.web.settings import WebSettings
from tests.web.fake_home import FakeHome

OWN = "http://127.0.0.1:8080"


@pytest.fixture
def home() -> FakeHome:
    return FakeHome()


def browser(app, address: str = "127.0.0.1", **kwargs) -> AbstractAsyncContextManager[httpx.AsyncClient]:
    """A client whose requests come from `address`; `base_url` is what it typed."""
    transport = httpx.ASGITransport(app=app, client=(address, 50000), raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, **({"base_url": OWN} | kwargs))


@pytest.fixture
async def demo(home: FakeHome) -> AsyncIterator[httpx.AsyncClient]:
    """The demo's own visitor: logged in on loopback."""
    async with browser(create_app(home, settings=WebSettings(demo_login=True)), headers={"origin": OWN}) as client:
        yield client


@functools.cache
def only_read(*, empty: bool = False) -> tuple[FakeHome, FastAPI]:
    """One home of all tests that leave it as it is, and its pages: 80 routes take their time to be made."""
    home = FakeHome.empty() if empty else FakeHome()
    return home, create_app(home, settings=WebSettings(demo_login=True))


@pytest.fixture
async def looking() -> AsyncIterator[httpx.AsyncClient]:
    """The demo's own visitor in the home of `only_read`: for what changes nothing, or is refused."""
    async with browser(only_read()[1], headers={"origin": OWN}) as client:
        yield client


@pytest.fixture
async def reader(home: FakeHome) -> AsyncIterator[httpx.AsyncClient]:
    """A visitor of this machine who has not logged in."""
    async with browser(create_app(home, settings=WebSettings())) as client:
        yield client
