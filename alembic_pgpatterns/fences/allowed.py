"""Where the project's code may connect: to the check's server, to its own processes, and to what the settings allow."""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.fences import unix_sockets
from alembic_pgpatterns.fences.unix_sockets import Address

LOCAL_SERVICES = (
    # Name service and logging of the machine. Refusing them would only break getpwnam() and logging. Not all of
    # /run/systemd: by /run/systemd/private root starts and stops services.
    "/dev/log",
    "/run/nscd/",
    "/var/run/nscd/",
    "/run/systemd/journal/",
    "/run/systemd/resolve/",
    "/run/systemd/userdb/",
    "/var/lib/sss/pipes/",
)
_DNS = 53


@dataclass(frozen=True)
class Allowed:
    """Plain data for the fenced process.

    ``sockets``: paths of Unix sockets, or of folders with all sockets in them. ``addresses``: host and port of TCP; a
    port of 0 stands for all ports of that host. ``beginnings``: of paths of Unix sockets, for servers to come.
    """

    sockets: tuple[str, ...] = ()
    addresses: tuple[tuple[str, int], ...] = ()
    beginnings: tuple[str, ...] = ()
    _resolved: dict[str, frozenset[str]] = field(default_factory=dict, compare=False, repr=False)
    _places: tuple[str, ...] = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        # Now, before the project's code runs: afterwards a place may have become a link to somewhere else. And the
        # system's folders are often links, such as /var/run.
        places = tuple(map(os.path.realpath, (*self.sockets, *LOCAL_SERVICES)))
        object.__setattr__(self, "_places", places)

    @property
    def ports(self) -> set[int]:
        """The TCP ports, for a fence that cannot check hosts."""
        return {port for _, port in self.addresses}

    def permits(self, family: int, address: Address, is_udp: bool = False) -> bool:
        """Whether a connection to that address may be made."""
        if family == socket.AF_UNIX:
            return isinstance(address, (str, bytes)) and self._permits_path(os.fsdecode(address))
        if family not in (socket.AF_INET, socket.AF_INET6):
            # Netlink stays within the kernel. Of the others, several lead to other machines: VSOCK, TIPC, Bluetooth.
            return family == getattr(socket, "AF_NETLINK", None)
        host, port = str(address[0]), int(address[1])
        if is_udp:
            # Look-ups of names. Nothing else by UDP is necessary.
            return port == _DNS
        near = [name for name, item_port in self.addresses if item_port in (0, port)]
        return any(self._hosts(host) & self._hosts(name) for name in near)

    def _permits_path(self, path: str) -> bool:
        # An abstract socket has no file, so its name does not say who listens.
        if path.startswith("\0") or not path:
            return False
        real = os.path.realpath(path)
        if self.beginnings and real.startswith(self.beginnings):
            return unix_sockets.is_bound(real)
        return any(_is_at(real, place) for place in self._places) and not unix_sockets.is_linked(real)

    def _hosts(self, name: str) -> frozenset[str]:
        """A name and its addresses, looked up once."""
        if name not in self._resolved:
            try:
                addresses = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            except OSError:
                addresses = []
            self._resolved[name] = frozenset({name, *(str(item[4][0]) for item in addresses)})
        return self._resolved[name]


NOTHING = Allowed()


def _is_at(path: str, place: str) -> bool:
    folder = place.rstrip("/")
    return path == place or path.startswith(f"{folder}/")


def parse(text: str) -> Allowed:
    """One entry of the setting `allow_connect`: ``host:port``, ``host:*``, or the path of a Unix socket.

    Raises:
        ValueError: it is neither.
    """
    if text.startswith("/"):
        return Allowed(sockets=(text,))
    host, colon, port = text.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not (port == "*" or (port.isdecimal() and 0 < int(port) < 65536)):
        raise ValueError(
            f"{text!r} is not an address: write host:port (vault:8200), host:*, or the path of a Unix socket"
        )
    return Allowed(addresses=((host, 0 if port == "*" else int(port)),))


def of_server(parameters: Mapping[str, str]) -> Allowed:
    """The server in libpq's parameters."""
    host = parameters.get("host") or "localhost"
    if host.startswith("/"):
        return Allowed(sockets=(host,))
    return Allowed(addresses=((parameters.get("hostaddr") or host, int(parameters.get("port") or 5432)),))


def together(*parts: Allowed) -> Allowed:
    """Everything that one of them allows."""
    return Allowed(
        tuple(path for part in parts for path in part.sockets),
        tuple(address for part in parts for address in part.addresses),
        tuple(beginning for part in parts for beginning in part.beginnings),
    )


def describe(family: int, address: Address) -> str:
    """An address for people."""
    if family == socket.AF_UNIX:
        text = os.fsdecode(address) if isinstance(address, (str, bytes)) else str(address)
        return f"the socket {'@' + text[1:] if text.startswith(chr(0)) else text}"
    if isinstance(address, tuple) and len(address) > 1:
        host = f"[{address[0]}]" if ":" in str(address[0]) else str(address[0])
        return f"{host}:{address[1]}"
    return str(address)
