"""The form of mails: their two parts, their header fields, and what users cannot put into them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from html.parser import HTMLParser

import pytest

from workers.mails.letter import Button, Item, Letter
from workers.mails.message import Identity, build_message, envelope_of
from workers.mails.port import MailRefusedError
from workers.mails.rendering import Footer, as_html, as_text
from workers.mails.urls import parse_sender

UNSUBSCRIBE = "https://photos.example/api/v1/mail/unsubscribe?token=" + "x" * 120
LETTER = Letter(
    subject="News for you",
    heading="News <for> you",
    paragraphs=["First & foremost. " * 10, "Second"],
    items=[Item(title="ben <b>liked</b> it", text="A rocket", url='https://photos.example/p/1?a="b"')],
    button=Button(label="Open", url="https://photos.example/reset#" + "y" * 60),
    notes=["Small print"],
)


def raw(letter: Letter = LETTER, *, name: str = "Ann", address: str = "ann@example.org", **footer: str) -> bytes:
    """Return the bytes of a message."""
    message = build_message(
        letter,
        Footer(reason="You receive this mail because of a test.", **footer),
        sender=parse_sender("PicShare <no-reply@photos.example>"),
        address=address,
        name=name,
        identity=Identity(event_id="0190", sent_at=datetime(2026, 11, 20, 12, tzinfo=UTC)),
    )
    content = message.as_bytes()
    assert max(len(line) for line in content.split(b"\r\n")) <= 998, "RFC 5322, section 2.1.1"
    return content


def built(letter: Letter = LETTER, **options: str) -> EmailMessage:
    """Return a message as its receiver reads it."""
    received = message_from_bytes(raw(letter, **options), policy=policy.SMTP)
    assert isinstance(received, EmailMessage)
    return received


def test_a_message_is_recognisable_and_asks_for_no_answer() -> None:
    """Message-ID and date come from the request, so that a repetition has the same; no machine is to respond."""
    message = built()
    assert message["Message-ID"] == "<0190@photos.example>"
    assert message["Date"].datetime == datetime(2026, 11, 20, 12, tzinfo=UTC)
    assert message["Auto-Submitted"] == "auto-generated"
    assert message.get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", "text/html"]
    assert "List-Unsubscribe" not in message


def test_the_fields_to_unsubscribe_are_those_of_rfc_8058() -> None:
    """The URL is in one piece in the bytes, since programs look for it there."""
    message = built(unsubscribe_url=UNSUBSCRIBE)
    assert message["List-Unsubscribe"] == f"<{UNSUBSCRIBE}>"
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert f"List-Unsubscribe: <{UNSUBSCRIBE}>\r\n".encode() in raw(unsubscribe_url=UNSUBSCRIBE)


@pytest.mark.parametrize(
    "name", ["Ann\r\nBcc: eve@example.org", "Ann\nBcc: eve@example.org", "Ann\x85Bcc: x", "A\u2028B"]
)
def test_a_name_adds_no_field(name: str) -> None:
    """Line ends in a name or subject become spaces, so that neither begins a field or another recipient."""
    message = built(Letter(subject=name, heading="x", paragraphs=[]), name=name)
    assert set(message) == set(built())
    assert [address.addr_spec for address in message["To"].addresses] == ["ann@example.org"]
    assert message["Subject"] == " ".join(re.split(r"[\r\n\x85\u2028]+", name))


@pytest.mark.parametrize("name", ["Änn Böhm", "安娜", 'Ann "the <best>", with @', "", "a" * 500])
def test_any_name_can_be_written(name: str) -> None:
    """Names in other scripts and with special characters are encoded or quoted, and cut if they are too long."""
    (address,) = built(name=name)["To"].addresses
    assert address.display_name == name[:100]
    assert address.addr_spec == "ann@example.org"


@pytest.mark.parametrize(
    ("address", "written"),
    [
        ("ann@münchen.example", "ann@xn--mnchen-3ya.example"),
        ('a,b"c@example.org', r'"a,b\"c"@example.org'),
        ("a;b<c>@example.org", '"a;b<c>"@example.org'),
    ],
)
def test_any_address_has_one_recipient(address: str, written: str) -> None:
    """What sign-up accepts as an address is written so that it is one, for the server as well."""
    message = built(address=address)
    assert envelope_of(message).recipient == written


@pytest.mark.parametrize("address", ["", "ann", "ann@", "ann@" + "x" * 70 + "é.example"])
def test_what_is_no_address_is_refused(address: str) -> None:
    """A text that cannot be written in a field is refused for good, and breaks nothing."""
    with pytest.raises(MailRefusedError):
        built(address=address)


def test_the_text_keeps_links_whole() -> None:
    """Lines are wrapped for narrow programs, but never within an address."""
    text = as_text(LETTER, Footer(reason="Because.", unsubscribe_url=UNSUBSCRIBE))
    lines = text.splitlines()
    assert LETTER.button is not None
    assert {LETTER.button.url, UNSUBSCRIBE, 'https://photos.example/p/1?a="b"'} <= set(lines)
    assert all(len(line) <= 72 or "://" in line for line in lines)
    assert "<b>liked</b>" in text


class _Page(HTMLParser):
    """Collects elements and attributes of a page."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect an element."""
        self.tags.append(tag)
        self.attributes += attrs


def test_the_page_loads_nothing_and_shows_texts_as_they_are() -> None:
    """The HTML has no image, script, font or sheet to load, and no markup of a user's text."""
    html = as_html(LETTER, Footer(reason="Because <x>.", unsubscribe_url=UNSUBSCRIBE))
    page = _Page()
    page.feed(html)
    assert not {"img", "script", "link", "iframe", "b", "object", "video"} & set(page.tags)
    assert not {name for name, _ in page.attributes} & {"src", "srcset", "background", "onload"}
    assert "url(" not in html
    assert "News &lt;for&gt; you" in html
    assert "ben &lt;b&gt;liked&lt;/b&gt; it" in html
    assert 'href="https://photos.example/p/1?a=&quot;b&quot;"' in html
    assert "prefers-color-scheme: dark" in html
