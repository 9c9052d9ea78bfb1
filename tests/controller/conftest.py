"""One traced server for many tiny projects: a fresh database each."""

from tests.tracing import make, old_traced_server, traced_server

__all__ = ["make", "old_traced_server", "traced_server"]
