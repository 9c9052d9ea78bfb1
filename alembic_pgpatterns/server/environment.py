"""libpq's variables in this process: gone where libpq looks, still there where env.py does.

`os.putenv` and `os.unsetenv` change the process's environment, which libpq reads and which a subprocess gets, and
leave `os.environ` alone, of which env.py may build its URL.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
from collections.abc import Iterator, Mapping

VARIABLES = (
    *("PGHOST", "PGHOSTADDR", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD", "PGPASSFILE", "PGOPTIONS"),
    *("PGSERVICE", "PGSERVICEFILE", "PGREQUIREAUTH", "PGCHANNELBINDING", "PGREQUIREPEER", "PGREQUIRESSL"),
    *("PGSSLMODE", "PGSSLNEGOTIATION", "PGSSLCOMPRESSION", "PGSSLCERT", "PGSSLKEY", "PGSSLCERTMODE", "PGSSLSNI"),
    *("PGSSLROOTCERT", "PGSSLCRL", "PGSSLCRLDIR", "PGSSLMINPROTOCOLVERSION", "PGSSLMAXPROTOCOLVERSION"),
    *("PGGSSENCMODE", "PGKRBSRVNAME", "PGGSSLIB", "PGGSSDELEGATION", "PGTARGETSESSIONATTRS"),
    *("PGLOADBALANCEHOSTS", "PGMINPROTOCOLVERSION", "PGMAXPROTOCOLVERSION"),
)
"""All that libpq reads (PostgreSQL docs, section "Environment Variables"), up to PostgreSQL 18."""

_OFFERED = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE"}


@contextlib.contextmanager
def cleared() -> Iterator[None]:
    """None of libpq's variables is set inside, as far as libpq can see; as before afterwards."""
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
    """Take libpq's variables away again, should the project have set one meanwhile."""
    for name in VARIABLES:
        os.unsetenv(name)


def offered(parameters: Mapping[str, str]) -> dict[str, str]:
    """libpq's variables that lead to a server, from its connection's parameters."""
    return {variable: parameters[name] for name, variable in _OFFERED.items() if name in parameters}


def offer(parameters: Mapping[str, str]) -> None:
    """Let a program that is started without naming a server, psql in a revision say, reach this one."""
    for variable, value in offered(parameters).items():
        os.putenv(variable, value)


def _seen_by_libpq(name: str) -> bytes | None:
    getenv = ctypes.CDLL(None).getenv
    getenv.restype = ctypes.c_char_p
    value: bytes | None = getenv(name.encode())
    return value
