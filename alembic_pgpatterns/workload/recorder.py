"""Records the statements of SQLAlchemy by listeners on its events, with counters in memory.

While it is off no listener is there, so that it costs nothing. While it is on, the work per statement is a walk up the
stack and a few dictionary look-ups; parsing is left to the end.
"""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from types import CodeType
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from alembic_pgpatterns.workload.aggregate import Aggregate, Place
from alembic_pgpatterns.workload.call_site import CallSites
from alembic_pgpatterns.workload.engines import engine_facts
from alembic_pgpatterns.workload.model import TESTS_SOURCE, EngineFacts, Workload

_OPTION = "_pgpatterns_reason"


class Recorder:
    """Records statements of PostgreSQL engines between `start` and `stop`, while it is `active`.

    Args:
        root: the project's folder.
        values: "all", "safe" or "none": which values of parameters are kept.
        engine: only this engine's statements; None: those of all engines.
        source: of the workload that comes out.
    """

    def __init__(self, root: Path, values: str = "all", engine: Engine | None = None, source: str = "pytest") -> None:
        self.active = False
        self._sites = CallSites(root)
        self._aggregate = Aggregate(self._sites, values)
        self._target: Any = engine if engine is not None else Engine
        self._source = source
        # Weak: a suite may make an engine per test and leave its connections to the garbage collector. If they stayed
        # open the server would soon have too many clients.
        self._engines: WeakKeyDictionary[Engine, tuple[EngineFacts, set[bool]]] = WeakKeyDictionary()
        self._facts: list[tuple[EngineFacts, set[bool]]] = []
        self._threads = threading.local()
        self._lock = threading.Lock()
        self._failures: dict[str, None] = {}

    def start(self) -> None:
        """Listen."""
        for target, name, listener in self._listeners():
            event.listen(target, name, listener)

    def stop(self) -> None:
        """Stop listening."""
        for target, name, listener in self._listeners():
            event.remove(target, name, listener)

    def _listeners(self) -> tuple[tuple[Any, str, Any], ...]:
        return (
            (self._target, "after_cursor_execute", self._after_cursor_execute),
            (self._target, "commit", self._commit),
            (Session, "do_orm_execute", self._do_orm_execute),
            (Session, "after_commit", self._after_commit),
        )

    def test_begins(self, name: str, body: CodeType | None) -> None:
        """Record from now on, for this test."""
        self._sites.test_begins(body)
        self._aggregate.test = name
        self.active = True

    def test_ends(self) -> None:
        """Stop recording until the next test."""
        self.active = False
        self._aggregate.fold_all()

    def workload(self) -> Workload:
        """The recorded workload."""
        self._aggregate.fold_all()
        engines = tuple(dict.fromkeys(_with_sessions(*item) for item in self._facts))
        notes = tuple(f"some statements could not be recorded: {failure}" for failure in list(self._failures)[:5])
        return Workload(self._aggregate.statements(), self._source, engines, notes)

    def _do_orm_execute(self, state: Any) -> None:
        if not self.active:
            return
        if state.is_relationship_load:
            reason = "lazy load" if state.lazy_loaded_from is not None else "eager load"
            # Execution options are all that goes from the ORM's event to the cursor's.
            state.update_execution_options(**{_OPTION: (reason, _attribute(state.loader_strategy_path))})
        elif state.is_column_load:
            mapper = state.bind_mapper
            state.update_execution_options(**{_OPTION: ("column load", mapper.class_.__name__ if mapper else None)})
        self._threads.expires = state.session.expire_on_commit

    def _commit(self, connection: Any) -> None:
        self._count_commit()

    def _after_commit(self, session: Session) -> None:
        # If tests run in one outer transaction, the engine sees no commit, but the session does.
        if not session.in_nested_transaction():
            self._count_commit()

    def _count_commit(self) -> None:
        self._threads.commits = getattr(self._threads, "commits", 0) + 1

    def _after_cursor_execute(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        if self.active and connection.dialect.name == "postgresql":
            try:
                self._record(connection, cursor, statement, parameters, context, executemany)
            except (
                Exception
            ) as error:  # the application's statement has run, and must not fail because of any error here
                self._failures[f"{type(error).__name__}: {error}"] = None

    def _record(
        self, connection: Any, cursor: Any, statement: str, parameters: Any, context: Any, executemany: bool
    ) -> None:
        caller = self._sites.caller(3)
        if caller.migration:
            return
        reason, attribute = context.execution_options.get(_OPTION, (None, None)) if context else (None, None)
        place = Place(
            caller=caller,
            reason=reason,
            attribute=attribute,
            transaction=connection.get_nested_transaction() or connection.get_transaction(),
            commits=getattr(self._threads, "commits", 0),
            rows=getattr(cursor, "rowcount", -1),
        )
        if self._source != TESTS_SOURCE:
            # Without a test it is not known where a call of the application begins: a transaction counts as one.
            caller.root = place.transaction
        with self._lock:
            self._aggregate.add(statement, parameters, context, executemany, place)
            self._note_engine(connection.engine)

    def _note_engine(self, engine: Engine) -> None:
        facts = self._engines.get(engine)
        if facts is None:
            facts = self._engines[engine] = (engine_facts(engine), set())
            self._facts.append(facts)
        expires = getattr(self._threads, "expires", None)
        if expires is not None:
            facts[1].add(expires)


def _attribute(path: Any) -> str | None:
    """``User.orders`` of a loader's path."""
    parts = [part for part in getattr(path, "path", ()) if hasattr(part, "key") and hasattr(part, "parent")]
    return f"{parts[-1].parent.class_.__name__}.{parts[-1].key}" if parts else None


def _with_sessions(facts: EngineFacts, expires: set[bool]) -> EngineFacts:
    return replace(facts, expires_on_commit=any(expires)) if expires else facts
