"""What push messages are sent with, from the settings; and the commands that make and show the key."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.administration import push
from server.cli.main import main
from server.composition.embedded import with_stored_key
from server.composition.push import push_settings
from server.config.settings import Settings
from server.errors import ConfigError, InputError
from server.operation.data_dir import vapid_key_file
from workers.web_push.base64url import encode
from workers.web_push.vapid import VapidKey

KEY = VapidKey.generate()


def settings_of(**values: Any) -> Settings:
    """Return settings with these values of the section `[push]`."""
    return Settings().with_values("push", **values).with_values("auth", secret="x" * 32)


def test_without_a_key_there_are_no_messages() -> None:
    """Of separate processes; `picshare run` makes a key."""
    assert push_settings(Settings()) is None


def test_the_key_is_in_the_settings_or_in_a_file(tmp_path: Path) -> None:
    """The file may end with a line break, as that of the command does."""
    path = tmp_path / "key"
    path.write_text(f"{KEY.text}\n")
    for values in ({"vapid_key": KEY.text}, {"vapid_key_file": path}):
        found = push_settings(settings_of(**values))
        assert found is not None
        assert found.key.public == KEY.public
        assert KEY.text not in repr(found)


def test_tokens_of_apps_are_encrypted_with_a_key_of_the_secret() -> None:
    """Of the same secret in all processes; without one nothing is sent."""
    found = [push_settings(settings_of(vapid_key=KEY.text)) for _ in range(2)]
    assert found[0] is not None
    assert found[1] is not None
    assert found[1].token_cipher.decrypt(found[0].token_cipher.encrypt("token", 5), 5) == "token"
    with pytest.raises(ConfigError, match=r"auth\.secret is not set"):
        push_settings(Settings().with_values("push", vapid_key=KEY.text))


@pytest.mark.parametrize(
    ("public_url", "contact", "expected"),
    [
        (None, None, None),
        ("http://photos.example.com", None, None),
        ("https://photos.example.com", None, "https://photos.example.com"),
        ("https://photos.example.com", "mailto:ada@example.com", "mailto:ada@example.com"),
    ],
)
def test_push_services_get_a_contact(public_url: str | None, contact: str | None, expected: str | None) -> None:
    """That of the settings, or else the address of the installation."""
    settings = settings_of(vapid_key=KEY.text, contact=contact).with_values("server", public_url=public_url)
    found = push_settings(settings)
    assert found is not None
    assert found.contact == expected


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vapid_key": "abc!"}, "base64url"),
        ({"vapid_key": encode(bytes(31))}, "32 bytes in base64url, not 31"),
        ({"vapid_key": KEY.text, "vapid_key_file": "key"}, "push.vapid_key is set, too"),
        ({"contact": "ada@example.com"}, "begin with mailto: or https://"),
        ({"contact": "mailto:"}, "begin with mailto: or https://"),
        ({"hosts": ("https://example.com",)}, "is not a host"),
    ],
)
def test_wrong_values_are_refused_with_a_reason(values: dict[str, Any], message: str) -> None:
    """When the settings are read."""
    with pytest.raises(ValidationError, match=message) as caught:
        settings_of(**values)
    assert KEY.text not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"nonsense", b"\xff\xfe", encode(bytes(32)).encode(), None])
def test_a_file_without_a_key_is_one_sentence(tmp_path: Path, content: bytes | None) -> None:
    """It names the file."""
    path = tmp_path / "key"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=str(path)):
        push_settings(settings_of(vapid_key_file=path))


def test_a_number_that_is_no_key_is_one_sentence() -> None:
    """The settings know its length alone."""
    with pytest.raises(ConfigError, match=r"push\.vapid_key has no key: .* curve"):
        push_settings(settings_of(vapid_key=encode(bytes(32))))


def test_the_key_of_the_data_directory_is_found(tmp_path: Path) -> None:
    """By the commands for operators; a key in the settings goes before it."""
    settings = Settings().with_values("data", dir=tmp_path)
    with pytest.raises(InputError, match="`picshare run` makes one"):
        push.public_key(settings)
    assert with_stored_key(settings) is settings
    other = VapidKey.generate()
    vapid_key_file(tmp_path).write_text(KEY.text)
    assert push.public_key(settings) == KEY.public
    assert push.public_key(settings.with_values("push", vapid_key=other.text)) == other.public
    separate = settings.with_values("database", url="postgresql://db/picshare")
    with pytest.raises(InputError):
        push.public_key(separate)


def test_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """What the first one prints is what the second one takes."""
    monkeypatch.chdir(tmp_path)
    outputs = []
    for arguments in (("create-key",), ("key",)):
        monkeypatch.setattr(sys, "argv", ["picshare", "push", *arguments])
        with pytest.raises(SystemExit) as caught:
            main()
        assert caught.value.code in (0, None)
        outputs.append(capsys.readouterr())
        monkeypatch.setenv("PICSHARE_PUSH__VAPID_KEY", outputs[0].out.strip())
    assert f"The public key is {outputs[1].out.strip()}." in outputs[0].err
    assert VapidKey.parse(outputs[0].out).public == outputs[1].out.strip()
