"""The properties of an XMP packet that are used (ISO 16684-1; IPTC Photo Metadata Standard for the alternative text).

A packet comes from a file that anybody may have made: it is parsed without entities and without a document type, and
one that is too large, damaged or in another encoding than UTF-8 has no properties. It never makes a photo unusable.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from xml.etree.ElementTree import Element, ParseError

import defusedxml.ElementTree
from defusedxml.common import DefusedXmlException

from workers.images.limits import MAX_XMP

_RDF = "{http://www.w3.org/1999/02/22-rdf-syntax-ns#}"
_DC = "{http://purl.org/dc/elements/1.1/}"
_ALT_TEXT = "{http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/}AltTextAccessibility"
_WEB_STATEMENT = "{http://ns.adobe.com/xap/1.0/rights/}WebStatement"
_CONTAINERS = [f"{_RDF}{name}" for name in ("Alt", "Seq", "Bag")]
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_DECLARATION = re.compile(r"\s*<\?xml\s[^>]*\?>")


@dataclass(frozen=True, kw_only=True, slots=True)
class XmpProperties:
    """Texts of a packet in their default language, "" where it has none; several creators are separated by commas."""

    alt_text: str = ""
    description: str = ""
    creator: str = ""
    rights: str = ""
    web_statement: str = ""


def subjects_of(packet: bytes) -> list[Element]:
    """Return the descriptions of the file itself in a packet; none of one that cannot be read."""
    if not packet or len(packet) > MAX_XMP:
        return []
    try:
        # The parser is given text, so that no packet names an encoding for which a module would have to be loaded.
        text = packet.rstrip(b"\0").decode("utf-8-sig")
        declared = _DECLARATION.match(text)
        root = defusedxml.ElementTree.fromstring(text[declared.end() :] if declared else text, forbid_dtd=True)
    except (ParseError, DefusedXmlException, ValueError, RecursionError):
        return []
    rdf = root if root.tag == f"{_RDF}RDF" else root.find(f"{_RDF}RDF")
    # Descriptions further inside are of other resources, such as the pictures that this one was composed of.
    return [] if rdf is None else rdf.findall(f"{_RDF}Description")


def read_xmp(packet: bytes) -> XmpProperties:
    """Return the properties of a packet; none of one that cannot be read."""
    subjects = subjects_of(packet)
    return XmpProperties(
        alt_text=_first(subjects, _ALT_TEXT),
        description=_first(subjects, f"{_DC}description"),
        creator=", ".join(values_of(subjects, f"{_DC}creator")),
        rights=_first(subjects, f"{_DC}rights"),
        web_statement=_first(subjects, _WEB_STATEMENT),
    )


def _first(subjects: list[Element], name: str) -> str:
    return next(iter(values_of(subjects, name)), "")


def values_of(subjects: list[Element], name: str) -> list[str]:
    """Return the values of a property that are not empty, that of the default language first."""
    found: list[str | None] = []
    for subject in subjects:
        found.append(subject.get(name))
        for value in subject.findall(name):
            items = [item for kind in _CONTAINERS for item in value.findall(f"{kind}/{_RDF}li")]
            items.sort(key=lambda item: item.get(_LANGUAGE) != "x-default")
            found += [item.text for item in items] if items else [value.text, value.get(f"{_RDF}resource")]
    return [text.strip() for text in found if text and text.strip()]
