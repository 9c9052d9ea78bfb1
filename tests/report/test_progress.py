"""What a terminal shows while a check runs: which revision, on one line that is gone at the end."""

from __future__ import annotations

import io

from alembic_pgpatterns.report.progress import progress_on


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_terminal_names_the_running_revision() -> None:
    terminal = Terminal()
    with progress_on(terminal) as progress:
        progress.running("0d64f92e7b38")
        assert terminal.getvalue().endswith("running revision 0d64f92e7b38")
        progress.running("\x1b]0;x\x07 password=hunter2")
    assert "hunter2" not in terminal.getvalue()
    assert "\x1b]" not in terminal.getvalue()
    assert terminal.getvalue().endswith("\r\x1b[2K")


def test_a_pipe_gets_nothing() -> None:
    pipe = io.StringIO()
    with progress_on(pipe) as progress:
        progress.running("0d64f92e7b38")
    assert pipe.getvalue() == ""
