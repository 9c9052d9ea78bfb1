"""An application of two tables, and a way to record what it sends."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from sqlalchemy.orm import Session

from alembic_pgpatterns.workload.model import Workload
from alembic_pgpatterns.workload.recorder import Recorder
from tests.messages import held_messages

__all__ = ["held_messages", "record"]

MODELS = """
import datetime
from sqlalchemy import *
from sqlalchemy.orm import *
from sqlalchemy.dialects.postgresql import *


class Base(DeclarativeBase):
    pass

"""


@pytest.fixture
def record(
    database: Any, load_models: Callable[[str], ModuleType], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Workload]:
    """A function that makes tables of models, fills them, and records ``run(session)`` of the application's source."""

    monkeypatch.chdir(tmp_path)

    def recorded(models: str, application: str, values: str = "all") -> Workload:
        module = load_models(MODELS + models + "\n\n" + application)
        engine = database.engine()
        module.Base.metadata.drop_all(engine)
        module.Base.metadata.create_all(engine)
        if hasattr(module, "fill"):
            with Session(engine) as session:
                module.fill(session)
                session.commit()
        recorder = Recorder(tmp_path, values)
        recorder.start()
        try:
            recorder.test_begins("test_app.py::test_run", None)
            with Session(engine) as session:
                module.run(session)
            recorder.test_ends()
        finally:
            recorder.stop()
        return recorder.workload()

    return recorded
