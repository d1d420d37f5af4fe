"""The doctor: its findings on real engines, and its remedies if one is not available or wrong."""

from __future__ import annotations

import asyncio
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from server.administration import doctor
from server.administration.findings import Finding
from server.config.settings import Settings
from storage.blobs.s3 import S3Blobs
from storage.postgres import trigrams
from storage.redis.client import open_redis
from tests.engines.object_store import ObjectStore
from tests.engines.private import free_port, redis_server
from tests.engines.redis_cluster import RedisCluster
from tests.support.eventually import eventually
from tests.support.scripted_peer import responds, scripted_peer

pytestmark = pytest.mark.engines


def settings_of(database: str, redis: str, broker: str = "local:", blobs: str = "file:/tmp/unused") -> Settings:
    """Return settings with these backends."""
    return Settings().model_copy(
        update={
            name: type(getattr(Settings(), name))(url=url)
            for name, url in (("database", database), ("redis", redis), ("broker", broker), ("blobs", blobs))
        }
    )


async def inspect(settings: Settings) -> dict[str, Finding]:
    """Return the findings by name."""
    return {finding.name: finding for finding in await doctor.inspect(settings)}


async def test_engines_that_work_have_no_problem(database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """Engines of a supported version with the current schema are described, without a remedy."""
    findings = await inspect(settings_of(database_dsn, valkey_url, blobs=f"file:{tmp_path}/blobs"))
    assert [finding for finding in findings.values() if not finding.ok] == []
    assert "schema up to date" in findings["database"].detail
    assert findings["redis"].detail.startswith("Valkey ")
    assert list((tmp_path / "blobs").rglob("doctor-*")) == []


@pytest.mark.parametrize(
    ("status", "detail"),
    [
        ("200 OK", "lets a white pixel pass"),
        ("451 Unavailable For Legal Reasons", "451 for a white pixel"),
        ("404 Not Found", "status 404"),
        ("503 Service Unavailable", "status 503"),
    ],
)
async def test_the_service_that_scans_is_asked(
    database_dsn: str, valkey_url: str, tmp_path: Path, status: str, detail: str
) -> None:
    """It gets a harmless image, which has to pass; without media.scan there is no line."""
    settings = settings_of(database_dsn, valkey_url, blobs=f"file:{tmp_path}/blobs")
    async with scripted_peer(responds(status=status)) as peer:
        found = (await inspect(settings.with_values("media", scan=f"http://127.0.0.1:{peer.port}/scan")))["scan"]
        assert "Content-Type: image/png" in peer.requests[0]
    assert (found.ok, detail in found.detail) == (status == "200 OK", True)
    assert "scan" not in await inspect(settings)


async def test_a_search_without_trigrams_has_a_remedy(database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """A database that lacks the extension has a finding, and the statements that the doctor names mend it."""
    settings = settings_of(database_dsn, valkey_url, blobs=f"file:{tmp_path}/blobs")
    connection = await asyncpg.connect(database_dsn)
    await connection.execute("DROP EXTENSION pg_trgm CASCADE")
    found = (await inspect(settings))["search"]
    assert not found.ok
    for statement in trigrams.CREATE:
        assert f"{statement};" in found.remedy
        await connection.execute(statement)
    await connection.close()
    assert (await inspect(settings))["search"].ok


async def test_a_bucket_is_checked(database_dsn: str, valkey_url: str, seaweed: ObjectStore) -> None:
    """A bucket that works is described, and keys that it refuses are reported as such; nothing is left in it."""
    address = seaweed.create_bucket()
    settings = settings_of(database_dsn, valkey_url, blobs=seaweed.url(address.bucket))
    for secret, expected in ((seaweed.secret_key, "writable"), ("a-wrong-secret", "SignatureDoesNotMatch")):
        keys = {"access_key": seaweed.access_key, "secret_key": SecretStr(secret)}
        found = (await inspect(settings.with_values("blobs", url=settings.blobs.url, **keys)))["blobs"]
        assert expected in found.detail
        assert found.ok == (expected == "writable")
        assert secret not in found.detail + found.remedy
    assert [info.key async for info in S3Blobs(address, seaweed.keys).list("original/")] == []


async def test_each_replica_has_a_finding(database_dsn: str, valkey_url: str, tmp_path: Path) -> None:
    """One that is away names the key of the settings, and no password."""
    settings = settings_of(database_dsn, valkey_url, blobs=f"file:{tmp_path}/blobs")
    away = f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x"
    settings = settings.with_values("database", url=database_dsn, replicas=[database_dsn, away])
    first, second = (finding for finding in await doctor.inspect(settings) if finding.name == "replica")
    assert "is the primary at present" in first.detail
    assert first.ok
    assert "database.replicas" in second.remedy
    assert "hunter2" not in second.detail


async def test_each_unavailable_engine_is_named_with_its_key(tmp_path: Path) -> None:
    """Each backend that is not reachable has a finding that names its key, and no password."""
    port = free_port()
    (tmp_path / "file").write_text("")
    findings = await inspect(
        settings_of(
            f"postgresql://u:hunter2@127.0.0.1:{port}/x",
            f"redis://127.0.0.1:{port}",
            f"amqp://u:hunter2@127.0.0.1:{port}/",
            f"file:{tmp_path}/file/blobs",
        )
    )
    for name in ("database", "redis", "broker", "blobs"):
        assert not findings[name].ok
        assert f"{name}.url" in findings[name].remedy
        assert "hunter2" not in findings[name].detail


async def test_a_server_that_is_away_is_named(database_dsn: str, valkey_url: str) -> None:
    """Of several servers one that is not reachable is named with its port, although another one works."""
    port = free_port()
    several = f"{database_dsn},127.0.0.1&port=5432,{port}"
    finding = await doctor.inspect_database(settings_of(several, valkey_url))
    assert f"not reachable: 127.0.0.1:{port}: " in finding.detail
    assert not finding.ok


async def test_engines_that_refuse_writes_are_a_problem(database_dsn: str, short_dir: Path) -> None:
    """A PostgreSQL that is read-only and a Redis whose memory is full respond, but are not usable."""
    admin = await asyncpg.connect(database_dsn)
    name = await admin.fetchval("SELECT current_database()")
    await admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    await admin.close()
    with redis_server(short_dir / "full") as url:
        full = open_redis(url)
        await full.execute_command("CONFIG", "SET", "maxmemory", 1)
        await full.aclose()
        findings = await inspect(settings_of(database_dsn, url))
    assert not findings["database"].ok
    assert "read-only" in findings["database"].detail
    assert not findings["redis"].ok
    assert "OOM" in findings["redis"].detail


async def test_a_database_without_a_schema_is_a_problem(postgres_dsn: str, valkey_url: str) -> None:
    """The finding of a database without migrations names the command that applies them."""
    connection = await asyncpg.connect(postgres_dsn)
    await connection.execute("CREATE DATABASE never_migrated")
    try:
        findings = await inspect(settings_of(postgres_dsn.replace("/picshare?", "/never_migrated?"), valkey_url))
    finally:
        await connection.execute("DROP DATABASE never_migrated WITH (FORCE)")
        await connection.close()
    assert "picshare migrate" in findings["schema"].remedy
    assert "database" not in findings


async def test_dead_letters_are_a_problem(database_dsn: str, valkey_url: str) -> None:
    """The finding has the number of dead letters, and the command that lists them."""
    connection = await asyncpg.connect(database_dsn)
    await connection.execute(
        "INSERT INTO dead_letters (shard, id, queue, event_id, topic, key, body, attempts, last_error, created_at) "
        "VALUES (1, 1, 'media', gen_random_uuid(), 'photo.uploaded', '1', '', 10, 'broken', now())"
    )
    await connection.close()
    finding = (await inspect(settings_of(database_dsn, valkey_url)))["broker"]
    assert "1 dead letters" in finding.detail
    assert "deadletters list" in finding.remedy


async def redis_finding(url: str) -> Finding:
    """Return the finding of Redis."""
    return await doctor.inspect_redis(settings_of("embedded:", url))


async def test_a_complete_cluster_has_no_problem(cluster: RedisCluster) -> None:
    """A cluster that serves every slot is described, without a remedy."""
    finding = await redis_finding(cluster.url)
    assert finding.ok
    assert "a cluster of 3 masters and 0 replicas, slot groups 6 + 6 + 4, clock within" in finding.detail


async def test_a_wrong_scheme_is_a_problem(cluster: RedisCluster, real_redis_url: str) -> None:
    """If a URL of a server is used for a cluster, or the reverse, the remedy is the right scheme."""
    finding = await redis_finding(f"redis://127.0.0.1:{cluster.nodes[0].port}")
    assert "redis+cluster://" in finding.remedy
    finding = await redis_finding(real_redis_url.replace("redis://", "redis+cluster://"))
    assert "with redis://" in finding.remedy


async def test_an_unreachable_announced_address_is_a_problem(cluster: RedisCluster) -> None:
    """The finding names the address of a master that is not reachable from here."""
    node, elsewhere = cluster.nodes[1], free_port()
    node.call("CONFIG", "SET", "cluster-announce-port", elsewhere)
    try:

        async def named() -> Finding:
            finding = await redis_finding(cluster.url)
            assert f"127.0.0.1:{elsewhere}" in finding.detail
            return finding

        assert "cluster-announce-ip" in (await eventually(named)).remedy
    finally:
        node.call("CONFIG", "SET", "cluster-announce-port", 0)
        await asyncio.to_thread(cluster.wait)


async def test_a_slot_without_a_master_is_a_problem(cluster: RedisCluster) -> None:
    """The finding of an incomplete cluster has its number of slots, and the command that repairs it."""
    for node in cluster.nodes:
        node.call("CLUSTER", "DELSLOTS", 0)
    try:
        finding = await redis_finding(cluster.url)
    finally:
        cluster.nodes[0].call("CLUSTER", "ADDSLOTS", 0)
        await asyncio.to_thread(cluster.wait)
    assert "serves 16,383 of 16,384 slots" in finding.detail
    assert "redis-cli --cluster fix" in finding.remedy
