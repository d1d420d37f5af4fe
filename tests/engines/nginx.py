"""A private nginx with the shipped configuration of `deploy/nginx`, on loopback ports and in a folder of its own."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from storage.embedded.supervisor import log_tail, start, stop
from tests.engines.private import START_DEADLINE, free_port
from tests.support.certificates import self_signed
from tests.support.eventually import eventually

_SERVER = r"    server [0-9.:]+ (?P<options>[^;]*);\n"
_UPSTREAM = re.compile(rf"(?P<head>upstream (?P<name>\w+) {{\n(?:(?!    server ).*\n)*){_SERVER}(?:    server .*\n)*")
SHIPPED = Path(__file__).parents[2] / "deploy" / "nginx"
_TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")


# For loads, which come from one address: the limits stay in place, but nothing reaches them.
UNLIMITED = {
    "rate=100r/s": "rate=1000000r/s",
    "burst=400": "burst=1000000",
    "picshare_in_progress 256": "picshare_in_progress 60000",
    "picshare_live_clients 500": "picshare_live_clients 60000",
}


class Nginx:
    """Debian's nginx in front of processes of PicShare; `url` is its address, `log` that of requests to the cache.

    `access_log` is the log of all other requests. `secret` is PicShare's `auth.secret`. A stopped nginx can be started
    again with its cache. `api` are the ports for reads, and for writes as well without `write`. `changes` replaces
    texts of the shipped files, for tests that cannot wait as long as these say. Only benchmarks have `buffered` logs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        api: Sequence[int],
        live: Sequence[int] = (),
        write: Sequence[int] = (),
        secret: str,
        changes: Mapping[str, str] | None = None,
        buffered: bool = False,
    ) -> None:
        self.folder = folder
        self.log = folder / "picshare-cache.log"
        self.access_log = folder / "picshare.log"
        live = live or api
        self._ports = {
            "picshare_api_read": api,
            "picshare_api_write": write or api,
            "picshare_media": api,
            "picshare_live": live,
            "picshare_streams": live,
        }
        self._changes = dict(changes or {})
        self._buffered = buffered
        self._secret = secret
        self._port, self.tls_port = free_port(), free_port()
        self._process: asyncio.subprocess.Process | None = None
        self.url = f"http://127.0.0.1:{self._port}"

    @property
    def port(self) -> int:
        """The port without TLS."""
        return self._port

    @property
    def pid(self) -> int:
        """The id of its first process, whose children are the workers."""
        assert self._process is not None
        return self._process.pid

    def workers(self) -> set[int]:
        """Return the ids of its workers, of which some are old ones for a time after a reload."""
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()
        return {int(child) for child in children if b"worker" in Path(f"/proc/{child}/cmdline").read_bytes()}

    def reload(self) -> None:
        """Have it read its configuration again, as `nginx -s reload` does."""
        os.kill(self.pid, signal.SIGHUP)

    def write(self) -> Path:
        """Write the configuration: the shipped files, of which only addresses and paths are replaced."""
        folder = self.folder
        shutil.copytree(SHIPPED / "picshare", folder / "picshare")
        environment = {**os.environ, "PICSHARE_AUTH__SECRET": self._secret}
        keys = subprocess.run([SHIPPED / "keys"], env=environment, capture_output=True, text=True, check=True).stdout
        (folder / "picshare" / "keys.conf").write_text(keys)
        purged = str(free_port())
        for file in (folder / "picshare").iterdir():
            text = file.read_text().replace("127.0.0.1:8089", f"127.0.0.1:{purged}")
            for shipped in ("/var/log/nginx", "/var/cache/nginx"):
                text = text.replace(shipped, str(folder))
            file.write_text(text if self._buffered else text.replace("buffer=64k flush=1s", ""))
        (folder / "site.conf").write_text(self._site())
        self._change(folder)
        temporary = " ".join(f"{kind}_temp_path {folder / kind};" for kind in _TEMPORARY)
        # nginx as root gives its workers to a user that may not enter the folder.
        user = "user root;" if os.geteuid() == 0 else ""
        # As other sites of an installation may have it: PicShare's has to do without.
        others = "open_file_cache max=1000;"
        config = folder / "nginx.conf"
        config.write_text(
            f"{user} daemon off; worker_processes 2; pid {folder / 'nginx.pid'}; error_log stderr notice;\n"
            "pcre_jit on; worker_rlimit_nofile 1024; events { worker_connections 512; }\n"
            f"http {{ access_log off; keepalive_requests 1000000; {others} {temporary} include site.conf; }}\n"
        )
        return config

    def _change(self, folder: Path) -> None:
        files = [folder / "site.conf", *(folder / "picshare").iterdir()]
        for shipped, here in self._changes.items():
            found = [file for file in files if shipped in file.read_text()]
            assert len(found) == 1, f"{shipped!r} is in {found}"
            found[0].write_text(found[0].read_text().replace(shipped, here))

    def _site(self) -> str:
        text = _UPSTREAM.sub(self._upstream, (SHIPPED / "site.conf").read_text())
        certificate = self_signed(self.folder)
        replaced = {
            "listen 80;": f"listen 127.0.0.1:{free_port()};",
            "listen 443 ssl": f"listen 127.0.0.1:{self.tls_port} ssl",
            "listen 127.0.0.1:8079;": f"listen 127.0.0.1:{self._port};",
            "/etc/ssl/photos.example.com.pem": str(certificate.path),
            "/etc/ssl/photos.example.com.key": str(certificate.path.with_name("key.pem")),
            "/var/cache/nginx/picshare": str(self.folder / "cache"),
        }
        for shipped, here in replaced.items():
            assert text.count(shipped) == 1, shipped
            text = text.replace(shipped, here)
        return text

    def _upstream(self, block: re.Match[str]) -> str:
        servers = "".join(f"    server 127.0.0.1:{port} {block['options']};\n" for port in self._ports[block["name"]])
        return f"{block['head']}{servers}"

    async def start(self) -> None:
        """Start it and wait until it accepts connections; raise RuntimeError if it does not."""
        if not (self.folder / "nginx.conf").exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            self.write()
        log_file = self.folder / "error.log"
        command = [nginx_binary(), "-p", str(self.folder), "-c", str(self.folder / "nginx.conf"), "-e", "stderr"]
        self._process = await start(command, name="nginx", log_file=log_file, unprivileged=False)

        async def accepts_connections() -> bool:
            assert self._process is not None
            if self._process.returncode is not None:
                raise RuntimeError(f"nginx did not start: {log_tail(log_file)}")
            try:
                _, writer = await asyncio.open_connection("127.0.0.1", self._port)
            except OSError:
                return False
            writer.close()
            return True

        await eventually(accepts_connections, within=START_DEADLINE)

    async def stop(self) -> None:
        """Stop it if it runs."""
        if self._process is not None:
            await stop(self._process, signal.SIGTERM)
            self._process = None


def nginx_binary() -> str:
    """Return the path of nginx; raise RuntimeError if it is not installed."""
    binary = shutil.which("nginx", path="/usr/sbin:/usr/local/bin:/opt/homebrew/bin") or shutil.which("nginx")
    if binary is None:
        raise RuntimeError("nginx is missing: run `make test`, which installs it")
    return binary


@asynccontextmanager
async def running_nginx(
    folder: Path,
    *,
    api: Sequence[int],
    live: Sequence[int] = (),
    write: Sequence[int] = (),
    secret: str,
    changes: Mapping[str, str] | None = None,
    buffered: bool = False,
) -> AsyncIterator[Nginx]:
    """Run an nginx until the end of the block, with the arguments of `Nginx`."""
    nginx = Nginx(folder, api=api, live=live, write=write, secret=secret, changes=changes, buffered=buffered)
    try:
        await nginx.start()
        yield nginx
    finally:
        await nginx.stop()
