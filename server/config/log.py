"""The section `[log]`: what is logged, and in which form."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from server.config.section import Section


class LogSection(Section):
    """Logs, which are written to standard error."""

    level: Literal["auto", "debug", "info", "warning", "error"] = Field(
        default="auto",
        description="Lowest level that is written; `auto` is info (every request and job), but warning for "
        "`picshare run` on a terminal.",
    )
    format: Literal["auto", "json", "console"] = Field(
        default="auto",
        description="`json` (one object per line), `console` (for reading), or `auto`: console on a terminal, "
        "otherwise json.",
    )
