"""Metrics of several processes as one text: each sample gets the number of its process as a label.

The text format of Prometheus (https://prometheus.io/docs/instrumenting/exposition_formats/) requires all samples of a
metric in one group, so the texts cannot just be concatenated.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

LABEL = b"process"
_SAMPLE = re.compile(rb"([a-zA-Z_:][a-zA-Z0-9_:]*)(\{?)(.*)", re.DOTALL)


def merged(texts: Mapping[int, bytes], own: bytes = b"") -> bytes:
    """Return the samples of `texts`, by the number of their process, and those of `own`, which get no label.

    A text that is cut off, or not in the format, gives the samples of its whole lines.
    """
    heads: dict[bytes, list[bytes]] = {}
    samples: dict[bytes, list[bytes]] = {}
    for label, text in [(None, own), *((b'%b="%d"' % (LABEL, number), text) for number, text in texts.items())]:
        family = b""
        for line in text.split(b"\n")[:-1]:
            if not line.startswith(b"#"):
                samples.setdefault(family, []).append(line if label is None else _labelled(line, label))
                continue
            kind, name = line.split(b" ", 3)[1:3]
            if kind == b"HELP":
                family = name
            described = heads.setdefault(family, [])
            if line not in described:
                described.append(line)
    lines = [line for family, head in heads.items() for line in (*head, *samples.get(family, ()))]
    return b"".join(line + b"\n" for line in lines)


def _labelled(sample: bytes, label: bytes) -> bytes:
    match = _SAMPLE.fullmatch(sample)
    if match is None:
        return sample
    name, brace, rest = match.groups()
    return b"%b{%b,%b" % (name, label, rest) if brace else b"%b{%b}%b" % (name, label, rest)
