"""A program that runs a shell command behind the fences: ``python -m alembic_pgpatterns.fences.program JSON COMMAND``.

The command is any program, not only Python, so what holds it is what the kernel has.
"""

from __future__ import annotations

import json
import os
import sys
from typing import NoReturn

from alembic_pgpatterns.fences import gate, landlock
from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.refusals import Sink


def arguments(allowed: Allowed, command: str) -> list[str]:
    """The command line that starts a command behind the fences."""
    plain = {
        "sockets": allowed.sockets,
        "addresses": allowed.addresses,
        "beginnings": allowed.beginnings,
    }
    # -P: the command's folder may contain a module with the name of one of Python's.
    return [sys.executable, "-P", "-m", "alembic_pgpatterns.fences.program", json.dumps(plain), command]


def main(plain: str, command: str) -> NoReturn:
    """Put up the fences and become the shell."""
    values = json.loads(plain)
    allowed = Allowed(
        tuple(values["sockets"]),
        tuple((host, port) for host, port in values["addresses"]),
        beginnings=tuple(values["beginnings"]),
    )
    gate.stand(allowed, Sink(None))
    if 0 not in allowed.ports:
        landlock.restrict(allowed.ports)
    os.execv("/bin/sh", ["/bin/sh", "-c", command])


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2])
