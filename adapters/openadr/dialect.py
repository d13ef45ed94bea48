"""What differs between the versions of OpenADR 3 in what we send; what we read is told apart by its shape (v301.py)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from gateway.model.dr import DrReport, DrResource

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Dialect:
    """The bodies and paths of one version."""

    version: str
    report: Callable[[DrReport, str], Body]
    """(report, client name)."""
    ven: Callable[[str], Body]
    """(VEN name)."""
    resource: Callable[[DrResource, str], Body]
    """(device, VEN id)."""
    resources_path: Callable[[str], str]
    """Collection of a VEN's resources, by VEN id."""
    resources_query: Callable[[str], dict[str, str]]
    asks_by_target: bool
    """Whether events for a group are listed only to a VEN that names the group (3.1.0, User Guide "object privacy")."""
    subscription: Callable[[str, str, str, str], Body]
    """(client name, callback URL, bearer token, program id or "")."""
    subscribes_by_program: bool
    """Whether each program needs a subscription of its own."""
