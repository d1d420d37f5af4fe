"""A private RabbitMQ of one node or three, with the shipped configuration and its own epmd, ports, cookie and data."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import aio_pika

from tests.engines.private import free_port
from workers.broker.port import Policy
from workers.broker.rabbitmq.topology import Topology

# Debian's wrapper in sbin requires the system's user; the script that it calls does not.
_HOMES = (Path("/usr/lib/rabbitmq/bin"), Path("/usr/local/sbin"), Path("/opt/homebrew/sbin"), Path("/usr/local/bin"))
SHIPPED = Path(__file__).parents[2] / "deploy" / "rabbitmq" / "rabbitmq.conf"
TEST_STEPS = (0.05, 0.3)  # delays of retries in tests, in seconds
START_DEADLINE = 90.0  # seconds; an idle machine needs 7


class Epmd:
    """The daemon by which the nodes of a cluster find each other."""

    def __init__(self) -> None:
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, unless it runs."""
        if self._process is None:
            # Started here in the foreground, so that its pid is known; a node would start a daemon that outlives it.
            environment = {"ERL_EPMD_PORT": str(self.port), "ERL_EPMD_ADDRESS": "127.0.0.1"}
            self._process = subprocess.Popen([_epmd()], env=environment)

    def stop(self) -> None:
        """Stop it."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(10)
            self._process = None


class RabbitNode:
    """One node, which can be killed and restarted with the same ports and data; a cluster gives it an `epmd`."""

    def __init__(self, folder: Path, *, epmd: Epmd | None = None) -> None:
        self._folder = folder
        self._port, self._dist_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._own_epmd = epmd is None
        self._epmd = epmd or Epmd()
        self.name = f"picshare{self._port}@localhost"
        self.place = f"127.0.0.1:{self._port}"
        self.url = f"amqp://guest:guest@{self.place}/"

    def start(self, *, peers: Sequence[str] = ()) -> None:
        """Start the node and wait until it accepts connections; raise RuntimeError with its log if it does not.

        `peers` are the names of all nodes of the cluster, this one included.
        """
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text("PICSHARETESTCOOKIE")
            cookie.chmod(0o400)
        for name, text in {"plugins": "[].", "advanced.config": "[].", "rabbit.conf": _configuration(peers)}.items():
            (folder / name).write_text(text)
        self._epmd.start()
        with (folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_server())],
                env=self._environment(),
                stdout=log,
                stderr=log,
                cwd=folder,
                start_new_session=True,
            )
        self._wait_until_ready()

    def shut_down(self) -> None:
        """Stop the node in order, as an upgrade does."""
        assert self._process is not None
        os.kill(self._pid(), signal.SIGTERM)
        self._process.wait(START_DEADLINE)

    def report(self, *command: str) -> Any:
        """Return the JSON of a `rabbitmqctl` command."""
        environment = {**self._environment(), "RABBITMQ_CTL_ERL_ARGS": "+S 1:1 +sbwt none"}
        rabbitmqctl = [str(_server().with_name("rabbitmqctl")), "--formatter", "json", "--quiet", *command]
        done = subprocess.run(rabbitmqctl, env=environment, capture_output=True, text=True, check=False, timeout=60)
        if done.returncode != 0:
            raise RuntimeError(f"rabbitmqctl failed: {done.stderr[-2_000:]}{done.stdout[-2_000:]}")
        return json.loads(done.stdout)

    def kill(self) -> None:
        """Kill the node with SIGKILL, as in a crash of the machine."""
        assert self._process is not None
        pid_file = self._folder / "pid"
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.kill(int(pid_file.read_text()), signal.SIGKILL)
        # The start script waits for the node and is killed, too.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(30)
        pid_file.unlink(missing_ok=True)

    def pause(self) -> None:
        """Suspend the node: connections stay open, and nothing answers."""
        os.kill(self._pid(), signal.SIGSTOP)

    def resume(self) -> None:
        """Resume a suspended node."""
        os.kill(self._pid(), signal.SIGCONT)

    def stop(self) -> None:
        """Stop the node, and its epmd if that is its own."""
        if self._process is not None:
            self.kill()
        if self._own_epmd:
            self._epmd.stop()

    def _pid(self) -> int:
        return int((self._folder / "pid").read_text())

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_DEADLINE
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self._port), timeout=1) as probe:
                probe.sendall(b"AMQP\x00\x00\x09\x01")
                probe.settimeout(5)
                if probe.recv(1):
                    return
            time.sleep(0.1)
        log = (self._folder / "node.log").read_text(errors="replace")[-2_000:]
        self.stop()
        raise RuntimeError(f"RabbitMQ did not start: {log}")

    def _environment(self) -> dict[str, str]:
        folder = str(self._folder)
        return {
            "PATH": os.environ["PATH"],
            "LANG": "C.UTF-8",
            "HOME": folder,
            "ERL_EPMD_PORT": str(self._epmd.port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": self.name,
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist_port),
            "RABBITMQ_BASE": folder,
            "RABBITMQ_MNESIA_BASE": f"{folder}/data",
            "RABBITMQ_LOG_BASE": f"{folder}/log",
            "RABBITMQ_LOGS": f"{folder}/log/node.log",
            "RABBITMQ_PID_FILE": f"{folder}/pid",
            "RABBITMQ_ENABLED_PLUGINS_FILE": f"{folder}/plugins",
            "RABBITMQ_CONFIG_FILE": f"{folder}/rabbit",
            "RABBITMQ_ADVANCED_CONFIG_FILE": f"{folder}/advanced.config",
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_GENERATED_CONFIG_DIR": f"{folder}/generated",
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": ("+S 1:1 +sbwt none -kernel inet_dist_use_interface {127,0,0,1}"),
        }


class RabbitCluster:
    """Three nodes that form a cluster; `url` names all of them."""

    def __init__(self, folder: Path) -> None:
        self._epmd = Epmd()
        self.nodes = [RabbitNode(folder / f"node{number}", epmd=self._epmd) for number in range(3)]
        self.url = f"amqp://guest:guest@{','.join(node.place for node in self.nodes)}/"

    def start(self) -> None:
        """Start the nodes and wait until all accept connections."""
        self._epmd.start()
        with ThreadPoolExecutor() as threads:
            list(threads.map(self.start_node, self.nodes))

    def start_node(self, node: RabbitNode) -> None:
        """Start one node, for the first time or again."""
        node.start(peers=[each.name for each in self.nodes])

    def leader_of(self, queue: str) -> RabbitNode:
        """Return the node that leads a quorum queue; all nodes have to run."""
        rows = self.nodes[0].report("list_queues", "name", "leader")
        name = next(row["leader"] for row in rows if row["name"] == queue)
        return next(node for node in self.nodes if node.name == name)

    def wait(self) -> None:
        """Wait until every queue has a running member on each node: then another node may be lost."""
        deadline = time.monotonic() + START_DEADLINE
        while any(len(row["online"]) < len(self.nodes) for row in self.nodes[0].report("list_queues", "online")):
            if time.monotonic() > deadline:
                raise RuntimeError("a queue lacks a member")

    def restart_each(self) -> None:
        """Restart every node in turn, as an upgrade does."""
        for node in self.nodes:
            node.shut_down()
            self.start_node(node)
            self.wait()

    def stop(self) -> None:
        """Stop everything."""
        with ExitStack() as stack:
            stack.callback(self._epmd.stop)
            for node in self.nodes:
                stack.callback(node.stop)


def _configuration(peers: Sequence[str]) -> str:
    """Return the shipped configuration, with these nodes and for a machine with little memory and disk."""
    lines = SHIPPED.read_text().splitlines()
    if not peers:
        lines = [line for line in lines if not line.startswith(("cluster_formation", "cluster_partition"))]
    text = "\n".join(lines)
    replaced = {f"rabbit@mq-{number}": peer for number, peer in enumerate(peers, 1)}
    replaced["vm_memory_high_watermark.relative = 0.6"] = "vm_memory_high_watermark.absolute = 512MB"
    replaced["disk_free_limit.absolute = 2GB"] = "disk_free_limit.absolute = 50MB"
    for shipped, here in replaced.items():
        assert text.count(shipped) == 1, shipped
        text = text.replace(shipped, here)
    return text


def _server() -> Path:
    for home in _HOMES:
        if (home / "rabbitmq-server").exists():
            return home / "rabbitmq-server"
    found = shutil.which("rabbitmq-server")
    if found is None:
        raise RuntimeError("rabbitmq-server is missing: run `make test`, which installs it")
    return Path(found)


def _epmd() -> str:
    found = shutil.which("epmd")
    if found is None:
        raise RuntimeError("epmd, a part of Erlang, is missing: run `make test`, which installs it")
    return found


@contextmanager
def rabbit_node(folder: Path) -> Iterator[RabbitNode]:
    """Run a node until the end of the block."""
    node = RabbitNode(folder)
    try:
        node.start()
        yield node
    finally:
        node.stop()


async def delete_queues(url: str, prefix: str) -> None:
    """Delete everything that a broker with this prefix has declared, with the retry steps of tests or the defaults."""
    topology = Topology(prefix=prefix)
    connection = await aio_pika.connect(url)
    async with connection, connection.channel() as channel:
        for spec in topology.queues(TEST_STEPS + tuple(Policy().backoff)):
            await channel.queue_delete(spec.name)
        await channel.exchange_delete(topology.exchange)
