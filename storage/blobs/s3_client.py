"""The client of an object store, with its limits of time."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from obstore.store import S3Store

from storage.blobs.s3_address import S3Address, S3Keys

if TYPE_CHECKING:
    from obstore.store import S3Config

CONNECT_TIMEOUT = 2.0  # seconds
RETRIES = 3
RETRY_TIMEOUT = 6.0  # seconds after which no further attempt begins


def open_client(address: S3Address, keys: S3Keys, *, timeout: float) -> S3Store:
    """Return a client whose attempts of a request end after `timeout` seconds."""
    options: S3Config = {"session_token": keys.session_token} if keys.session_token is not None else {}
    return S3Store(
        address.bucket,
        config=options,
        # Given in any case, because the client would otherwise take it from the environment.
        endpoint=address.endpoint or address.base,
        virtual_hosted_style_request=address.endpoint is None,
        region=address.region,
        access_key_id=keys.access_key,
        secret_access_key=keys.secret_key,
        copy_if_not_exists="header:if-none-match:*",
        client_options={
            "allow_http": (address.endpoint or "").startswith("http:"),
            "connect_timeout": timedelta(seconds=CONNECT_TIMEOUT),
            "timeout": timedelta(seconds=timeout),
        },
        retry_config={"max_retries": RETRIES, "retry_timeout": timedelta(seconds=RETRY_TIMEOUT)},
    )
