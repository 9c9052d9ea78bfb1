"""The base class of directives: an operation of Alembic that can run, render itself and name its reverse."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from alembic.autogenerate.render import renderers
from alembic.operations import BatchOperations, MigrateOperation, Operations

from alembic_pgpatterns import errors

if TYPE_CHECKING:
    from alembic.autogenerate.api import AutogenContext


class Directive(MigrateOperation):
    """The base class of all directives. A subclass has a name, keeps its arguments and knows how to run.

    The arguments of ``__init__`` are the arguments of ``op.<name>``. Each is kept in an attribute of the same name,
    because `render` reads them from there.
    """

    name: ClassVar[str]
    closes_table: ClassVar[bool] = False
    """It takes ACCESS EXCLUSIVE on its ``table``, for a moment."""

    def run(self, operations: Operations) -> Any:
        """Do it. Offline, write it as SQL."""
        raise NotImplementedError

    def reverse(self) -> MigrateOperation:
        """The operation that undoes this one."""
        raise NotImplementedError

    def render(self, context: AutogenContext) -> str | list[str]:
        """Python source that calls this directive with these arguments."""
        from alembic_pgpatterns.operations.support.rendering import call

        return call(context, self.name, self.arguments())

    def arguments(self) -> Iterator[tuple[str | None, Any]]:
        """Pairs of (keyword or None, value), without private arguments and those that have their default value."""
        for parameter in inspect.signature(type(self)).parameters.values():
            if parameter.name.startswith("_"):
                continue
            value = getattr(self, parameter.name)
            if parameter.default is parameter.empty:
                yield None, value
            elif value != parameter.default:
                yield parameter.name, value

    def to_diff_tuple(self) -> tuple[Any, ...]:
        """What ``alembic check`` prints."""
        return (self.name, *(value if key is None else (key, value) for key, value in self.arguments()))


class NothingToUndo(Directive):
    """The reverse of an operation that needs no undoing. It renders as ``pass`` and the reason."""

    name = "nothing_to_undo"

    def __init__(self, reason: str) -> None:
        self.reason = reason

    def run(self, operations: Operations) -> None:
        """Do nothing."""

    def reverse(self) -> MigrateOperation:
        """Nothing to do either."""
        return self

    def render(self, context: AutogenContext) -> str:
        """A statement and not only a comment: a function body of comments alone is not valid Python."""
        return "pass  # " + " ".join(self.reason.split())


def register(*directives: type[Directive]) -> None:
    """Make each one a method of `alembic.operations.Operations`, and so ``op.<name>``."""
    for directive in directives:
        setattr(Operations, directive.name, _method(directive))


def register_in_batch(*directives: type[Directive]) -> None:
    """The same for ``batch_op.<name>``, which knows the table and its schema."""
    for directive in directives:
        setattr(BatchOperations, directive.name, _batch_method(directive))


def _method(directive: type[Directive]) -> Callable[..., Any]:
    def call(self: Operations, *args: Any, **kwargs: Any) -> Any:
        return self.invoke(directive(*args, **kwargs))

    return _described(call, directive)


def _batch_method(directive: type[Directive]) -> Callable[..., Any]:
    def call(self: BatchOperations, *args: Any, **kwargs: Any) -> Any:
        target = {"table": self.impl.table_name, "schema": self.impl.schema}
        return self.invoke(directive(**_without_table(directive, args, kwargs), **target))

    return _described(call, directive)


def _without_table(directive: type[Directive], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    signature = inspect.signature(directive)
    others = [p for p in signature.parameters.values() if p.name not in ("table", "schema")]
    return dict(signature.replace(parameters=others).bind(*args, **kwargs).arguments)


def _described(call: Callable[..., Any], directive: type[Directive]) -> Callable[..., Any]:
    call.__name__ = call.__qualname__ = directive.name
    call.__doc__ = directive.__doc__
    return call


def _run(operations: Operations, directive: Directive) -> Any:
    dialect = operations.migration_context.dialect.name
    if dialect != "postgresql":
        raise errors.PgPatternsError(f"op.{directive.name} is for PostgreSQL; this database is {dialect}")
    return directive.run(operations)


def _render(context: AutogenContext, directive: Directive) -> str | list[str]:
    return directive.render(context)


# One implementation and one renderer serve all directives: Alembic looks them up along the class's base classes.
Operations.implementation_for(Directive, replace=True)(_run)
renderers.dispatch_for(Directive, replace=True)(_render)
