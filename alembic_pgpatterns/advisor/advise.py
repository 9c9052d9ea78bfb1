"""From a workload and table sizes to the indexes that it needs, on a copy of a database at head."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import psycopg
from psycopg import sql as psql

from alembic_pgpatterns.advisor.application_role import ApplicationRole, application_role, copy_of
from alembic_pgpatterns.advisor.candidates import candidates
from alembic_pgpatterns.advisor.choice import Choice
from alembic_pgpatterns.advisor.explain import explained
from alembic_pgpatterns.advisor.facts import ColumnFacts, Statistics
from alembic_pgpatterns.advisor.model import Advice, AdvisedIndex, Benefit, Options, Unplanned
from alembic_pgpatterns.advisor.partitions import index_parts, roots_of
from alembic_pgpatterns.advisor.planner import CannotPlan, Planner, nodes
from alembic_pgpatterns.advisor.questions import Candidate, Knowledge, Question, misleading_indexes
from alembic_pgpatterns.advisor.robustness import Robustness
from alembic_pgpatterns.advisor.scale import Relation, Scale
from alembic_pgpatterns.advisor.search import Built, Search
from alembic_pgpatterns.advisor.sizing import PAGE, Sizes, index_columns
from alembic_pgpatterns.advisor.statement_text import with_fixed
from alembic_pgpatterns.advisor.statistics import load_column, load_columns, with_sizes
from alembic_pgpatterns.advisor.synthesise import TEXTS, hints_of, period_of, synthesised
from alembic_pgpatterns.advisor.unused import unused
from alembic_pgpatterns.advisor.uses import read_uses
from alembic_pgpatterns.advisor.variants import variants
from alembic_pgpatterns.advisor.writes import penalty, read_writes
from alembic_pgpatterns.errors import PgPatternsError, first_line
from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.remedies.model import CreateIndex, IndexedKey
from alembic_pgpatterns.remedies.naming import fit, index_name
from alembic_pgpatterns.remedies.sql import create_index
from alembic_pgpatterns.schema.model import IndexKey, Schema
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.server.protocol import Server
from alembic_pgpatterns.server.throwaway import ThrowawayServer
from alembic_pgpatterns.workload.model import Recorded, Workload

# UPDATE and DELETE have to find their rows as well.
READS = ("select", "update", "delete")


@dataclass
class Advisor:
    """One run of the advisor on a copy of a database at head.

    Attributes:
        server: on which the copy is made.
        schema: of the database.
        statistics: what is known of sizes and columns; what is missing is guessed, and the advice says so.
        say: called to show progress.
    """

    server: Server
    schema: Schema
    statistics: Statistics
    say: Callable[[str], None] = lambda message: None
    notes: list[str] = field(default_factory=list)
    rejected: list[str] = field(default_factory=list)

    def advise(self, database: str, workload: Workload, options: Options) -> Advice:
        """The indexes worth having for a workload.

        Args:
            database: at head; it is copied, and nobody may be connected to it.
            workload: of the application.
            options: what the user asked for.
        """
        hints = hints_of(workload, self.schema)
        self.statistics = synthesised(self.schema, with_sizes(self.statistics, self.schema), period_of(workload), hints)
        try:
            with (
                application_role(self.server, self.schema, f"{database}_advice") as role,
                copy_of(self.server, database, "advice") as connection,
            ):
                return self._advise(connection, role, workload, options)
        except psycopg.Error as error:
            failure = self.server.failure()
            raise PgPatternsError(failure or f"the statements could not be planned: {str(error).strip()}") from error

    def _advise(
        self, connection: psycopg.Connection[Any], role: ApplicationRole, workload: Workload, options: Options
    ) -> Advice:
        self._connection = connection
        role.enter(connection)
        self.notes += role.notes
        self._planner = Planner(connection, role.name)
        self._all_rows = Planner(connection)
        self._sizes = Sizes(self.schema, self.statistics)
        self._scale = Scale(connection, isinstance(self.server, ThrowawayServer))
        self.notes += load_columns(connection, self.statistics)
        self._oids = self._relations()
        self._roots = roots_of(self.schema)
        self._present_statistics()
        self._scale.set(self._present())
        self.say("reading the statements")
        questions, unplanned = self._questions(workload)
        built = self._build(self._candidates(questions, options, workload.from_production), workload)
        self.say(f"choosing among {counted(len(built), 'indexes', 'index')}")
        search = Search(self._planner, questions, built)
        choice = Choice(search, options.max_indexes, self.say)
        choice.run()
        return self._advice(workload, choice, unplanned, options)

    def _relations(self) -> Mapping[Name, int]:
        # What has a file of its own. A partitioned table has none; its partitions are among these.
        rows = self._connection.execute(
            "SELECT n.nspname, c.relname, c.oid::bigint FROM pg_catalog.pg_class c "
            "JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'i', 'm') "
            "AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"
        ).fetchall()
        return {Name(schema, name): oid for schema, name, oid in rows}

    def _present(self) -> list[Relation]:
        """Tables, materialised views and their indexes at the sizes of the statistics."""
        relations = []
        for table in self.schema.tables:
            if table.name in self._oids and table.kind in ("table", "materialized view"):
                oid = self._oids[table.name]
                relations.append(Relation(oid, self._sizes.pages(table.name), self._sizes.rows(table.name)))
                indexes = [index for index in table.indexes if index.name in self._oids]
                relations += [Relation(self._oids[item.name], *self._sizes.of_index(item)) for item in indexes]
        return relations

    def _questions(self, workload: Workload) -> tuple[list[Question], list[Unplanned]]:
        questions, unplanned = [], []
        names = {table.name for table in self.schema.tables}
        for statement in workload.statements:
            if statement.kind not in READS:
                continue
            try:
                text = with_fixed(statement, workload.from_production)
                uses = [use for use in read_uses(self._planner, text, self._roots) if use.table in names]
                taken = self._plannable(statement)
                planned = variants(taken, uses, self._busy, workload.from_production)
                misleading = misleading_indexes(taken, uses, self.schema)
                hidden = frozenset(self._oids[name] for name in misleading if name in self._oids)
                question = Question(taken, tuple(uses), planned, hidden)
            except CannotPlan as error:
                unplanned.append(Unplanned(statement, first_line(error)))
                continue
            if uses:
                questions.append(question)
        return questions, unplanned

    def _plannable(self, statement: Recorded) -> Recorded:
        """The statement with those recorded values that the server accepts.

        Raises:
            CannotPlan: it takes the statement neither with values nor without.
        """
        samples = []
        for sample in statement.values:
            try:
                self._planner.plan(statement.text, sample)
                samples.append(sample)
            except CannotPlan:
                continue
        if not samples:
            self._planner.plan(statement.text, None)

        return replace(statement, values=tuple(samples))

    def _candidates(self, questions: Sequence[Question], options: Options, from_production: bool) -> list[Candidate]:
        knowledge = Knowledge(
            schema=self.schema,
            distinct=self._sizes.distinct,
            width=self._sizes.width,
            share=self._share,
            correlation=lambda table, column: self._sizes.facts(table, column).correlation or 0.0,
            pages=self._sizes.pages,
            from_production=from_production,
        )
        proposed = candidates(questions, knowledge)
        if not options.tables:
            return proposed
        return [item for item in proposed if {item.index.table.name, str(item.index.table)} & set(options.tables)]

    def _busy(self, table: Name, column: str) -> str | None:
        """The parent that has the most children."""
        owner = self.schema.table(table)
        values = self._sizes.facts(table, column).values
        refers = owner is not None and any(column in key.columns for key in owner.foreign_keys)
        return values[0] if refers and values else None

    def _share(self, table: Name, where: str) -> float:
        """Share of a table's rows for which a condition is true, by the planner's estimate."""
        return self._matching(table, where) / max(1.0, self._sizes.rows(table))

    def _matching(self, table: Name, where: str) -> float:
        try:
            text = psql.SQL("SELECT 1 FROM {} WHERE {}").format(
                psql.Identifier(table.schema, table.name), psql.SQL(where)
            )
            # An index holds the rows of all, whatever a policy shows to one.
            root = self._all_rows.explain(text.as_string(self._connection), ())
        except CannotPlan:
            return self._sizes.rows(table)
        return max(float(node["Plan Rows"]) for node in nodes(root))

    def _build(self, proposed: Sequence[Candidate], workload: Workload) -> dict[str, Built]:
        """The candidates as real indexes, created while the tables are small, then set to their sizes."""
        writes = read_writes(workload.statements, self.schema.default_schema)
        rows = {id(item): self._entries(item) for item in proposed}
        # CREATE INDEX reads a whole table, and a file that only seems large is read to its end.
        self._scale.shrink(oid for oid in self._oids.values())
        built: dict[str, Built] = {}
        for number, item in enumerate(proposed):
            name = f"pgpatterns_{number}"
            oid = self._create(item, name)
            if oid is not None:
                pages = self._sizes.of_candidate(item.index, rows[id(item)])
                built[name] = Built(item, name, oid, rows[id(item)], pages, parts=self._parts(item.index.table, oid))
                built[name].penalty = self._penalty(built[name], writes)
        self._connection.execute(
            # The planner passes over an invalid index: so a set of candidates is tried by an UPDATE, without building
            # one again.
            "UPDATE pg_catalog.pg_index SET indisvalid = false WHERE indexrelid = ANY(%s)",
            ([oid for item in built.values() for oid in item.oids],),
        )
        self._scale.set([*self._present(), *(part for item in built.values() for part in item.relations())])
        return built

    def _parts(self, table: Name, index: int) -> Mapping[str, int]:
        """The indexes on the partitions, if it is one on a partitioned table."""
        return index_parts(self._connection, index) if table in self._roots.values() else {}

    def _penalty(self, built: Built, writes: Any) -> float:
        index = built.candidate.index
        rows, pages = self._sizes.rows(index.table), self._sizes.pages(index.table)
        return penalty(index, min(1.0, built.rows / max(1.0, rows)), built.pages / max(1, pages), writes)

    def _entries(self, candidate: Candidate) -> float:
        index = candidate.index
        return self._matching(index.table, index.where) if index.where else self._sizes.rows(index.table)

    def _create(self, candidate: Candidate, name: str) -> int | None:

        index = replace(candidate.index, name=name)
        try:
            if candidate.requires:
                self._connection.execute(candidate.requires.encode())
            self._connection.execute(create_index(index).encode())
            where = Name(index.table.schema, name)
            row = self._connection.execute("SELECT %s::regclass::oid::bigint", (str(where),)).fetchone()
            assert row is not None
            self._expression_statistics(candidate, where)
            return int(row[0])
        except psycopg.Error as error:
            self.rejected.append(f"{create_index(candidate.index)}: {first_line(error)}")
            return None

    def _expression_statistics(self, candidate: Candidate, name: Name) -> None:
        """Give an expression the statistics of its column. Without them the planner assumes 0.5 percent."""
        # pg_restore_attribute_stats is new in PostgreSQL 18; before it only ANALYZE of real rows fills pg_statistic.
        if self._connection.info.server_version < 180000:
            return
        for number, key in enumerate(candidate.index.keys, 1):
            facts = self._of_expression(candidate.index, key)
            if facts is None:
                continue
            row = self._connection.execute(
                "SELECT attname FROM pg_catalog.pg_attribute WHERE attrelid = %s::regclass AND attnum = %s",
                (str(name), number),
            ).fetchone()
            if row is not None:
                load_column(self._connection, name, row[0], facts)

    def _present_statistics(self) -> None:
        """Give existing indexes on expressions what candidates get. Without it the same index would seem better."""
        for table in self.schema.tables:
            for index in table.indexes:
                if index.name in self._oids and any(key.expression is not None for key in index.keys):
                    self._expression_statistics(
                        Candidate(CreateIndex(index.table, tuple(map(_key, index.keys)), method=index.method)),
                        index.name,
                    )

    def _of_expression(self, index: CreateIndex, key: IndexedKey) -> ColumnFacts | None:
        """Statistics of a key that is an expression; None if it is none, or nothing is known of it."""
        columns = list(index_columns(CreateIndex(index.table, (key,))))
        if key.expression is None or not columns:
            return None
        facts = self._sizes.facts(index.table, columns[0])
        if key.opclass == "gin_trgm_ops":
            # Without a histogram the server takes each letter of '%word%' for a fifth of the rows.
            return replace(facts, n_distinct=-0.95, values=(), frequencies=(), bounds=TEXTS)
        if len(columns) != 1 or index.method != "btree":
            return None
        some = facts.n_distinct or math.sqrt(self._sizes.rows(index.table))  # of a part of a document
        return replace(facts, n_distinct=some, values=(), frequencies=(), bounds=())

    def _advice(self, workload: Workload, choice: Choice, unplanned: Sequence[Unplanned], options: Options) -> Advice:
        search = choice.search
        benefits = self._benefits(choice)
        chosen = [name for name in choice.chosen if benefits[name]]
        self.say("trying other sizes")
        robustness = Robustness(search, self._scale, self._sizes, self._present, chosen, benefits)
        break_even, factors = robustness.break_even(), robustness.factors()
        named = self._named([search.built[name].candidate.index for name in chosen])
        indexes = tuple(
            AdvisedIndex(
                index=index,
                benefits=benefits[name],
                size=search.built[name].pages * PAGE,
                break_even_rows=break_even.get(name),
                robust=factors.get(name, {}),
                write_cost=round(search.built[name].penalty, 3),
                requires=search.built[name].candidate.requires,
            )
            for name, index in zip(chosen, named, strict=True)
        )
        names = {index_name(index): name for name, index in zip(chosen, named, strict=True)}
        plans = explained(options.explain, names, choice, self.schema, self._oids) if options.explain else ()
        costs = {key: (choice.before[key], choice.costs[key]) for key in choice.before}
        return Advice(
            indexes=indexes,
            unused=unused(self.schema, choice, workload),
            sizes=self.statistics.sizes,
            unplanned=tuple(unplanned),
            planned=len(search.questions),
            candidates=len(search.built),
            plans=self._planner.plans + self._all_rows.plans,
            mode=self._scale.mode,
            notes=tuple(self.notes),
            costs=costs,
            rejected=tuple(self.rejected),
            explained=plans,
        )

    def _named(self, indexes: Sequence[CreateIndex]) -> list[CreateIndex]:
        """The indexes with names that are unique among themselves and in the schema."""
        taken = {index.name for table in self.schema.tables for index in table.indexes}
        taken |= {table.name for table in self.schema.tables}
        result = []
        for index in indexes:
            usual = index_name(index)
            numbered = (fit(f"{usual}_{number}") for number in itertools.count(2))
            free = (name for name in itertools.chain([usual], numbered) if Name(index.table.schema, name) not in taken)
            name = next(free)
            taken.add(Name(index.table.schema, name))
            result.append(index if name == usual else replace(index, name=name))
        return result

    def _benefits(self, choice: Choice) -> dict[str, tuple[Benefit, ...]]:
        """For each chosen index the statements whose plan with all of them uses it."""
        by_index: dict[str, list[Benefit]] = {name: [] for name in choice.chosen}
        for question in choice.search.questions:
            before = choice.before[question.statement.fingerprint]
            cost = choice.search.cost(question, choice.chosen)
            for name in cost.used.intersection(by_index) if cost.value < before else ():
                by_index[name].append(Benefit(question.statement, before, cost.value))
        return {
            name: tuple(sorted(items, key=lambda item: -math.log(max(item.factor, 1e-9))))
            for name, items in by_index.items()
        }


def _key(key: IndexKey) -> IndexedKey:
    """A key of an existing index as one of a candidate."""
    opclass = key.opclass.name if isinstance(key.opclass, Name) else None
    return IndexedKey(key.column, None if key.expression is None else str(key.expression), opclass)
