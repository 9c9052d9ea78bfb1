"""Changes to the source of models that leave everything else in the file as it is."""

from __future__ import annotations

import io
import tokenize
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.fix.model_edit import Edit
from alembic_pgpatterns.remedies.model import (
    ChangeType,
    CreateIndex,
    DropIndex,
    Remedy,
    ReplaceIndex,
    SetNotNull,
    TypeChange,
)
from alembic_pgpatterns.remedies.model_line import (
    INDEX_TEMPLATE,
    check_expression,
    default_name,
    index_expression,
    is_plain,
)
from alembic_pgpatterns.remedies.naming import index_name
from alembic_pgpatterns.schema.names import Name

TEXTS = ("String", "VARCHAR", "Unicode", "CHAR", "AutoString")
TIMES = ("DateTime", "TIMESTAMP")
INTEGERS = ("Integer", "INTEGER", "SmallInteger", "SMALLINT")


@dataclass
class Source:
    """A file's text after the edits, the edits that could not be made, and the reason of each."""

    text: str
    missed: list[Edit] = field(default_factory=list)
    reasons: tuple[str, ...] = ()


def edits(remedy: Remedy, index_template: str | None = INDEX_TEMPLATE) -> tuple[Edit, ...] | None:
    """The edits for a remedy; None if they are not certain.

    Args:
        remedy: what to change.
        index_template: the models' naming convention for indexes; None if it is not one.
    """
    if isinstance(remedy, CreateIndex):
        return (_index(remedy, index_template),)
    if isinstance(remedy, DropIndex):
        return (_removed(remedy.index, remedy.recreate, index_template),)
    if isinstance(remedy, ReplaceIndex):
        return (_removed(remedy.index, remedy.recreate, index_template), _index(remedy.new, index_template))
    if isinstance(remedy, ChangeType):
        type_edits = [_type(change) for change in remedy.changes]
        certain = [edit for edit in type_edits if edit is not None]
        checks = [Edit(change.table.name, check_expression(change)) for change in remedy.changes if change.check]
        return (*certain, *checks) if len(certain) == len(type_edits) else None
    if isinstance(remedy, SetNotNull):
        # It has priority over Mapped[bool | None] (SQLAlchemy, "ORM Annotated Declarative").
        return (Edit(remedy.table.name, "False", remedy.column, keyword="nullable"),)
    return None


def _removed(index: Name, was: CreateIndex, template: str | None) -> Edit:
    single = len(was.keys) == 1 and index.name == default_name(was, template)
    return Edit(was.table.name, "", was.keys[0].column if single else None, removes=index.name)


def _index(remedy: CreateIndex, template: str | None) -> Edit:
    simple = is_plain(remedy) and index_name(remedy) == default_name(remedy, template)
    return Edit(remedy.table.name, index_expression(remedy), remedy.keys[0].column if simple else None, simple)


def _type(change: TypeChange) -> Edit | None:
    if change.new == "text":
        return Edit(change.table.name, "Text", change.column, replaces=TEXTS)
    if change.new in ("timestamptz", "timestamp with time zone"):
        return Edit(change.table.name, "DateTime(timezone=True)", change.column, replaces=TIMES)
    if change.new == "bigint":
        return Edit(change.table.name, "BigInteger", change.column, replaces=INTEGERS)
    return None


@dataclass
class SourceFile:
    """A file's bytes after the edits, the edits that could not be made, and the reason of each."""

    data: bytes
    missed: list[Edit] = field(default_factory=list)
    reasons: tuple[str, ...] = ()


def edited_file(path: Path, data: bytes, edits_to_make: Sequence[Edit]) -> SourceFile:
    """The file after the edits. Its encoding, byte order mark and line ends stay.

    Args:
        path: of the file, for messages.
        data: its content.
        edits_to_make: the edits.

    Raises:
        PgPatternsError: LibCST is not installed, or it cannot parse the file.
    """
    try:
        text, encoding = decoded(data)
        source = edited(text, edits_to_make)
    except (SyntaxError, UnicodeDecodeError) as error:
        raise PgPatternsError(f"{path}: the file of a model cannot be read: {error}") from error
    except PgPatternsError as error:
        raise PgPatternsError(f"{path}: {error}") from error
    if source.text == text:
        return SourceFile(data, source.missed, source.reasons)
    return SourceFile(source.text.encode(encoding), source.missed, source.reasons)


def decoded(data: bytes) -> tuple[str, str]:
    """The text of a Python source with its line ends, and its encoding (with a byte order mark if it had one).

    Raises:
        SyntaxError: it declares an encoding that does not exist.
        UnicodeDecodeError: it is not in the encoding that it declares.
    """
    encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    return data.decode(encoding), encoding


def edited(text: str, edits_to_make: Sequence[Edit]) -> Source:
    """The source after the edits: imports added, formatting kept.

    Raises:
        PgPatternsError: LibCST is not installed, or it cannot parse the source.
    """
    try:
        import libcst
    except ImportError as error:
        raise PgPatternsError("--models needs LibCST: pip install 'alembic-pgpatterns[fix]'.") from error
    # LibCST is the extra [fix]: without --models nothing needs it.
    from alembic_pgpatterns.fix.model_editor import Editor
    from alembic_pgpatterns.fix.model_imports import with_imports
    from alembic_pgpatterns.fix.model_reasons import why_missed

    try:
        module = libcst.parse_module(text)
    except libcst.ParserSyntaxError as error:
        raise PgPatternsError(f"the file of a model cannot be read: {error}") from error
    editor = Editor(edits_to_make)
    # The wrapper gives the editor the lines of what it visits.
    changed = with_imports(libcst.MetadataWrapper(module).visit(editor), editor.needed, editor.replaced)
    missed = [edit for edit in edits_to_make if edit not in editor.made]
    return Source(changed.code, missed, tuple(why_missed(module, edit) for edit in missed))
