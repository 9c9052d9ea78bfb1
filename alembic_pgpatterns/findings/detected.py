"""What one pattern finds. Its code may be a plugin's, and may raise anything."""

from __future__ import annotations

from typing import Any

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.patterns import Finding, PatternFailed, problem_of


def detected(pattern: Any, *seen: Any) -> list[Finding]:
    """The findings of a pattern that has a method `detect`, on what its kind of pattern looks at.

    Raises:
        PgPatternsError: the pattern failed. To continue would mean to report "ok" without a check.
    """
    try:
        # As a list here: most patterns are generators, which fail only when they are read.
        findings = list(pattern.detect(*seen))
    except PgPatternsError:
        raise
    except Exception as error:
        message = str(error) if isinstance(error, PatternFailed) else f"{type(error).__name__}: {error}"
        # A pattern of somebody else's is theirs to correct.
        is_builtin = type(pattern).__module__.startswith("alembic_pgpatterns.")
        what_to_do = "please report it. Until it is fixed" if is_builtin else "correct it. Until then"
        raise PgPatternsError(
            f"The pattern {pattern.name} failed: {message}. This is a mistake in the pattern; {what_to_do}, "
            f"leave the pattern out: --ignore {pattern.name}."
        ) from error
    for finding in findings:
        problem = problem_of(pattern.name, finding)
        if problem is not None:
            raise PgPatternsError(problem)
    return findings
