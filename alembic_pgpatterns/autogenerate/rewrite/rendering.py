"""Ops that Alembic itself cannot render: comments, autocommit blocks, inline references.

They render as Alembic's own operations and comments, so the files run without this package.
"""

from __future__ import annotations

import ast
import copy
import textwrap
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from alembic.autogenerate.render import render_op, renderers
from alembic.operations import ops
from sqlalchemy.dialects import postgresql
from sqlalchemy.schema import conv

from alembic_pgpatterns.autogenerate.rewrite.alembic_versions import render_checks
from alembic_pgpatterns.remedies.type_operations import AlterTypeOp, CastTypeOp
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext
    from sqlalchemy import ForeignKeyConstraint

WIDTH = 104
"""Maximum width of a comment line; with the function's indentation of four it stays within 110."""


@dataclass(frozen=True, slots=True)
class Note:
    """Why an op is there or looks as it does: a comment above it, and a line on the console."""

    pattern: str
    subject: str
    reason: str
    location: str | None = None
    more: tuple[str, ...] = ()
    """Further lines of the comment, not wrapped."""
    aside: bool = False
    """Not shown on the console, because the change has a line there already."""
    warns: bool = False
    """The console says that it is a warning, which pgrevision counts."""
    advice: str = ""
    """What the console adds: the lines in `more`, in short."""

    @property
    def line(self) -> str:
        """Return the line for the console."""
        where = f" ({self.location})" if self.location else ""
        fact = self.reason if self.subject in self.reason else f"{self.subject}: {self.reason}"
        advice = f". {self.advice}" if self.advice else ""
        return f"pgpatterns: {'warning: ' if self.warns else ''}{self.pattern}: {fact}{where}{advice}"

    def comment(self) -> tuple[str, ...]:
        """Return the lines of the comment, each starting with ``#``."""
        where = f" ({self.location})" if self.location else ""
        wrapped = textwrap.wrap(
            f"pgpatterns: {'warning: ' if self.warns else ''}{self.pattern}: {self.reason}{where}",
            WIDTH - 4,
            initial_indent="# ",
            subsequent_indent="#   ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        return (*wrapped, *(f"#   {line}".rstrip() for line in self.more))


class CommentOp(ops.OpContainer):
    """Comment lines in a revision. It is an empty container, so that `alembic check` sees no change in it."""

    fills: tuple[str | None, str] | None = None
    """Schema and name of the table whose existing rows a person fills in its place."""

    def __init__(self, lines: Iterable[str] = (), note: Note | None = None, todo: str | None = None) -> None:
        """``todo``: what a person has to write here, for the console."""
        super().__init__(())
        self.lines = tuple(lines)
        self.note = note
        self.todo = todo

    @classmethod
    def of(cls, note: Note) -> CommentOp:
        """Return the comment of a note. The note also goes to the console when the revision is written."""
        return cls(note.comment(), note)

    def reverse(self) -> CommentOp:
        """A downgrade does not repeat the comment."""
        return CommentOp()


class FillCommentOp(CommentOp):
    """A statement to complete, which has to run outside of a transaction."""

    def with_block(self) -> CommentOp:
        """The comment with an autocommit block around the statement, for where none is around the comment."""
        heading, *statement = self.lines
        block = "#   with op.get_context().autocommit_block():"
        return CommentOp((heading, block, *(f"#     {line[1:]}".rstrip() for line in statement)), todo=self.todo)


class AdoptionOp(CommentOp):
    """Creates the baseline file when the first revision is rendered. `alembic check` renders nothing."""

    def __init__(self, write: Callable[[], None]) -> None:
        super().__init__()
        self.write = write


class AutocommitOp(ops.OpContainer):
    """``with op.get_context().autocommit_block():`` around ops. It commits everything before it."""

    def reverse(self) -> AutocommitOp:
        """The same around the reversed ops."""
        return AutocommitOp([op.reverse() for op in reversed(self.ops)])


# The paramstyle "named" doubles no percent signs; the code that renders or runs the expression does, if needed.
DIALECT = postgresql.dialect(paramstyle="named")  # type: ignore[no-untyped-call]


def expression_text(expression: Any) -> str:
    """Return an SQL expression as PostgreSQL reads it."""
    return str(expression.compile(dialect=DIALECT, compile_kwargs={"literal_binds": True, "include_table": False}))


def sql_text(part: object) -> str:
    """Return a part of an op, a text or an expression, as PostgreSQL reads it."""
    return expression_text(part) if hasattr(part, "compile") else str(part)


class SqlOp(ops.ExecuteSQLOp):
    """``op.execute`` of one statement, with the statement that undoes it (None: nothing to undo).

    ``locks``: schema and name of existing tables that it locks ACCESS EXCLUSIVE, where no parser can tell. ``note``:
    the comment above the statement; ``undo_note``: the one above what undoes it.
    """

    after_drops = False
    """Whether it comes after the tables that the revision drops."""
    fills: tuple[str | None, str] | None = None
    """Schema and name of the table whose existing rows it fills."""

    def __init__(
        self,
        statement: str,
        undo: str | None = None,
        note: Note | None = None,
        undo_note: Note | None = None,
        locks: Sequence[tuple[str | None, str]] = (),
    ) -> None:
        super().__init__(escape_binds(statement))
        self.statement = statement
        self.undo = undo
        self.note = note
        self.undo_note = undo_note
        self.locks = tuple(locks)

    def reverse(self) -> ops.MigrateOperation:
        """The undoing statement."""
        return SqlOp(self.undo, self.statement, self.undo_note, self.note, self.locks) if self.undo else CommentOp()


class CreateSchemaOp(SqlOp):
    """``CREATE SCHEMA``, before all that is in it."""


class DropTypeOp(SqlOp):
    """``DROP TYPE``, ``DROP DOMAIN`` or ``DROP SEQUENCE``, after the tables and columns that had it."""

    after_drops = True


class AlterTableOp(SqlOp):
    """One statement on a table for which Alembic has no operation, or none that keeps everything.

    It stays in its place among the other ops of the table.
    """

    makes_unique = False
    """Whether it adds or drops a key that foreign keys may need."""

    def __init__(
        self,
        table: tuple[str | None, str],
        statement: str,
        undo: str | None = None,
        object_name: str | None = None,
        note: Note | None = None,
        undo_note: Note | None = None,
    ) -> None:
        super().__init__(statement, undo, note, undo_note)
        self.schema, self.table_name = table
        self.object_name = object_name
        """The column, index or constraint that it changes."""

    def reverse(self) -> ops.MigrateOperation:
        """The undoing statement."""
        if not self.undo:
            return CommentOp()
        table = (self.schema, self.table_name)
        back = AlterTableOp(table, self.undo, self.statement, self.object_name, self.undo_note, self.note)
        back.makes_unique = self.makes_unique
        return back

    def to_diff_tuple(self) -> tuple[str, str]:
        """What `alembic check` shows."""
        return ("alter_table", self.statement)


class InlineReferenceOp(ops.AddColumnOp):
    """``op.add_column(..., inline_references=True)``: Alembic renders neither the flag nor the ForeignKey.

    PostgreSQL scans nothing, because the new column is NULL in every row. The key gets PostgreSQL's default name:
    Alembic writes no CONSTRAINT before an inline REFERENCES.
    """

    def __init__(self, add: ops.AddColumnOp, reference: ForeignKeyConstraint, named: str) -> None:
        super().__init__(
            add.table_name, add.column, schema=add.schema, if_not_exists=add.if_not_exists, inline_references=True
        )
        self.reference = reference
        self.named = named
        """The name that PostgreSQL will give the key."""


def prefix(context: AutogenContext) -> str:
    """Return the prefix of operations in the file, usually ``op.``."""
    return str(context.opts["alembic_module_prefix"] or "")


def _comment(_: AutogenContext, op: CommentOp) -> list[str]:
    return list(op.lines)


def _adoption(_: AutogenContext, op: AdoptionOp) -> list[str]:
    op.write()
    return []


def _autocommit(context: AutogenContext, op: AutocommitOp) -> list[str]:
    lines = [_indented(line) for inner in op.ops for line in render_op(context, inner)]
    if all(line.startswith("#") for line in lines):
        return lines
    return [f"with {prefix(context)}get_context().autocommit_block():", *lines, ""]


def _indented(line: str) -> str:
    """Indent further lines of a rendered op like its first: Alembic's printer indents only the first."""
    return line.replace("\n", "\n    ")


def _sql(context: AutogenContext, op: SqlOp) -> str:
    return f"{prefix(context)}execute({sql_literal(str(op.sqltext))})"


def sql_literal(text: str) -> str:
    """Return a statement as a Python literal, with its lines if that is possible."""
    # Within triple quotes a backslash would be an escape.
    if "\n" not in text or '"""' in text or "\\" in text:
        return repr(text)
    return f'"""\n{textwrap.indent(text, "    ")}\n"""'


def _inline_reference(context: AutogenContext, op: InlineReferenceOp) -> list[str]:
    plain = renderers.dispatch(ops.AddColumnOp)(context, op)
    call = ast.parse(plain, mode="eval").body
    # By the syntax tree: the column's own arguments may contain any parentheses and commas.
    column = call.args[1] if isinstance(call, ast.Call) and len(call.args) > 1 else None
    if not isinstance(column, ast.Call) or not column.args:
        # The user's render_item wrote something else, to which no argument can be added.
        return [plain, *_separate(context, op)]
    flagged = _inserted(plain, call.end_lineno, call.end_col_offset, ", inline_references=True", before=1)
    last = column.args[-1]
    return [_inserted(flagged, last.end_lineno, last.end_col_offset, f", {foreign_key(context, op.reference)}")]


def _alter_type(context: AutogenContext, op: AlterTypeOp) -> list[str]:
    plain = renderers.dispatch(ops.AlterColumnOp)(context, op)
    if op.modify_type is None or (op.using is None and not isinstance(op, CastTypeOp)):
        return [plain]
    if isinstance(op, CastTypeOp) and op.drops_default:
        return _with_default_apart(context, op)
    if op.using is None:
        return [plain]
    if op.in_utc:
        execute = f"{prefix(context)}execute"
        return [f"{execute}(\"SET LOCAL TimeZone = 'UTC'\")", plain, f"{execute}('SET LOCAL TimeZone = DEFAULT')"]
    call = ast.parse(plain, mode="eval").body
    using = f",\n{' ' * 11}postgresql_using={op.using!r}"
    return [_inserted(plain, call.end_lineno, call.end_col_offset, using, before=1)]


def _with_default_apart(context: AutogenContext, op: CastTypeOp) -> list[str]:
    """Drop the default, change the type, set the default: PostgreSQL does not cast a default with USING."""
    default = op.existing_server_default if op.modify_server_default is False else op.modify_server_default
    table, column = op.table_name, str(op.column_name)
    retyped = copy.copy(op)
    retyped.modify_server_default = False
    retyped.existing_server_default = False
    retyped.drops_default = False
    lines = []
    if op.existing_server_default is not None and op.existing_server_default is not False:
        lines += render_op(context, ops.AlterColumnOp(table, column, schema=op.schema, modify_server_default=None))
    lines += render_op(context, retyped)
    if default is not None and default is not False:
        lines += render_op(context, ops.AlterColumnOp(table, column, schema=op.schema, modify_server_default=default))
    return lines


def _separate(context: AutogenContext, op: InlineReferenceOp) -> list[str]:
    create = ops.CreateForeignKeyOp.from_constraint(op.reference)
    create.constraint_name = conv(op.named)
    return render_op(context, create)


def _inserted(text: str, line: int | None, column: int | None, new: str, before: int = 0) -> str:
    """Insert text at a position from ``ast``, which counts UTF-8 bytes; ``before``: that many bytes earlier."""
    assert line is not None and column is not None
    lines = text.split("\n")
    encoded = lines[line - 1].encode()
    at = column - before
    lines[line - 1] = (encoded[:at] + new.encode() + encoded[at:]).decode()
    return "\n".join(lines)


def foreign_key(context: AutogenContext, reference: ForeignKeyConstraint) -> str:
    """Return ``sa.ForeignKey('author.id', ondelete='CASCADE')`` for a single-column foreign key."""
    element = reference.elements[0]
    options = ("onupdate", "ondelete", "deferrable", "initially", "match")
    values = {name: value for name in options if (value := getattr(reference, name)) is not None}
    arguments = [repr(str(element.target_fullname)), *(f"{name}={value!r}" for name, value in values.items())]
    return f"{context.opts['sqlalchemy_module_prefix'] or ''}ForeignKey({', '.join(arguments)})"


def notes_of(operations: Sequence[ops.MigrateOperation]) -> list[Note]:
    """Return the notes of all comments in a body, in order."""
    result: list[Note] = []
    for op in operations:
        if isinstance(op, CommentOp) and op.note is not None and not op.note.aside:
            result.append(op.note)
        elif isinstance(op, ops.OpContainer):
            result.extend(notes_of(op.ops))
    return result


def todos_of(operations: Sequence[ops.MigrateOperation]) -> list[str]:
    """Return what a body leaves for a person to write, in order."""
    todos = [op.todo for op in operations if isinstance(op, CommentOp) and op.todo]
    inner = [todo for op in operations if isinstance(op, ops.OpContainer) for todo in todos_of(op.ops)]
    return todos + inner


for _kind, _renderer in (
    (CommentOp, _comment),
    (AdoptionOp, _adoption),
    (AutocommitOp, _autocommit),
    (SqlOp, _sql),
    (InlineReferenceOp, _inline_reference),
    (AlterTypeOp, _alter_type),
    (CastTypeOp, _alter_type),
):
    renderers.dispatch_for(_kind, replace=True)(_renderer)
render_checks()
