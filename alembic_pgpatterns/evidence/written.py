"""Which tables and columns an application writes, and which columns it compares."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from alembic_pgpatterns.evidence.classes import Classes
from alembic_pgpatterns.evidence.model import Place
from alembic_pgpatterns.evidence.symbols import FileFacts


def inserted_tables(files: Sequence[FileFacts], classes: Classes) -> dict[str, Place]:
    """The tables to which the application adds rows, with the first place."""
    result: dict[str, Place] = {}
    for file in files:
        for path, line in file.created.items():
            table = None if path.startswith("@") else classes.table(path)
            if table is not None:
                result.setdefault(table, Place(file.path, line))
        for text in file.texts:
            if text.command == "insert":
                result.setdefault(text.table, Place(file.path, text.line))
    return result


def assigned_columns(files: Sequence[FileFacts], classes: Classes) -> Iterator[tuple[str, str]]:
    """Table and column where an attribute gets a value other than None and False; no table where it is not known."""
    for path in {path for file in files for path in file.assigned}:
        head, _, attribute = path.rpartition(".")
        owner = classes.canonical(head[1:])
        if head == "?" or classes.get(owner) is None:
            yield "", attribute
            continue
        for below in classes.below(owner):  # a mixin's own attribute is one of all classes with it
            column = classes.column(below, attribute)
            table = classes.table(below)
            if table is not None and column is not None:
                yield table, column.name


def varying_columns(files: Sequence[FileFacts], classes: Classes) -> Iterator[tuple[str, str]]:
    """Table and column where a column is compared with values that vary, in whichever query the condition ends."""
    for path in {path for file in files for path in file.varying}:
        head, _, attribute = path.rpartition(".")
        table, column = classes.table(head), classes.column(head, attribute)
        if table is not None and column is not None:
            yield table, column.name
