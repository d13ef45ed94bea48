"""OpenADR 2.0b messages of the simulated VTN, written and read with the names and order of its XML schemas.

Reading is strict: an element in a wrong namespace is not found, as a validating server would not find it.
"""

from __future__ import annotations

from datetime import UTC, datetime
from xml.etree import ElementTree

Element = ElementTree.Element

SPACES = {
    "oadr": "http://openadr.org/oadr-2.0b/2012/07",
    "ei": "http://docs.oasis-open.org/ns/energyinterop/201110",
    "pyld": "http://docs.oasis-open.org/ns/energyinterop/201110/payloads",
    "emix": "http://docs.oasis-open.org/ns/emix/2011/06",
    "power": "http://docs.oasis-open.org/ns/emix/2011/06/power",
    "scale": "http://docs.oasis-open.org/ns/emix/2011/06/siscale",
    "strm": "urn:ietf:params:xml:ns:icalendar-2.0:stream",
    "xcal": "urn:ietf:params:xml:ns:icalendar-2.0",
}


def name(prefixed: str) -> str:
    """ "ei:venID" as ElementTree has it."""
    prefix, _, local = prefixed.partition(":")
    return f"{{{SPACES[prefix]}}}{local}"


def make(prefixed: str, *content: Element | str | None) -> Element:
    """An element with its text or children; None is left out."""
    made = Element(name(prefixed))
    for part in content:
        if isinstance(part, str):
            made.text = part
        elif part is not None:
            made.append(part)
    return made


def message(payload: Element) -> bytes:
    """A payload in its envelope."""
    payload.set(name("ei:schemaVersion"), "2.0b")
    root = make("oadr:oadrPayload", make("oadr:oadrSignedObject", payload))
    return bytes(ElementTree.tostring(root, encoding="utf-8", xml_declaration=True))


def opened(raw: bytes) -> tuple[str, Element]:
    """The payload of a VEN's message and its local name; raises ValueError."""
    try:
        root = ElementTree.fromstring(raw)
    except ElementTree.ParseError as error:
        raise ValueError(str(error)) from None
    found = root.find("oadr:oadrSignedObject/*", SPACES) if root.tag == name("oadr:oadrPayload") else None
    if found is None:
        raise ValueError("no oadrPayload with an oadrSignedObject")
    return found.tag.rpartition("}")[2], found


def text(element: Element, path: str) -> str:
    """The text at a prefixed path, "" where there is none."""
    return (element.findtext(path, "", SPACES) or "").strip()


def texts(element: Element, path: str) -> list[str]:
    """The texts of all elements at a prefixed path."""
    return [(found.text or "").strip() for found in element.findall(path, SPACES)]


def response(request: str, code: int = 200, words: str = "OK") -> Element:
    """An eiResponse."""
    return make(
        "ei:eiResponse",
        make("ei:responseCode", str(code)),
        make("ei:responseDescription", words),
        make("pyld:requestID", request),
    )


def seconds(length: float) -> str:
    """A duration of whole seconds."""
    return f"PT{round(length)}S"


def stamp(at: datetime) -> str:
    """A time in UTC as the schema's pattern has it."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
