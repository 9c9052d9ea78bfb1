"""The texts of errors, whoever raised them."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.errors import first_line


class Unreadable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ValueError("one\ntwo"), "one"),
        (ValueError(), "ValueError"),
        (Unreadable(), "(its text cannot be read: RuntimeError)"),
    ],
    ids=["several lines", "no text", "a text that fails"],
)
def test_first_line(error: Exception, line: str) -> None:
    assert first_line(error) == line
