"""The section `[blobs]`: where images are stored."""

from __future__ import annotations

from pydantic import Field, SecretStr, field_validator

from server.config.section import Section
from storage.blobs.s3_address import SCHEME, S3Address, checked_endpoint


class BlobsSection(Section):
    """The storage of images."""

    url: str = Field(
        default="file:",
        description="`file:` stores images in `<data.dir>/blobs`, `file:/path` in another directory; separate roles "
        "require one directory that all of them share. `s3://bucket?endpoint=https://host&region=name` stores them in "
        "a bucket of an object store that speaks S3; without `endpoint` it is one of Amazon, and without `region` "
        "`AWS_REGION` counts.",
    )
    public_endpoint: str | None = Field(
        default=None,
        description="URL of the object store for clients that send their uploads to it, if `endpoint` is only "
        "reachable from the servers, for example `https://uploads.example.com`. A proxy there has to pass the `Host` "
        "header on unchanged, because it is signed.",
    )
    access_key: str | None = Field(
        default=None, description="Key of the account that uses the bucket. If it is not set, `AWS_ACCESS_KEY_ID`."
    )
    secret_key: SecretStr | None = Field(
        default=None, description="Its secret key. If it is not set, `AWS_SECRET_ACCESS_KEY`."
    )
    session_token: SecretStr | None = Field(
        default=None,
        description="Token of temporary keys. If none of the three is set, `AWS_SESSION_TOKEN`.",
    )

    @field_validator("url")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value.startswith(SCHEME):
            S3Address.parse(value)
        elif not value.startswith("file:"):
            raise ValueError("it should begin with file: or s3:")
        return value

    @field_validator("public_endpoint")
    @classmethod
    def _is_endpoint(cls, value: str | None) -> str | None:
        return None if value is None else checked_endpoint(value)
