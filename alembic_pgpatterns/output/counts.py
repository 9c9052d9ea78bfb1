"""Numbers with the thing that they count, "1 table", "2 tables", and lists that are cut: "a, b and 2 more"."""

from __future__ import annotations

from collections.abc import Sequence


def counted(number: int, plural: str, singular: str = "") -> str:
    """The number and the thing's name, which is singular for one.

    Args:
        number: how many.
        plural: the name for several, such as "tables" or "findings accepted".
        singular: the name for one, if it is not the plural's first word without its "s".
    """
    if number != 1:
        return f"{number} {plural}"
    first, *others = plural.split(" ")
    return f"1 {singular or ' '.join([first.removesuffix('s'), *others])}"


def listed(names: Sequence[object], most: int = 3) -> str:
    """The first names, and how many more there are.

    Args:
        names: each is shown as str() writes it.
        most: how many are shown.
    """
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(map(str, names[:most])) + more
