"""The programs of one PostgreSQL installation."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Binaries:
    """The PostgreSQL programs of one installation.

    ``version`` is the program's ``server_version_num`` (180006 for 18.6); ``source`` is for messages.
    """

    directory: Path
    version: int
    source: str

    @property
    def postgres(self) -> Path:
        """The server program."""
        return self.directory / "postgres"

    @property
    def initdb(self) -> Path:
        """The program that makes a new cluster."""
        return self.directory / "initdb"
