"""What the servers of these tests have beside them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder of this test's own; servers that it starts keep their files beside it."""
    folder = Path(tempfile.mkdtemp(prefix="pgtest-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)
