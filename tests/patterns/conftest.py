"""What patterns say in the tests of this folder is held word for word."""

from tests.messages import held_messages

__all__ = ["held_messages"]
