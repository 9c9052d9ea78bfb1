"""Whether what a pattern yields is a finding. A plugin may yield anything."""

from __future__ import annotations

from alembic_pgpatterns.patterns._base import Finding
from alembic_pgpatterns.remedies.model import Remedy


class PatternFailed(Exception):
    """A plugin's pattern failed in its own process. The message: type, text, file and line of the error."""


def problem_of(pattern: str, finding: object) -> str | None:
    """What is wrong with a finding; None if nothing is.

    Later steps rely on the types: a plugin whose remedy is a text would fail there, and nobody would know where.

    Args:
        pattern: the name of the pattern.
        finding: what its `detect` gave.
    """
    if not isinstance(finding, Finding):
        problem = f"`detect` gave {_shown(finding)}. It must give what self.finding() returns"
    elif finding.remedy is not None and not isinstance(finding.remedy, Remedy):
        problem = (
            f"the remedy of its finding about {finding.object} is {_shown(finding.remedy)}. It must be one of "
            "alembic_pgpatterns.remedies.model: Advice(TEXT) for words, Statements((SQL,)) for SQL"
        )
    else:
        return None
    return (
        f"The pattern {pattern} is not right: {problem}. Until it is corrected, leave the pattern out: "
        f"--ignore {pattern}."
    )


def _shown(value: object) -> str:
    return f"{repr(value)[:80]} ({type(value).__name__})"
