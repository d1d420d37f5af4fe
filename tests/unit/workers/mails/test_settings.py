"""The URL of the mail server, the sender, and the tokens of links."""

from __future__ import annotations

import pytest

from server.config.mail import MailSection
from storage.mails import TokenPurpose
from workers.mails.tokens import MailTokenError, MailTokens, digest_of
from workers.mails.urls import SmtpAddress, parse_sender, parse_smtp

USER = 0x123456789ABC3FF  # in the shard 1023
EVENT = "01906d3c-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("smtp://mail.example.com", SmtpAddress(host="mail.example.com", port=587)),
        ("smtp://mail.example.com:25", SmtpAddress(host="mail.example.com", port=25)),
        ("smtp://[::1]:2525", SmtpAddress(host="::1", port=2525)),
        ("smtps://h", SmtpAddress(host="h", port=465, tls=True)),
        ("smtp://u%40d:p%3A@h", SmtpAddress(host="h", port=587, username="u@d", password="p:", starttls="required")),
        ("smtp://u:p@127.0.0.1", SmtpAddress(host="127.0.0.1", port=587, username="u", password="p")),
        ("smtp://u:p@h?starttls=never", SmtpAddress(host="h", port=587, username="u", password="p", starttls="never")),
        ("smtp://h?starttls=required", SmtpAddress(host="h", port=587, starttls="required")),
    ],
)
def test_the_url_of_a_mail_server(url: str, address: SmtpAddress) -> None:
    """A password asks for TLS unless the server is this machine; an option overrides that."""
    assert parse_smtp(url) == address


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://h", "begin with smtp://"),
        ("mail.example.com", "begin with smtp://"),
        ("smtp://", "name a host"),
        ("smtp://h:99999", "a host and a port"),
        ("smtp://h:x", "a host and a port"),
        ("smtp://u@h", "a user and a password"),
        ("smtp://h/path", "nothing behind the port"),
        ("smtp://h?tls=yes", "only option is starttls"),
        ("smtp://h?starttls=maybe", "offered, required, never"),
    ],
)
def test_a_wrong_url_is_explained(url: str, message: str) -> None:
    """The error of the settings says what is wrong."""
    with pytest.raises(ValueError, match=message):
        MailSection(url=url)


@pytest.mark.parametrize("sender", ["", "PicShare", "a@b, c@d", "A\nB <a@b>", "<a@b", "@b", "a@"])
def test_a_wrong_sender_is_explained(sender: str) -> None:
    """The sender is one address with an optional name."""
    with pytest.raises(ValueError, match=r"PicShare <no-reply@example\.com>"):
        MailSection(sender=sender)
    assert str(parse_sender("PicShare <a@b.example>")) == "PicShare <a@b.example>"


def test_a_one_time_token_depends_on_all_that_it_is_for() -> None:
    """The same request makes the same token; another user, purpose, event or secret another one."""
    tokens = MailTokens(b"s" * 32)
    made = {
        tokens.one_time(USER, TokenPurpose.PASSWORD_RESET, EVENT),
        tokens.one_time(USER, TokenPurpose.VERIFY_EMAIL, EVENT),
        tokens.one_time(USER + 1024, TokenPurpose.PASSWORD_RESET, EVENT),
        tokens.one_time(USER, TokenPurpose.PASSWORD_RESET, EVENT[:-1] + "2"),
        MailTokens(b"t" * 32).one_time(USER, TokenPurpose.PASSWORD_RESET, EVENT),
    }
    assert len(made) == 5
    assert tokens.one_time(USER, TokenPurpose.PASSWORD_RESET, EVENT) in made
    assert {digest_of(token).shard for token in made} == {1023}


def test_a_token_to_unsubscribe_names_the_user_and_the_list() -> None:
    """It is valid as it was made, and not with another list, user or secret."""
    tokens = MailTokens(b"s" * 32)
    token = tokens.unsubscribe(USER, "digest")
    found = tokens.unsubscription(token)
    assert (found.user_id, found.list_name) == (USER, "digest")
    for bad in (token.replace("digest", "comment"), token[:-1], token + "A", "", "..", "é" * 43):
        with pytest.raises(MailTokenError):
            tokens.unsubscription(bad)
    with pytest.raises(MailTokenError):
        MailTokens(b"t" * 32).unsubscription(token)
