"""Numbers with the thing that they count."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.output.counts import counted, listed


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


@pytest.mark.parametrize(
    ("names", "most", "text"),
    [
        ([], 3, ""),
        (["a"], 3, "a"),
        (["a", "b", "c"], 3, "a, b, c"),
        (["a", "b", "c", "d"], 3, "a, b, c and 1 more"),
        ([1, 2, 3, 4], 1, "1 and 3 more"),
    ],
)
def test_a_list_that_is_cut_says_how_many_more(names: list[object], most: int, text: str) -> None:
    assert listed(names, most) == text
