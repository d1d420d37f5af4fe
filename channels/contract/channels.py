"""Names of channels that mean something to the live layer itself."""

from __future__ import annotations

PROJECTED = "apps:"  # how the channels begin to which only connections with a projection subscribe
