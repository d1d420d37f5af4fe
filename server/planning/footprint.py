"""Memory, disks and bandwidth of a load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from server.planning.load import Load

# Bytes, each with its source; `docs/capacity.md` lists them.
FEED_WINDOW = 8_300  # a full feed in Redis: 500 entries of 16 bytes (python -m bench fanout)
SOCKET = 4_300 + 5_000  # of the process, and of the kernel (python -m bench.sockets memory)
VARIANTS = 0.3e6  # of the images of a photo
PAGE = 12_000  # the JSON of a page of 20 photos, compressed
ROWS: Mapping[str, int] = {"uploads": 1_500, "likes": 220, "comments": 600, "follows": 2 * 110}
USER = 2_000  # rows of an account, with a session
HOT_DAYS = 30  # rows of as many days are read every day, and belong into memory
HOT_GRAPH = 0.1  # share of the accounts and follows that is in memory; the others are read from SSDs
_GB = 1e9


@dataclass(frozen=True, kw_only=True)
class Amount:
    """A number with its unit and formula."""

    name: str
    value: float
    unit: str
    formula: str


@dataclass(frozen=True, kw_only=True)
class Footprint:
    """Memory in gigabytes by component, and disks and bandwidth as amounts."""

    memory: Mapping[str, float]
    amounts: tuple[Amount, ...]


def footprint_of(load: Load) -> Footprint:
    """Return what a load takes besides processor time."""
    feeds = load.daily_users * FEED_WINDOW * 2 / _GB
    daily_rows = load.daily_users * sum(getattr(load, name) * size for name, size in ROWS.items())
    graph = load.daily_users * (USER + load.followers_mean * ROWS["follows"])
    rows = (daily_rows * load.retention_days + graph) / _GB
    hot = (daily_rows * min(HOT_DAYS, load.retention_days) + HOT_GRAPH * graph) / _GB
    photo = load.photo_megabytes * 1e6 + VARIANTS
    blobs = load.daily_users * load.uploads * photo * load.retention_days / 1e12
    images = load.peak(load.photos_viewed) * load.image_kilobytes * 1e3 * 8 / 1e9
    sockets = load.sockets * SOCKET / _GB
    return Footprint(
        memory={"redis": feeds, "live": sockets, "postgres": hot},
        amounts=(
            Amount(name="feeds in Redis, with a replica", value=feeds, unit="GB", formula="daily_users × 8.3 KB × 2"),
            Amount(name="live connections", value=sockets, unit="GB", formula="daily_users × online_share × 9.3 KB"),
            Amount(
                name="memory of PostgreSQL",
                value=hot,
                unit="GB",
                formula=f"rows of {HOT_DAYS} days + a tenth of daily_users × (2 KB + followers_mean × 220 B)",
            ),
            Amount(
                name="rows in PostgreSQL",
                value=rows,
                unit="GB",
                formula="daily_users × (uploads × 1.5 KB + likes × 220 B + comments × 600 B + follows × 220 B) "
                "× retention_days + the graph",
            ),
            Amount(
                name="images",
                value=blobs,
                unit="TB",
                formula="daily_users × uploads × (photo_megabytes + 0.3 MB) × retention_days",
            ),
            Amount(
                name="uploads at the peak",
                value=load.peak(load.uploads) * load.photo_megabytes * 8 / 1e3,
                unit="Gbit/s",
                formula="uploads at the peak × photo_megabytes",
            ),
            Amount(
                name="pages at the peak",
                value=load.peak(load.photos_viewed / load.page_photos) * PAGE * 8 / 1e9,
                unit="Gbit/s",
                formula="pages at the peak × 12 KB",
            ),
            Amount(
                name="images to users at the peak",
                value=images,
                unit="Gbit/s",
                formula="photos_viewed at the peak × image_kilobytes",
            ),
            Amount(
                name="… of which the CDN does not answer",
                value=images * (1 - load.cache_share),
                unit="Gbit/s",
                formula="the same × (1 − cache_share)",
            ),
        ),
    )


def monthly_price(load: Load, cores: int) -> float:
    """Return what the cores, the object storage and the bytes that leave cost in a month; 0 without a price list."""
    stored = load.daily_users * load.uploads * (load.photo_megabytes * 1e6 + VARIANTS) * load.retention_days / _GB
    left = load.daily_users * load.photos_viewed * load.image_kilobytes * 1e3 * 30 / _GB
    return cores * load.core_month + stored * load.disk_gigabyte_month + left * load.egress_gigabyte
