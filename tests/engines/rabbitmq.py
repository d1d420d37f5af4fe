"""A private RabbitMQ node with its own epmd, ports, cookie and data, separate from all other nodes of the machine."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aio_pika

from tests.engines.private import free_port
from workers.broker.port import Policy
from workers.broker.rabbitmq.topology import Topology

# Debian's wrapper in sbin requires the system's user; the script that it calls does not.
_HOMES = (Path("/usr/lib/rabbitmq/bin"), Path("/usr/local/sbin"), Path("/opt/homebrew/sbin"), Path("/usr/local/bin"))
TEST_STEPS = (0.05, 0.3)  # delays of retries in tests, in seconds
START_DEADLINE = 90.0  # seconds; an idle machine needs 7


class RabbitNode:
    """One node, which can be killed and restarted with the same ports and data."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._port, self._dist_port, self._epmd_port = free_port(), free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._epmd: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"

    def start(self) -> None:
        """Start the node and wait until it accepts connections; raise RuntimeError with its log if it does not."""
        folder = self._folder
        folder.mkdir(parents=True, exist_ok=True)
        cookie = folder / ".erlang.cookie"
        if not cookie.exists():
            cookie.write_text("PICSHARETESTCOOKIE")
            cookie.chmod(0o400)
        for name, text in {"plugins": "[].", "advanced.config": "[].", "rabbit.conf": _CONFIG}.items():
            (folder / name).write_text(text)
        environment = self._environment()
        if self._epmd is None:
            # Started here in the foreground, so that its pid is known; the node would start a daemon that outlives it.
            self._epmd = subprocess.Popen([_epmd()], env=environment)
        with (folder / "node.log").open("ab") as log:
            self._process = subprocess.Popen(
                [str(_server())], env=environment, stdout=log, stderr=log, cwd=folder, start_new_session=True
            )
        self._wait_until_ready()

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
        """Stop the node and its epmd."""
        if self._process is not None:
            self.kill()
        if self._epmd is not None:
            self._epmd.kill()
            self._epmd.wait(10)

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
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"picshare{self._port}@localhost",
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


_CONFIG = """
log.file.level = warning
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
"""


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
