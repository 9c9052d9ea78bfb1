"""A variable that takes some values only: which ones, as the error says that refuses the value that was made up."""

from __future__ import annotations

import os
import re
import traceback
from collections.abc import Iterator, Mapping

_QUOTED = re.compile(r"['\"`]([\w.-]{1,40})['\"`]")
_FIRST = ("dev", "development", "local", "test", "testing")
"""Values that are taken before others: what they mean is least likely to ask for more."""


def allowed_value(error: BaseException, text: str, made_up: str) -> tuple[str, str] | None:
    """The variable whose made-up value is refused, and one that is allowed; None if the error is about something else.

    Args:
        error: raised by env.py, or by a module that it imports.
        text: of the error.
        made_up: the value.
    """
    variables = [name for name, value in os.environ.items() if value == made_up]
    named = [name for name in variables if name in text] or variables
    if made_up not in text or len(named) != 1:
        return None
    refused = {*named, made_up}
    values = [word for word in (*_QUOTED.findall(text), *_keys(error)) if word not in refused]
    return (named[0], next((word for word in _FIRST if word in values), values[0])) if values else None


def _keys(error: BaseException) -> Iterator[str]:
    """The keys of the dictionaries in which the failed function may have looked."""
    last = list(traceback.walk_tb(error.__traceback__))[-1:]
    if not isinstance(error, KeyError) or not last:
        return
    frame = last[0][0]
    for name in (*frame.f_code.co_varnames, *frame.f_code.co_names):
        value = frame.f_locals.get(name, frame.f_globals.get(name))
        if isinstance(value, Mapping) and 0 < len(value) <= _MOST and all(isinstance(key, str) for key in value):
            yield from value


_MOST = 50
"""Keys of a dictionary that may be a list of choices; ``globals()`` has more."""
