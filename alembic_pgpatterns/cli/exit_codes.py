"""How every command of this package ends: its exit code, and the message on stderr if it failed."""

from __future__ import annotations

import argparse
import contextlib
import errno
import os
import signal
import sys
import tempfile
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

FINDINGS = 1
WRONG_USE = 2
# As Alembic's own errors end, as `sys.exit(-1)`.
NOT_DONE = 255
# 128 and the number of SIGINT, as shells have it.
INTERRUPTED = 130


def end(config: Any, run: Callable[[Any, argparse.Namespace], int | None]) -> None:
    """Run a command, and leave the program if its exit code is not 0.

    Args:
        config: Alembic's.
        run: takes the config and the flags; returns the exit code, None for 0.
    """
    options = config.cmd_opts or argparse.Namespace()
    _let_warnings_be_warnings()
    _exchange_handler(signal.default_int_handler, _interrupt)
    try:
        _demand_folder()
        status = _status(config, options, run)
    except BaseException as error:
        # `alembic --raiseerr`: who asks for it wants the trace.
        if getattr(options, "raiseerr", False) or isinstance(error, SystemExit):
            raise
        status = _after(error, options)
    finally:
        _exchange_handler(_interrupt, signal.default_int_handler)
    if status:
        sys.exit(status)


def _interrupt(number: int, frame: Any) -> NoReturn:
    """Ignore Ctrl-C after the first one, to the end of the program: a second one would end the tidying up halfway."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    raise KeyboardInterrupt


def _exchange_handler(old: Any, new: Any) -> None:
    # Not where the caller has a handler of its own, or ignores it. Only the main thread may set one.
    if signal.getsignal(signal.SIGINT) is old:
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGINT, new)


def _let_warnings_be_warnings() -> None:
    """Undo ``-W error`` and ``PYTHONWARNINGS=error``: a deprecation in Alembic would be an error of this program."""
    if any(option.startswith("e") for option in sys.warnoptions):
        warnings.filterwarnings("default")
        for category in (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning):
            warnings.filterwarnings("ignore", category=category)  # as Python does (docs, "Default Warning Filter")


def _status(config: Any, options: argparse.Namespace, run: Callable[[Any, argparse.Namespace], int | None]) -> int:
    from alembic_pgpatterns.errors import WrongUse

    try:
        return run(config, options) or 0
    except WrongUse as error:
        say_error(f"alembic {_command(options)}: {error}")
        return WRONG_USE


def _demand_folder() -> None:
    """If the current folder was removed, every relative path fails, each with another error."""
    from alembic_pgpatterns.errors import PgPatternsError

    try:
        Path.cwd()
    except OSError as error:
        raise PgPatternsError(
            f"The current folder cannot be read: {error.strerror}. Change to the project's folder, then run this."
        ) from error


def _after(error: BaseException, options: argparse.Namespace) -> int:
    from alembic_pgpatterns.errors import PgPatternsError

    if isinstance(error, KeyboardInterrupt):
        say_error("alembic: interrupted")
        return INTERRUPTED
    if log := _log_before(error):
        say_error(f"Logged before it failed (-v shows it while it runs):\n{log}\n")
    if isinstance(error, PgPatternsError):
        # Alembic would print it to stdout, where the report is.
        say_error(f"FAILED: {error}")
    elif (absent := _absence(error)) is not None:
        say_error(f"FAILED: {absent}")
    else:
        say_error(_unexpected(error, options))
    return NOT_DONE


_LIMITS = {
    errno.EMFILE: "A higher limit: ulimit -n 1024.",
    errno.EFBIG: "A higher limit: ulimit -f unlimited.",
    errno.ENFILE: "",
    errno.ENOSPC: "",
    errno.EDQUOT: "",
    errno.EROFS: "",
    errno.ENOMEM: "",
}


def _absence(error: BaseException) -> str | None:
    """What to say if the machine or a limit of this process lets no program run; None for another error."""
    if isinstance(error, MemoryError):
        return "the system lacks what the check needs: memory. A higher limit: ulimit -v unlimited."
    if not isinstance(error, OSError):
        return None
    # tempfile has no file's name if it finds no folder.
    without = error.errno == errno.ENOENT and error.filename in (None, os.devnull)
    if error.errno not in _LIMITS and not without:
        return None
    way_out = _LIMITS.get(error.errno or 0) or "Free or allow it, then run this again."
    return f"the system lacks what the check needs: {error.strerror}{_named(error)}. {way_out}"


def _named(error: OSError) -> str:
    return f": {error.filename}" if error.filename else ""


def _log_before(error: BaseException | None) -> str:
    """What the project logged before it failed."""
    from alembic_pgpatterns.output.causes import causes

    logs = (getattr(getattr(cause, "failure", None), "log", "") for cause in causes(error))
    return next((str(log) for log in logs if log), "")


def say_error(text: str) -> None:
    """Write a message to stderr, without secrets and control characters. A closed stderr is not an error."""
    from alembic_pgpatterns.output.program import typed
    from alembic_pgpatterns.output.safe_text import error

    with contextlib.suppress(OSError, ValueError, AttributeError):
        sys.stderr.write(f"{typed(error(text))}\n")
        sys.stderr.flush()


def _command(options: argparse.Namespace) -> str:
    command = getattr(options, "cmd", None)
    return str(command[0].__name__) if command else "pgcheck"


def _unexpected(error: BaseException, options: argparse.Namespace) -> str:
    """The message for an unexpected error: a mistake in this package, or in a library."""
    from alembic_pgpatterns.errors import text_of
    from alembic_pgpatterns.report.project_pages import project_url

    place = _trace_file(error)
    where = f"The trace is in {place}; " if place else ""
    return (
        f"FAILED: internal error in `alembic {_command(options)}`: {type(error).__name__}: {text_of(error)}\n"
        f"This is a mistake in alembic-pgpatterns. {where}please report it: {project_url('Issues')}"
    )


def _trace_file(error: BaseException) -> str | None:
    """The trace, without secrets, in a new file that only this user can read; None if none can be written."""
    from alembic_pgpatterns.output.safe_text import error as safe

    with contextlib.suppress(Exception):
        text = "".join(traceback.format_exception(error))
        handle, name = tempfile.mkstemp(prefix="pgpatterns-trace-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.write(safe(text))
        return str(Path(name))
    return None
