"""What one file of an application says, before it is known which names are mapped classes.

Everything is a dotted path: ``app.models.User.name`` may turn out to be a column. A path that starts with ``@`` is an
attribute of an instance: ``@app.repos.UserRepo.model``. Nothing here refers to another file, so it can be cached per
file.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from alembic_pgpatterns.evidence.hybrids import Test
from alembic_pgpatterns.evidence.model import Command, Condition, Lock, OrderKey, Use


@dataclass(slots=True)
class ColumnDeclaration:
    """A mapped attribute of a class. ``name`` is the column's, where it differs; ``kind`` the words of its type."""

    attribute: str
    name: str
    line: int
    kind: str = ""
    primary_key: bool = False
    references: str = ""
    """The table that its ForeignKey names, as ``table`` or ``schema.table``."""


@dataclass(slots=True)
class ClassDeclaration:
    """A class, mapped or not.

    Attributes:
        path: dotted.
        bases: dotted, in order. ``arguments``: what the bases are subscripted with (``Repository[User]``).
        table: of ``__tablename__`` or ``__table__``; "" where it is not a constant. ``lower``: it is made from the
            class's name in lower case, ``snake``: in snake case.
        columns: by attribute. ``relationships``: attribute to the target's path.
        hybrids: hybrid properties that only stand for one column, by attribute.
        tests: hybrid properties that test columns. ``computed``: those that are a function of one.
        values: other class attributes that are a path (``model = User``).
        constants: attributes with constants, as SQL texts. ``is_core``: a Table, not a class.
    """

    path: str
    line: int
    bases: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()
    table: str = ""
    schema: str = ""
    naming: str = ""
    declares_table: bool = False
    is_model: bool = False
    columns: dict[str, ColumnDeclaration] = field(default_factory=dict)
    relationships: dict[str, str] = field(default_factory=dict)
    hybrids: dict[str, str] = field(default_factory=dict)
    tests: dict[str, tuple[Test, ...]] = field(default_factory=dict)
    computed: dict[str, tuple[str, str]] = field(default_factory=dict)
    values: dict[str, str] = field(default_factory=dict)
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    is_core: bool = False
    methods: tuple[str, ...] = ()


@dataclass(slots=True)
class PathCondition:
    """A condition on what may be a column. ``other``: the path on the other side."""

    path: str
    use: Use
    literal: str | None = None
    function: str = ""
    alternative: bool = False
    other: str = ""
    optional: bool = False
    operator: str = ""
    template: str = ""
    branch: tuple[int, int] | None = None
    keys: tuple[str, ...] = ()
    """Of a value that is taken out of a document, as SQL texts; after ``#`` a path in one piece."""
    values: tuple[str, ...] = ()
    """Of a list: constants as SQL texts, and after ``@`` paths of what may be constants."""
    within: PathQuery | None = None
    """The query whose rows are the values to compare with."""


@dataclass(slots=True)
class PathOrder:
    """A key of ORDER BY, as a path or a plain name."""

    path: str
    descending: bool = False
    nulls_first: bool | None = None
    function: str = ""
    template: str = ""


@dataclass(slots=True)
class Link:
    """A query that goes on from one of another function.

    ``function``: its path; empty for a parameter of this one, whose position is ``parameter``. ``argument``: the query
    that is handed over, where there is one.
    """

    function: str = ""
    parameter: str = ""
    argument: PathQuery | None = None


@dataclass(slots=True)
class PathQuery:
    """One query as it is written. See `QueryShape` for the fields of the same name."""

    line: int
    command: Command = "select"
    entities: list[str] = field(default_factory=list)
    joined: list[str] = field(default_factory=list)
    conditions: list[PathCondition] = field(default_factory=list)
    by_name: list[tuple[str, str | None, bool]] = field(default_factory=list)
    by_key: bool = False
    order: list[PathOrder] = field(default_factory=list)
    grouped: list[str] = field(default_factory=list)
    fetched: list[str] = field(default_factory=list)
    assigned: list[str] = field(default_factory=list)
    aggregates: list[tuple[str, str]] = field(default_factory=list)
    whole: bool = False
    limit: bool = False
    limit_rows: int | None = None
    offset: bool = False
    lock: Lock = ""
    skip_locked: bool = False
    distinct: bool = False
    complete: bool = True
    link: Link | None = None
    takes: bool = False
    """Who calls the function hands over conditions; or, in ``takes_words``, those of ``filter_by``."""
    takes_words: bool = False
    nested: bool = False
    """It stands in another query, whose tables it may compare with."""
    superseded: bool = False
    depth: int = 0
    """How many ``if`` and loops deep it begins: what is added deeper is optional."""


@dataclass(slots=True)
class TableShape:
    """What an SQL text asks of one table, which is named as it is written there."""

    line: int
    table: str
    command: Command
    conditions: list[Condition]
    order: list[OrderKey]
    limit: bool = False
    limit_rows: int | None = None
    offset: bool = False
    lock: Lock = ""
    skip_locked: bool = False
    assigned: tuple[str, ...] = ()
    complete: bool = True
    function: str = ""
    alone: bool = True
    part: bool = False
    text: str = ""


@dataclass(slots=True)
class FunctionFacts:
    """A function or method with its queries.

    ``owner``: the class of a method. ``returned``: numbers of the queries that it returns, in ``queries``.
    """

    path: str
    owner: str = ""
    parameters: tuple[str, ...] = ()
    queries: list[PathQuery] = field(default_factory=list)
    returned: list[int] = field(default_factory=list)


@dataclass(slots=True)
class FileFacts:
    """All that one file says.

    ``created``: paths that are called as ``User(…)``, with the first line. ``assigned``: attributes that get a value
    other than None and False, as ``@app.models.User.name``, or ``?.name`` where it is not known of what.
    ``deleted``: what is handed to ``session.delete()``, as the path of a class, or as ``?`` and a name. ``varying``:
    paths that are compared with values that vary. ``databases``: others than PostgreSQL whose options it names.
    """

    path: str
    module: str
    lines: int
    classes: list[ClassDeclaration] = field(default_factory=list)
    functions: list[FunctionFacts] = field(default_factory=list)
    texts: list[TableShape] = field(default_factory=list)
    created: dict[str, int] = field(default_factory=dict)
    called_with: dict[str, tuple[str, ...]] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    assigned: set[str] = field(default_factory=set)
    constants: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of the module with constants, as SQL texts."""
    deleted: set[str] = field(default_factory=set)
    varying: set[str] = field(default_factory=set)
    databases: frozenset[str] = frozenset()
    naive: dict[str, int] = field(default_factory=dict)
    """Attributes that are compared with times without a zone, with the first line."""
    as_text: dict[str, int] = field(default_factory=dict)
    """Attributes that are sliced, or used in another way that only a text allows, with the first line."""
