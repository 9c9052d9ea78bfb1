"""Statements that cure what is wrong with privileges and row security, and those that take them back."""

from __future__ import annotations

from collections.abc import Sequence

from alembic_pgpatterns.remedies.model import Advice, Remedy, Statements
from alembic_pgpatterns.remedies.model_line import repr_double
from alembic_pgpatterns.schema.model import DefaultPrivilege, Function, Grant, Name, Policy
from alembic_pgpatterns.schema.names import quote

PUBLIC = "PUBLIC"


def alter_policy(policy: Policy, using: str | None, check: str | None) -> Statements:
    """ALTER POLICY to other expressions; those that stay the same are not named. Takes ACCESS EXCLUSIVE, briefly."""
    new = {"USING": (policy.using, using), "WITH CHECK": (policy.check, check)}
    changed = {clause: pair for clause, pair in new.items() if pair[0] != pair[1]}
    head = f"ALTER POLICY {quote(policy.name)} ON {policy.table}"
    up = " ".join([head, *(f"{clause} ({after})" for clause, (_, after) in changed.items())])
    down = " ".join([head, *(f"{clause} ({before})" for clause, (before, _) in changed.items())])
    return Statements((up,), (down,), model=_declaration(policy, using, check))


def _declaration(policy: Policy, using: str | None, check: str | None) -> str:
    """The policy as this package's construct in ``__table_args__``."""
    arguments = [
        repr_double(policy.name),
        f"using={repr_double(using)}" if using else "",
        f"with_check={repr_double(check)}" if check else "",
        f"command={repr_double(policy.command)}" if policy.command != "ALL" else "",
        f"roles=({', '.join(map(repr_double, policy.roles))},)" if policy.roles != (PUBLIC,) else "",
        "" if policy.permissive else "permissive=False",
    ]
    return f"Policy({', '.join(part for part in arguments if part)})"


def row_security(table: Name, verb: str, back: str, model: str) -> Statements:
    """ALTER TABLE … ENABLE or FORCE ROW LEVEL SECURITY. Takes ACCESS EXCLUSIVE, briefly."""
    up, down = (f"ALTER TABLE {table} {word} ROW LEVEL SECURITY" for word in (verb, back))
    return Statements((up,), (down,), model=model)


def set_search_path(function: Function, path: Sequence[str], old: Sequence[str] | None) -> Statements:
    """ALTER FUNCTION … SET search_path. Locks nothing that a caller waits for.

    Args:
        function: a function or procedure.
        path: its schemas from now on.
        old: those it has; None where it has no search_path of its own.
    """
    head = f"ALTER {'PROCEDURE' if function.kind == 'p' else 'FUNCTION'} {function.identifier}"
    back = "RESET search_path" if old is None else f"SET search_path TO {_path(old)}"
    return Statements((f"{head} SET search_path TO {_path(path)}",), (f"{head} {back}",))


def _path(schemas: Sequence[str]) -> str:
    """An identifier cannot be empty; a string may be."""
    return ", ".join(quote(name) if name else "''" for name in schemas)


def security_invoker(view: Name) -> Statements:
    """ALTER VIEW … SET (security_invoker). Takes ACCESS EXCLUSIVE on the view, briefly."""
    head = f"ALTER VIEW {view}"
    return Statements((f"{head} SET (security_invoker = true)",), (f"{head} RESET (security_invoker)",))


def revoke(grants: Sequence[Grant], on: str, owner: str) -> Remedy:
    """REVOKE of privileges that PUBLIC has on one object.

    Args:
        grants: the privileges.
        on: the object with its kind, as SQL.
        owner: of the object, in whose name PostgreSQL revokes.
    """
    listed = ", ".join(map(privilege, grants))
    if any(grant.grantor != owner for grant in grants):
        grantors = ", ".join(sorted({quote(grant.grantor) for grant in grants}))
        return Advice(f"REVOKE {listed} ON {on} FROM PUBLIC as {grantors}: a privilege is revoked by who granted it.")
    return Statements((f"REVOKE {listed} ON {on} FROM PUBLIC",), (f"GRANT {listed} ON {on} TO PUBLIC",))


def privilege(grant: Grant) -> str:
    """The privilege as SQL, with its column."""
    return grant.privilege if grant.column is None else f"{grant.privilege} ({quote(grant.column)})"


def revoke_default(privileges: Sequence[DefaultPrivilege]) -> Statements:
    """ALTER DEFAULT PRIVILEGES … REVOKE, of one entry. What exists keeps its privileges."""
    entry = privileges[0]
    where = f" IN SCHEMA {quote(entry.schema)}" if entry.schema is not None else ""
    head = f"ALTER DEFAULT PRIVILEGES FOR ROLE {quote(entry.owner)}{where}"
    listed = ", ".join(privilege.privilege for privilege in privileges)
    privileges_on = f"{listed} ON {entry.target.upper()}S"
    return Statements((f"{head} REVOKE {privileges_on} FROM PUBLIC",), (f"{head} GRANT {privileges_on} TO PUBLIC",))
