"""What is known of a revision without running it."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest

from alembic_pgpatterns.controller.history import History, read_without_running

HEADER = "revision = 'r1'\ndown_revision = None\n\ndef upgrade():\n    pass\n\n"


@pytest.mark.parametrize(
    ("downgrade", "refuses"),
    [
        ("def downgrade():\n    raise Exception('not supported')\n", True),
        ("def downgrade():\n    raise NotImplementedError\n", True),
        ('def downgrade():\n    """The rows are gone."""\n    raise RuntimeError("why")\n', True),
        ("async def downgrade():\n    raise RuntimeError\n", True),
        ("def downgrade():\n    op.drop_table('a')\n    raise RuntimeError\n", False),
        ("def downgrade():\n    if rows():\n        raise RuntimeError\n", False),
        ("def downgrade():\n    pass\n", False),
        ('def downgrade():\n    """Nothing to do."""\n', False),
        ("", False),
    ],
)
def test_a_downgrade_that_only_raises(downgrade: str, refuses: bool, tmp_path: Path) -> None:
    """It is not run, whatever arguments env.py would give it."""
    path = tmp_path / "r1.py"
    path.write_text(HEADER + textwrap.dedent(downgrade))
    facts = read_without_running([str(path)])
    assert facts is not None
    (revision,) = History(facts).revisions
    assert (revision.refuses_downgrade, revision.upgrade_line) == (refuses, 4)
    assert revision.downgrade_line == (7 if downgrade else 1)


@pytest.mark.parametrize(
    "line",
    [
        "if True:\n    down_revision = 'r0'\n",
        "down_revision, other = 'r0', 1\n",
        "from elsewhere import parent as down_revision\n",
        "for down_revision in ('r0',):\n    pass\n",
        "down_revision += '0'\n",
        "(down_revision := 'r0')\n",
    ],
)
def test_what_is_set_in_another_way_is_not_guessed(line: str, tmp_path: Path) -> None:
    """Only running the file shows it. A guess would be: the first revision of a history of its own."""
    path = tmp_path / "r1.py"
    path.write_text("revision = 'r1'\n" + line)
    assert read_without_running([str(path)]) is None


def test_names_within_functions_are_nobodys_revision(tmp_path: Path) -> None:
    path = tmp_path / "r1.py"
    path.write_text(HEADER + "def downgrade():\n    revision = 1\n")
    assert read_without_running([str(path)]) is not None
