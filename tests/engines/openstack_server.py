"""A complete OpenStack Swift in one process: proxy with S3, account, container and object server, one replica.

Run as a script, `openstack_server.py <folder> <port> <access key> <secret key>`, because Swift replaces the sockets of
its process by eventlet's.
"""

from __future__ import annotations

import sys
from pathlib import Path

import eventlet

eventlet.monkey_patch()

from eventlet import wsgi  # noqa: E402 - Swift is loaded after its sockets have been replaced
from swift.common import utils  # noqa: E402
from swift.common.ring import RingBuilder  # noqa: E402
from swift.common.storage_policy import reload_storage_policies  # noqa: E402
from swift.common.wsgi import loadapp  # noqa: E402

_PROXY = """
[DEFAULT]
swift_dir = {folder}
user = root
log_level = WARNING
[pipeline:main]
pipeline = catch_errors gatekeeper listing_formats s3api tempauth copy slo dlo proxy-server
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
[filter:catch_errors]
use = egg:swift#catch_errors
[filter:gatekeeper]
use = egg:swift#gatekeeper
[filter:listing_formats]
use = egg:swift#listing_formats
[filter:s3api]
use = egg:swift#s3api
location = us-east-1
[filter:tempauth]
use = egg:swift#tempauth
user_{account}_{user} = {secret} .admin
[filter:copy]
use = egg:swift#copy
[filter:slo]
use = egg:swift#slo
[filter:dlo]
use = egg:swift#dlo
"""
_SERVER = """
[DEFAULT]
swift_dir = {folder}
devices = {folder}/devices
mount_check = false
disable_fallocate = true
log_level = WARNING
[pipeline:main]
pipeline = {kind}-server
[app:{kind}-server]
use = egg:swift#{kind}
"""
_SWIFT = """
[swift-hash]
swift_hash_path_suffix = tests
[storage-policy:0]
name = only
default = yes
"""


def main(folder: Path, port: int, access_key: str, secret: str) -> None:
    """Serve until the process ends."""
    (folder / "devices" / "disk").mkdir(parents=True)
    (folder / "swift.conf").write_text(_SWIFT)
    utils.SWIFT_CONF_FILE = str(folder / "swift.conf")
    utils.validate_hash_conf()
    reload_storage_policies()
    for kind in ("account", "container", "object"):
        socket = eventlet.listen(("127.0.0.1", 0))
        _write_ring(folder, kind, socket.getsockname()[1])
        conf = folder / f"{kind}.conf"
        conf.write_text(_SERVER.format(folder=folder, kind=kind))
        eventlet.spawn(wsgi.server, socket, loadapp(str(conf)), log_output=False)
    account, _, user = access_key.partition(":")
    conf = folder / "proxy.conf"
    conf.write_text(_PROXY.format(folder=folder, account=account, user=user, secret=secret))
    wsgi.server(eventlet.listen(("127.0.0.1", port)), loadapp(str(conf)), log_output=False)


def _write_ring(folder: Path, kind: str, port: int) -> None:
    builder = RingBuilder(part_power=4, replicas=1, min_part_hours=0)
    builder.add_dev({"id": 0, "region": 1, "zone": 1, "weight": 1.0, "ip": "127.0.0.1", "port": port, "device": "disk"})
    builder.rebalance()
    builder.get_ring().save(str(folder / f"{kind}.ring.gz"))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3], sys.argv[4])
