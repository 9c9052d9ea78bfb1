"""Whether models and database agree after a fix, by the check itself, in a process that imports the changed models.

Python cannot import a module a second time, so this needs a new process. It gets plain data, calls `check` and returns
plain data. The changed sources are not on the disk yet: the import system reads them from memory.
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
"""The module whose `main` is the process: only the commands may create a configuration of Alembic."""


FLASK = "pgpatterns_flask"
"""In a Config's attributes: how the program ``flask`` started the command, in plain data."""


@dataclass(frozen=True)
class Drifted:
    """One difference: the object, and the difference in words."""

    object: str
    message: str


@dataclass(frozen=True)
class Request:
    """What the process has to check.

    Attributes:
        ini, toml: Alembic's configuration files.
        section: Alembic's section.
        x: the values of Alembic's ``-x``.
        versions: the version locations, with that of the new revisions.
        flags: settings of the command, as text.
        baseline: a file with the baseline as it will be; None for the project's own.
        path: where Python looks for modules.
        sources: changed sources, by the path that Python imports them from.
        flask: how ``flask`` started the command; None: ``alembic`` did.
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
    flask: Mapping[str, str] | None = None


def drift_after(request: Request) -> tuple[Drifted, ...]:
    """The differences between models and database at head.

    Raises:
        PgPatternsError: the check could not be done completely, for example because the models cannot be imported.
    """
    # -P: else the current folder would come first on sys.path, and a logging.py of the project before Python's.
    command = [sys.executable, "-P", "-c", f"from {PROCESS} import main; main()"]
    # What it compiles is not in the files yet: __pycache__ must not get it.
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
        _, error_output = process.communicate(json.dumps(vars(request)).encode())
        text = answer.read()
    return _drifts(text, error_output.decode("utf-8", "replace"))


def _drifts(answer: str, error_output: str) -> tuple[Drifted, ...]:
    try:
        result = json.loads(answer)
    except ValueError:
        result = {"failure": error_output.strip() or "the process that imports the models ended without an answer"}
    if "failure" in result:
        raise PgPatternsError(f"After the change the check fails, so nothing was changed:\n{result['failure']}")
    return tuple(Drifted(**item) for item in result["drift"])


def read_from_memory(sources: Mapping[str, bytes]) -> None:
    """Make Python compile modules from these sources instead of the files of the same path, and ignore cached code."""
    stock: Any = importlib.machinery.SourceFileLoader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, fullname: str) -> CodeType | None:
        source = sources.get(os.path.realpath(self.get_filename(fullname)))
        if source is None:
            code: CodeType | None = stock(self, fullname)
            return code
        return compile(source, self.get_filename(fullname), "exec", dont_inherit=True)

    importlib.machinery.SourceFileLoader.get_code = get_code  # type: ignore
