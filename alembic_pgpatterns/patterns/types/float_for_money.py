from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile

from alembic_pgpatterns.patterns import Action, Finding, Fold, SchemaPattern, Severity
from alembic_pgpatterns.patterns._columns import checked_columns
from alembic_pgpatterns.patterns._words import names_any, words
from alembic_pgpatterns.remedies.model import Advice
from alembic_pgpatterns.schema.model import Column, Schema
from alembic_pgpatterns.schema.names import quote

TYPES = {"float4": "real", "float8": "double precision"}


@dataclass(frozen=True, slots=True)
class Options:
    """Which names speak of money. Words are whole words of the column's name."""

    words: tuple[str, ...] = (
        "price",
        "amount",
        "cost",
        "total",
        "subtotal",
        "balance",
        "fee",
        "fees",
        "tax",
        "vat",
        "salary",
        "wage",
        "revenue",
        "payment",
        "refund",
        "discount",
        "invoice",
        "budget",
        "credit",
        "debit",
        "deposit",
        "commission",
        "earnings",
    )
    """Words for money: the name must end in one of them, or have only `qualifiers` after it."""

    qualifiers: tuple[str, ...] = (
        "usd",
        "eur",
        "gbp",
        "chf",
        "jpy",
        "cny",
        "inr",
        "net",
        "gross",
        "due",
        "paid",
        "min",
        "max",
        "unit",
        "value",
    )
    """Words that may follow a word for money."""

    unless: tuple[str, ...] = (
        "time",
        "duration",
        "seconds",
        "ms",
        "hours",
        "minutes",
        "days",
        "rate",
        "ratio",
        "percent",
        "pct",
        "percentage",
        "factor",
        "weight",
        "score",
        "count",
        "tokens",
        "bytes",
        "size",
        "memory",
        "cpu",
        "compute",
        "load",
        "loss",
        "query",
        "planner",
        "distance",
        "length",
        "energy",
        "area",
        "volume",
        "km",
        "kg",
    )
    """Words that say the amount is of something else."""


class FloatForMoney(SchemaPattern):
    """An amount of money that is stored in `real` or `double precision`, which cannot hold it exactly.

    Binary fractions cannot represent 0.1: sums differ from the invoices, `=` fails on values that look alike, and above
    2^53 (real: 2^24) not even whole numbers are exact. `numeric` is exact; so are integers that count cents.

    Recognised by whole words in the column's name: it must end in a word for money (`words`), perhaps with a currency
    or similar after it (`qualifiers`), and contain none that speaks of a rate, a time or a measure (`unless`). What
    follows `per` is ignored: `price_per_hour` is money.

    Arrays and domains are checked too. The fix is only described: numeric takes over 15 digits of a double (6 of a
    real), and a person must know to how many digits the stored amounts should be rounded.
    """

    severity = Severity.WARNING
    fold = Fold.TABLE
    action = Action.SUGGEST
    not_when = "Estimates and model outputs that nobody ever adds up to a bill can stay floating point."
    Options = Options
    references = (
        "https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-FLOAT",
        "https://www.postgresql.org/docs/current/datatype-numeric.html#DATATYPE-NUMERIC-DECIMAL",
    )
    bad = """
        CREATE TABLE item (id bigint PRIMARY KEY, unit_price double precision NOT NULL);
    """
    good = """
        CREATE TABLE item (id bigint PRIMARY KEY, unit_price numeric NOT NULL, tax_rate double precision NOT NULL);
    """

    def detect(self, schema: Schema) -> Iterator[Finding]:
        """Floating point columns that are named as money."""
        for _, column in checked_columns(schema):
            if column.type.name in TYPES and column.type.schema == "pg_catalog" and self._is_money(column.name):
                yield self.finding(
                    at=column,
                    message=f"{column.identifier} holds money in {TYPES[column.type.name]}, which is not exact",
                    remedy=_advice(column),
                )

    def _is_money(self, name: str) -> bool:
        # What stands behind "per" is what is paid for, not what is meant: price_per_hour is money.
        name_words = tuple(takewhile(lambda word: word != "per", words(name)))
        if names_any("_".join(name_words), self.options.unless):
            return False
        positions = [position for position, word in enumerate(name_words) if word in self.options.words]
        return bool(positions) and all(word in self.options.qualifiers for word in name_words[positions[-1] + 1 :])


def _advice(column: Column) -> Advice:
    name = quote(column.name)
    return Advice(
        f"Use numeric; decide first to how many digits the stored amounts are meant. From the model, the plugin's "
        f"autogenerate changes existing rows in stages; alone, ALTER TABLE {column.table} ALTER COLUMN {name} TYPE "
        f"numeric USING round({name}::numeric, …) rewrites the table."
    )
