"""A second run of pgfix has nothing to do, and what the first one wrote is the models' state as well."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.fix import model_styles
from tests.fix.model_files import WRITE_SQL, project_of
from tests.projects import Project, make


def files(project: Project) -> dict[str, bytes]:
    paths = (path for path in project.folder.rglob("*") if path.suffix in (".py", ".toml", ".txt"))
    return {str(path.relative_to(project.folder)): path.read_bytes() for path in paths}


@pytest.mark.long
@pytest.mark.parametrize("count", [12, pytest.param(101, marks=pytest.mark.long)])
@pytest.mark.parametrize("chosen", [("--all",), ("--select", "indexes,types")], ids=" ".join)
def test_a_second_run_changes_nothing(count: int, chosen: tuple[str, ...], tmp_path: Path) -> None:
    project = project_of(tmp_path, count)
    before = files(project)
    first = project.alembic("pgfix", *chosen, "--models")
    after = files(project)
    assert len(after) > len(before), first.stderr
    assert "Models and database agree" in first.stdout, first.stdout
    second = project.alembic("pgfix", *chosen, "--models")
    assert files(project) == after, second.stdout
    assert "pgfix: 0 findings fixed" in second.stdout, second.stderr
    assert second.returncode in (0, 1)


@pytest.mark.long
@pytest.mark.parametrize("count", [104])
def test_files_in_every_style_keep_their_form(count: int, tmp_path: Path) -> None:
    """Each style in four dresses: what is edited keeps its form, what is not is said, and a second run does nothing."""
    project = make(tmp_path)
    project.write("shop/base.py", model_styles.BASE)
    author = "class Author(Base):\n    __tablename__ = 'author'\n    id = mapped_column(BigInteger, primary_key=True)\n"
    project.write("shop/author.py", model_styles.HEAD.format(n=0, future="") + author)
    styles, dresses = [*model_styles.EDITED, *model_styles.LEFT], [*model_styles.DRESSES]
    chosen = [(style, dresses[(n * 4 + k) % len(dresses)]) for n, style in enumerate(styles) for k in range(4)][:count]
    made = [model_styles.dressed(tmp_path, number, *item) for number, item in enumerate(chosen)]
    imports = "".join(f"import shop.{name}\n" for name in ("author", *(file.path.stem for file in made)))
    project.write("shop/__init__.py", f"from shop.base import Base\n{imports}")
    project.env("import sys; sys.path.insert(0, '.')\nfrom shop import Base\ntarget_metadata = Base.metadata")
    show = [sys.executable, "-c", WRITE_SQL]
    project.sql("a1", subprocess.run(show, cwd=tmp_path, capture_output=True, text=True, check=True).stdout)
    first = project.alembic("pgfix", "--all", "--models")
    assert first.returncode == 1, first.stderr
    assert [(file.style, file.dress, file.faults()) for file in made if file.faults()] == []
    changed = {file.style for file in made if file.path.read_bytes() != file.data}
    assert changed == set(model_styles.EDITED) & {file.style for file in made}
    for file in made:
        assert (f"public.{file.path.stem}" in first.stdout) or file.style in changed, file
    after = files(project)
    second = project.alembic("pgfix", "--all", "--models")
    assert files(project) == after and "pgfix: 0 findings fixed" in second.stdout, second.stderr
