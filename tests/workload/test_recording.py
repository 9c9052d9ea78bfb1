"""Recording on a real server: texts, values, places, reasons and series."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import create_engine, text
from sqlalchemy.orm import Session

from alembic_pgpatterns.workload.files import read, write
from alembic_pgpatterns.workload.model import Recorded, Workload, merged
from alembic_pgpatterns.workload.recorder import Recorder
from alembic_pgpatterns.workload.text import first_row

MODELS = """
class Author(Base):
    __tablename__ = "author"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    books: Mapped[list["Book"]] = relationship()


class Book(Base):
    __tablename__ = "book"
    id: Mapped[int] = mapped_column(primary_key=True)
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))


def fill(session):
    session.add_all([Author(name=f"a{n}", books=[Book(), Book()]) for n in range(6)])
"""
Record = Callable[..., Workload]


def only(workload: Workload, kind: str) -> Recorded:
    (statement,) = [item for item in workload.statements if item.kind == kind]
    return statement


def test_text_values_and_place(record: Record) -> None:
    workload = record(
        MODELS,
        "def run(session):\n    for n in (3, 4):\n        session.scalars(select(Book).where(Book.id == n)).all()\n",
    )
    statement = only(workload, "select")
    assert statement.text.endswith("WHERE book.id = $1::INTEGER")
    assert statement.values == ((3,), (4,))
    assert statement.constant == ()
    assert statement.calls == 2
    (usage,) = statement.usages
    assert usage.site is not None
    assert usage.site.function == "run"
    assert usage.tests == ("test_app.py::test_run",)
    assert usage.series.distinct_in_transaction == 2


def test_a_function_that_is_given_its_statement_is_no_place(record: Record) -> None:
    """All statements of a repository go through one such function."""
    source = """
def every(session, query):
    return session.scalars(query).all()

def books(session):
    return every(session, select(Book))

def run(session):
    books(session)
"""
    (usage,) = only(record(MODELS, source), "select").usages
    assert usage.site is not None
    assert usage.site.function == "books"


def test_why_the_orm_loads(record: Record) -> None:
    workload = record(
        MODELS,
        "def run(session):\n    for author in session.scalars(select(Author)).all():\n        len(author.books)\n",
    )
    usages = [usage for statement in workload.statements for usage in statement.usages if usage.reason]
    assert [(usage.reason, usage.attribute, usage.calls) for usage in usages] == [("lazy load", "Author.books", 6)]


def test_lists_of_any_length_are_one_shape(record: Record) -> None:
    source = """
def run(session):
    for ids in ([1], [1, 2, 3]):
        session.scalars(select(Book).where(Book.id.in_(ids))).all()
"""
    assert only(record(MODELS, source), "select").calls == 2


def test_one_value_in_all_calls_is_known(record: Record) -> None:
    source = """
def run(session):
    for n in range(3):
        session.scalars(select(Author).where(Author.name == "a1", Author.id == n)).all()
"""
    assert only(record(MODELS, source), "select").constant == (0,)


def test_a_loop_of_the_test_is_no_loop_of_the_application(record: Record) -> None:
    source = """
def names(session, n):
    return session.scalars(select(Author.name).where(Author.id == n)).all()

def run(session):
    names(session, 1)
    names(session, 2)
"""
    workload = record(MODELS, source)
    assert only(workload, "select").usages[0].series.distinct_in_transaction == 2


def test_what_a_level_does_not_allow_is_not_kept(record: Record) -> None:
    source = 'def run(session):\n    session.scalars(select(Author).where(Author.name == "secret")).all()\n'
    for level, expected in (("all", (("secret",),)), ("safe", ()), ("none", ())):
        assert only(record(MODELS, source, values=level), "select").values == expected


def test_a_file_holds_it_all(record: Record, tmp_path: Path) -> None:
    workload = record(MODELS, 'def run(session):\n    session.add(Author(name="x"))\n    session.commit()\n')
    write(workload, tmp_path / "workload.jsonl")
    assert read(tmp_path / "workload.jsonl") == workload
    twice = merged([workload, workload])
    assert only(twice, "insert").calls == 2
    assert only(twice, "insert").tables == ("author",)


def test_writes_of_one_flush_are_one_series(record: Record) -> None:
    workload = record(
        MODELS, 'def run(session):\n    session.add_all([Author(name="x"), Author(name="y")])\n    session.flush()\n'
    )
    series = only(workload, "insert").usages[0].series
    assert (series.calls, series.batches) == (1, 1)


def test_nested_functions_of_a_test_are_the_test(tmp_path: Path) -> None:
    """An application's function that a test calls in a loop is called anew each time: that is no loop of its own."""
    from alembic_pgpatterns.workload.call_site import CallSites

    sites = CallSites(tmp_path)
    found = []
    application = compile("def load():\n    note()\n", str(tmp_path / "app.py"), "exec")
    names: dict[str, object] = {"note": lambda: found.append(sites.caller(2))}
    exec(application, names)
    source = """
def test_it():
    def check():
        for _ in range(2):
            load()
        note()
    check()
    helper()


def helper():
    note()
"""
    exec(compile(source, str(tmp_path / "test_app.py"), "exec"), names)
    sites.test_begins(names["test_it"].__code__)  # type: ignore[attr-defined]
    names["test_it"]()  # type: ignore[operator]
    first, second, own, helper = found
    assert first.key is not None
    assert first.key[0].co_name == "load"
    assert first.root is not second.root
    assert (first.test, own.test, helper.test) == (False, True, True)


@pytest.mark.parametrize(
    ("path", "collected", "expected"),
    [("app/start_test.py", False, False), ("app/test_results.py", False, False), ("app/books_test.py", True, True),
     ("tests/start.py", False, True), ("app/conftest.py", False, True)],
)  # fmt: skip
def test_what_pytest_collected_is_a_test(path: str, collected: bool, expected: bool, tmp_path: Path) -> None:
    """The name of a file says nothing: the application may start tests, or keep their results."""
    from alembic_pgpatterns.workload.call_site import CallSites

    sites = CallSites(tmp_path)
    namespace: dict[str, Any] = {}
    code = "def ask(sites): return sites.caller(1)\ndef test_it(): pass"
    exec(compile(code, str(tmp_path / path), "exec"), namespace)
    if collected:
        sites.test_begins(namespace["test_it"].__code__)
    with ThreadPoolExecutor(1) as pool:  # above its frames there is no test
        assert pool.submit(namespace["ask"], sites).result().test is expected


def test_an_insert_of_many_rows_is_kept_as_one_of_one_row() -> None:
    assert first_row("INSERT INTO t (a, b) VALUES ($1, $2), ($3, $4) ON CONFLICT DO NOTHING") == (
        "INSERT INTO t (a, b) VALUES ($1, $2) ON CONFLICT DO NOTHING"
    )
    assert first_row("INSERT INTO t (a) SELECT b FROM u") is None
    assert first_row("SELECT 1") is None


def test_an_interval_keeps_its_type_and_tests_bodies_are_no_application(record: Record) -> None:
    source = """
def run(session):
    session.scalars(select(Author).where(func.now() - datetime.timedelta(hours=1) > func.now())).all()
"""
    workload = record(MODELS, source)
    assert "$1::interval" in only(workload, "select").text
    usage = only(workload, "select").usages[0]
    assert usage.site is not None
    of_test = replace(usage, site=replace(usage.site, test=True))
    other = replace(only(workload, "select"), fingerprint="t", usages=(of_test,))
    mixed = Workload((*workload.statements, other))
    assert mixed.of_application().statements == workload.statements
    assert Workload((other,)).of_application().statements == (other,)


def test_an_engine_of_one_test_ends_with_it(server: Any, tmp_path: Path) -> None:
    """Its connections are closed by the garbage collector, or the server soon has too many clients."""
    recorder = Recorder(tmp_path)
    recorder.start()
    try:
        engine = create_engine(server.url())
        recorder.test_begins("test", test_an_engine_of_one_test_ends_with_it.__code__)
        with Session(engine) as session:
            session.execute(text("SELECT 1"))
        recorder.test_ends()
        reference = weakref.ref(engine)
        del engine, session
        gc.collect()
        assert reference() is None
    finally:
        recorder.stop()
    (facts,) = recorder.workload().engines
    assert (facts.pool, facts.expires_on_commit) == ("QueuePool", True)
