"""The variables that libpq reads: whatever a shell or a program sets there, they lead to the check's server.

`os.putenv` and `os.unsetenv` change the environment that libpq reads and that programs inherit. They leave
`os.environ` alone, from which env.py may build its URL.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from typing import Any

VARIABLES: tuple[str, ...] = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGOPTIONS"),
    *("PGSERVICE", "PGSERVICEFILE", "PGSYSCONFDIR", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER"),
    *("PGREQUIRESSL", "PGSSLMODE", "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE"),
    *("PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLSNI", "PGSSLKEYLOGFILE", "PGSSLMINPROTOCOLVERSION"),
    *("PGSSLMAXPROTOCOLVERSION", "PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGCLIENTENCODING"),
    *("PGTARGETSESSIONATTRS", "PGLOADBALANCEHOSTS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION", "PGAPPNAME"),
    *("PGCONNECT_TIMEOUT", "PGREALM", "PGOAUTHDEBUG", "PGDATESTYLE", "PGTZ", "PGGEQO", "PGLOCALEDIR"),
)
"""All variables of libpq (PostgreSQL docs, section "Environment Variables", and fe-connect.c), up to PostgreSQL 18."""

_UNCHANGED = ("PGAPPNAME", "PGCONNECT_TIMEOUT", "PGTZ", "PGDATESTYLE", "PGCLIENTENCODING", "PGGEQO", "PGOPTIONS")
"""Variables about the session, not about the server."""

_OFFERED = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


@contextlib.contextmanager
def cleared() -> Iterator[None]:
    """A context in which libpq sees none of its variables. Afterwards they are as before."""
    before = {name: value for name in VARIABLES if (value := _seen_by_libpq(name)) is not None}
    clear()
    try:
        yield
    finally:
        for name in VARIABLES:
            if name in before:
                os.putenv(name, before[name])
            else:
                os.unsetenv(name)


def clear() -> None:
    """Remove libpq's variables again, if the project has set one."""
    for name in VARIABLES:
        os.unsetenv(name)


def offered(parameters: Mapping[str, str]) -> dict[str, str]:
    """libpq's variables that lead to a server, from its connection's parameters."""
    return {variable: parameters[name] for name, variable in _OFFERED.items() if name in parameters}


def offer(parameters: Mapping[str, str]) -> None:
    """Let a program that names no server, such as psql in a revision, connect to this one."""
    for variable, value in offered(parameters).items():
        os.putenv(variable, value)


def redirected(environment: Mapping[Any, Any], parameters: Mapping[str, str]) -> dict[Any, Any]:
    """The environment for another program, with libpq's variables leading to a server.

    ``environment``: in the form of ``subprocess``, as text or bytes.
    """
    leading = set(VARIABLES) - set(_UNCHANGED)
    others = {name: value for name, value in environment.items() if os.fsdecode(name) not in leading}
    return {**others, **offered(parameters)}


def redirect_programs(parameters: Callable[[], Mapping[str, str]]) -> None:
    """Give programs that are started with another environment the check's variables for libpq, from now on.

    ``subprocess.run(..., env={**os.environ})`` would take the user's PGHOST along. For a process that ends with the
    project's code: it is not taken back.

    Args:
        parameters: libpq's of the server that is meant at that moment.
    """
    # Private, and the only call with the environment in it. Its first arguments are the same since Python 3.2:
    # self, args, executable, preexec_fn, close_fds, pass_fds, cwd, env.
    _wrap(subprocess.Popen, "_execute_child", 7, parameters)
    _wrap(os, "execve", 2, parameters)
    _wrap(os, "posix_spawn", 2, parameters)
    _wrap(os, "posix_spawnp", 2, parameters)


def _wrap(owner: Any, name: str, position: int, parameters: Callable[[], Mapping[str, str]]) -> None:
    """Change the argument ``env``, which is at that position."""
    stock = getattr(owner, name, None)
    if stock is None:
        return

    @functools.wraps(stock)
    def started(*arguments: Any, **keywords: Any) -> Any:
        positional = list(arguments)
        if keywords.get("env") is not None:
            keywords["env"] = redirected(keywords["env"], parameters())
        elif position < len(positional) and positional[position] is not None:
            positional[position] = redirected(positional[position], parameters())
        return stock(*positional, **keywords)

    setattr(owner, name, started)


def _seen_by_libpq(name: str) -> bytes | None:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    value: bytes | None = getenv(name.encode())
    return value
