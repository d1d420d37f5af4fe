"""Positions of users' writes in Redis."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from storage.cache.write_positions import WritePositions
from storage.ids import SLOT_GROUPS, slot_group
from storage.postgres.replication import POSITION_TTL
from storage.postgres.wal_position import START, UNREACHABLE, WalPosition
from tests.support.driver_commands import commands
from tests.support.eventually import eventually

pytestmark = [pytest.mark.engines, pytest.mark.cluster]

ANN, BEN = 1 << 50, 3 << 55


@pytest.fixture
async def positions(redis: Any) -> WritePositions:
    """Positions in a Redis that has been running for long."""
    for group in range(SLOT_GROUPS):
        await redis.execute_command("SET", b"wal:{%d}" % group, 1)
    return WritePositions(redis)


async def test_a_user_s_position_is_read_in_every_process(redis: Any, positions: WritePositions) -> None:
    """One that is not kept is the start."""
    position = WalPosition(3, 0x1_6000_0028)
    await positions.keep(ANN, position)
    assert await WritePositions(redis).of(ANN) == position
    assert await positions.of(BEN) == START


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (WalPosition(1, 9), WalPosition(1, 10)),
        (WalPosition(1, 255), WalPosition(1, 256)),
        (WalPosition(1, 1 << 60), WalPosition(2, 1)),
        (WalPosition(9, 1), WalPosition(10, 1)),
        (WalPosition(1, 1), UNREACHABLE),
    ],
)
async def test_the_greater_position_is_kept(positions: WritePositions, first: WalPosition, second: WalPosition) -> None:
    """Requests of one user may be done in another order than that of their commits."""
    for one, other, user in ((first, second, ANN), (second, first, BEN)):
        await positions.keep(user, one)
        await positions.keep(user, other)
        assert await positions.of(user) == second


async def test_a_position_expires(redis: Any, positions: WritePositions) -> None:
    """After 30 seconds; a later write with a smaller position begins them again."""
    await positions.keep(ANN, WalPosition(1, 5))
    key = b"wal:{%d}:%d" % (slot_group(ANN), ANN)
    assert 0 < await commands(redis).pttl(key) <= POSITION_TTL * 1000
    await commands(redis).pexpire(key, 1000)
    await positions.keep(ANN, WalPosition(1, 4))
    assert await commands(redis).pttl(key) > 1000
    await commands(redis).pexpire(key, 1)
    await eventually(lambda: _is(positions, ANN, START))


async def test_after_a_loss_of_data_every_position_is_unreachable_for_a_time(redis: Any) -> None:
    """A position that is not there may be one that was lost, until all of them would have expired."""
    positions = WritePositions(redis, ttl=0.3)
    assert await positions.of(ANN) == UNREACHABLE
    await eventually(lambda: _is(positions, ANN, START))
    await commands(redis).flushall()
    assert await positions.of(ANN) == UNREACHABLE
    await asyncio.gather(*(positions.keep(ANN, WalPosition(1, number)) for number in range(5)))
    assert await positions.of(ANN) == UNREACHABLE


async def test_a_step_back_of_the_clock_is_a_loss(redis: Any) -> None:
    """A mark from the future would be believed until the clock has caught up."""
    positions = WritePositions(redis, ttl=0.2)
    for group in range(SLOT_GROUPS):
        await redis.execute_command("SET", b"wal:{%d}" % group, str(10**15))
    assert await positions.of(ANN) == UNREACHABLE
    await eventually(lambda: _is(positions, ANN, START))


async def _is(positions: WritePositions, user: int, position: WalPosition) -> bool:
    return await positions.of(user) == position
