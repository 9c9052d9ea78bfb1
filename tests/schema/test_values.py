from __future__ import annotations

import pytest

from alembic_pgpatterns.schema.sql.values import allowed, called, calls, columns, constant, null_tested, required


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("active IN ('Y', 'N')", ("active", {"Y", "N"})),
        (
            "(active)::text = ANY ((ARRAY['Y'::character varying, 'N'::character varying])::text[])",
            ("active", {"Y", "N"}),
        ),
        ("active = 'Y'::bpchar OR active = 'N'::bpchar", ("active", {"Y", "N"})),
        ("active IN (0, 1) OR active IS NULL", ("active", {"0", "1"})),
        ("active BETWEEN 0 AND 1", ("active", {"0", "1"})),
        ("active >= 0 AND active <= 1", ("active", {"0", "1"})),
        ("(active >= 0) AND (active < 1)", None),
        ("active >= 0 AND other <= 1", None),
        ("active BETWEEN 0 AND 100", None),
        ("active = 'Y' OR other = 'N'", None),
        ("active <> 'Y'", None),
        ("active IN ('Y', lower(other))", None),
        ("lower(active) IN ('y', 'n')", None),
        ("active NOT IN ('Y', 'N')", None),
        ("active IN ('Y', NULL)", None),
        ("not sql at (", None),
    ],
)
def test_what_a_check_allows(expression: str, expected: tuple[str, set[str]] | None) -> None:
    assert allowed(expression) == (None if expected is None else (expected[0], frozenset(expected[1])))


def test_constants_are_seen_through_casts() -> None:
    assert constant("'N'::character varying") == "N"
    assert constant("0") == "0"
    assert constant("('1'::bpchar)::text") == "1"
    assert constant("false") == "false"
    assert constant("NULL::text") is None
    assert constant("now()") is None


def test_calls_are_seen_through_casts_and_schemas() -> None:
    assert called("(gen_random_uuid())::text") == "gen_random_uuid"
    assert called('"Ext".uuid_generate_v4()') == "uuid_generate_v4"
    assert called("coalesce(a, 1)") is None
    assert called("now() AT TIME ZONE 'utc'") == "timezone"
    assert calls("coalesce(lower(a), f(g(1)))") == {"lower", "f", "g"}


def test_columns_and_null_tests() -> None:
    assert columns('lower("Name") || t.b || (SELECT c FROM d)') == {"Name", "b", "c"}
    assert null_tested("(a IS NULL) = (b IS NULL)") == {"a", "b"}
    assert null_tested("num_nulls(a, b) IN (0, 2)") == {"a", "b"}
    assert null_tested("a = 1") == frozenset()
    assert required("a IS NOT NULL AND b IS NOT NULL") == {"a", "b"}
    assert required("a IS NOT NULL OR b > 1") == frozenset()
