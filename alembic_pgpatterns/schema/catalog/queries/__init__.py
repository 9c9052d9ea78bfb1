"""The catalog reader's SQL, one constant per query, for PostgreSQL 13 and later.

Every value is cast to bool, int8, text or an array of these: drivers read oid, name, "char" and int2vector differently.
``<<18: a | b>>`` is ``a`` from PostgreSQL 18 on and ``b`` before. Objects of users have oids from 16384 on
(FirstNormalObjectId, docs "Object Identifier Types").
"""

from __future__ import annotations

import re

# By version and not by looking for the column: the queries stay constants that can be read and tested as they are.
_CHOICE = re.compile(r"<<(\d+): (.*?) \| (.*?)>>")


def for_version(query: str, version: int) -> str:
    """The query for a server's major version."""
    return _CHOICE.sub(lambda choice: choice[2] if version >= int(choice[1]) else choice[3], query)
