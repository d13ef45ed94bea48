"""For every test: what was imported and collected is no rubbish, so the collector need not look at it again."""

from __future__ import annotations

import gc

import pytest


def pytest_collection_finish(session: pytest.Session) -> None:
    """A full collection looks at some million objects that stay anyway: 0.3 s, again and again, in whichever test."""
    del session
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
