"""Numbers with the thing that they count: "1 table", "2 tables"."""

from __future__ import annotations


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
