"""The blob store: `blobs.url` selects its adapter here and nowhere else."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from server.config.settings import Settings
from server.errors import ConfigError
from storage.blobs.file import TEMPORARY, FileBlobs
from storage.blobs.observed import CIRCUIT, BlobMetrics, NoMetrics, ObservedBlobs
from storage.blobs.port import Blobs
from storage.blobs.presign import Presigner
from storage.blobs.s3_address import DEFAULT_REGION, SCHEME, S3Address, S3Keys
from workers.outbound.circuits import CircuitRegistry


def is_bucket(settings: Settings) -> bool:
    """Return whether images are in a bucket of an object store."""
    return settings.blobs.url.startswith(SCHEME)


def blob_directory(settings: Settings) -> Path:
    """Return the directory of a `file:` blob store, or the one where a process keeps uploads before they are stored."""
    path = "" if is_bucket(settings) else settings.blobs.url.removeprefix("file:").removeprefix("//")
    return Path(path) if path else settings.data.dir / "blobs"


def upload_directory(settings: Settings) -> Path:
    """Return the directory that receives uploads before they are blobs."""
    return blob_directory(settings) / TEMPORARY


def open_blobs(
    settings: Settings, metrics: BlobMetrics | None = None, circuits: CircuitRegistry | None = None
) -> Blobs:
    """Return the blob store; it holds nothing that has to be closed. Raise `ConfigError` if it has no keys."""
    metrics = metrics or NoMetrics()
    if not is_bucket(settings):
        return ObservedBlobs(FileBlobs(blob_directory(settings)), metrics)
    from storage.blobs.s3 import S3Blobs  # noqa: PLC0415 - one adapter per process

    blobs = S3Blobs(*bucket_of(settings), spool=upload_directory(settings))
    return ObservedBlobs(blobs, metrics, (circuits or CircuitRegistry()).circuit("blobs", CIRCUIT))


def open_presigner(settings: Settings) -> Presigner | None:
    """Return the signer of requests that clients send to the blob store, or None if it is a directory."""
    if not is_bucket(settings):
        return None
    from storage.blobs.presign import S3Presigner  # noqa: PLC0415 - one adapter per process

    address, keys = bucket_of(settings)
    return S3Presigner(replace(address, endpoint=settings.blobs.public_endpoint or address.endpoint), keys)


def describe_blobs(settings: Settings) -> str:
    """Return what an operator knows the blob store as, without credentials."""
    if not is_bucket(settings):
        return str(blob_directory(settings).absolute())
    address, _ = bucket_of(settings)
    return f"bucket {address.bucket} at {address.endpoint or address.base}"


def bucket_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> tuple[S3Address, S3Keys]:
    """Return the bucket and the keys, which are in the settings or in Amazon's usual variables.

    Raise `ConfigError` if there are none.
    """
    section = settings.blobs
    region = environment.get("AWS_REGION") or environment.get("AWS_DEFAULT_REGION") or DEFAULT_REGION
    address = S3Address.parse(section.url, region=region)
    if section.access_key is not None and section.secret_key is not None:
        token = section.session_token
        return address, S3Keys(
            access_key=section.access_key,
            secret_key=section.secret_key.get_secret_value(),
            session_token=token.get_secret_value() if token is not None else None,
        )
    if section.access_key is not None or section.secret_key is not None:
        raise ConfigError("Set both blobs.access_key and blobs.secret_key, or neither of them.")
    access_key, secret_key = environment.get("AWS_ACCESS_KEY_ID"), environment.get("AWS_SECRET_ACCESS_KEY")
    if not access_key or not secret_key:
        raise ConfigError(
            "blobs.url is the URL of a bucket, and there are no keys for it; set blobs.access_key and "
            "blobs.secret_key, or the variables AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY."
        )
    token_text = environment.get("AWS_SESSION_TOKEN") or None
    return address, S3Keys(access_key=access_key, secret_key=secret_key, session_token=token_text)
