"""Secrets in the words of others: hundreds of forms, each with several secrets; and what must stay readable."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from alembic_pgpatterns.output import known_secrets
from alembic_pgpatterns.output.secrets import without_passwords, without_secrets

SAMPLES = Path(__file__).parent / "samples"
ODD = ("hunter2", "S3cr3t-Value+9")
"""Secrets that look like no word: hidden in every form."""
BASE64 = "abC/dEf9+gh=="
WORD = "correcthorse"
"""One that looks like a word: hidden where it stands behind what can only be a secret's name."""


def groups(name: str) -> dict[str, list[str]]:
    """The samples of a file, by their heading."""
    result: dict[str, list[str]] = {}
    for line in (SAMPLES / name).read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            lines = result.setdefault(line[2:], [])
        elif line:
            lines.append(line.replace("\\n", "\n"))
    return result


def leaks(forms: list[str], secret: str) -> list[str]:
    texts = [form.replace("SECRET_HERE", secret) for form in forms]
    return [text for text in texts if secret in without_secrets(f"env.py:3: ValueError: {text}")]


FORMS = groups("secret_forms.txt")


@pytest.mark.parametrize("kind", FORMS)
def test_no_form_shows_a_secret(kind: str) -> None:
    assert len(FORMS[kind]) > 15
    for secret in ODD:
        assert not leaks(FORMS[kind], secret)
    if "addresses" not in kind:  # there a slash has to be written %2F
        assert not leaks(FORMS[kind], BASE64)
    if kind.startswith("with any word"):
        assert not leaks(FORMS[kind], WORD)


def test_sql_of_this_packages_reports_shows_no_secret() -> None:
    forms = FORMS["with any word: SQL"]
    assert not [form for form in forms if WORD in without_passwords(form.replace("SECRET_HERE", WORD))]


def test_tokens_are_known_by_their_form() -> None:
    shapes = groups("secret_shapes.txt")["tokens"]
    assert len(shapes) > 35
    assert not [
        shape for shape in shapes if shape in without_secrets(f"env.py:3: ValueError: it failed for {shape} here")
    ]


@pytest.mark.parametrize("before", ["", "env.py:3: RuntimeError: "])
def test_what_only_speaks_of_secrets_stays(before: str) -> None:
    texts = [before + text for text in groups("no_secrets.txt")["stays"]]
    assert len(texts) > 100
    assert [without_secrets(text) for text in texts] == texts


def test_hiding_again_changes_nothing() -> None:
    for form in (form for forms in FORMS.values() for form in forms):
        hidden = without_secrets(form.replace("SECRET_HERE", "hunter2"))
        assert "hunter2" not in without_secrets(hidden)


def test_a_value_of_the_environment_is_hidden_in_whatever_words(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known_secrets, "_values", {})
    monkeypatch.setenv("SHOP_DB_PASSWORD", "open-Sesame")
    monkeypatch.setenv("DATABASE_URL", "postgresql://bob:fishy+1@db/shop")
    monkeypatch.setenv("OTHER_URL", "postgresql://bob:with a Space@db/shop")
    monkeypatch.setenv("TOKEN_FILE", "some-Name-of-a-file")
    monkeypatch.setenv("DB_PASS", "postgres")
    text = "invalid literal for int(): 'open-Sesame', fishy+1, some-Name-of-a-file, postgres"
    assert without_secrets(text) == "invalid literal for int(): '***', ***, some-Name-of-a-file, postgres"
    assert without_passwords("the table fishy+1") == "the table ***"
    assert without_secrets("role with a Space is unknown") == "role *** is unknown"
    assert without_passwords("postgresql://bob:fishy+1@p/ss@db/shop") == "postgresql://bob:***@db/shop"
    # What env.py loads from a file later counts as well.
    os.environ["LATE_SECRET"] = "so-Late"
    try:
        assert without_secrets("it is so-Late") == "it is ***"
    finally:
        del os.environ["LATE_SECRET"]


@pytest.mark.parametrize(
    "text",
    [
        "token." * 3000,
        "token " + "a.a-" * 5000,
        "password is " * 1600,
        "password" + " " * 20_000,
        "''a" * 6000 + "token",
        "token " + "a_" * 9000,
        "://a:" * 4000 + "token",
        "{'password': " + "{" * 8000,
        "INSERT INTO t (password) VALUES ('a'" * 500,
        "'" * 18_000,
        "\\'" * 9000 + "token",
        "URL(" * 4500,
        "connect('a'," * 1500,
        "KeyError: " * 1800,
    ],
    ids=range(14),
)
def test_no_text_takes_long(text: str) -> None:
    begin = time.process_time()
    without_secrets(text)
    # Each of these takes well below a second; before the expressions had limits, some took hours.
    assert time.process_time() - begin < 10
