"""Reading an application's source: which files, and what is kept of them for the next time."""

from __future__ import annotations

import hashlib
import os
import pickle
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from alembic_pgpatterns.evidence.classes import Declared
from alembic_pgpatterns.evidence.model import Evidence
from alembic_pgpatterns.evidence.resolve import evidence_of
from alembic_pgpatterns.evidence.symbols import FileFacts
from alembic_pgpatterns.output.files import open_regular, read_regular

SKIPPED = frozenset(
    {
        "tests", "test", "testing", "migrations", "alembic", "versions", "node_modules", "site-packages",
        "dist-packages", "build", "dist", "venv", "env", "virtualenv", "__pycache__", "docs", "examples", "benchmarks",
    }
)  # fmt: skip
"""Folders that are not the application's own code, or do not ask production's database."""
LARGEST = 1_000_000
"""Bytes of a file above which it is taken for generated and left out."""
_WORDS = (
    b"sqlalchemy", b"sqlmodel", b"elect(", b"query", b"ilter", b"here(", b"xecute", b"olumn", b"apped", b"Table(",
    b"text(", b"epository", b"elationship", b"odels",
)  # fmt: skip
"""A file with none of these has neither a mapped class nor a query."""


def read_source(
    folders: Sequence[Path], root: Path, declared: Declared | None = None, cache: Path | None = None
) -> Evidence:
    """What the Python files below some folders ask the database. Nothing is imported.

    Args:
        folders: of the application's own packages.
        root: places are relative to it.
        declared: tables by the place of a column's declaration, from the loaded models.
        cache: a folder in which what each file says is kept; None to keep nothing.
    """
    cached = _Cache(cache, root)
    files: list[FileFacts] = []
    unread: list[str] = []
    for path in sorted(set(python_files(folders))):
        try:
            facts = cached.facts(path, shown(path, root))
        except (OSError, SyntaxError, ValueError, RecursionError) as error:
            unread.append(f"{shown(path, root)}: {type(error).__name__}: {error}")
            continue
        if facts is not None:
            files.append(facts)
    cached.write()
    return evidence_of(files, declared or {}, unread)


def python_files(folders: Iterable[Path]) -> Iterator[Path]:
    """The Python files of an application, without its tests, migrations and installed packages."""
    for folder in folders:
        for where, below, names in os.walk(folder):
            below[:] = [name for name in below if name not in SKIPPED and not name.startswith(".")]
            if "pyvenv.cfg" in names:
                below[:] = []
                continue
            for name in names:
                if name.endswith(".py") and not name.startswith("test_") and name != "conftest.py":
                    yield Path(where, name)


def shown(path: Path, root: Path) -> str:
    """The path as seen from the root, with ``..`` if it is not below it: the same on every machine."""
    try:
        return os.path.relpath(path.absolute(), root.absolute())
    except ValueError:
        return str(path.absolute())  # on another drive of Windows


def module_name(path: Path) -> str:
    """The dotted name by the folders above that are packages."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    return ".".join(parts) or path.parent.name


class _Cache:
    """What files said the last time, by a digest of their text and of this room's own source."""

    def __init__(self, folder: Path | None, root: Path) -> None:
        name = hashlib.sha256(str(root.absolute()).encode()).hexdigest()[:16]
        self._path = folder / f"{name}.pickle" if folder is not None else None
        self._before: dict[str, FileFacts | None] = _load(self._path)
        self._now: dict[str, FileFacts | None] = {}

    def facts(self, path: Path, shown: str) -> FileFacts | None:
        """What a file says; None where it can have no queries."""
        content = read_regular(path)
        if len(content) > LARGEST or not any(word in content for word in _WORDS):
            return None
        module = module_name(path)
        key = hashlib.sha256(
            b"\0".join((_READER_VERSION.encode(), module.encode(), shown.encode(), content))
        ).hexdigest()
        if key not in self._before:
            # A run for which all is kept does without the readers.
            from alembic_pgpatterns.evidence.queries import read_file

            self._before[key] = read_file(content.decode("utf-8"), shown, module)
        self._now[key] = self._before[key]
        return self._now[key]

    def write(self) -> None:
        """Keep it for the next time. A folder that cannot be written to only costs time then."""
        if self._path is None:
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            temporary = self._path.with_suffix(f".{os.getpid()}")
            temporary.write_bytes(pickle.dumps(self._now, protocol=5))
            # Two runs at a time may write it; none ever reads half a file.
            temporary.replace(self._path)
        except OSError:
            return


def _load(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        with open_regular(path) as stream:
            loaded = _PlainData(stream).load()
    # Whatever is wrong with the file: all is read again then.
    except (OSError, EOFError, pickle.UnpicklingError, AttributeError, TypeError, ValueError, IndexError):
        return {}
    return loaded if isinstance(loaded, dict) else {}


class _PlainData(pickle.Unpickler):
    """Nothing but this room's own data classes: a file that somebody put there runs no code."""

    def find_class(self, module: str, name: str) -> Any:
        """One of the classes of `symbols` and `model`."""
        if module in ("alembic_pgpatterns.evidence.symbols", "alembic_pgpatterns.evidence.model") and name[0].isupper():
            return super().find_class(module, name)
        raise pickle.UnpicklingError(f"{module}.{name}")


def _own_digest() -> str:
    files = sorted(Path(__file__).parent.glob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()


_READER_VERSION = _own_digest()
