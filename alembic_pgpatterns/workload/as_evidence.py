"""What a recorded workload asks of its tables, in the form that is also read from the application's source."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from alembic_pgpatterns.evidence.model import Evidence, Place, QueryShape, Use, merged
from alembic_pgpatterns.evidence.raw_sql import statement_shapes
from alembic_pgpatterns.workload.model import Recorded, Workload


def with_workload(evidence: Evidence, workload: Workload) -> Evidence:
    """The queries of the source together with those that ran.

    A query that ran is not counted again where it stands in the source. What never ran while the recording was made
    is in the source alone, so both are needed: an index must not be taken from a query that no test sends.
    """
    recorded = merged(shape for statement in workload.of_application().statements for shape in _shapes(statement))
    ran = set(map(_question, recorded))
    inserted = {shape.table: shape.places[0] for shape in recorded if shape.command == "insert" and shape.places}
    return replace(
        evidence,
        kind="workload",
        shapes=(*recorded, *(shape for shape in evidence.shapes if _question(shape) not in ran)),
        inserted={**inserted, **evidence.inserted},
    )


def _shapes(statement: Recorded) -> Iterator[QueryShape]:
    sites = dict.fromkeys(usage.site for usage in statement.usages if usage.site is not None and not usage.site.test)
    places = tuple(Place(site.path, site.line, site.function) for site in sites if site is not None)
    shapes = statement_shapes(statement.text, 0, _constants(statement))
    for shape in shapes:
        yield QueryShape(
            shape.table, shape.command, tuple(shape.conditions), tuple(shape.order), shape.limit, shape.limit_rows,
            shape.offset, shape.lock, shape.skip_locked, complete=shape.complete, alone=len(shapes) == 1,
            places=places, calls=max(1, len(places)),
        )  # fmt: skip


def _constants(statement: Recorded) -> dict[int, bool | str]:
    """Parameters that the program always sends the same: a recording has every constant of the text as a value.

    A text may be the only one that a test happens to have, so it has to be the same in several calls.
    """
    result: dict[int, bool | str] = {}
    for position, values in enumerate(zip(*statement.values, strict=False)):
        value = values[0]
        same = all(other == value and type(other) is type(value) for other in values)
        if same and (isinstance(value, bool) or (isinstance(value, str) and position in statement.constant)):
            result[position + 1] = value
    return result


def _question(shape: QueryShape) -> tuple[str, frozenset[tuple[str, Use]]]:
    """What tells two queries apart here; the source may name a schema where the statement names none."""
    return shape.table.rpartition(".")[2], frozenset((item.column, item.use) for item in shape.conditions)
