"""The section `[data]`: where embedded engines and images are."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from server.config.section import Section
from storage.embedded.disk_space import RESERVE


class DataSection(Section):
    """The location of the embedded engines' data and of the generated secret, and the space that is kept there."""

    dir: Path = Field(default=Path("data"), description="Directory of all data of `picshare run`.")
    reserve: int = Field(
        default=RESERVE,
        ge=0,
        description="Bytes that `picshare run` keeps on the data directory's disk, but at most an eighth of the disk. "
        "When the rest is used up, uploads, comments, likes, follows and sign-ups get 507, and the reserve is used for "
        "reading and deleting. 0 keeps nothing.",
    )
