"""Whether the files of a run may be in memory: a server has a thousand small files that come and go."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path("/dev/shm")
"""A folder that Linux keeps in memory; a run needs about 100 MB of it."""

_PLENTY = 4 << 30


def memory_folder() -> Path | None:
    """`FOLDER` if there is plenty of memory and TMPDIR is not set; else None."""
    if "TMPDIR" in os.environ or not FOLDER.is_dir() or not os.access(FOLDER, os.W_OK | os.X_OK):
        return None
    return FOLDER if min(_free(), default=0) > _PLENTY else None


def _free() -> Iterator[int]:
    """Free bytes by each of the three limits: the folder's own size, the machine's memory, the container's."""
    with contextlib.suppress(OSError):
        yield shutil.disk_usage(FOLDER).free
    with contextlib.suppress(OSError, ValueError, IndexError):
        lines = Path("/proc/meminfo").read_text().splitlines()
        yield from (int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    # "max" means no limit (kernel docs, "Control Group v2", memory.max).
    with contextlib.suppress(OSError, ValueError):
        group = Path("/sys/fs/cgroup")
        yield int((group / "memory.max").read_text()) - int((group / "memory.current").read_text())
