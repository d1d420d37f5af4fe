"""The creator and the licence of an image, as the one XMP packet that published variants may contain.

The packet has one form for the same texts, byte for byte, so that a variant can be compared with what it must contain.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from xml.sax.saxutils import escape

MAX_CREATOR, MAX_RIGHTS, MAX_WEB_STATEMENT = 200, 400, 400  # characters; a packet is in every variant
_WEB_ADDRESS = re.compile(r"https?://\S+")
_HEAD = (
    '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" xmlns:dc="http://purl.org/dc/elements/1.1/" '
    'xmlns:xmpRights="http://ns.adobe.com/xap/1.0/rights/">'
)
_TAIL = "</rdf:Description></rdf:RDF></x:xmpmeta>"


def rights_packet(texts: Mapping[str, str]) -> bytes:
    """Return the packet with `creator`, `rights` and `web_statement` of the texts in a file; b"" if it has none."""
    creator, rights = _line(texts, "creator", MAX_CREATOR), _line(texts, "rights", MAX_RIGHTS)
    statement = texts.get("web_statement", "")
    properties = ""
    if creator:
        properties += f"<dc:creator><rdf:Seq><rdf:li>{creator}</rdf:li></rdf:Seq></dc:creator>"
    if rights:
        properties += f'<dc:rights><rdf:Alt><rdf:li xml:lang="x-default">{rights}</rdf:li></rdf:Alt></dc:rights>'
    if len(statement) <= MAX_WEB_STATEMENT and _WEB_ADDRESS.fullmatch(statement):
        properties += f"<xmpRights:WebStatement>{escape(statement)}</xmpRights:WebStatement>"
    return f"{_HEAD}{properties}{_TAIL}".encode() if properties else b""


def _line(texts: Mapping[str, str], name: str, limit: int) -> str:
    """Return a text in one line of printable characters, all of which XML allows."""
    line = " ".join(texts.get(name, "").split())[:limit].strip()
    return escape("".join(symbol for symbol in line if symbol.isprintable()))
