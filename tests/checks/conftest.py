"""One traced server for many tiny projects: a fresh database each."""

from tests.messages import held_messages
from tests.tracing import make, old_traced_server, traced_server

__all__ = ["held_messages", "make", "old_traced_server", "traced_server"]
