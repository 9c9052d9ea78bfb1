"""Settings whose value the application refuses in its own words: its default, or one that was made up before."""

from __future__ import annotations

import re
from collections.abc import Iterator

from alembic_pgpatterns.runner.environment_reads import variables_read
from alembic_pgpatterns.runner.made_up_values import other_value_for
from alembic_pgpatterns.runner.settings_classes import settings_variables, variables_of_fields

_REFUSES = re.compile(
    r"(?i)\b(?:must|should|cannot|may not|not allowed|reject\w*|refus\w*|insecure|unsafe|weak\w*|default|placeholder"
    r"|chang\w+|replac\w+|invalid|too short|at least|minimum|characters|entropy|requires?|required|empty|unset)\b"
)
_LENGTH = re.compile(r"(?i)\b([1-9]\d{1,2})\W+(?:\w+\W+){0,2}?(?:char\w*|bytes?|letters|digits|symbols)\b")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:_[A-Za-z0-9]+)+")


def refused_values(error: BaseException, message: str) -> Iterator[tuple[str, str]]:
    """The first variable that an application's own error names and whose value can be another one.

    Its words have the name of the variable, or of the field of its settings: ``secret_key: the default is refused``.

    Args:
        error: raised by the application's code.
        message: its text.
    """
    if not _REFUSES.search(message):
        return
    words = list(dict.fromkeys(_NAME.findall(message)))
    variables = {*variables_read(error), *settings_variables()} if any(map(str.isupper, words)) else set()
    names = [word for word in words if word in variables]
    names += variables_of_fields(word.lower() for word in words if word not in names)
    for name in names:
        lines = [line for line in message.splitlines() if name in line.upper()]
        lengths = [int(length.group(1)) for line in lines if (length := _LENGTH.search(line))]
        value = other_value_for(name, max(lengths, default=0))
        if value is not None:
            yield name, value
            return
