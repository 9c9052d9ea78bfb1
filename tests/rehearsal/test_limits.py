"""What conditions demand of a column, read from the catalog's spelling of them."""

from __future__ import annotations

import re

import pytest

from alembic_pgpatterns.rehearsal.rows.limits import NO_LIMIT, Limit, constants_beside, domain_condition, limits
from alembic_pgpatterns.rehearsal.rows.regex import matching


@pytest.mark.parametrize(
    ("expression", "limit"),
    [
        ("(x = ANY (ARRAY['a'::text, 'b'::text]))", Limit(choices=("a", "b"))),
        ("((x)::text = ANY ((ARRAY['a'::character varying])::text[]))", Limit(choices=("a",))),
        ("(x = ANY ('{1,2}'::integer[]))", Limit(choices=("1", "2"))),
        ("((x >= 1) AND (x <= 9))", Limit(low=1, high=9)),
        ("(0 < x)", Limit(low=0, low_open=True)),
        ("((x IS NULL) OR (x = 3))", Limit(choices=(3,))),
        ("((x = 'a'::text) OR (x = 'b'::text))", Limit(choices=("a", "b"))),
        ("(char_length((x)::text) <= 20)", Limit(max_length=20)),
        ("(x <> ''::text)", Limit(min_length=1)),
        ("((x)::text ~ '^a+$'::text)", Limit(pattern="^a+$")),
        ("(jsonb_typeof(x) = 'array'::text)", Limit(json_type="array")),
        ("(x IS NOT NULL)", Limit(not_null=True)),
        ("x", Limit(choices=(True,))),
    ],
)
def test_a_simple_condition_is_a_limit(expression: str, limit: Limit) -> None:
    assert limits([expression]).get("x", NO_LIMIT) == limit


@pytest.mark.parametrize(
    "expression", ["(x < y)", "(NOT (x = 1))", "((x = 1) OR (y = 2))", "(f(x) > 1)", "(x % 2 = 0)"]
)
def test_what_is_not_simple_is_left_to_the_trial(expression: str) -> None:
    assert all(limit == NO_LIMIT for limit in limits([expression]).values())


def test_several_conditions_are_one_limit() -> None:
    assert limits(["(x > 0)", "(x > 5)", "(x <= 10)"])["x"] == Limit(low=5, low_open=True, high=10)


def test_constants_stand_beside_their_column() -> None:
    expression = "((kind = 'x'::text) AND (size > 5)) OR (kind = 'y'::text)"
    assert constants_beside(expression, "kind") == ("x", "y")
    assert constants_beside(expression, "size") == (5,)


def test_a_domain_speaks_of_the_column() -> None:
    assert domain_condition("((VALUE)::text ~ '^a'::text)", "Name") == "\"Name\"::text ~ '^a'::text"


@pytest.mark.parametrize("pattern", [r"^[A-Z]{2}\d{4}$", r"^(red|green)-[0-9a-f]+$", r"^[^\s@]+@[a-z]+\.com$"])
def test_texts_match_a_regular_expression(pattern: str) -> None:
    texts = matching(pattern)
    assert len(texts) > 20
    assert all(re.search(pattern, text) for text in texts)
