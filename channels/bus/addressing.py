"""The names of keys and pub/sub channels that connect writers to the processes that hold sockets.

People are gathered in slot groups, and a group's registry hash, its people's feeds, what is known of their
presence and the channels on which that is told share a hash tag, so that one script can insert into feeds, look
up who is online and publish.
Topics are spread over the same groups: so a live process of a cluster listens to these slots and to no others.
"""

from __future__ import annotations

import secrets
import zlib

GROUPS = 16
PROCESS_ID_LENGTH = 8
PROCESSES_KEY = b"live:processes"
"""The sorted set of live processes, by the millisecond at which each last said that it lives."""


def new_process_id() -> bytes:
    """Return a fresh name for this process: 8 characters of hexadecimal."""
    return secrets.token_hex(PROCESS_ID_LENGTH // 2).encode()


def registry_key(group: int) -> bytes:
    """Return the hash that maps a user (id, 8 bytes big-endian) to the concatenated ids of processes."""
    return b"online:{%d}" % group


def present_key(group: int) -> bytes:
    """Return the sorted set of who is said to be online: 0, or the millisecond at which a person left, not yet told."""
    return b"present:{%d}" % group


def last_seen_key(group: int) -> bytes:
    """Return the sorted set of who is said to be away, by the millisecond at which they were last online."""
    return b"seen:{%d}" % group


def channel_prefix(group: int) -> bytes:
    """Return what, followed by a process id, is the channel on which that process hears of a group's people."""
    return b"live:{%d}:" % group


def process_channels(process_id: bytes) -> list[bytes]:
    """Return every channel that a live process listens to."""
    return [channel_prefix(group) + process_id for group in range(GROUPS)]


def topic_channel(name: str) -> bytes:
    """Return the channel of a topic, such as "photo:<id>", that anybody permitted may listen to.

    A name that has a slot group's tag in it keeps to that group, so that scripts with keys there can publish to it.
    """
    encoded = name.encode()
    if b"{" in encoded:
        return b"topic:" + encoded
    return b"topic:{%d}:%b" % (zlib.crc32(encoded) % GROUPS, encoded)


def presence_topic(group: int, user_id: int) -> str:
    """Return the topic on which it is told that a person of a group comes or goes."""
    return f"{_presence_prefix(group)}{user_id:016x}"


def presence_channel_prefix(group: int) -> bytes:
    """Return what, followed by a user id in 16 hexadecimal digits, is the channel of a presence topic."""
    return topic_channel(_presence_prefix(group))


def _presence_prefix(group: int) -> str:
    return f"presence:{{{group}}}:"


def user_field(user_id: int) -> bytes:
    """Return a user's field in a registry hash."""
    return user_id.to_bytes(8, "big")
