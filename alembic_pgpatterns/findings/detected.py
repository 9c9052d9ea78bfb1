"""What one pattern finds. Its code may be a plugin's, and may raise anything."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import Finding
from alembic_pgpatterns.remedies.model import Remedy


def detected(pattern: Any, *seen: Any) -> list[Finding]:
    """The findings of a pattern that has a method `detect`, on what its kind of pattern looks at.

    Raises:
        PgPatternsError: the pattern failed. To continue would mean to report "ok" without a check.
    """
    try:
        # As a list here: most patterns are generators, which fail only when they are read.
        findings = list(pattern.detect(*seen))
    except Exception as error:
        raise PgPatternsError(
            f"The pattern {pattern.name} failed: {type(error).__name__}: {error}. This is a mistake in the pattern; "
            f"please report it. Until it is fixed, leave the pattern out: --ignore {pattern.name}."
        ) from error
    for finding in findings:
        _demand_finding(pattern, finding)
    return findings


def _demand_finding(pattern: Any, finding: object) -> None:
    """Later steps rely on the types: a plugin whose remedy is a text would fail there, and nobody would know where."""
    if not isinstance(finding, Finding):
        problem = f"`detect` gave {_shown(finding)}. It must give what self.finding() returns"
    elif finding.remedy is not None and not isinstance(finding.remedy, Remedy):
        problem = (
            f"the remedy of its finding about {finding.object} is {_shown(finding.remedy)}. It must be one of "
            "alembic_pgpatterns.remedies.model: Advice(TEXT) for words, Statements((SQL,)) for SQL"
        )
    else:
        return
    raise PgPatternsError(
        f"The pattern {pattern.name} is not right: {problem}. Until it is corrected, leave the pattern out: "
        f"--ignore {pattern.name}."
    )


def _shown(value: object) -> str:
    return f"{repr(value)[:80]} ({type(value).__name__})"
