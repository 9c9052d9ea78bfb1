"""The files of another release in the place of the repository's: what env.py imports, it imports from them."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import ModuleType


def use_release(root: str, copy: str) -> None:
    """Import from a copy what would be imported from the repository.

    Args:
        root: of the repository.
        copy: the folder with the files of the release, which are laid out as in the repository.
    """
    files = _ReleaseFiles(Path(root).resolve(), Path(copy))
    moved = [files.counterpart(Path(entry)) for entry in sys.path if entry]
    sys.path[:0] = [str(folder) for folder in moved if folder is not None and folder.is_dir()]
    # An installation that is editable may find its packages without sys.path (setuptools, "Development Mode").
    sys.meta_path.insert(0, files)


class _ReleaseFiles:
    """Finds packages and modules in the copy, wherever the installed finders look for them in the repository."""

    def __init__(self, root: Path, copy: Path) -> None:
        self._root, self._copy = root, copy

    def counterpart(self, path: Path) -> Path | None:
        """The same place in the copy; None if it is not in the repository."""
        try:
            return self._copy / path.resolve().relative_to(self._root)
        except ValueError:
            return None

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module in the copy; None for what is none of the repository's, and for what only the new release has."""
        if path is not None:
            return None  # the package is found, and says where its modules are
        folder = self._folder_of(name, target)
        if folder is None:
            return None
        # A release may have had its packages elsewhere.
        return PathFinder.find_spec(name, [str(folder), str(self._copy / "src"), str(self._copy)], target)

    def _folder_of(self, name: str, target: ModuleType | None) -> Path | None:
        """The folder of the copy in the place of the one where a module of the repository is."""
        for finder in sys.meta_path:
            find = getattr(finder, "find_spec", None)
            spec = find(name, None, target) if find is not None and finder is not self else None
            if spec is not None:
                return self.counterpart(_place(spec)) if _has_place(spec) else None
        return None


def _has_place(spec: ModuleSpec) -> bool:
    return spec.has_location or bool(spec.submodule_search_locations)


def _place(spec: ModuleSpec) -> Path:
    """The folder that a top-level module or package is in."""
    if spec.submodule_search_locations:
        return Path(next(iter(spec.submodule_search_locations))).parent
    return Path(str(spec.origin)).parent
