"""How every command of ours ends: its exit code, and what is said on stderr where it could not be done."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from typing import Any

NOT_DONE = 255
INTERRUPTED = 130


def end(config: Any, run: Callable[[Any, argparse.Namespace], int | None]) -> None:
    """Run a command and leave the program where its exit code is not 0.

    Args:
        config: Alembic's.
        run: takes the config and the flags; gives the exit code, None for 0.
    """
    from alembic_pgpatterns.errors import PgPatternsError

    options = config.cmd_opts or argparse.Namespace()
    try:
        status = run(config, options)
    except PgPatternsError as error:
        if getattr(options, "raiseerr", False):
            raise
        # Alembic would print it to stdout, which is the report's.
        sys.stderr.write(f"FAILED: {error}\n")
        status = NOT_DONE
    except KeyboardInterrupt:
        sys.stderr.write("alembic: interrupted\n")
        status = INTERRUPTED
    if status:
        sys.exit(status)
