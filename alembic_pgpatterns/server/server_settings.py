"""The configuration of the throw-away PostgreSQL: fast, small, quiet. No file must survive, so nothing is synced."""

from __future__ import annotations

from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    # Its locks would mix with those of a revision, and an ANALYZE at a random moment would change plans.
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "1GB",
    "min_wal_size": "2MB",
    # A whole history may run in one transaction, which holds several locks per table until its end.
    "max_locks_per_transaction": "1024",
    # /dev/shm of a container has 64 MB. A file in the data folder has the whole disk, and is deleted with it.
    "dynamic_shared_memory_type": "mmap",
    # Compiling takes longer than these statements.
    "jit": "off",
    # If the system kills a server process for lack of memory, end: after a restart only half of the state is there.
    "restart_after_crash": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
    # The tracer and the explanations read the messages.
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # No server answers a subscription here; its workers would only fill the log.
    "max_logical_replication_workers": "0",
}
"""Settings by name; the caller's have priority over them."""

OWN_SESSION: Mapping[str, str] = {
    "client_encoding": "utf8",
    "options": " ".join(
        f"-c {name}={value}"
        for name, value in {
            "DateStyle": "ISO",
            "IntervalStyle": "postgres",
            "bytea_output": "hex",
            "default_transaction_read_only": "off",
            "lock_timeout": "0",
            "quote_all_identifiers": "off",
            "session_replication_role": "origin",
            "standard_conforming_strings": "on",
            "statement_timeout": "0",
        }.items()
    ),
}
"""For the check's own sessions: a revision may set other values for a role or a database, whose sessions begin so."""
