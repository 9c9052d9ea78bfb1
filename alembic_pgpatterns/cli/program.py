"""The program ``alembic-pgpatterns``: the commands of this package, from a separate environment."""

from __future__ import annotations

from collections.abc import Sequence

from alembic.config import CommandLine

from alembic_pgpatterns.cli.interpreter import run_as_program
from alembic_pgpatterns.cli.register import COMMANDS, register
from alembic_pgpatterns.output.program import set_program

NAME = "alembic-pgpatterns"


def main(argv: Sequence[str] | None = None) -> None:
    """Run one of this package's commands. Alembic's commands are left to the project's ``alembic``."""
    run_as_program()
    set_program(NAME)
    line = CommandLine(prog=NAME)
    register(line)
    names = {module.__name__.rpartition(".")[2] for module in COMMANDS}
    choices = line.subparsers.choices
    # argparse has no way to take a subcommand out, and CommandLine makes Alembic's in __init__. Left in, `upgrade`
    # would run here, without the project's environment.
    for name in [name for name in choices if name not in names]:
        del choices[name]
    shown = line.subparsers._choices_actions
    shown[:] = [action for action in shown if action.dest in names]
    line.subparsers.metavar = "{" + ",".join(choices) + "}"
    line.main(argv)
