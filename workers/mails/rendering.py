"""The two forms of a mail, text and HTML, of the same content.

The HTML loads nothing, so that reading it is not reported to anyone; its colours follow the scheme of the reader. Some
programs ignore the style sheet, so each element has the light colours itself.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from string import Template

from locales.catalogues import ENGLISH, direction, translate
from locales.sentences import marked
from workers.mails.letter import Button, Item, Letter

_WIDTH = 72  # of the lines of the text, as RFC 3676 suggests
_FONT = "system-ui,-apple-system,'Segoe UI',Roboto,'Helvetica Neue',Arial,sans-serif"
_P = "margin:0 0 16px;font-size:16px;line-height:1.5;color:#1c1a18"
_NOTE = "margin:0 0 12px;font-size:14px;line-height:1.5;color:#67625b"
_PAGE = Template(
    """<!doctype html>
<html lang="$language" dir="$direction">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta name="supported-color-schemes" content="light dark">
<title>$subject</title>
<style>
:root { color-scheme: light dark; supported-color-schemes: light dark; }
@media (prefers-color-scheme: dark) {
  .page { background: #141312 !important; }
  .card { background: #1d1b1a !important; border-color: #34312e !important; }
  .text, .text a { color: #f3f0ec !important; }
  .faint, .faint a { color: #aea79f !important; }
  .line { border-color: #34312e !important; }
  .button { background: #f3f0ec !important; color: #171615 !important; }
}
</style>
</head>
<body class="page" style="margin:0;padding:0;background:#fbfaf8">
<table role="presentation" class="page" width="100%" cellpadding="0" cellspacing="0" style="background:#fbfaf8">
<tr><td align="center" style="padding:24px 12px">
<table role="presentation" width="100%" cellpadding="0" cellspacing="0" style="max-width:560px;font-family:$font">
<tr><td class="text" style="padding:0 8px 16px;font-size:18px;font-weight:700;color:#1c1a18">PicShare</td></tr>
<tr><td class="card" style="padding:28px 24px;background:#ffffff;border:1px solid #e5e2dc;border-radius:14px">
<h1 class="text" style="margin:0 0 16px;font-size:22px;line-height:1.3;color:#1c1a18">$heading</h1>
$body
</td></tr>
<tr><td style="padding:16px 8px 0">
$footer
</td></tr>
</table>
</td></tr>
</table>
</body>
</html>
"""
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Footer:
    """What is below every mail: why it was sent, and where a list can be left."""

    reason: str
    unsubscribe_url: str | None = None


def as_text(letter: Letter, footer: Footer, language: str = ENGLISH) -> str:
    """Return a mail as plain text."""
    blocks = [letter.heading, *letter.paragraphs, *(_item_text(item) for item in letter.items)]
    if letter.button is not None:
        blocks.append(f"{letter.button.label}:\n{letter.button.url}")
    blocks += [*letter.notes, f"-- \n{_wrapped(footer.reason)}"]
    if footer.unsubscribe_url is not None:
        unsubscribe = translate(marked("Unsubscribe from mails like this one:"), language)
        blocks.append(f"{unsubscribe}\n{footer.unsubscribe_url}")
    return "\n\n".join(_wrapped(block) for block in blocks) + "\n"


def as_html(letter: Letter, footer: Footer, language: str = ENGLISH) -> str:
    """Return a mail as a page of HTML."""
    body = [_paragraph(text) for text in letter.paragraphs]
    body += _items(letter.items)
    if letter.button is not None:
        body += _button(letter.button, language)
    body += [f'<p class="faint" style="{_NOTE}">{escape(note)}</p>' for note in letter.notes]
    return _PAGE.substitute(
        subject=escape(letter.subject),
        heading=escape(letter.heading),
        font=_FONT,
        body="\n".join(body),
        footer="\n".join(_footer(footer, language)),
        language=language,
        direction=direction(language),
    )


def _wrapped(block: str) -> str:
    # An address in a line of its own stays whole, so that programs recognise it.
    return "\n".join(
        line if "://" in line else textwrap.fill(line, _WIDTH, break_long_words=False, break_on_hyphens=False) or line
        for line in block.split("\n")
    )


def _item_text(item: Item) -> str:
    return "\n".join(line for line in (f"* {item.title}", item.text, item.url) if line)


def _paragraph(text: str) -> str:
    return f'<p class="text" style="{_P}">{escape(text)}</p>'


def _items(items: Sequence[Item]) -> Iterator[str]:
    for item in items:
        title = escape(item.title)
        if item.url is not None:
            title = f'<a href="{escape(item.url)}" style="color:#1c1a18;text-decoration:none">{title}</a>'
        text = f'<br><span class="faint" style="font-size:14px;color:#67625b">{escape(item.text)}</span>'
        yield (
            '<p class="text line" style="margin:0;padding:12px 0;border-top:1px solid #e5e2dc;font-size:16px;'
            f'line-height:1.5;color:#1c1a18">{title}{text if item.text else ""}</p>'
        )


def _button(button: Button, language: str) -> Iterable[str]:
    otherwise = escape(translate(marked("If the button does not work, open this address:"), language))
    url = escape(button.url)
    return (
        f'<p style="margin:24px 0"><a class="button" href="{url}" style="display:inline-block;padding:12px 20px;'
        "background:#1c1a18;color:#ffffff;border-radius:999px;font-size:16px;font-weight:600;text-decoration:none"
        f'">{escape(button.label)}</a></p>',
        f'<p class="faint" style="{_NOTE}">{otherwise}<br>'
        f'<a href="{url}" style="color:#67625b;word-break:break-all">{url}</a></p>',
    )


def _footer(footer: Footer, language: str) -> Iterator[str]:
    small = "margin:0 0 8px;font-size:13px;line-height:1.5;color:#67625b"
    yield f'<p class="faint" style="{small}">{escape(footer.reason)}</p>'
    if footer.unsubscribe_url is not None:
        url, unsubscribe = escape(footer.unsubscribe_url), escape(translate(marked("Unsubscribe"), language))
        yield f'<p class="faint" style="{small}"><a href="{url}" style="color:#67625b">{unsubscribe}</a></p>'
