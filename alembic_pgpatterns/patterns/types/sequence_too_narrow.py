from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from alembic_pgpatterns.patterns import Action, Finding, SchemaPattern, Severity
from alembic_pgpatterns.patterns.types._whole import LARGEST, SPELLED
from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.schema.model import Column, Schema, Sequence, Table


@dataclass(frozen=True, slots=True)
class Options:
    """When a sequence counts as used up, where its value can be read."""

    warn_above: int = 50
    """Percentage used from which it is a warning."""

    error_above: int = 80
    """Percentage used from which it is an error."""


class SequenceTooNarrow(SchemaPattern):
    """A sequence that runs out of numbers before its column does, or a column that does before its sequence.

    After the last number every `nextval()` fails: "reached maximum value of sequence". If the column is the narrower
    one, every insert fails: "integer out of range". A `serial` key that was widened to bigint keeps its integer
    sequence and still ends at 2,147,483,647.

    The limit is the smaller of the sequence's maximum and the column type's; for a descending sequence, the larger of
    the minima. With data (`--live`), the percentage used decides alone if it is above `warn_above`.

    Not reported: sequences that CYCLE, those with a limit that no type imposes (MAXVALUE 9999) unless most of it is
    known to be used, and integer primary keys with a bigint sequence, which integer-primary-key reports.
    """

    severity = Severity.WARNING
    action = Action.REPORT
    Options = Options
    references = (
        "https://www.postgresql.org/docs/current/sql-createsequence.html",
        "https://www.postgresql.org/docs/current/sql-altersequence.html",
    )
    bad = """
        CREATE TABLE event (id serial PRIMARY KEY);
        ALTER TABLE event ALTER COLUMN id TYPE bigint;
    """
    good = """
        CREATE TABLE event (id bigserial PRIMARY KEY);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Sequences with an end that comes too soon."""
        for sequence in schema.sequences:
            if not sequence.cycle:
                fed = _fed(schema, sequence)
                finding = self._used_up(sequence, fed) or self._misfit(sequence, fed)
                if finding is not None:
                    yield finding

    def _used_up(self, sequence: Sequence, fed: list[tuple[Table, Column]]) -> Finding | None:
        percent = _percent_used(sequence, fed)
        if percent is None or percent < self.options.warn_above:
            return None
        return self.finding(
            at=sequence,
            message=f"{percent}% of the numbers of {sequence.name} are used",
            remedy=_remedy(sequence, fed),
            severity=Severity.ERROR if percent >= self.options.error_above else Severity.WARNING,
        )

    def _misfit(self, sequence: Sequence, fed: list[tuple[Table, Column]]) -> Finding | None:
        for table, column in fed:
            widest, end = LARGEST[column.type.name], _end(sequence)
            # Any other end was chosen on purpose.
            if end < widest and end in LARGEST.values():
                text = f"{sequence.name} ends at {end:,}, its column {column.identifier} does not"
                return self.finding(at=sequence, message=text, remedy=_remedy(sequence, fed))
            # A key that is too narrow is what integer-primary-key finds.
            if end > widest and not _is_key(table, column):
                text = f"{column.identifier} ends at {widest:,}, its sequence {sequence.name} does not"
                return self.finding(at=sequence, message=text, remedy=_remedy(sequence, fed))
        return None


def _fed(schema: Schema, sequence: Sequence) -> list[tuple[Table, Column]]:
    """Integer columns that take from it, partitions and arrays left out."""
    places = set(sequence.used_by) | ({sequence.owned_by} if sequence.internal and sequence.owned_by else set())
    columns = []
    for name, column_name in sorted(places):
        table = schema.table(name)
        column = table.column(column_name) if table is not None and table.partition_of is None else None
        if table is not None and column is not None and column.type.name in LARGEST and not column.type.array:
            columns.append((table, column))
    return columns


def _is_key(table: Table, column: Column) -> bool:
    return table.primary_key is not None and column.name in table.primary_key.columns


def _end(sequence: Sequence) -> int:
    """The last number as a distance from zero, so that both directions compare alike."""
    return sequence.maximum if sequence.increment > 0 else -sequence.minimum - 1


def _percent_used(sequence: Sequence, fed: list[tuple[Table, Column]]) -> int | None:
    if sequence.last_value is None:
        return None
    largest = min((LARGEST[column.type.name] for _, column in fed), default=LARGEST["int8"])
    if sequence.increment > 0:
        # The column may end before its sequence does.
        first, last = sequence.minimum, min(sequence.maximum, largest)
    else:
        # It counts down.
        first, last = sequence.maximum, max(sequence.minimum, -largest - 1)
    return 100 if first == last else round(100 * (sequence.last_value - first) / (last - first))


def _remedy(sequence: Sequence, fed: list[tuple[Table, Column]]) -> Remedy:
    narrowest = min((column for _, column in fed), key=lambda column: LARGEST[column.type.name], default=None)
    kind = narrowest.type.name if narrowest is not None else "int8"
    if narrowest is not None and _end(sequence) >= LARGEST[kind]:
        return Advice(
            f"Widen {narrowest.identifier} to bigint, with the foreign keys that reference it, and the sequence."
        )
    bound = "MAXVALUE" if sequence.increment > 0 else "MINVALUE"
    old = sequence.maximum if sequence.increment > 0 else sequence.minimum
    alter = f"ALTER SEQUENCE {sequence.name} AS"
    return Statements(
        up=(f"{alter} {SPELLED[kind]} NO {bound}",),
        down=(f"{alter} {sequence.type} {bound} {old}",),
    )
