"""Other databases that an application's source prepares its tables for."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_OPTIONS = {
    "mysql": ("mysql_engine", "mysql_charset", "mysql_default_charset", "mysql_collate", "mysql_length"),
    "mariadb": ("mariadb_engine", "mariadb_charset", "mariadb_collate", "mariadb_length"),
    "mssql": ("mssql_clustered", "mssql_include"),
    "oracle": ("oracle_compress", "oracle_tablespace"),
}
_DATABASES = {option: database for database, options in _OPTIONS.items() for option in options}


def databases_of(source: str, tree: ast.Module) -> frozenset[str]:
    """The databases whose options of tables and indexes stand in a file, also where they are set under a condition."""
    if not any(option in source for option in _DATABASES):
        return frozenset()  # to walk the whole tree costs time
    return frozenset(_DATABASES[word] for word in _words(tree) if word in _DATABASES)


def _words(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.keyword) and node.arg is not None:
            yield node.arg
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value
