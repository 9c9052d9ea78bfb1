"""Names of privileges, and the difference between declared privileges and those in an access list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from alembic_pgpatterns import errors
from alembic_pgpatterns.operations.support.template import Sql

if TYPE_CHECKING:
    from sqlalchemy import Row

PRIVILEGES = frozenset(
    (
        "ALL",
        "SELECT",
        "INSERT",
        "UPDATE",
        "DELETE",
        "TRUNCATE",
        "REFERENCES",
        "TRIGGER",
        "MAINTAIN",
        "USAGE",
        "CREATE",
        "CONNECT",
        "TEMPORARY",
        "EXECUTE",
    )
)


class AclChange(NamedTuple):
    """A change to make: grant privileges to a role, or revoke them."""

    grant: bool
    privileges: tuple[str, ...]
    role: str
    grant_option: bool


def privilege_names(privileges: str | Iterable[str]) -> tuple[str, ...]:
    """The names in upper case, in the given order.

    Raises:
        PgPatternsError: a name is not a privilege, or there is no name.
    """
    as_given = (privileges,) if isinstance(privileges, str) else tuple(privileges)
    names = tuple("TEMPORARY" if name.upper() == "TEMP" else name.upper() for name in as_given)
    unknown = [name for name in names if name not in PRIVILEGES]
    if unknown or not names:
        raise errors.PgPatternsError(
            f"{', '.join(unknown) or 'nothing'} is not a privilege; expected are {', '.join(sorted(PRIVILEGES))}"
        )
    return names


def role_names(roles: str | Iterable[str]) -> tuple[str, ...]:
    """A tuple, also for a single name."""
    return (roles,) if isinstance(roles, str) else tuple(roles)


def privilege_sql(privileges: Sequence[str]) -> Sql:
    """The names as SQL. They come from `PRIVILEGES`, so they need no quoting."""
    return Sql(", ".join("ALL PRIVILEGES" if name == "ALL" else name for name in privileges))


ACL = """
    CASE a.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(a.grantee) END AS role,
    a.privilege_type AS privilege, a.is_grantable AS grantable
"""
"""Columns of a query over ``aclexplode(...) a``, for `held`."""


def held(rows: Iterable[Row[tuple[str, str, bool]]]) -> dict[str, dict[str, bool]]:
    """By role and privilege: whether the role may grant it to others."""
    privileges_of: dict[str, dict[str, bool]] = {}
    for row in rows:
        privileges_of.setdefault(row.role, {})[row.privilege] = row.grantable
    return privileges_of


def changes(
    role: str, expected: dict[str, bool], actual: dict[str, bool], everything: frozenset[str]
) -> Iterator[AclChange]:
    """The changes from the *actual* privileges of a role to the *expected* ones.

    Args:
        role: the role.
        expected: by privilege, whether the role may grant it to others.
        actual: the same, for the privileges that the role has now.
        everything: what ALL means for this kind of object.
    """
    for option in (False, True):
        missing = {p for p, o in expected.items() if o is option and (p not in actual or (o and not actual[p]))}
        if missing:
            yield AclChange(True, _summary(missing, everything), role, option)
    extra = {p for p in actual if p not in expected}
    if extra:
        yield AclChange(False, _summary(extra, everything), role, False)
    option_only = {p for p, o in actual.items() if o and expected.get(p) is False}
    if option_only:
        yield AclChange(False, _summary(option_only, everything), role, True)


def _summary(privileges: set[str], everything: frozenset[str]) -> tuple[str, ...]:
    return ("ALL",) if privileges == everything else tuple(sorted(privileges))


def expanded(privileges: Iterable[str], everything: frozenset[str]) -> set[str]:
    """The privileges, with ALL replaced by everything that it means."""
    names = {"TEMPORARY" if name == "TEMP" else name for name in privileges}
    return set(everything) if "ALL" in names else names
