"""All fences of the project's process, put up in one call at its start, and which of them this machine has."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from alembic_pgpatterns.fences import audit, gate, landlock, libpq, seccomp
from alembic_pgpatterns.fences.allowed import Allowed
from alembic_pgpatterns.fences.refusals import Sink


@dataclass(frozen=True)
class Fence:
    """``name`` of a fence, whether it ``stands``, and a note on its effect, or on why it is missing."""

    name: str
    stands: bool
    note: str


def stand_in_kernel(allowed: Allowed, refusals: int | None = None) -> tuple[str, ...]:
    """Put up the fences that also apply to every program that this process becomes or starts. See `stand`."""
    if not hasattr(os, "fork"):  # Windows, whose kernel has none of these
        return ()
    gated = gate.stand(allowed, Sink(refusals))
    # Landlock cannot check hosts, so it cannot allow an address with any port.
    landlocked = 0 not in allowed.ports and landlock.restrict(allowed.ports)
    return tuple(name for name, stands in {"gate": gated, "landlock": landlocked}.items() if stands)


def stand(
    allowed: Allowed,
    parameters: Callable[[], Mapping[str, str]],
    refusals: int | None = None,
    *,
    kernel_fences: Collection[str] | None = None,
) -> tuple[str, ...]:
    """Let this process, and all that it starts, connect only where it is allowed. This cannot be undone.

    Call it first in a process that ends with the project's code: before a thread is started, before anything of
    the project is imported. **It may return in another process**, a child of the one that called it, which waits for
    that child, hands signals on to it, and ends as it ended. So ask for process ids afterwards.

    Args:
        allowed: where connections may go: the check's server, and what the setting `allow_connect` names.
        parameters: gives libpq's parameters of the check's server, for programs that are started.
        refusals: a descriptor that gets what was refused (`refusals.read`); None: stderr.
        kernel_fences: what `stand_in_kernel` returned, where it was called before; None where it was not.

    Returns:
        The names of the fences that stand.
    """
    kernel = stand_in_kernel(allowed, refusals) if kernel_fences is None else tuple(kernel_fences)
    # After the gate, since that continues in another process; before the project's code, which could read PGHOST.
    libpq.clear()
    libpq.offer(parameters())
    libpq.redirect_programs(parameters)
    audit.stand(allowed, Sink(refusals), programs=bool(kernel))
    return (*kernel, "libpq", "audit")


def survey() -> tuple[Fence, ...]:
    """Which fences this machine has, without putting any up."""
    gated, abi = seccomp.available(), landlock.abi()
    return (
        Fence("redirect", True, "drivers of PostgreSQL connect to the check's server, whatever they are told"),
        Fence("libpq", True, "the environment leads libpq, and programs that use it, to the check's server"),
        Fence("audit", True, "Python's sockets connect to nothing else"),
        Fence(
            "gate",
            gated,
            "no process of the project connects to anything else, by TCP or a Unix socket"
            if gated
            else "needs seccomp with user notification: Linux 5.5 on x86-64 or ARM64",
        ),
        Fence(
            "landlock",
            abi >= landlock.NETWORK,
            f"no process of the project, nor the server, connects by TCP (ABI {abi})"
            if abi >= landlock.NETWORK
            else f"needs Linux 6.7 with Landlock (this kernel: ABI {abi})",
        ),
        Fence(
            "server",
            gated or abi >= landlock.NETWORK,
            "the check's PostgreSQL makes no connection"
            if gated
            else "the check's PostgreSQL makes no connection by TCP; statements that connect are refused"
            if abi >= landlock.NETWORK
            else "statements that make the check's PostgreSQL connect are refused",
        ),
    )
