"""The blob store that `blobs.url` selects, and the keys of a bucket."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from server.composition.blob_stores import bucket_of, describe_blobs, open_blobs, open_presigner, upload_directory
from server.config.reference import effective
from server.config.settings import Settings
from server.errors import ConfigError
from server.operation.metrics import Metrics
from storage.blobs.observed import CIRCUIT, RefusedError
from storage.errors import UnavailableError
from tests.engines.private import free_port
from workers.outbound.circuits import CircuitRegistry

KEYS = {"access_key": "id", "secret_key": SecretStr("secret")}
URL = "s3://photos?endpoint=http://127.0.0.1:8333"
VARIABLES = {"AWS_ACCESS_KEY_ID": "id-1", "AWS_SECRET_ACCESS_KEY": "secret-1", "AWS_SESSION_TOKEN": "token-1"}


def settings(**values: object) -> Settings:
    """Return settings with a bucket."""
    return Settings().with_values("blobs", url=URL, **values)


def test_keys_of_the_environment() -> None:
    """Without keys in the settings, those of the usual variables are used, with the region."""
    address, keys = bucket_of(settings(), {**VARIABLES, "AWS_REGION": "eu-1"})
    assert (address.bucket, address.region) == ("photos", "eu-1")
    assert (keys.access_key, keys.secret_key, keys.session_token) == ("id-1", "secret-1", "token-1")


def test_keys_of_the_settings_go_first() -> None:
    """Keys in the settings are used without the environment's token, which belongs to other keys."""
    _, keys = bucket_of(settings(access_key="id-2", secret_key=SecretStr("secret-2")), VARIABLES)
    assert (keys.access_key, keys.secret_key, keys.session_token) == ("id-2", "secret-2", None)


@pytest.mark.parametrize("values", [{}, {"access_key": "id"}, {"secret_key": SecretStr("secret")}])
def test_missing_keys(values: dict[str, object]) -> None:
    """A bucket without keys, or with half of them, is a configuration error that names the settings."""
    with pytest.raises(ConfigError, match=r"blobs\.access_key and blobs\.secret_key"):
        bucket_of(settings(**values), {})


def test_a_wrong_url_is_not_printed() -> None:
    """The error about a URL with credentials names the settings to use, and does not repeat the URL."""
    with pytest.raises(ValidationError) as caught:
        Settings().with_values("blobs", url="s3://id:the-secret@photos")
    assert "the-secret" not in str(caught.value)
    assert "blobs.secret_key" in str(caught.value)


def test_secrets_are_masked() -> None:
    """The settings in effect are printed without the keys, and so is the description of the store."""
    given = settings(access_key="id", secret_key=SecretStr("the-secret"), session_token=SecretStr("the-token"))
    assert "the-" not in effective(given) + describe_blobs(given)
    assert describe_blobs(given) == "bucket photos at http://127.0.0.1:8333"


def test_only_a_bucket_has_signed_requests() -> None:
    """A directory has no signer of its own; with a bucket, uploads are received in the data directory."""
    assert open_presigner(Settings()) is None
    given = settings(**KEYS)
    assert open_presigner(given) is not None
    assert upload_directory(given) == Path("data/blobs/tmp")


def test_clients_may_reach_the_store_under_another_name() -> None:
    """Signed requests go to the public endpoint, and the servers' own ones to the other."""
    given = settings(**KEYS, public_endpoint="https://uploads.example.com/")
    presigner = open_presigner(given)
    assert presigner is not None
    signed = presigner.presign_put("incoming/u/whole", content_type="image/png", size=1, sha256="00" * 32, expires_in=9)
    assert signed.url.startswith("https://uploads.example.com/photos/incoming/u/whole?")
    assert describe_blobs(given) == "bucket photos at http://127.0.0.1:8333"
    with pytest.raises(ValidationError, match="its endpoint should be"):
        settings(public_endpoint="uploads.example.com")


async def test_a_bucket_that_does_not_answer_is_left_alone() -> None:
    """After some failures in a row, calls to the store of a bucket are refused."""
    given = Settings().with_values("blobs", url=f"s3://photos?endpoint=http://127.0.0.1:{free_port()}", **KEYS)
    metrics = Metrics()
    blobs = open_blobs(given, metrics, CircuitRegistry(metrics))
    calls = [blobs.head("original/aa/x") for _ in range(CIRCUIT.failures)]
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(outcome) for outcome in outcomes} == {UnavailableError}
    with pytest.raises(RefusedError):
        await blobs.head("original/aa/x")
    assert metrics.registry.get_sample_value("picshare_circuit_state", {"name": "blobs"}) == 2
