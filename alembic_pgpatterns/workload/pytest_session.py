"""Recording while pytest runs: on in the bodies of tests, off in fixtures. Workers of xdist send their recordings."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.workload.files import as_lines, from_lines, write
from alembic_pgpatterns.workload.model import Workload, merged
from alembic_pgpatterns.workload.recorder import Recorder

NAME = "pgpatterns-recorder"
_OUTPUT = "pgpatterns_workload"


class RecordingPlugin:
    """A plugin for pytest that records while it is registered.

    Args:
        config: pytest's.
        file: where the workload goes; None: nowhere.
        values: "all", "safe" or "none".
        conclude: takes the whole workload and the terminal's writer, says what there is to say of it, and returns
            whether the run fails for it; None: nothing is said.
    """

    def __init__(
        self, config: Any, file: Path | None, values: str, conclude: Callable[[Workload, Any], bool] | None
    ) -> None:
        self._config = config
        self._file = file
        self._conclude = conclude
        self._recorder = Recorder(Path(config.rootpath), values)
        self._parts: list[Workload] = []
        self._recorder.start()

    @pytest.hookimpl(hookwrapper=True)
    def pytest_runtest_call(self, item: Any) -> Iterator[None]:
        """Record the body of a test."""
        function = getattr(item, "function", None)
        function = inspect.unwrap(function) if function is not None else None
        self._recorder.test_begins(item.nodeid, getattr(function, "__code__", None))
        try:
            yield
        finally:
            self._recorder.test_ends()

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any, error: Any) -> None:
        """Add the recording of a worker of xdist."""
        text = getattr(node, "workeroutput", {}).get(_OUTPUT)
        if text:
            self._parts.append(from_lines(f"worker {node.gateway.id}", text.splitlines()))

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: Any) -> None:
        """Send the recording to xdist's controller, or write it."""
        self._recorder.stop()
        if hasattr(self._config, "workeroutput"):
            lines = as_lines(self._recorder.workload())
            self._config.workeroutput[_OUTPUT] = "\n".join(json.dumps(line, default=str) for line in lines)

    @pytest.hookimpl(trylast=True)
    def pytest_terminal_summary(self, terminalreporter: Any) -> None:
        """Write the file, and print the findings about the statements."""
        workload = merged([*self._parts, self._recorder.workload()])
        if self._file is not None:
            write(workload, self._file)
            calls = sum(statement.calls for statement in workload.statements)
            terminalreporter.section("statements")
            statements = counted(len(workload.statements), "statements")
            terminalreporter.write_line(f"{self._file}: {statements}, {counted(calls, 'calls')} recorded")
        if self._conclude is not None and self._conclude(workload, terminalreporter):
            session = getattr(terminalreporter, "_session", None)
            if session is not None and session.exitstatus == 0:
                # The summary comes late: only the session's own code can still change how pytest ends.
                session.exitstatus = pytest.ExitCode.TESTS_FAILED
