"""The section `[mastodon]`: the interface for apps that know Mastodon's."""

from __future__ import annotations

from pydantic import Field

from server.config.section import Section


class MastodonSection(Section):
    """Whether apps for Mastodon and Pixelfed can be used with this installation."""

    enabled: bool = Field(default=True, description="Serve apps that know Mastodon's interface (docs/mastodon.md).")
