"""Correct how Alembic renders expressions and types and compares defaults, for one run of autogenerate."""

from __future__ import annotations

import copy
import sys
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import sqlalchemy
from sqlalchemy import ARRAY, Enum, Interval, TypeDecorator
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.types import NullType, TypeEngine, UserDefinedType

from alembic_pgpatterns.autogenerate.rewrite.inner_types import composites_of
from alembic_pgpatterns.autogenerate.rewrite.own_transaction import in_transaction
from alembic_pgpatterns.autogenerate.rewrite.type_rewrites import type_text
from alembic_pgpatterns.schema.sql.binds import escape_binds

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext

_FIXED = "_pgpatterns_fixed"
_EXPRESSIONS = "_pgpatterns_expressions"


def fix_rendering(context: AutogenContext, stored_types: bool) -> None:
    """Adjust the run's dialect implementation. Does nothing the second time.

    Args:
        context: of the run.
        stored_types: write a TypeDecorator of the application as what it stores.
    """
    impl: Any = context.migration_context.impl
    if getattr(impl, _FIXED, False):
        return
    setattr(impl, _FIXED, True)
    fix_expressions(impl)
    impl.render_type = _with_application_types(impl.render_type, impl.dialect, stored_types)
    impl.compare_server_default = _without_failing(impl.compare_server_default, impl)
    if not hasattr(impl, "_render_DOMAIN_type"):
        impl._render_DOMAIN_type = _domain
    # Both are compared again in PostgreSQL's own form, and then written.
    warnings.filterwarnings("ignore", message=r"Computed default on .* cannot be modified")
    warnings.filterwarnings("ignore", message=r"(?s)Expression #.* detected to include an operator clause")
    # By SQLAlchemy 2.1 itself: it reflects a CHECK that is NOT VALID with an argument that the class does not take.
    warnings.filterwarnings("ignore", message=r"Can't validate argument 'dialect_options'")


def _domain(kind: Any, context: AutogenContext) -> str:
    """A domain's call. Alembic before 1.20 writes its repr, with ``Text()`` for ``sa.Text()`` and without its CHECK."""
    from alembic.autogenerate.render import _render_potential_expr

    context.imports.add("from sqlalchemy.dialects import postgresql")
    values = {name: getattr(kind, name) for name in ("collation", "constraint_name", "check", "schema")}
    written = [f"{name}={str(value)!r}" for name, value in values.items() if value is not None]
    written += [f"default={_render_potential_expr(kind.default, context)}"] if kind.default is not None else []
    written += ["not_null=True"] if kind.not_null else []
    written += [] if kind.create_type else ["create_type=False"]
    parts = [repr(str(kind.name)), _rendered(kind.data_type, context), *written]
    return f"postgresql.DOMAIN({', '.join(parts)})"


def fix_expressions(impl: Any) -> None:
    """Have expressions rendered for the place that they are written to. Does nothing the second time.

    Args:
        impl: the run's dialect implementation. pgfix and ``rewriter`` write expressions without any autogenerate.
    """
    if not getattr(impl, _EXPRESSIONS, False):
        setattr(impl, _EXPRESSIONS, True)
        impl.render_ddl_sql_expr = _as_written(impl.render_ddl_sql_expr, impl.dialect)


def _as_written(render: Callable[..., str], dialect: Any) -> Callable[..., str]:
    """Alembic compiles for the driver, which needs doubled percent signs; op functions then double them again.

    It writes the result into ``sa.text()``, which takes a colon for a parameter; that of an index's column into
    ``sa.literal_column()``, which does not.
    """

    def render_ddl_sql_expr(expression: Any, **options: Any) -> str:
        text = render(expression, **options)
        text = text.replace("%%", "%") if dialect.identifier_preparer._double_percents else text
        return text if options.get("is_index") else escape_binds(text)

    return render_ddl_sql_expr


def _without_failing(compare: Callable[..., bool], impl: Any) -> Callable[..., bool]:
    """Alembic runs ``SELECT old = new``, which fails on json, on quotes and on types without an operator."""

    def compare_server_default(*arguments: Any) -> bool:
        connection = impl.connection
        if connection is None:
            return bool(compare(*arguments))
        try:
            # A savepoint, because a failed SELECT would abort the transaction in which autogenerate reads the catalog.
            with in_transaction(connection), connection.begin_nested():
                return bool(compare(*arguments))
        except SQLAlchemyError:
            return False

    return compare_server_default


def _with_application_types(render: Callable[..., Any], dialect: Any, stored: bool) -> Callable[..., Any]:
    """Types that are not SQLAlchemy's: imported in the file, or written as what they store."""

    def render_type(kind: Any, context: AutogenContext) -> Any:
        if isinstance(kind, NullType):
            # Reflected of a type that SQLAlchemy does not know. Alembic writes sa.NullType(), which is not there.
            return f"{context.opts['sqlalchemy_module_prefix'] or ''}types.NullType()"
        if isinstance(kind, Interval) and not kind.native:
            # Its repr does not say so, and would make an interval of the timestamp.
            return _rendered(kind.impl_instance, context)
        if isinstance(kind, Interval) and kind.second_precision is not None:
            # Its repr is that of the type under it, which has no precision.
            return _rendered(kind.dialect_impl(dialect), context)
        if isinstance(kind, Enum) and kind.metadata is not None:
            return _rendered(_without_metadata(kind), context)
        if isinstance(kind, ARRAY) and composites_of(kind):
            return _array(kind, context)
        if type(kind).__module__.startswith("sqlalchemy."):
            return render(kind, context)
        if stored and isinstance(kind, TypeDecorator):
            return _stored(kind, dialect, context)
        if getattr(kind, "spatial_index", False):
            return _rendered(_without_index(kind), context)
        if context.opts.get("user_module_prefix") is None and _can_be_evaluated(kind):
            context.imports.add(f"import {type(kind).__module__}")
            return render(kind, context)
        if isinstance(kind, UserDefinedType):
            return _by_name(kind, dialect, context)
        return _stored(kind, dialect, context) if isinstance(kind, TypeDecorator) else render(kind, context)

    return render_type


def _array(kind: ARRAY[Any], context: AutogenContext) -> str:
    """An array of a composite type: Alembic puts what is written for the type in place of its repr, by its text."""
    context.imports.add("from sqlalchemy.dialects import postgresql")
    dimensions = f", dimensions={kind.dimensions}" if kind.dimensions is not None else ""
    return f"postgresql.ARRAY({_rendered(kind.item_type, context)}{dimensions})"


def _by_name(kind: UserDefinedType[Any], dialect: Any, context: AutogenContext) -> str:
    """A type whose repr is no call that gives it again, such as SQLAlchemy-Utils' CompositeType: its name in SQL."""
    name = str(dialect.type_compiler_instance.process(kind))
    base = f"{context.opts['sqlalchemy_module_prefix'] or ''}types.UserDefinedType"
    return f"type({type(kind).__name__!r}, ({base},), {{'get_col_spec': lambda self, **options: {name!r}}})()"


def _without_metadata(kind: Enum) -> Enum:
    """Before SQLAlchemy 2.1 the repr of an Enum has ``metadata=MetaData()`` in it, which no file imports."""
    bare = copy.copy(kind)
    bare.metadata = None
    return bare


def _without_index(kind: Any) -> Any:
    """A type of GeoAlchemy2 that makes no index of its own: the metadata has it, so the file creates it."""
    bare = copy.copy(kind)
    bare.spatial_index = bare.use_N_D_index = False
    return bare


def _stored(kind: Any, dialect: Any, context: AutogenContext) -> str:
    """Write the stored type: a revision must not depend on application code that may change later."""
    inner = kind.load_dialect_impl(dialect)
    inner = getattr(inner, "_variant_mapping", {}).get(dialect.name, inner)
    if isinstance(inner, postgresql.ENUM):
        # The repr of an implementation says that no type is to be created.
        inner = Enum(*inner.enums, name=inner.name, schema=inner.schema)
    return _rendered(_public(inner), context)


def _rendered(kind: Any, context: AutogenContext) -> str:
    from alembic.autogenerate.render import _repr_type

    return _repr_type(kind, context)


def _public(kind: Any) -> Any:
    """The type as people write it: a dialect has subclasses of its own, such as `_PGJSONB` of `JSONB`."""
    if isinstance(kind, TypeDecorator):
        # A decorator around a decorator: rendering it finds what that one stores.
        return kind
    written = next((cls for cls in type(kind).__mro__ if _is_exported(cls)), type(kind))
    return kind if written is type(kind) else kind.adapt(written)


def _is_exported(cls: type) -> bool:
    # SQLAlchemy exports Visitable too, which all types are.
    return issubclass(cls, TypeEngine) and any(
        getattr(module, cls.__name__, None) is cls for module in (sqlalchemy, postgresql)
    )


def _can_be_evaluated(kind: Any) -> bool:
    """Whether the repr is a call that gives the same type again."""
    module = sys.modules.get(type(kind).__module__)
    try:
        # The repr is what Alembic writes into the file; only Python can say whether it gives the type again.
        again = eval(repr(kind), dict(vars(module))) if module is not None else None
        return again is not None and type_text(again) == type_text(kind)
    except Exception:
        return False
