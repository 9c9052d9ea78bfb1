"""Make the planner believe that tables are large.

The planner takes ``reltuples / relpages`` for the rows per page, and multiplies by the pages of the file as it is on
disk (PostgreSQL, ``estimate_rel_size`` in plancat.c). So the statistics alone are not enough: the file must be large as
well. A file with a hole at its end is, and takes no space. Nobody reads its rows: statements are only planned.

The server itself makes the files larger, by COPY … TO PROGRAM, so that no file of another account is touched by us.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql

SEGMENT = 131072
"""Pages of a file: PostgreSQL begins another one after 1 GB (RELSEG_SIZE)."""
_PATH = re.compile(r"(base|pg_tblspc)/[0-9A-Za-z_/.]+")
# A hole takes no space on the disk, and the planner looks at the length of a file only (estimate_rel_size).
_RESIZE = (
    "if command -v perl >/dev/null; then "
    "perl -ne 'my ($f, $n) = split; open(my $h, \">>\", $f) or die; truncate($h, $n * 8192) or die'; "
    'else while read -r f n; do dd if=/dev/null of="$f" bs=8192 seek="$n" count=0 2>/dev/null; done; fi'
)
"""Sets the sizes of the files that its input names. dd of nothing does it too, with a process for each file."""


@dataclass(frozen=True, slots=True)
class Relation:
    """A table or index, by its oid, with the pages and rows that it will appear to have."""

    oid: int
    pages: int
    rows: float


class Scale:
    """Sets the sizes of relations in one scratch database.

    ``sparse``: whether files can be made larger; if not, one row of each table counts for many.
    """

    def __init__(self, connection: psycopg.Connection[Any], is_throwaway: bool) -> None:
        """``is_throwaway``: this process started the server. On any other server it runs no program."""
        self._connection = connection
        self._least: dict[int, int] = {}
        self._largest: dict[int, int] = {}
        self.sparse = is_throwaway and self._self_test()

    @property
    def mode(self) -> str:
        """The method, for people."""
        return "sparse files" if self.sparse else "row density"

    def set(self, relations: Iterable[Relation]) -> None:
        """Give relations their sizes. Indexes of a table must exist before it grows: building them reads the file."""
        relations = list(relations)
        if self.sparse:
            self._resize({relation.oid: relation.pages for relation in relations})
        with self._connection.cursor() as cursor:
            cursor.executemany(
                # All pages visible, as after VACUUM: only then is an index-only scan worth its cost.
                "UPDATE pg_catalog.pg_class SET relpages = %s, reltuples = %s, relallvisible = %s WHERE oid = %s",
                [self._row(relation) for relation in relations],
            )

    def _row(self, relation: Relation) -> tuple[int, float, int, int]:
        # Without sparse files one page holds all rows: the planner multiplies this density by the file's length.
        pages = max(relation.pages, self._least.get(relation.oid, 0)) if self.sparse else 1
        return pages, relation.rows, pages, relation.oid

    def shrink(self, oids: Iterable[int]) -> None:
        """Give the files the sizes that they had before."""
        if self.sparse:
            self._resize(dict.fromkeys(oids, 0))

    def _resize(self, pages: dict[int, int]) -> None:
        rows = self._connection.execute(
            "SELECT oid::bigint, pg_relation_filepath(oid), pg_relation_size(oid) / 8192 FROM pg_catalog.pg_class "
            "WHERE oid = ANY(%s) AND pg_relation_filepath(oid) IS NOT NULL",
            (list(pages),),
        ).fetchall()
        files: list[str] = []
        for oid, path, present in rows:
            least = self._least.setdefault(oid, present)
            size = max(least, pages[oid])
            files += self._files(path, size, max(present, self._largest.get(oid, 0)))
            self._largest[oid] = max(size, present)
        if files:
            # The program reads the names from its input, so that no name is part of a command.
            statement = sql.SQL("COPY (SELECT unnest({}::text[])) TO PROGRAM {}")
            self._connection.execute(statement.format(sql.Literal(files), sql.Literal(_RESIZE)))

    def _files(self, path: str, pages: int, before: int) -> list[str]:
        """Each file of a relation with its future pages."""
        assert _PATH.fullmatch(path), path
        segments = max(pages, before) // SEGMENT + 1
        sizes = (min(max(pages - number * SEGMENT, 0), SEGMENT) for number in range(segments))
        return [f"{path if number == 0 else f'{path}.{number}'} {size}" for number, size in enumerate(sizes)]

    def _self_test(self) -> bool:
        """Whether a table of a million rows is planned as one."""
        try:
            self._connection.execute("CREATE TABLE public.pgpatterns_self_test (a bigint)")
            row = self._connection.execute("SELECT 'public.pgpatterns_self_test'::regclass::oid::bigint").fetchone()
            assert row is not None
            self.sparse = True
            self.set([Relation(row[0], 5000, 1e6)])
            plan = self._connection.execute(
                "EXPLAIN (FORMAT JSON) SELECT * FROM public.pgpatterns_self_test"
            ).fetchone()
            return plan is not None and 9e5 < plan[0][0]["Plan"]["Plan Rows"] < 1.1e6
        except psycopg.Error:
            return False
        finally:
            self._connection.execute("DROP TABLE IF EXISTS public.pgpatterns_self_test")
