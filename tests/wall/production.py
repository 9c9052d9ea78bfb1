"""A "production" server that nobody may reach: it listens by TCP and on a Unix socket, and counts.

It is a process of its own. So no descriptor of its listening sockets is inherited by what is tested.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# Counts by appending one byte per connection, so that whoever reads the size has the count.
_LISTEN = """
import os, selectors, socket, sys
folder = sys.argv[1]
tcp = socket.socket()
tcp.bind(("127.0.0.1", 0))
port = tcp.getsockname()[1]
unix = socket.socket(socket.AF_UNIX)
unix.bind(f"{folder}/.s.PGSQL.{port}")
os.chmod(f"{folder}/.s.PGSQL.{port}", 0o777)
udp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
udp.bind(("127.0.0.1", port))
abstract = socket.socket(socket.AF_UNIX)
abstract.bind(f"\\0pgpatterns-production-{port}")
waiting = selectors.DefaultSelector()
for name, listener in (("tcp", tcp), ("unix", unix), ("abstract", abstract)):
    listener.listen(200)
    waiting.register(listener, selectors.EVENT_READ, name)
waiting.register(udp, selectors.EVENT_READ, "udp")
print(port, flush=True)
while True:
    for key, _ in waiting.select():
        if key.data == "udp":
            udp.recv(100)
            connection = None
        else:
            connection, _ = key.fileobj.accept()
        with open(f"{folder}/{key.data}.count", "ab") as count:
            count.write(b".")
        if connection is not None:
            connection.close()
"""


@dataclass(frozen=True)
class Production:
    """``port`` of 127.0.0.1, and ``folder``, which libpq takes as a host: the socket in it has the same port."""

    port: int
    folder: Path

    @property
    def reached(self) -> int:
        """How many connections were made, in whatever way."""
        return sum(self.by_way.values())

    @property
    def by_way(self) -> dict[str, int]:
        """The same by TCP, Unix socket, abstract Unix socket and UDP, where each datagram counts."""
        counts = {name: self.folder / f"{name}.count" for name in ("tcp", "unix", "abstract", "udp")}
        return {name: path.stat().st_size if path.exists() else 0 for name, path in counts.items()}

    @property
    def url(self) -> str:
        """By TCP; the password is of no use to anybody."""
        return f"postgresql://shop:secret-of-production@127.0.0.1:{self.port}/shop"

    @property
    def socket_url(self) -> str:
        """By the Unix socket."""
        return f"postgresql://shop:secret-of-production@/shop?host={self.folder}&port={self.port}"

    @property
    def environment(self) -> dict[str, str]:
        """libpq's variables and an application's own one, as a developer's shell has them."""
        return {
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": "shop",
            "PGPASSWORD": "secret-of-production",
            "PGDATABASE": "shop",
            "PGCONNECT_TIMEOUT": "3",
            "DATABASE_URL": self.url,
        }


@contextlib.contextmanager
def production() -> Iterator[Production]:
    """The server, for the length of the ``with``."""
    with tempfile.TemporaryDirectory(prefix="prod-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)
        process = subprocess.Popen([sys.executable, "-c", _LISTEN, folder], stdout=subprocess.PIPE, text=True, cwd="/")
        assert process.stdout is not None
        try:
            yield Production(int(process.stdout.readline()), Path(folder))
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
