"""``alembic_pgpatterns.record(engine, FILE)``: record what an application sends in a staging run."""

from __future__ import annotations

import atexit
from pathlib import Path
from types import TracebackType
from typing import Any

from alembic_pgpatterns.workload.files import write
from alembic_pgpatterns.workload.recorder import Recorder
from alembic_pgpatterns.workload.values import LEVELS


class Recording:
    """A recording, as a context manager. ``stop`` writes the file, and so does the end of the program."""

    def __init__(self, engine: Any, file: Path, values: str) -> None:
        """``engine``: of SQLAlchemy, asynchronous or not."""
        self._file = file
        self._recorder: Recorder | None = Recorder(
            Path.cwd(), values, getattr(engine, "sync_engine", engine), source="record"
        )
        self._recorder.start()
        self._recorder.active = True
        atexit.register(self.stop)

    def stop(self) -> None:
        """Stop recording, and write the file. A second call does nothing.

        Raises:
            PgPatternsError: the file cannot be written.
        """
        recorder, self._recorder = self._recorder, None
        atexit.unregister(self.stop)
        if recorder is not None:
            recorder.active = False
            recorder.stop()
            write(recorder.workload(), self._file)

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def record(engine: Any, file: str | Path, *, values: str = "safe") -> Recording:
    """Record all statements that go through an engine, for ``alembic pgadvise --workload FILE``.

    A recording costs less than 0.1 ms per statement.

    Args:
        engine: SQLAlchemy's Engine or AsyncEngine.
        file: where the workload goes when the recording is stopped, or the program ends.
        values: which values of parameters the file may hold: "safe" (numbers, booleans, times, enums), "none", "all".

    Raises:
        ValueError: ``values`` is another text.
    """
    if values not in LEVELS:
        raise ValueError(f"values: {values!r} is not one of {', '.join(LEVELS)}")
    return Recording(engine, Path(file).absolute(), values)
