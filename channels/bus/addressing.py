"""Names of the Redis keys and pub/sub channels that connect writers to the processes that hold sockets.

Users are divided into slot groups. The registry hash of a group, the feeds of its users, their presence and the
channels of presence changes share a hash tag, so that one script can insert into feeds, look up who is online and
publish. Topics are spread over the same groups, so that a live process in a cluster subscribes to these slots only.
"""

from __future__ import annotations

import secrets
import zlib

GROUPS = 16
PROCESS_ID_LENGTH = 8
PROCESSES_KEY = b"live:processes"
"""Sorted set of live processes; the score is the time of the last heartbeat in milliseconds."""


def new_process_id() -> bytes:
    """Return a new random process id: 8 hexadecimal characters."""
    return secrets.token_hex(PROCESS_ID_LENGTH // 2).encode()


def registry_key(group: int) -> bytes:
    """Return the key of the hash from user id (8 bytes big-endian) to the concatenated ids of processes."""
    return b"online:{%d}" % group


def present_key(group: int) -> bytes:
    """Return the key of the sorted set of users announced as online.

    The score is 0, or the millisecond at which the last connection closed while that is not announced yet.
    """
    return b"present:{%d}" % group


def last_seen_key(group: int) -> bytes:
    """Return the key of the sorted set of users announced as offline; the score is when they were last online."""
    return b"seen:{%d}" % group


def channel_prefix(group: int) -> bytes:
    """Return the prefix of the channels for a group's users; a process id follows it."""
    return b"live:{%d}:" % group


def star_channel(group: int) -> bytes:
    """Return the channel of all stars for a group's users; every live process subscribes to it."""
    return channel_prefix(group) + b"stars"


STAR_CHANNELS = {star_channel(group): group for group in range(GROUPS)}
"""The slot group of each channel of stars; no process id has the length of their last part."""

EVERY_PROCESS = channel_prefix(0) + b"all"
"""The channel to which all live processes subscribe; no process id has its length."""


def process_channels(process_id: bytes) -> list[bytes]:
    """Return every channel that a live process subscribes to."""
    return [*(channel_prefix(group) + process_id for group in range(GROUPS)), EVERY_PROCESS, *STAR_CHANNELS]


def topic_channel(name: str) -> bytes:
    """Return the pub/sub channel of a topic, such as "photo:<id>".

    A name that contains a slot group's hash tag stays in that group, so that scripts with keys there can publish to it.
    """
    encoded = name.encode()
    if b"{" in encoded:
        return b"topic:" + encoded
    return b"topic:{%d}:%b" % (zlib.crc32(encoded) % GROUPS, encoded)


def presence_topic(group: int, user_id: int) -> str:
    """Return the topic of a user's presence changes."""
    return f"{_presence_prefix(group)}{user_id:016x}"


def presence_channel_prefix(group: int) -> bytes:
    """Return the prefix of presence channels; a user id in 16 hexadecimal digits follows it."""
    return topic_channel(_presence_prefix(group))


def _presence_prefix(group: int) -> str:
    return f"presence:{{{group}}}:"


def user_field(user_id: int) -> bytes:
    """Return a user's field in a registry hash."""
    return user_id.to_bytes(8, "big")
