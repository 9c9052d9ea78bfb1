"""How the throw-away PostgreSQL is configured: fast, small, quiet. Nothing survives a run, so nothing is synced."""

from __future__ import annotations

from collections.abc import Mapping

SETTINGS: Mapping[str, str] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "checkpoint_timeout": "1h",
    "max_wal_size": "1GB",
    "min_wal_size": "2MB",
    # A whole history may run in one transaction, and each of its tables holds several locks until the end.
    "max_locks_per_transaction": "1024",
    # /dev/shm of a container has 64 MB; a file in the data folder has the disk, and goes with it.
    "dynamic_shared_memory_type": "mmap",
    "jit": "off",
    # When the system kills one of its processes for want of memory, end: what we would go on with is half a state.
    "restart_after_crash": "off",
    "logging_collector": "off",
    "log_checkpoints": "off",
    "lc_messages": "C",
    "timezone": "UTC",
    "log_timezone": "UTC",
    # Nobody answers where a subscription would connect to; its workers would only fill the log.
    "max_logical_replication_workers": "0",
}
"""By name; what a caller asks for wins over them."""
