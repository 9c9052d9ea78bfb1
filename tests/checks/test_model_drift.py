"""Which drift does no harm: the head accepts all that the models write."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.checks.model_drift import head_takes_more
from alembic_pgpatterns.schema.difference import Difference
from alembic_pgpatterns.schema.names import Name


@pytest.mark.parametrize(
    ("aspect", "models", "head", "harmless"),
    [
        ("type", "integer", "bigint", True),
        ("type", "bigint", "integer", False),
        ("type", "character varying(5)", "character varying", True),
        ("type", "character varying", "character varying(5)", False),
        ("type", "character varying(5)", "character varying(9)", True),
        ("type", "character varying(9)", "character varying(5)", False),
        ("type", "character varying(9)", "text", True),
        ("type", "character varying(9)[]", "text", False),
        ("type", "text", "character varying(9)", False),
        ("type", "smallint", "integer", True),
        ("type", "smallint", "bigint", True),
        ("type", "integer", "smallint", False),
        ("type", "json", "jsonb", True),
        ("type", "jsonb", "json", False),
        ("type", "json", "text", False),
        ("type", "numeric(5,2)", "numeric", False),
        ("default", "", "now()", True),
        ("default", "now()", "", False),
        ("nullability", "NOT NULL", "NULL", False),
    ],
)
def test_harm(aspect: str, models: str, head: str, harmless: bool) -> None:
    item = Difference("changed", "column", "public.t.c", Name("public", "t"), aspect, models, head)
    assert head_takes_more(item) is harmless
