"""Whether models and database agree after a fix, by the check itself, where the changed models are imported afresh.

Modules that are imported cannot be imported a second time, so this runs in a process of its own. It gets plain data,
calls `check` and gives plain data back. The changed sources are not on the disk yet: the import system reads them from
memory.
"""

from __future__ import annotations

import importlib.machinery
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import CodeType
from typing import Any

from alembic_pgpatterns.errors import PgPatternsError

PROCESS = "alembic_pgpatterns.cli.check_models"
"""The module whose `main` is the process: only the commands may make a configuration of Alembic's."""


@dataclass(frozen=True)
class Drifted:
    """One difference: what it is about, and in words."""

    object: str
    message: str


@dataclass(frozen=True)
class Request:
    """What the process is to check.

    Attributes:
        ini, toml: Alembic's configuration files.
        section: Alembic's section.
        x: the values of Alembic's ``-x``.
        versions: the version locations, the new revisions' among them.
        flags: settings of the command, as text.
        baseline: a file with the baseline as it will be; None to use the project's.
        path: where Python looks for modules.
        sources: changed sources by the path that Python imports them from.
    """

    ini: str | None
    toml: str | None
    section: str
    x: Sequence[str]
    versions: Sequence[str]
    flags: Mapping[str, str]
    baseline: str | None
    path: Sequence[str]
    sources: Mapping[str, str]


def drift_after(request: Request) -> tuple[Drifted, ...]:
    """The differences between models and database at head.

    Raises:
        PgPatternsError: the check could not be done, or not as a whole: the models do not import any more, say.
    """
    command = [sys.executable, "-c", f"from {PROCESS} import main; main()"]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    reading, writing = os.pipe()
    try:
        process = subprocess.Popen(
            [*command, str(writing)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=(writing,),
            env=environment,
        )
    finally:
        os.close(writing)
    with os.fdopen(reading, encoding="utf-8") as answer, process:
        _, said = process.communicate(json.dumps(vars(request)).encode())
        text = answer.read()
    return _drifts(text, said.decode("utf-8", "replace"))


def _drifts(answer: str, said: str) -> tuple[Drifted, ...]:
    try:
        result = json.loads(answer)
    except ValueError:
        result = {"failure": said.strip() or "the process that imports the models ended without an answer"}
    if "failure" in result:
        raise PgPatternsError(f"After the change the check fails, so nothing was changed:\n{result['failure']}")
    return tuple(Drifted(**item) for item in result["drift"])


def read_from_memory(sources: Mapping[str, bytes]) -> None:
    """Have Python compile modules from these sources in place of the files of the same path, cached code aside."""
    stock: Any = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        source = sources.get(os.path.realpath(self.get_filename(fullname)))
        if source is None:
            code: CodeType | None = stock(self, fullname)
            return code
        return compile(source, self.get_filename(fullname), "exec", dont_inherit=True)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore
