"""Run the benchmarks: `python -m bench [NAME …] [--quick]`; without names, all of them."""

from __future__ import annotations

import importlib

from bench.command import run
from bench.report import RESULTS, Figure

BENCHES = {
    "stars": "photos of authors with very many followers, and the pages of their followers",
    "star-sockets": "a photo of a star with a million followers until the last of 5,000 sockets has it",
    "promotion": "how long others' photos take while an author with a million followers becomes a star",
    "fanout": "feed insertions a second against pipelined ZADD and SETRANGE, and the memory of a full feed",
    "flat": "insertions and announcements with 1,000 to 1,000,000 followers, for each follower",
    "feed": "GET /feed against a handler that returns the same bytes from memory",
    "pages": "pages of a feed of 20 stars and of what trends, against a feed of 20 other authors",
    "graphql": "processor time of GraphQL: the executor alone, and a page against the same over REST",
    "tokens": "processor time of refreshes by applications and of requests with opaque tokens, against a session",
    "workers": "requests of a second of processor time by two serving processes on a port, against one",
    "tls": "processor time of a handshake, and of a request over TLS in the process, against one without TLS",
    "pings": "processor time of the server for a ping and its pong, against a bare epoll loop",
    "units": "processor time of each role and engine for one unit of each kind of work",
    "plan": "what the unit costs expect of a load test, against the processor time that it takes",
    "images": "processor time from an original to its variants, against libvips",
    "page-images": "bytes of the images of a feed page, against one JPEG of 1080 pixels for every photo",
    "lighthouse": "scores of Lighthouse for the pages that users open most, and their paint against a bare page",
    "uploads": "memory of the API process while large photos are uploaded",
    "resumable": "processor time of resumable uploads against the tus project's own server",
    "object-store": "processor time of the client of an object store, against aiobotocore",
    "edge": "processor time of nginx for a private image from its cache, against a public one",
    "gateway": "latency and processor time that nginx adds to a request, against the role alone and a plain nginx",
    "purge": "time from the deletion of a photo until no cache serves it",
    "popular": "likes of a photo with 100,000 likers, and the notification of another user meanwhile",
    "live": "latency from a like to the owner's socket and from an upload to a follower's, against the engines alone",
    "hops": "where the time of a like and of a photo goes on that way, step by step",
    "bulk": "the same latencies for others while one user's bulk work is under way, against the idle service",
    "renaming": "a change of names and avatar until all copies show it, and others' likes meanwhile",
    "search": "searches among a million users and photos, and the share of misspelt names that are found",
    "search-large": "the same among five million photos",
    "tracing": "processor time of a feed page in an application with traces, against one without",
    "webhooks": "delay and price of a delivery, and others while an endpoint hangs with 200,000 due",
    "push": "delay from a like until its push is at the push service",
    "export": "seconds and memory of an export of 1,000 photos, against copying the same bytes",
    "failover": "seconds from the loss of a server of each engine until the service goes on, and what is lost",
    "round-trips": "database round trips of each use case, which are the same on every machine",
}


def main() -> None:
    """Run the benchmarks; exit 1 unless every goal was reached."""
    if not run("python -m bench", BENCHES, _measure, RESULTS / "latest.json").succeeded:
        raise SystemExit(1)


async def _measure(name: str, quick: bool) -> list[Figure]:
    figures: list[Figure] = await importlib.import_module(f"bench.{name.replace('-', '_')}").measure(quick=quick)
    return figures


if __name__ == "__main__":
    main()
