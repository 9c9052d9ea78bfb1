"""What holds for every pattern of revisions: its examples are run, one fires, one does not."""

from __future__ import annotations

import inspect
import textwrap
from pathlib import Path
from typing import Any

import pytest

from alembic_pgpatterns.patterns import HistoryPattern, RevisionPattern, registry
from tests import projects
from tests.messages import hold_messages
from tests.tracing import findings, trace

PATTERNS = [pattern for pattern in registry().values() if issubclass(pattern, RevisionPattern)]
SERVERS = ("traced_server", "old_traced_server")


def on_servers(first: str) -> list[Any]:
    """Each pattern on both servers, one of them in the long run: bad examples begin on one, good ones on the other."""
    return [
        pytest.param(pattern, server, id=f"{pattern.name}-{server}", marks=() if server == first else pytest.mark.long)
        for pattern in PATTERNS
        for server in SERVERS
    ]


HEADER = 'from alembic import op\nimport sqlalchemy as sa\n\nrevision = "r1"\ndown_revision = "r0"\n\n\n'
NOTHING = "\n\ndef downgrade():\n    raise NotImplementedError\n"


def example(folder: Path, pattern: type[RevisionPattern], body: str) -> projects.Project:
    project = projects.make(folder)
    project.sql("r0", inspect.cleandoc(pattern.existing))
    source = textwrap.dedent(body).strip() + "\n"
    project.write("migrations/versions/r1.py", HEADER + source + ("" if "def downgrade" in source else NOTHING))
    return project


@pytest.mark.parametrize(("pattern", "fixture"), on_servers("traced_server"))
def test_bad_fires(pattern, fixture, tmp_path, request) -> None:
    traced = trace(example(tmp_path, pattern, pattern.bad), request.getfixturevalue(fixture), ["r1"])
    found = findings(pattern, traced.runs)
    assert found, "bad does not fire"
    assert {finding.revision for finding in found} == {"r1"}
    assert len({finding.fingerprint for finding in found}) == len(found)
    for finding in found:
        assert finding.location is not None
        assert finding.location.path == "migrations/versions/r1.py"
        line = (tmp_path / finding.location.path).read_text().splitlines()[finding.location.line - 1]
        assert "op." in line or "def downgrade" in line
    if fixture == "traced_server":
        hold_messages(pattern.name, found)


@pytest.mark.parametrize(("pattern", "fixture"), on_servers("old_traced_server"))
def test_good_is_silent_for_all_patterns(pattern, fixture, tmp_path, request) -> None:
    """What a page proposes must not be what another page warns of."""
    traced = trace(example(tmp_path, pattern, pattern.good), request.getfixturevalue(fixture), ["r1"])
    assert traced.skipped == ()
    assert [finding for one in PATTERNS for finding in findings(one, traced.runs)] == []


@pytest.mark.parametrize(
    "pattern", [pytest.param(p, id=p.name) for p in registry().values() if issubclass(p, HistoryPattern)]
)
def test_patterns_of_histories_have_examples(pattern: type[HistoryPattern]) -> None:
    assert pattern.bad.strip()
    assert pattern.good.strip()
