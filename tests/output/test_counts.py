"""Numbers with the thing that they count."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.output.counts import counted


@pytest.mark.parametrize(
    ("number", "plural", "singular", "text"),
    [
        (0, "tables", "", "0 tables"),
        (1, "tables", "", "1 table"),
        (2, "tables", "", "2 tables"),
        (1, "indexes", "index", "1 index"),
        (3, "indexes", "index", "3 indexes"),
        (1, "revisions are pending", "revision is pending", "1 revision is pending"),
        (1, "findings accepted", "", "1 finding accepted"),
    ],
)
def test_one_thing_is_singular(number: int, plural: str, singular: str, text: str) -> None:
    assert counted(number, plural, singular) == text
