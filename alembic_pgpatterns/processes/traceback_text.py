"""Find the line that a process is at, in faulthandler's text."""

from __future__ import annotations

import re
import sysconfig
from pathlib import Path

_FRAME = re.compile(r'^  File "(.+)", line (\d+) in ', re.MULTILINE)
_THREAD = re.compile(r"^(?:Current thread|Thread) 0x", re.MULTILINE)
_FOREIGN = ("site-packages", "dist-packages")
_PACKAGE = str(Path(__file__).parents[1])


def place(text: str, preferred: str | None) -> tuple[str, int] | None:
    """The innermost line of the project's own code: file and line.

    Args:
        text: faulthandler's, for all threads; the main thread is the last one.
        preferred: the file that is known to run; a line in it has priority.
    """
    frames = [(match[1], int(match[2])) for match in _FRAME.finditer(_THREAD.split(text)[-1])]
    of_project = [frame for frame in frames if _is_of_project(frame[0])]
    first = of_project[0] if of_project else ("", 0)
    path, line = next((frame for frame in of_project if frame[0] == preferred), first)
    return (path, line) if path else None


def _is_of_project(path: str) -> bool:
    if path.startswith(("<", _PACKAGE, sysconfig.get_path("stdlib"))):
        return False
    return not any(part in _FOREIGN for part in Path(path).parts)
