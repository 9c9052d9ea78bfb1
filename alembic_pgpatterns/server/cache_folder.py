"""The folder for everything that is kept between runs. On every platform: autogenerate needs it, too."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs


def cache_folder() -> Path:
    """The folder for everything that is kept between runs, in the user's cache folder (or XDG_CACHE_HOME).

    For root with another user's HOME (sudo) it is in root's own home: that user could not change root's files.
    Raises OSError or RuntimeError if there is none.
    """
    folder = platformdirs.user_cache_path("alembic-pgpatterns", appauthor=False)
    if not hasattr(os, "geteuid"):  # Windows, where a user's folder is the user's own
        return folder
    if os.geteuid() == 0:
        import pwd  # only on Unix

        own_home = Path(pwd.getpwuid(0).pw_dir)
        home = Path.home()
        if home != own_home and folder.is_relative_to(home):
            folder = own_home / folder.relative_to(home)
    nearest = next(place for place in (folder, *folder.parents) if place.exists())
    # A folder of another user is not used; root also creates nothing inside one.
    if nearest.stat().st_uid != os.geteuid() and (
        nearest == folder or (os.geteuid() == 0 and not _is_for_all(nearest))
    ):
        raise PermissionError(f"the cache folder {nearest} belongs to another user")
    return folder


def _is_for_all(folder: Path) -> bool:
    """Whether everybody may create folders in it but not delete those of others, as in /tmp."""
    mode = folder.stat().st_mode
    return bool(mode & stat.S_ISVTX and mode & stat.S_IWOTH)
