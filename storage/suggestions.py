"""The rule for suggestions: which texts in a file are offered to its author, and in which form.

A suggestion is in the form in which the API would store it, so that the author can take it over as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from storage import texts

_LIMITS = {"alt_text": texts.MAX_ALT_TEXT, "caption": texts.MAX_CAPTION}
_CUT = "…"
# What cameras and programs write into every file.
_BOILERPLATE = re.compile(
    r"""
    .*\bdigital\ (?:still\ ?)?camera            # OLYMPUS DIGITAL CAMERA, KODAK Digital Still Camera
  | (?:[\w.]+\ ){0,3}(?:dsc|camera\ pictures)   # SONY DSC, Minolta DSC, SAMSUNG CAMERA PICTURES
  | exif[ _]jpeg(?:[ _]picture)?  | .*\bexif\ jpeg
  | (?:[a-z]:)?[\\/]?dcim\b.*
  | [^\n]*\.(?:jpe?g|png|webp|avif|gif|hei[cf]|tiff?|dng|mp4|mov)    # the name of a file
  | (?:img|dsc[nf]?|pxl|mvimg|gopr|dji|cimg|pict?|p)[_-]?\d[\w-]*
  | (?:created|edited|made)\ (?:with|by|in)\ .*
  | creator:\ gd-jpeg.*
  | screen\ ?shot(?:[ _-][\d ._:-]+)?  | untitled(?:[ _-]?\d+)?  | default  | image\ description
  | (?:cof|sdr|dav|mde|edf|ptr|qrf|fbt|btf|r?hdr(?:pl)?|(?:oz)?nor(?:wo|pl)?)   # modes of a phone
    """,
    re.VERBOSE | re.IGNORECASE,
)


def suggestions(found: Mapping[str, str]) -> dict[str, str]:
    """Return what to suggest as `alt_text` and `caption`, of the texts in a file by these names.

    Texts that no person wrote, and those that the API would refuse, are left out. One that is too long is cut.
    """
    offered = {name: _suggestion(found.get(name, ""), limit) for name, limit in _LIMITS.items()}
    return {name: text for name, text in offered.items() if text}


def _suggestion(text: str, limit: int) -> str:
    try:
        shown = texts.multi_line(text)
    except ValueError:
        return ""
    if _BOILERPLATE.fullmatch(shown):
        return ""
    return shown if len(shown) <= limit else shown[: limit - len(_CUT)].rstrip() + _CUT
