"""The errors that an error wraps."""

from __future__ import annotations

from collections.abc import Iterator


def causes(error: BaseException | None, *, contexts: bool = True) -> Iterator[BaseException]:
    """An error and all errors that it wraps, from the outside in, each once: a project can tie them to a ring.

    ``contexts``: also those during whose handling it was raised, not only those that it was raised from.
    """
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or (error.__context__ if contexts else None)
