"""nginx with nchan: one worker, WebSocket subscribers, messages by POST over a persistent connection."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from bench.cores import Cores
from bench.sockets.client.handshake import Opening, Step, websocket_upgrade
from bench.sockets.machine.processes import accepts_connections, run_server
from bench.sockets.peers.installed import NCHAN_MODULE, program
from bench.sockets.peers.peer import PeerServer, Running
from tests.engines.private import free_port
from tests.support.eventually import eventually

# Costs without use here are off: no access log, no compression. Messages are kept in memory, for seconds.
_CONFIGURATION = """\
daemon off;
worker_processes 1;
load_module {module};
pid {folder}/nginx.pid;
error_log stderr error;
events {{ worker_connections 16384; multi_accept on; }}
http {{
    access_log off;
    tcp_nodelay on;
    keepalive_timeout 1h;
    keepalive_requests 100000000;
    nchan_shared_memory_size 64M;
    {temporary}
    server {{
        listen 127.0.0.1:{port} backlog=1024;
        location = /subscribe {{
            nchan_subscriber websocket;
            nchan_channel_id all;
            nchan_subscriber_first_message newest;
        }}
        location = /publish {{
            nchan_publisher http;
            nchan_channel_id all;
            nchan_message_buffer_length 20;
            nchan_message_timeout 10s;
        }}
    }}
}}
"""


class NchanProtocol:
    """Open the subscriber's WebSocket; POST to the publisher's location."""

    opening = Opening(request=websocket_upgrade("/subscribe"))
    acknowledgement = b"HTTP/1.1 20"

    def steps(self, number: int) -> Sequence[Step]:  # noqa: ARG002 - all clients are alike
        """Return no steps: every connected client is subscribed."""
        return ()

    def encode(self, body: bytes) -> bytes:
        """Return the request."""
        return b"POST /publish HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@asynccontextmanager
async def _run(folder: Path, cores: Cores) -> AsyncIterator[Running]:
    port = free_port()
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    temporary = " ".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    file = folder / "nginx.conf"
    file.write_text(_CONFIGURATION.format(module=NCHAN_MODULE, folder=folder, port=port, temporary=temporary))
    binary = program("nginx") or "nginx"
    command = cores.on_server_core([binary, "-p", str(folder), "-c", str(file), "-e", "stderr"])
    async with run_server(command, name="nginx", folder=folder, ready=lambda: accepts_connections(port)) as master:
        # The master listens before its worker has started.
        (worker,) = await eventually(psutil.Process(master).children)
        yield Running(pid=worker.pid, port=port, publish_port=port, protocol=NchanProtocol())


NCHAN = PeerServer(name="nginx + nchan", run=_run)
