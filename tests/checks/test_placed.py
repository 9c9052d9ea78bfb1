"""Where a finding is: the line in the models, the revision, the database."""

from __future__ import annotations

from alembic_pgpatterns.checks.placed import placed
from alembic_pgpatterns.controller.blame import Blame
from alembic_pgpatterns.controller.bring_to_head import Database
from alembic_pgpatterns.controller.head_schema import DatabaseAtHead
from alembic_pgpatterns.patterns.constraints.missing_primary_key import MissingPrimaryKey
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.schema.model import Column, DataType, Location, Name, Origin, Schema, Table

BOOK = Name("public", "book")
MODEL, OTHER = Location("models.py", 7), Location("other.py", 9)
FINDING = MissingPrimaryKey().finding(Table(BOOK), "book has no primary key")


def at_head(label: str = "", blame: Blame | None = None) -> DatabaseAtHead:
    schema = Schema("database", (Table(BOOK, origin=Origin(MODEL)),))
    return DatabaseAtHead(Database("scratch", "shop", ()), schema, label=label, blame=blame)


def test_the_models_line_and_the_revision() -> None:
    blame = Blame(BlameFacts(["a1", "b2"], [16400, 16500]), {(BOOK, "", False): (16450, 0)})
    result = placed(FINDING, at_head(blame=blame))
    assert (result.location, result.revision) == (MODEL, "b2")
    assert result.but(location=None, revision=None) == FINDING


def test_the_revision_of_the_column_and_not_of_its_table() -> None:
    column = Column(BOOK, "title", DataType("text"), True)
    facts = BlameFacts(["a1", "b2"], [16400, 16500], {16399: [(1, "a1"), (2, "b2")]})
    blame = Blame(facts, {(BOOK, "", False): (16399, 0), (BOOK, "title", True): (16399, 2)})
    assert placed(MissingPrimaryKey().finding(column, ""), at_head(blame=blame)).revision == "b2"
    assert placed(FINDING, at_head(blame=blame)).revision == "a1"


def test_what_the_finding_says_itself_has_priority() -> None:
    blame = Blame(BlameFacts(["a1"], [16400]), {(BOOK, "", False): (16399, 0)})
    result = placed(FINDING.but(location=OTHER, revision="c3"), at_head(blame=blame))
    assert (result.location, result.revision) == (OTHER, "c3")


def test_what_is_not_known_stays_empty() -> None:
    assert placed(FINDING, at_head()).revision is None
    nowhere = FINDING.but(table=None)
    assert placed(nowhere, at_head()) == nowhere
    unknown = FINDING.but(table=Name("public", "unknown"))
    assert placed(unknown, at_head()) == unknown


def test_the_name_of_one_of_several_databases() -> None:
    result = placed(FINDING, at_head("shop"))
    assert result.object == "shop: public.book"
    assert result.fingerprint == "missing-primary-key public.book @shop"
