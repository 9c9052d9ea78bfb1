"""``--explain`` and ``--list``: the patterns' own pages, in the terminal."""

from __future__ import annotations

import difflib
from typing import TextIO

from alembic_pgpatterns.config.chosen_patterns import chosen_patterns, configured
from alembic_pgpatterns.config.settings import Settings, SettingsError
from alembic_pgpatterns.patterns import Action, Basis, registry
from alembic_pgpatterns.report.pages import WRITTEN, folders, page
from alembic_pgpatterns.report.pattern_docs import title


def explain(name: str, stream: TextIO) -> None:
    """Write the page of a pattern; rendered on a terminal, as Markdown in a pipe.

    Raises:
        SettingsError: there is no such pattern; the message shows the nearest.
    """
    cls = registry().get(name)
    if cls is None:
        close = difflib.get_close_matches(name, registry(), n=3, cutoff=0.4)
        hint = f" Did you mean {' or '.join(map(repr, close))}?" if close else " --list shows all."
        raise SettingsError(f"--explain: no pattern {name!r}.{hint}")
    text = page(cls).replace(WRITTEN, "")
    if not stream.isatty():
        stream.write(text)
        return
    from rich.console import Console
    from rich.markdown import Markdown

    Console(file=stream).print(Markdown(text))


MARK = {Basis.FACTS: "", Basis.QUERIES: " *"}
ACTIONS = """\
The third column says what autogenerate does with a pattern (docs/settings.md says how to change it):
  enforce   new revisions follow the pattern
  suggest   new revisions have a comment with the line to write
  report    autogenerate does nothing; only pgcheck reports it

"""
LEGEND = """
*: needs a query of the application that supports it; without one it is a guess, which --guesses shows.
--explain PATTERN shows a pattern's page; docs/settings.md says how to change severity.
"""


def write_list(settings: Settings, stream: TextIO) -> None:
    """Write all patterns by folder: name, severity and action as they are set, and what each is."""
    stream.write(ACTIONS)
    chosen = {pattern.name for pattern in chosen_patterns(settings)}
    for folder in folders():
        classes = [cls for cls in registry().values() if cls.folder == folder]
        if classes:
            stream.write(f"{folder}\n")
        for cls in classes:
            pattern = configured(settings, cls)
            action = pattern.action if cls.name in chosen or pattern.action is Action.OFF else "not selected"
            stream.write(f"  {cls.name:34} {pattern.severity!s:8} {action!s:12} {title(cls)}{MARK[cls.basis]}\n")
    stream.write(LEGEND)
