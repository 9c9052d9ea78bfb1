"""What a second reader of strangers' findings would not have signed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from alembic_pgpatterns.evidence.model import Condition, Use
from alembic_pgpatterns.schema.model import DataType
from tests.patterns.handmade import PARENT, column, found, index, query, table, unique

TEXT = DataType("varchar", modifier=(36,), display="character varying(36)")


@pytest.mark.parametrize(
    ("part", "count"),
    [
        (unique("smaller", "user", "frame"), 0),
        (unique("smaller", "user", "rank"), 2),
        (index("smaller", "user", "frame", unique=True), 0),
        (index("smaller", "user", "frame", unique=True, predicate="frame > 1"), 1),
    ],
)
def test_a_rule_of_which_a_part_is_unique_already(part: object, count: int) -> None:
    """With (user, frame) unique and never null, (user, frame, rank) has no duplicates, whatever the rank."""
    columns = (column("user", nullable=False), column("frame", nullable=False), column("rank"))
    findings = found("nullable-unique", table(*columns, part, unique("rule", "user", "frame", "rank")))  # type: ignore[arg-type]
    assert len(findings) == count


@pytest.mark.parametrize(
    ("name", "modelled", "guess"), [("order", True, True), ("order", False, False), ("Order", True, False)]
)
def test_a_reserved_word_that_sqlalchemy_quotes(name: str, modelled: bool, guess: bool) -> None:
    (finding,) = found("quoted-identifier", replace(table(column(name)), modelled=modelled))
    assert finding.guess is guess


@pytest.mark.parametrize(("other", "guess"), [("name", True), ("file_uuid", False), ("number", False)])
def test_uuids_that_are_compared_with_other_texts(other: str, guess: bool) -> None:
    """After a change to uuid `files.file_uuid = notes.name` would fail: there is no such operator."""
    kinds = {"name": DataType("text", display="text"), "file_uuid": TEXT, "number": DataType("int4", display="integer")}
    notes = table(*(column(name, kind, table=PARENT) for name, kind in kinds.items()), name=PARENT)
    joined = query(Condition("file_uuid", Use.JOIN, other=(PARENT.name, other)))
    findings = found("uuid-as-text", table(column("file_uuid", TEXT)), notes, queries=(joined,))
    assert [item.guess for item in findings if item.object == "public.item.file_uuid"] == [guess]
