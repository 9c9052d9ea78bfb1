"""Landlock: this process and all its children make TCP connections only to allowed ports.

Needs Linux 6.7 (ABI 4); from 6.12 (ABI 6) abstract Unix sockets of others are closed too. It takes no privilege, and
nothing takes it back. It knows ports and no hosts, and it does not see UDP or Unix sockets that are files (kernel
docs, "Landlock: unprivileged access control").
"""

from __future__ import annotations

import os
import struct
import sys
from collections.abc import Iterable

from alembic_pgpatterns.fences import syscalls

_CONNECT_TCP, _RULE_NET_PORT, _SCOPE_ABSTRACT_UNIX_SOCKET = 2, 2, 1
_VERSION = 1
"""The flag of landlock_create_ruleset() that asks for the ABI and makes nothing."""

NETWORK, _SCOPES = 4, 6
"""The ABIs that brought TCP, and abstract Unix sockets."""


def abi() -> int:
    """The version of the kernel's Landlock; 0 if it has none, or if it is switched off."""
    if sys.platform != "linux":
        return 0
    try:
        return syscalls.call(syscalls.LANDLOCK_CREATE_RULESET, None, 0, _VERSION)
    except OSError:
        return 0


def restrict(ports: Iterable[int] = ()) -> bool:
    """From now on connect() by TCP fails with EACCES, except to these ports of any host.

    Returns:
        Whether it holds; False where the kernel lacks it. Raises OSError where the kernel refuses it otherwise.
    """
    version = abi()
    if version < NETWORK:
        return False
    # struct landlock_ruleset_attr: handled_access_fs, handled_access_net, scoped.
    scoped = _SCOPE_ABSTRACT_UNIX_SOCKET if version >= _SCOPES else 0
    # The third field exists since ABI 6.
    attributes = struct.pack("QQQ", 0, _CONNECT_TCP, scoped)[: 24 if version >= _SCOPES else 16]
    rules = syscalls.call(syscalls.LANDLOCK_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        for port in ports:
            rule = struct.pack("QQ", _CONNECT_TCP, port)
            syscalls.call(syscalls.LANDLOCK_ADD_RULE, rules, _RULE_NET_PORT, rule, 0)
        syscalls.give_up_privileges()
        syscalls.call(syscalls.LANDLOCK_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)
    return True
