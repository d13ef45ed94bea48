"""The XML of OpenADR 2.0b: read with suspicion, written with the schema's own names.

Reading keeps local names only: the schemas have no two elements of one name that mean different things, and servers
differ in their prefixes. A document type, entities, depth, the number of elements and of bytes are refused or bounded
before anything is kept, so that entity bombs never unfold.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element
from xml.parsers import expat
from xml.sax.saxutils import escape

MAX_DEPTH = 40
MAX_ELEMENTS = 100_000
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
_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Tag:
    """An element to be written: a prefixed name ("ei:venID") and its text or children."""

    name: str
    content: tuple[Tag | str, ...] = ()
    attributes: str = ""


def tag(name: str, *content: Tag | str | None) -> Tag:
    """An element; absent children (None) are left out."""
    return Tag(name, tuple(part for part in content if part is not None))


def document(payload: Tag) -> bytes:
    """A payload in its envelope (oadrPayload, oadrSignedObject), as UTF-8."""
    spaces = "".join(f' xmlns:{prefix}="{space}"' for prefix, space in SPACES.items())
    versioned = Tag(payload.name, payload.content, ' ei:schemaVersion="2.0b"')
    envelope = Tag("oadr:oadrPayload", (Tag("oadr:oadrSignedObject", (versioned,)),), spaces)
    return ('<?xml version="1.0" encoding="UTF-8"?>' + "".join(_written(envelope))).encode()


def read(raw: bytes) -> tuple[str, Element]:
    """The payload of a message and its local name; raises ValueError for what is no bounded, plain XML message."""
    root = _tree(raw)
    if root.tag != "oadrPayload":
        raise ValueError(f"{root.tag} is not an OpenADR 2.0b message")
    payload = root.find("oadrSignedObject/*")
    if payload is None:
        raise ValueError("a message without a payload")
    return payload.tag, payload


def text(element: Element | None, path: str = ".") -> str:
    """The text at `path`, stripped; "" where there is none."""
    found = element.find(path) if element is not None else None
    return (found.text or "").strip() if found is not None else ""


class _Reader:
    """Builds the tree out of the parser's calls and keeps the bounds."""

    def __init__(self) -> None:
        self.root: Element | None = None
        self._open: list[Element] = []
        self._count = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        self._count += 1
        if len(self._open) >= MAX_DEPTH or self._count > MAX_ELEMENTS:
            raise ValueError("XML nested too deep, or of too many elements")
        element = Element(name.rpartition("}")[2])
        if self._open:
            self._open[-1].append(element)
        else:
            self.root = element
        self._open.append(element)

    def end(self, name: str) -> None:
        self._open.pop()

    def characters(self, data: str) -> None:
        current = self._open[-1]
        if not len(current):
            current.text = (current.text or "") + data

    def refuse(self, *_: object) -> None:
        raise ValueError("XML with a document type or entities is refused")


def _tree(raw: bytes) -> Element:
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator="}")
    parser.buffer_text = True
    parser.StartElementHandler, parser.EndElementHandler = reader.start, reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = parser.EntityDeclHandler = reader.refuse
    try:
        parser.Parse(raw, True)
    except (expat.ExpatError, LookupError, UnicodeError) as error:
        raise ValueError(f"not XML: {error}") from None
    if reader.root is None:
        raise ValueError("not XML: empty")
    return reader.root


def _written(element: Tag) -> Iterator[str]:
    yield f"<{element.name}{element.attributes}"
    if not element.content:
        yield "/>"
        return
    yield ">"
    for part in element.content:
        if isinstance(part, str):
            yield escape(_NOT_XML.sub("", part))
        else:
            yield from _written(part)
    yield f"</{element.name}>"
