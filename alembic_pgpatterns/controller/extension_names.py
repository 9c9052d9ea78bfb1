"""Which extension has a function, type or operator class that a statement misses."""

from __future__ import annotations

import re

from alembic_pgpatterns.runner.messages import Failure

_OBJECTS = {
    "citext": ("citext",),
    "cube": ("cube",),
    "fuzzystrmatch": ("levenshtein", "soundex", "metaphone", "dmetaphone", "daitch_mokotoff"),
    "hstore": ("hstore", "hstore_to_json", "hstore_to_jsonb"),
    "ltree": ("ltree", "lquery", "ltxtquery", "nlevel", "subpath", "text2ltree"),
    "pg_trgm": (
        "gin_trgm_ops",
        "gist_trgm_ops",
        "similarity",
        "word_similarity",
        "strict_word_similarity",
        "show_trgm",
    ),
    "pgcrypto": ("crypt", "gen_salt", "digest", "hmac", "gen_random_bytes", "armor", "pgp_sym_encrypt"),
    "postgis": ("geometry", "geography", "box2d", "box3d"),
    "timescaledb": (
        "create_hypertable",
        "time_bucket",
        "add_retention_policy",
        "add_compression_policy",
        "add_continuous_aggregate_policy",
    ),
    "unaccent": ("unaccent",),
    "uuid-ossp": tuple(f"uuid_generate_{version}" for version in ("v1", "v1mc", "v3", "v4", "v5")),
    "vector": ("vector", "halfvec", "sparsevec"),
}
"""PostgreSQL's docs, appendix F, and the pages of PostGIS, TimescaleDB and pgvector.

Names that nothing else is likely to have.
"""
_BY_OBJECT = {name: extension for extension, names in _OBJECTS.items() for name in names}
_MISSING = re.compile(r'\b(?:function|type|operator class) "?(?:\w+\.)?(\w+)')
"""By its words: the message has no field for the name of a missing function."""
UNDEFINED_FUNCTION, UNDEFINED_OBJECT = "42883", "42704"


def missing_extension(failure: Failure) -> str | None:
    """The extension that has what a failed statement misses; None if that is something else."""
    if failure.sqlstate not in (UNDEFINED_FUNCTION, UNDEFINED_OBJECT):
        return None
    names = (match[1].lower() for text in failure.texts for match in _MISSING.finditer(text))
    return next((_BY_OBJECT[name] for name in names if name in _BY_OBJECT), None)
