"""Options of Alembic's configuration and ``-x`` arguments that the project's code asks for, and that nobody gives."""

from __future__ import annotations

import configparser
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from alembic_pgpatterns.errors import text_of
from alembic_pgpatterns.output.secrets import MADE_UP
from alembic_pgpatterns.runner.made_up_values import value_for
from alembic_pgpatterns.runner.messages import Need
from alembic_pgpatterns.runner.missing_settings import LIBRARIES
from alembic_pgpatterns.runner.supplies import AskedValues, asked_options

if TYPE_CHECKING:
    from alembic.runtime.environment import EnvironmentContext

OPTION, ARGUMENT = "option", "argument"
"""Kinds of needs."""
WORD = "pgpatterns"
"""The value of an option about which nothing is known: often a part of a name, so it is one word."""


@dataclass
class AskedOptions:
    """What was asked for in one run, and is not there."""

    options: list[str] = field(default_factory=list)
    arguments: list[str] = field(default_factory=list)

    def watch(self, environment: EnvironmentContext) -> None:
        """Note from now on what env.py and the revisions ask for."""
        self.options = asked_options(environment.config)
        within: Any = environment
        stock_arguments = environment.get_x_argument

        def get_x_argument(as_dictionary: bool = False) -> Any:
            result: Any = stock_arguments(as_dictionary=as_dictionary)
            return AskedValues(result, self.arguments) if as_dictionary else result

        within.get_x_argument = get_x_argument

    def needs(self, error: BaseException) -> Iterator[Need]:
        """What an error says is missing, of what was asked for.

        Args:
            error: raised by env.py or a revision.
        """
        if isinstance(error, configparser.NoOptionError):
            yield Need(OPTION, error.option, option_value(error.option))
        # Only in what nobody but the project can mean; KeyError is what the dictionary of the arguments raises.
        if str(type(error).__module__).startswith(LIBRARIES):
            return
        text = text_of(error)
        for kind, names in ((OPTION, self.options), (ARGUMENT, self.arguments)):
            for name in dict.fromkeys(names):
                if re.search(rf"(?<![\w.]){re.escape(name)}(?![\w.])", text):
                    yield Need(kind, name, option_value(name))


def option_value(name: str) -> str:
    """A value that will do for an option, judged by its name."""
    value = value_for(name.replace(".", "_"))
    return WORD if value == MADE_UP else value


def options_to_add(needs: list[Need]) -> str:
    """The settings to add for some needs; an empty text for none. It starts with a line break."""
    options = [need for need in needs if need.kind == OPTION]
    arguments = [need.name for need in needs if need.kind == ARGUMENT]
    lines = []
    if options:
        entries = ", ".join(f'"{need.name}" = "{need.value}"' for need in options)
        lines.append(
            "The project asks Alembic's configuration for it. Put it there as in production, or add this to "
            f"pyproject.toml for the check:\n[tool.alembic_pgpatterns]\nalembic_options = {{ {entries} }}"
        )
    if arguments:
        flags = " ".join(f"-x {name}=VALUE" for name in arguments)
        lines.append(f"The project asks for it on the command line. Give it, as in production: alembic {flags} pgcheck")
    return "".join(f"\n{line}" for line in lines)
