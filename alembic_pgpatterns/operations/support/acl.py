"""Privileges: their names, and the difference between those declared and those in an access list."""

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
    """What has to be granted to (or revoked from) a role."""

    grant: bool
    privileges: tuple[str, ...]
    role: str
    grant_option: bool


def privilege_names(privileges: str | Iterable[str]) -> tuple[str, ...]:
    """Upper case, in the order given.

    Raises:
        PgPatternsError: something that is not a privilege, or none at all.
    """
    given = (privileges,) if isinstance(privileges, str) else tuple(privileges)
    names = tuple("TEMPORARY" if name.upper() == "TEMP" else name.upper() for name in given)
    unknown = [name for name in names if name not in PRIVILEGES]
    if unknown or not names:
        raise errors.PgPatternsError(
            f"{', '.join(unknown) or 'nothing'} is not a privilege; there are {', '.join(sorted(PRIVILEGES))}"
        )
    return names


def role_names(roles: str | Iterable[str]) -> tuple[str, ...]:
    """A tuple also where one name was given."""
    return (roles,) if isinstance(roles, str) else tuple(roles)


def privilege_sql(privileges: Sequence[str]) -> Sql:
    """For the statement; the names come from `PRIVILEGES`."""
    return Sql(", ".join("ALL PRIVILEGES" if name == "ALL" else name for name in privileges))


ACL = """
    CASE a.grantee WHEN 0 THEN 'public' ELSE pg_catalog.pg_get_userbyid(a.grantee) END AS role,
    a.privilege_type AS privilege, a.is_grantable AS grantable
"""
"""Columns of a query over ``aclexplode(...) a``, for `held`."""


def held(rows: Iterable[Row[tuple[str, str, bool]]]) -> dict[str, dict[str, bool]]:
    """By role and privilege, whether it may be granted on."""
    found: dict[str, dict[str, bool]] = {}
    for row in rows:
        found.setdefault(row.role, {})[row.privilege] = row.grantable
    return found


def changes(
    role: str, wanted: dict[str, bool], there: dict[str, bool], everything: frozenset[str]
) -> Iterator[AclChange]:
    """Steps from the privileges that *role* has to those it shall have; both say which may be granted on."""
    for option in (False, True):
        missing = {p for p, o in wanted.items() if o is option and (p not in there or (o and not there[p]))}
        if missing:
            yield AclChange(True, _summary(missing, everything), role, option)
    extra = {p for p in there if p not in wanted}
    if extra:
        yield AclChange(False, _summary(extra, everything), role, False)
    option_only = {p for p, o in there.items() if o and wanted.get(p) is False}
    if option_only:
        yield AclChange(False, _summary(option_only, everything), role, True)


def _summary(privileges: set[str], everything: frozenset[str]) -> tuple[str, ...]:
    return ("ALL",) if privileges == everything else tuple(sorted(privileges))


def expanded(privileges: Iterable[str], everything: frozenset[str]) -> set[str]:
    """*privileges* with ALL spelled out."""
    names = {"TEMPORARY" if name == "TEMP" else name for name in privileges}
    return set(everything) if "ALL" in names else names
