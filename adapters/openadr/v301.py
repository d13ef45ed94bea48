"""OpenADR 3.0.1 over the same core: its requests made of ours, its answers lifted to the shape of 3.1.0.

Where 3.0.1 differs in what a VEN uses (read in both openadr3.yaml files):

    3.0.1                                         3.1.0
    targets: [{type, values}]                     targets: [text]
    program.bindingEvents: true                   program.attributes: [{type: BINDING_EVENTS, values: [true]}]
    report, subscription need programID           a report has none, a subscription may
    VEN: {venName}                                {objectType: VEN_VEN_REQUEST, venName}
    POST /vens/{venID}/resources {resourceName}   POST /resources {objectType, resourceName, venID}
    POST {base}/auth/token                        GET /auth/server names the token endpoint
    no /notifiers, no event.duration              both
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from adapters.openadr.bodies import attributes, report_body, subscription_body
from adapters.openadr.dialect import Body, Dialect
from gateway.model.dr import DrReport, DrResource

OLD_FIELDS = ("programLongName", "retailerName", "retailerLongName", "programType", "bindingEvents", "localPrice")
"""Fields of a program that only 3.0.1 has."""
RESTATED = ("PROGRAM_NAME", "EVENT_NAME")
"""Kinds of target that repeat which program or event it is, and leave nobody out."""


def lift_event(event: Body) -> Body:
    """An event of either version with the targets of 3.1.0; one of 3.1.0 stays as it is."""
    asked = event.get("reportDescriptors")
    reports = [_lift_targets(item) for item in asked] if isinstance(asked, list) else asked
    lifted = _lift_targets(event)
    return lifted if reports == asked else {**lifted, "reportDescriptors": reports}


def lift_program(program: Body) -> Body:
    """A program of either version with the attributes of 3.1.0."""
    if program.get("bindingEvents") is not True:
        return program
    known = program.get("attributes")
    binding = {"type": "BINDING_EVENTS", "values": [True]}
    return {**program, "attributes": [*(known if isinstance(known, list) else []), binding]}


def targets(found: object) -> tuple[str, ...]:
    """The names targeted, from texts (3.1.0) or from objects {type, values} (3.0.1); nonsense is passed over."""
    names: list[str] = []
    for item in found if isinstance(found, list) else []:
        if isinstance(item, str):
            names.append(item)
        elif isinstance(item, dict) and item.get("type") not in RESTATED:
            values = item.get("values")
            names += [str(value) for value in (values if isinstance(values, list) else []) if value is not None]
    return tuple(name for name in dict.fromkeys(names) if name)


def for_everybody(found: object) -> bool:
    """Whether targets leave nobody out: none are stated, or only what repeats the program or event."""
    if isinstance(found, list):
        return all(isinstance(item, dict) and item.get("type") in RESTATED for item in found)
    return found in (None, {}, "")


def looks_old(objects: list[object]) -> bool:
    """Whether a listing of programs or events has what only 3.0.1 has."""
    return any(_is_old(item) for item in objects if isinstance(item, dict))


def _is_old(item: Body) -> bool:
    aimed = item.get("targets")
    by_kind = isinstance(aimed, list) and any(isinstance(target, dict) for target in aimed)
    return by_kind or any(item.get(name) is not None for name in OLD_FIELDS)


def _lift_targets(item: Any) -> Any:
    if not isinstance(item, dict) or not isinstance(item.get("targets"), list):
        return item
    if all(isinstance(target, str) for target in item["targets"]):
        return item
    return {**item, "targets": list(targets(item["targets"]))}


def _report(report: DrReport, client_name: str) -> Body:
    return {"programID": report.program, **report_body(report, client_name)}


def _resource(resource: DrResource, ven_id: str) -> Body:
    return {"resourceName": resource.name[:128], "attributes": attributes(resource)}


V301 = Dialect(
    version="3.0.1",
    report=_report,
    ven=lambda ven_name: {"venName": ven_name},
    resource=_resource,
    resources_path=lambda ven_id: f"/vens/{quote(ven_id, safe='')}/resources",
    resources_query=lambda ven_id: {},
    asks_by_target=False,
    subscription=subscription_body,
    subscribes_by_program=True,
)
