"""What goes wrong in a project's own files: a clear error with its place and the way out, no secret, never "ok"."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from alembic.config import CommandLine, Config

from alembic_pgpatterns.config.reading import read_settings
from alembic_pgpatterns.config.settings import SettingsError
from alembic_pgpatterns.controller.project import Project as Loaded
from alembic_pgpatterns.errors import PgPatternsError
from tests.projects import Project, make


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with one revision, in the current folder."""
    made = make(tmp_path)
    made.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    monkeypatch.chdir(tmp_path)
    return made


def said(capsys: pytest.CaptureFixture[str], code: int, *arguments: str) -> str:
    """What `alembic pgcheck` prints on stderr when it ends with an exit code, in this very process."""
    with pytest.raises(SystemExit) as ended:
        CommandLine(prog="alembic").main(["pgcheck", *arguments])
    out, err = capsys.readouterr()
    assert (ended.value.code, out) == (code, ""), err
    assert "Traceback" not in err
    assert "hunter2" not in err
    return err


@pytest.mark.long
@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("raise BaseException('hm')", "migrations/versions/a1.py:12: BaseException: hm"),
        ("raise SystemExit(0)", "migrations/versions/a1.py:12: the program ended with exit code 0"),
        ("import os; os.chdir('/'); os._exit(0)", "migrations/versions/a1.py:12: os._exit(0) would end the check"),
        ("raise ValueError('postgresql://u:hunter2@p/ss@db.example.invalid/x')", "ValueError: postgresql://u:***@db."),
        ("op.execute(\"ALTER ROLE nobody PASSWORD 'hunter2'; SELECT wrong\")", "ALTER ROLE nobody PASSWORD '***'"),
        ("raise KeyboardInterrupt", "migrations/versions/a1.py:12: KeyboardInterrupt"),
        ("e = ValueError('ring'); e.__cause__ = e; raise e", "migrations/versions/a1.py:12: ValueError: ring"),
        ("raise type('E', (Exception,), {'__module__': None})('bare')", "migrations/versions/a1.py:12: E: bare"),
    ],
)
@pytest.mark.sample(2)
def test_a_revision_that_ends_in_its_own_way(
    statement: str, expected: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    project.revision("a1", statement)
    assert expected in said(capsys, 255)
    assert Path.cwd() == project.folder


def test_env_py_that_is_no_program(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("migrations/env.py", "import os\ndef broken(:\n")
    assert "migrations/env.py:2: SyntaxError" in said(capsys, 255)
    (project.folder / "migrations/env.py").unlink()
    assert "migrations/env.py" in said(capsys, 255)


@pytest.mark.long
@pytest.mark.parametrize(
    ("file", "flags"),
    [("migrations/versions/a1.py", ()), ("migrations/env.py", ()), ("p.sql", ("--prepare", "p.sql"))],
)
def test_a_file_that_is_a_pipe(
    file: str, flags: tuple[str, ...], project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nobody writes to it, so whoever opens it waits for ever: Python's own loader too."""
    (project.folder / file).unlink(missing_ok=True)
    os.mkfifo(project.folder / file)
    with pytest.raises(SystemExit, match="255"):
        CommandLine(prog="alembic").main(["pgcheck", *flags])
    out, err = capsys.readouterr()
    assert file in out + err and "pipe (FIFO), not a regular file" in out + err


@pytest.mark.long
def test_sql_that_does_not_end(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("p.sql", "SELECT pg_sleep(600)")
    # Long enough for env.py on a busy machine, which has the same limit.
    project.write("pyproject.toml", '[tool.alembic_pgpatterns]\ntime_limit = "15s"\n')
    err = said(capsys, 255, "--prepare", "p.sql")
    assert "p.sql: a statement ran for longer than time_limit (15 s)" in err


@pytest.mark.long
def test_env_py_that_fails_here_does_not_pass(project: Project) -> None:
    """The revisions run without it, and what they make is judged; yet nobody may take that for "ok"."""
    project.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    project.env(head="import nothing_of_this_name")
    for flags in ((), ("--exit-zero",)):
        run = project.alembic("pgcheck", *flags)
        assert run.returncode == 255, run.stderr
        assert "FAILED: not everything was checked:" in run.stderr
        assert "NOT CHECKED: models: env.py failed" in run.stdout and "nothing_of_this_name" in run.stdout
        assert "1 revision, 1 table" in run.stdout


def test_another_dialect_whose_driver_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    make(tmp_path, "mssql+pymssql://u:hunter2@db.example.invalid/x").sql("a1", "SELECT 1")
    monkeypatch.chdir(tmp_path)
    error = said(capsys, 255)
    assert "mssql+pymssql://u:***@db.example.invalid/x, which is not PostgreSQL" in error


def test_a_variable_that_env_py_misses_is_named_with_the_setting_that_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """With the URL of Alembic's template, which stands for no database at all."""
    project = make(tmp_path, "driver://user:pass@localhost/dbname")
    project.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    project.env(head="import os\nos.environ['SHOP_DATABASE_URL']")
    monkeypatch.chdir(tmp_path)
    error = said(capsys, 255)
    assert 'env = { SHOP_DATABASE_URL = "{url}" }' in error
    assert "not PostgreSQL" not in error
    project.env(head="import nothing_of_this_name")
    error = said(capsys, 255)
    assert "ModuleNotFoundError: No module named 'nothing_of_this_name'" in error
    assert "not PostgreSQL" not in error


@pytest.mark.long
def test_a_key_error_that_has_nothing_to_do_with_the_environment_names_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project = make(tmp_path)
    project.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    monkeypatch.chdir(tmp_path)
    project.env(head="{}['SHOP_DATABASE_URL']")
    error = said(capsys, 255)
    assert "KeyError: 'SHOP_DATABASE_URL'" in error and "env = {" not in error
    project.env(head="from configparser import ConfigParser\nConfigParser()['alembic']")
    error = said(capsys, 255)
    assert "KeyError: 'alembic'" in error and "env = {" not in error
    project.env(head="from logging.config import fileConfig\nfileConfig(context.config.config_file_name)")
    error = said(capsys, 255)
    assert "fileConfig() did not find the section [formatters]" in error and "env = {" not in error


def test_a_folder_without_alembic_ini_is_told_even_beside_a_pyproject(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "pyproject.toml").write_text('[project]\nname = "shop"\n')
    monkeypatch.chdir(tmp_path)
    assert "There is no alembic.ini in" in said(capsys, 255)


@pytest.mark.long
def test_models_unknown_is_said_once_and_without_the_url(project: Project) -> None:
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text().replace("nobody:secret", "nobody:%40secret"))
    run = project.alembic("pgcheck", "--format", "json")
    models = [item["reason"] for item in json.loads(run.stdout)["skipped"] if item["what"] == "models"]
    assert len(models) == 1
    assert "sqlalchemy.url in [alembic] has a % that is not written as %%" in models[0]
    assert "secret" not in run.stdout + run.stderr


def test_nothing_to_check(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    (project.versions / "a1.py").unlink()
    assert "There is nothing to check: no revision is in" in said(capsys, 255)


def test_files_of_a_report_are_seen_from_where_the_user_is(project: Project) -> None:
    project.env(head="import os; os.chdir('/')")
    assert project.alembic("pgcheck", "--exit-zero", "--format", "json=report.json").returncode == 0
    assert json.loads((project.folder / "report.json").read_text())["version"] == 1


def broken(project: Project, code: str) -> str:
    """What is said of a history with one more file."""
    project.write("migrations/versions/b2.py", code)
    with pytest.raises(PgPatternsError) as error:
        _ = Loaded(Config("alembic.ini", stdout=StringIO())).revisions
    return str(error.value)


def test_files_that_are_no_revisions_are_named(project: Project) -> None:
    place = "A revision file cannot be loaded: migrations/versions/b2.py"
    assert broken(project, "x = 1\n").startswith(f"{place}:1: AttributeError")
    assert broken(project, "import sys\nsys.exit(0)\n").startswith(f"{place}:2: the program ended")
    # A ValueError before Python 3.11.4.
    assert broken(project, "x = 1\n\0\n").startswith((f"{place}:1: SyntaxError", f"{place}:1: ValueError"))
    assert broken(project, "x = 1\nif x\n").startswith(f"{place}:2: SyntaxError")


def test_one_identifier_in_two_files(project: Project) -> None:
    error = broken(project, (project.versions / "a1.py").read_text())
    assert "a1 is present more than once: migrations/versions/a1.py:5 and migrations/versions/b2.py:5" in error


def test_a_failure_after_env_py_has_begun_is_at_its_line(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.env(options="transaction_per_migration=1, version_table_schema='pg_nowhere'")
    assert 'migrations/env.py:20: schema "pg_nowhere" does not exist' in said(capsys, 255)


def test_a_revision_without_upgrade(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.write("migrations/versions/b2.py", "revision = 'b2'\ndown_revision = 'a1'\n")
    assert "migrations/versions/b2.py:1: AttributeError" in said(capsys, 255)


def test_version_location_that_is_not_there(project: Project) -> None:
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text() + "version_locations = %(here)s/migrations/versions %(here)s/gone\n")
    config = Config("alembic.ini")
    config.set_main_option("version_path_separator", "space")
    assert Loaded(config).missing_folders() == ("gone",)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("sqlalchemy.url = postgresql://u:hunter2@db/x\n", "alembic.ini:1: cannot be read: a [section] is expected"),
        ("[alembic]\nurl\n x: hunter2\n", "alembic.ini:2: cannot be read: this line is neither"),
        ("[alembic]\na = 1\na = hunter2\n", "alembic.ini:3: cannot be read: option 'a'"),
    ],
)
def test_ini_that_cannot_be_read(text: str, expected: str, project: Project) -> None:
    project.write("alembic.ini", text)
    with pytest.raises(SettingsError) as error:
        read_settings(Path("alembic.ini"))
    assert str(error.value).startswith(expected)
    assert "hunter2" not in str(error.value)


def outcome(project: Project, shell: str, **environment: str) -> str:
    """What bash prints for a command in which `pgcheck` is the program."""
    command = shell.replace("pgcheck", f"{sys.executable} -m alembic pgcheck")
    run = subprocess.run(
        ["bash", "-c", command],
        cwd=project.folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert "Traceback" not in run.stdout + run.stderr
    return run.stderr + run.stdout


@pytest.mark.sample(4)
@pytest.mark.parametrize(
    ("shell", "expected"),
    [
        ("pgcheck --list | true; echo ${PIPESTATUS[0]}", "0\n"),  # and no check is begun after all
        ("pgcheck --list >&-; echo $?", "0\n"),
        ("pgcheck --exit-zero >&-; echo $?", "0\n"),
        (
            "pgcheck --list >/dev/full; echo $?",
            "FAILED: standard output: the report cannot be written: No space left on device\n255\n",
        ),
    ],
)
def test_standard_output_that_takes_nothing(shell: str, expected: str, project: Project) -> None:
    assert outcome(project, shell) == expected


ASCII = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.mark.long
def test_letters_that_the_terminal_lacks(project: Project) -> None:
    project.sql("a1", 'CREATE TABLE "Größe" (x text)')
    text = outcome(project, "pgcheck --select missing-primary-key", **ASCII)
    assert '"Gr\\xf6\\xdfe" has no primary key' in text
    data = json.loads(outcome(project, "pgcheck --select missing-primary-key --format json", **ASCII))
    assert data["findings"][0]["object"] == 'public."Größe"'


@pytest.mark.parametrize("version", [9, 12, 170004])
def test_a_version_that_is_no_major(version: int) -> None:
    with pytest.raises(SettingsError, match="command line: target_version: expected a major version such as"):
        read_settings(flags={"target_version": version})


def test_pyproject_without_tables(project: Project) -> None:
    project.write("pyproject.toml", "tool = 3\n")
    with pytest.raises(SettingsError, match="`tool` must be a table"):
        read_settings(pyproject=Path("pyproject.toml"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("postgresql+asyncpg://u:a:b/c@d@h:5/x", "postgresql+asyncpg://u:***@h:5/x"),
        ("host=h password='a b' user=u", "host=h password=*** user=u"),
        ("such as postgresql://user:password@host/x", "such as postgresql://user:password@host/x"),
        ("no password supplied", "no password supplied"),
        ("http://host:80/path", "http://host:80/path"),
    ],
)
def test_no_password_gets_into_an_error(text: str, shown: str) -> None:
    assert str(PgPatternsError(text)) == shown


@pytest.mark.long
def test_what_was_accepted_is_still_there_at_once(project: Project) -> None:
    project.sql("b2", "ALTER TABLE t ADD COLUMN x text", down="a1")
    project.sql("c3", "ALTER TABLE t ADD COLUMN y text", down="b2")
    found = json.loads(project.alembic("pgcheck", "--all", "--format", "json").stdout)["findings"]
    assert "transaction-spans-revisions" in {finding["pattern"] for finding in found}
    assert project.alembic("pgcheck", "--write-baseline").returncode == 0
    after = json.loads(project.alembic("pgcheck", "--format", "json").stdout)
    assert (after["findings"], after["stale"]) == ([], [])


def test_files_and_values_that_are_of_another_kind(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder that is named like a revision, an identifier that is a kind of str: neither is an error."""
    (project.versions / "x.py").mkdir()
    path = project.sql("a1", "CREATE TABLE t (id bigint PRIMARY KEY)")
    path.write_text(path.read_text().replace("revision = 'a1'", "revision = type('S', (str,), {})('a1')", 1))
    assert project.alembic("pgcheck", "--exit-zero").returncode == 0


def test_an_error_without_a_text(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    project.revision("a1", "raise type('E', (Exception,), {'__str__': lambda self: 1 / 0})()")
    assert "a1.py:12: E: (its text cannot be read: ZeroDivisionError" in said(capsys, 255)


@pytest.mark.parametrize("url", ["postgresql://u:hunter2@localhost:abc/x", "not a url", "mysql://u:hunter2@h/x"])
def test_live_urls_that_are_none(url: str, project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--live" in said(capsys, 255, "--live", url)


def test_a_plan_and_a_format(project: Project, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--format has no effect" in said(capsys, 2, "--plan", "--format", "html=report.html")


@pytest.mark.long
@pytest.mark.sample(4)
@pytest.mark.parametrize("flags", [("--plan",), ("--write-baseline",), ("--show-settings",), ()])
def test_a_full_device(flags: tuple[str, ...], project: Project) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "alembic", "pgcheck", *flags]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 255
    assert "FAILED: standard output: the report cannot be written: No space left on device" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.long
def test_closed_descriptors(project: Project) -> None:
    command = f"{sys.executable} -m alembic pgcheck --exit-zero >&- 2>&-"
    assert subprocess.run(command, shell=True, check=False).returncode == 0


@pytest.mark.long
def test_a_folder_that_is_gone(project: Project) -> None:
    command = f"mkdir gone && cd gone && rmdir ../gone && {sys.executable} -m alembic pgcheck"
    run = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
    assert run.returncode == 255
    assert "FAILED: The current folder cannot be read" in run.stderr


@pytest.mark.parametrize(
    ("number", "name", "text"),
    [
        (errno.EMFILE, None, "Too many open files. A higher limit: ulimit -n 1024."),
        (errno.ENOENT, os.devnull, "No such file or directory: /dev/null. Free or allow it"),
        (errno.ENOENT, None, "No such file or directory. Free or allow it"),
    ],
)
def test_what_the_system_lacks(
    number: int,
    name: str | None,
    text: str,
    project: Project,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*given: object) -> None:
        raise OSError(number, os.strerror(number), name)

    monkeypatch.setattr("alembic_pgpatterns.cli.run_pgcheck.settings_of", fail)
    assert f"FAILED: the system lacks what the check needs: {text}" in said(capsys, 255)


@pytest.mark.parametrize(
    ("name", "content", "text"),
    [
        ("alembic.ini", b"[x]\na=\xe4\n", "alembic.ini"),
        ("alembic.ini", b"[x]\n\0\n", "alembic.ini"),
        ("pyproject.toml", b"\0", "pyproject.toml: cannot be read as TOML"),
        ("pyproject.toml", b"x=" + b"[" * 100_000, "pyproject.toml: cannot be read as TOML"),
        ("pyproject.toml", None, "pyproject.toml: this is no file"),
        ("alembic.ini", None, "alembic.ini: this is no file"),
    ],
    ids=["letters of no encoding", "a line of nothing", "no TOML", "too deep", "a folder", "a folder of settings"],
)
def test_a_configuration_that_nobody_can_read(
    name: str, content: bytes | None, text: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    if content is None:
        (project.folder / name).unlink(missing_ok=True)
        (project.folder / name).mkdir()
    else:
        (project.folder / name).write_bytes(content)
    error = said(capsys, 2)
    assert text in error and "internal error" not in error


def test_what_nobody_expected(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The trace is in a file, without secrets; the exit code is never that of findings."""

    def fail(*given: object) -> None:
        raise RuntimeError("connection to postgresql://u:hunter2@h/x broke")

    monkeypatch.setattr("alembic_pgpatterns.cli.run_pgcheck.settings_of", fail)
    error = said(capsys, 255)
    assert (
        "FAILED: internal error in `alembic pgcheck`: RuntimeError: connection to postgresql://u:***@h/x broke" in error
    )
    trace = Path(error.partition("The trace is in ")[2].partition(";")[0])
    assert "Traceback" in trace.read_text()
    assert "hunter2" not in trace.read_text()
    assert trace.stat().st_mode & 0o777 == 0o600
    trace.unlink()


@pytest.mark.parametrize(
    ("setting", "problem"),
    [
        ('since = ""', "since: it is empty"),
        ('since = " "', "since: it is empty"),
        ('upgrade_command = ""', "upgrade_command: it is empty"),
        ('env = { "A=B" = "x" }', "env: 'A=B' cannot be the name of an environment variable"),
        ('env = { "" = "x" }', "env: '' cannot be the name"),
        ('env = { A = "\\u0000" }', "env: the value of A contains a character of code 0"),
        ('env = { A = "{nope}" }', "env: A has {nope}, which is not one of {url}"),
        ("target_version = 99", "target_version: expected a major version such as"),
        ("history = -1", "history: -1: expected a number of revisions, 0 or more"),
        ('lock_timeout = "soon"', "lock_timeout: 'soon' is not a time"),
        ("select = []", "select: it is empty, so nothing would be checked"),
        ('exclude_tables = ["", "a"]', "exclude_tables: one of its entries is empty"),
        ('roles = ["a\\u0000b"]', "roles: 'a\\x00b' is not a name of a role"),
        ('registries = ["a b"]', "registries: 'a b' is not of the form package.module:Base"),
        ('prepare = ""', "prepare: '.' names no file"),
        ('baseline = "/"', "baseline: / is a folder"),
        ('create_all = true\nupgrade_command = "x"', "create_all: it builds the schema from the models"),
    ],
)
def test_wrong_values_of_settings(setting: str, problem: str, project: Project) -> None:
    project.write("pyproject.toml", f"[tool.alembic_pgpatterns]\n{setting}\n")
    with pytest.raises(SettingsError) as error:
        read_settings(pyproject=Path("pyproject.toml"))
    assert f"pyproject.toml [tool.alembic_pgpatterns]: {problem}" in str(error.value)


@pytest.mark.parametrize("names", ["", ",", " , "])
@pytest.mark.parametrize("flag", ["--select", "--ignore"])
def test_a_flag_that_names_no_pattern(
    flag: str, names: str, project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    assert f"{flag} names no pattern." in said(capsys, 2, flag, names)


@pytest.mark.long
def test_warnings_that_are_errors(project: Project) -> None:
    """Alembic warns of a missing path_separator, which is no mistake of this package."""
    ini = project.folder / "alembic.ini"
    ini.write_text(ini.read_text() + "prepend_sys_path = .\n")
    text = outcome(project, "pgcheck --exit-zero; echo $?", PYTHONWARNINGS="error")
    assert text.endswith("0\n") and "internal error" not in text, text
