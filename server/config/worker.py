"""The section `[worker]`: background work."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import Field, create_model

from server.config.section import Section
from workers.broker.port import Policy
from workers.images.limits import DecoderLimits
from workers.registry import WORKERS

_DECODER = DecoderLimits()

S = TypeVar("S", bound=Section)


def _with_concurrency_of_workers(section: type[S]) -> type[S]:
    """Add a key `<name>_concurrency` for each worker of the registry."""
    keys: dict[str, Any] = {
        f"{spec.name}_concurrency": (
            int,
            Field(default=spec.concurrency, ge=1, description=spec.concurrency_help),
        )
        for spec in WORKERS
    }
    return create_model(section.__name__, __base__=section, __doc__=section.__doc__, __module__=__name__, **keys)


@_with_concurrency_of_workers
class WorkerSection(Section):
    """Background work: images, feeds and notifications."""

    health_host: str = Field(
        default="127.0.0.1", description="Address on which a worker serves `/healthz`, `/readyz` and `/metrics`."
    )
    health_port: int | None = Field(
        default=None, ge=0, le=65535, description="Port of these endpoints; if it is not set, a worker has none."
    )
    delivery_limit: int = Field(
        default=Policy().delivery_limit, ge=1, description="Attempts at a job before it becomes a dead letter."
    )
    decode_deadline: float = Field(
        default=_DECODER.deadline, gt=0, description="Seconds in which one image must be decoded."
    )
    decode_memory: int = Field(
        default=_DECODER.memory, ge=200_000_000, description="Bytes of address space that one image decoder may use."
    )

    star_followers: int = Field(
        default=100_000,
        ge=1,
        description="Followers from which an author is a star: photos are not inserted into each follower's feed, but "
        "pulled when it is read. The author is no star any more at 0.8 of this number.",
    )

    def concurrency(self, worker: str) -> int:
        """Return the setting `<worker>_concurrency`."""
        value: int = getattr(self, f"{worker}_concurrency")
        return value
