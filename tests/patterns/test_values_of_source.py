"""Fixes that would break what the source does with values say where; of one cause the gravest finding speaks."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from alembic_pgpatterns.evidence.model import Evidence, Place
from alembic_pgpatterns.findings.causes import by_cause
from alembic_pgpatterns.patterns import Finding, registry
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.remedies.sql import sql
from alembic_pgpatterns.schema.model import Column, DataType, Key, Location, Name, Origin, Schema, Table
from tests.patterns.handmade import column
from tests.patterns.handmade_runs import BOOK, of

MOMENT = DataType("timestamp", display="timestamp without time zone")
TOKEN = DataType("varchar", modifier=(36,), display="varchar(36)")


def found(pattern: str, *columns: Column, **known: Any) -> list[Finding]:
    evidence = Evidence("source", **known)
    schema = Schema("database", (of(BOOK, column("id"), *columns),), server_version=18, evidence=evidence)
    return list(registry()[pattern]().detect(schema))  # type: ignore[attr-defined]


def test_a_time_without_a_zone_beside_it_is_named_and_speaks_for_all() -> None:
    moments = [column(name, MOMENT) for name in ("made_at", "expires_at")]
    places = tuple(Place(f"app/{number}.py", 7) for number in range(5))
    known = {"expires_at": places, "made_at": places[:1], "other": places}
    said, later = found("timestamp-without-time-zone", *moments, naive=known)
    assert "app/0.py:7 (made_at), app/0.py:7 (expires_at), app/1.py:7 (expires_at)" in said.message
    assert "app/0.py:7 (expires_at), app/0.py:7 (made_at), app/1.py:7 (expires_at)" in later.message
    (said,) = by_cause(found("timestamp-without-time-zone", *moments, naive={"expires_at": places}))
    assert said.object == "public.book.expires_at"
    (silent,) = by_cause(found("timestamp-without-time-zone", *moments, naive={"other": places}))
    assert silent.object == "public.book.made_at"
    assert "app/" not in silent.message


@pytest.mark.parametrize("used", [True, False])
def test_a_uuid_that_the_source_cuts_is_a_guess(used: bool) -> None:
    known = {"file_uuid": (Place("app/names.py", 3),)} if used else {"other": (Place("app/names.py", 3),)}
    (finding,) = found("uuid-as-text", column("file_uuid", TOKEN), as_text=known)
    assert finding.guess is used
    assert ("app/names.py:3" in finding.message) is used


@pytest.mark.parametrize(
    ("facts", "first"),
    [
        ({"default": "true", "python_default": None}, "UPDATE public.book SET active = true WHERE active IS NULL"),
        ({"python_default": "False"}, "UPDATE public.book SET active = false WHERE active IS NULL"),
        ({"python_default": "app.models.guess"}, "ALTER TABLE public.book ALTER COLUMN active SET NOT NULL"),
    ],
)
def test_rows_without_a_flag_are_filled_first(facts: dict[str, Any], first: str) -> None:
    (finding,) = found("nullable-flag", replace(column("active", "bool"), nullable=True, **facts))
    assert finding.remedy is not None
    assert sql(finding.remedy)[0] == first


def test_a_flag_without_a_default_needs_a_decision() -> None:
    (finding,) = found("nullable-flag", replace(column("active", "bool"), nullable=True, python_default=None))
    assert isinstance(finding.remedy, Advice)
    assert "INSERT" in finding.remedy.text


@pytest.mark.parametrize("declared", [True, False])
def test_a_quoted_name_whose_line_is_known(declared: bool) -> None:
    origin = Origin(Location("models.py", 3)) if declared else Origin()
    (finding,) = found("quoted-identifier", replace(column("recipeCuisine", "text"), origin=origin))
    assert finding.guess is declared


@pytest.mark.parametrize(
    ("table", "rows", "guess"), [("book", None, True), ("event", None, False), ("book", 2_000_000, False)]
)
def test_random_keys_of_a_table_that_nothing_says_is_large(table: str, rows: int | None, guess: bool) -> None:
    name, origin = Name("public", table), Origin(info={"rows": rows} if rows else {})
    made = replace(column("id", "uuid", default="gen_random_uuid()"), table=name)
    key = Key(name, "pk", ("id",), True)
    item = Table(name, columns=(made,), primary_key=key, origin=origin)
    schema = Schema("database", (item,), server_version=18, evidence=Evidence("source"))
    (finding,) = registry()["random-uuid-primary-key"]().detect(schema)  # type: ignore[attr-defined]
    assert finding.guess is guess


def test_flags_that_nobody_fills_have_another_cause() -> None:
    flags = (
        column(name, "bool", python_default=value)
        for name, value in (("shown", "True"), ("done", None), ("on", "False"))
    )
    said = by_cause(found("nullable-flag", *(replace(flag, nullable=True) for flag in flags)))
    assert [len(item.also) for item in said] == [1, 0]
    assert isinstance(said[1].remedy, Advice)
