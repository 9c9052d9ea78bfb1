"""An account that PostgreSQL runs as, and what that account can reach."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that the server runs as."""

    uid: int
    gid: int
    name: str

    def switch(self) -> dict[str, Any]:
        """The arguments of ``Popen`` that start a program as this account; none if it is the current account."""
        if self.uid == os.geteuid():
            return {}
        # Without extra_groups the program would keep root's other groups, such as disk.
        return {"user": self.uid, "group": self.gid, "extra_groups": []}

    def reaches(self, path: Path) -> bool:
        """Whether the permission bits let the account use ``path`` (read a file, enter a folder)."""
        path = path.resolve()
        return all(self._may(place, stat.S_IXOTH) for place in path.parents) and (
            self._may(path, stat.S_IXOTH if path.is_dir() else stat.S_IROTH)
        )

    def _may(self, path: Path, bit: int) -> bool:
        try:
            facts = path.stat()
        except OSError:
            return False
        if facts.st_uid == self.uid:
            bit <<= 6
        elif facts.st_gid == self.gid:
            bit <<= 3
        return bool(facts.st_mode & bit)
