"""PostgreSQL refuses to run as root: which account it runs as instead."""

from __future__ import annotations

import os

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.server.account import Account

_PREFERRED = ("postgres", "nobody")


def server_account() -> Account:
    """The current account; for root ``postgres``, or ``nobody``, or the first account that is not root.

    Raises PgPatternsError if there is no such account.
    """
    uid = os.geteuid()
    if uid:
        return Account(uid, os.getegid(), str(uid))
    import pwd  # only on Unix; other systems get here never, since their checks need --server

    for name in _PREFERRED:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    for entry in pwd.getpwall():
        if entry.pw_uid:
            return Account(entry.pw_uid, entry.pw_gid, entry.pw_name)
    raise PgPatternsError(
        "PostgreSQL does not run as root, and this machine has no other account. "
        "Way out: run as another user, or name a running server by --server URL or PGPATTERNS_SERVER."
    )
