"""The variables that an application misses, as its own errors name them."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy
from alembic.config import Config

from alembic_pgpatterns.output.secrets import MADE_UP, MADE_UP_KEY, without_secrets
from alembic_pgpatterns.runner.messages import Need
from alembic_pgpatterns.runner.missing_settings import missing, settings_to_add
from alembic_pgpatterns.runner.needs import of_error
from alembic_pgpatterns.runner.supplies import postgresql_url


@pytest.mark.parametrize(
    "error,names",
    [
        (OSError("Environment variable 'SHOP_DATABASE_URL' not set"), {"SHOP_DATABASE_URL": "{url}"}),
        (RuntimeError("SHOP_DB_HOST is not set"), {"SHOP_DB_HOST": "localhost"}),
        (ValueError("the environment variable SHOP_PORT must be set"), {"SHOP_PORT": "5432"}),
        (Exception("SHOP_DATABASE_URL and SHOP_KEY_FILE missing"), {"SHOP_KEY_FILE": None}),
        (ValueError("`DATABASE_URL` environment variable is required"), {"DATABASE_URL": "{url}"}),
        (Exception("Unable to find the SHOP_CONN_STR environment variable. Add it."), {"SHOP_CONN_STR": "{url}"}),
        (ValueError("SHOP_KEY_BASE64 is not set"), {"SHOP_KEY_BASE64": MADE_UP_KEY}),
        (RuntimeError("No URL in environment variable (SHOP_DB_URL) or configuration file."), {"SHOP_DB_URL": "{url}"}),
        (RuntimeError("Missing environment variable(s): SHOP_KEY, SHOP_PORT"), {"SHOP_KEY": None, "SHOP_PORT": "5432"}),
        (ValueError("Set the environment variables ['SHOP_KEY', 'SHOP_HOST']"), {"SHOP_KEY": None, "SHOP_HOST": None}),
        (RuntimeError("SHOP_HOME is missing"), {"SHOP_HOME": "."}),
        (RuntimeError("the table SHOP_ITEM is empty"), {}),
        (RuntimeError("shop_url is not set"), {}),
        (ValueError("PATH is not set"), {}),
    ],
)
def test_errors_in_the_application_s_own_words(error: Exception, names: dict[str, str | None]) -> None:
    result = dict(missing(error))
    assert set(result) == set(names)
    assert all(value is None or result[name] == value for name, value in names.items())


def test_a_variable_that_is_set_is_not_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_URL", "x")
    assert not dict(missing(ValueError("SHOP_URL is required")))
    assert "SHOP_URL" in os.environ


def failed(make: Any) -> dict[str, str]:
    try:
        make()
    except Exception as error:
        return dict(missing(error))
    raise AssertionError("it did not fail")


def test_models_in_settings_know_their_variables_by_what_is_around_them() -> None:
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import BaseModel, Field

    class Pool(BaseModel):
        size: int = 5

    class Database(BaseModel):
        url: str
        pool: Pool = Field(default_factory=Pool)  # type: ignore[arg-type]

    class Made(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(env_prefix="SHOP__", env_nested_delimiter="__")
        database: Database = Field(default_factory=Database)  # type: ignore[arg-type]

    class Demanded(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(env_prefix="SHOP__", env_nested_delimiter="__")
        database: Database | None
        secret_key: str

    class Plain(settings.BaseSettings):  # type: ignore[name-defined,misc]
        database_url: str
        other: str = Field(alias="OTHER_NAME")

    assert failed(Made) == {"SHOP__DATABASE__URL": "{url}"}
    demanded = failed(Demanded)
    assert demanded["SHOP__DATABASE__URL"] == "{url}" and set(demanded) == {"SHOP__DATABASE__URL", "SHOP__SECRET_KEY"}
    assert set(failed(Plain)) == {"DATABASE_URL", "OTHER_NAME"}


def test_the_variables_that_are_given_one_after_another(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import BaseModel

    class Pool(BaseModel):
        size: int

    class Database(BaseModel):
        url: str
        pool: Pool

    class Demanded(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(env_prefix="S_", env_nested_delimiter="__")
        database: Database

    values: dict[str, str] = {}
    for _ in range(5):
        try:
            made = Demanded()
        except Exception as error:
            more = dict(missing(error))
            assert more, "each try must find something"
            values |= more
            for name, value in more.items():
                monkeypatch.setenv(name, value)
    assert made.database.pool.size == 5432 and set(values) == {"S_DATABASE__URL", "S_DATABASE__POOL__SIZE"}


def test_oslo_db_without_a_connection() -> None:
    class CantStartEngineError(Exception):
        pass

    error = CantStartEngineError("No sql_connection parameter is established")
    assert dict(missing(error)) == {"OS_DATABASE__CONNECTION": "{url}"}


def test_the_advice_reaches_people_as_it_is() -> None:
    """Names such as SECRET_KEY look like those of secrets, and what stands behind them is hidden elsewhere."""
    for name in ("SECRET_KEY", "DATABASE_URL", "API_TOKEN", "DB_PASSWORD"):
        text = settings_to_add(ValueError(f"the environment variable {name} must be set"))
        assert f"Set {name}, or add this" in text
        assert without_secrets(text) == text


def test_either_of_two_variables_is_the_one_that_is_named_first() -> None:
    error = RuntimeError("Either 'SHOP_DATABASE_URI' or 'SHOP_BINDS' must be set.")
    assert dict(missing(error)) == {"SHOP_DATABASE_URI": "{url}"}


def read_settings() -> str:
    path = os.environ.get("SHOP_SETTINGS", "settings.toml")
    return Path(path).read_text()


def read_fixed() -> str:
    return Path("settings.toml").read_text()


@pytest.mark.parametrize("name", ["settings_example.toml", "settings.toml.sample", "Settings.example.toml"])
def test_a_file_of_settings_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    assert 'SHOP_SETTINGS = "path/to/settings.toml"' in advice(read_settings)
    assert advice(read_fixed) == ""
    (tmp_path / name).write_text("")
    assert f'SHOP_SETTINGS = "../{name}"' in advice(read_settings)
    assert f"../{name} looks like an example of it: copy it" in advice(read_fixed)


def test_of_several_examples_the_likeliest_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """That of tests may need what only tests have."""
    (tmp_path / "setup.cfg").write_text("")
    (tmp_path / "app").mkdir()
    monkeypatch.chdir(tmp_path / "app")
    for name in ("tests/settings.toml", "deploy/vm/files/settings.toml", "a/b/c/settings.toml.sample"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("")
        assert f'SHOP_SETTINGS = "../{name}"' in advice(read_settings)


def advice(function: Any) -> str:
    with pytest.raises(FileNotFoundError) as caught:
        function()
    return settings_to_add(caught.value)


CHANNELS = {"production": 1, "dev": 2}


def look_up() -> int:
    return CHANNELS[os.environ["SHOP_CHANNEL"]]


def compare() -> None:
    if (value := os.environ["SHOP_CHANNEL"]) not in CHANNELS:
        raise ValueError(f"SHOP_CHANNEL should be one of {['live', 'staging']}, `{value}` given")


def test_a_variable_that_takes_some_values_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(look_up) == {"SHOP_CHANNEL": MADE_UP}
    monkeypatch.setenv("SHOP_CHANNEL", MADE_UP)
    assert failed(look_up) == {"SHOP_CHANNEL": "dev"}
    monkeypatch.setenv("SHOP_OTHER", MADE_UP)
    assert not failed(look_up), "either of two may be meant"
    assert failed(compare) == {"SHOP_CHANNEL": "live"}
    monkeypatch.setenv("SHOP_CHANNEL", "a value of the user's")
    assert not failed(look_up)


@pytest.fixture
def default() -> str:
    """SQLAlchemy's driver for a URL that names none: psycopg2, and psycopg since 2.1."""
    return sqlalchemy.engine.URL.create("postgresql").get_dialect().driver


def test_a_url_names_the_driver_that_the_project_has(monkeypatch: pytest.MonkeyPatch, default: str) -> None:
    error = ValueError("SHOP_DB_DSN is not set")
    assert dict(missing(error)) == {"SHOP_DB_DSN": "{url}"}
    monkeypatch.setitem(sys.modules, default, None)
    monkeypatch.setitem(sys.modules, "psycopg2", None)
    assert dict(missing(error)) == {"SHOP_DB_DSN": "{url+asyncpg}"}
    monkeypatch.setitem(sys.modules, "asyncpg", None)
    last = "pg8000" if default == "psycopg" else "psycopg"
    assert dict(missing(error)) == {"SHOP_DB_DSN": f"{{url+{last}}}"}
    assert f'SHOP_DB_DSN = "{{url+{last}}}"' in without_secrets(settings_to_add(error))


def test_a_given_url_whose_driver_does_not_fit(monkeypatch: pytest.MonkeyPatch, default: str) -> None:
    import asyncpg
    from sqlalchemy import create_engine
    from sqlalchemy.ext.asyncio import create_async_engine

    given = "postgresql://postgres@localhost:5432/shop?host=/tmp&port=5432"
    monkeypatch.setenv("SHOP_OTHER", "postgresql://shop@db.example.invalid/shop")

    def wanted(url: str, use: Callable[[str], Any]) -> dict[str, str]:
        monkeypatch.setenv("SHOP_URL", url)
        return failed(lambda: use(url))

    synchronous = given.replace("postgresql:", "postgresql+psycopg2:")
    assert wanted(synchronous, create_async_engine) == {"SHOP_URL": "{url+asyncpg}"}
    made_up = postgresql_url("psycopg2").render_as_string()
    assert wanted(made_up, create_async_engine) == {"SHOP_URL": "{url+asyncpg}"}
    with_driver = given.replace("postgresql:", "postgresql+asyncpg:")
    assert wanted(with_driver, lambda url: create_engine(url).connect()) in (
        {"SHOP_URL": "{url}"},
        {"SHOP_URL": "{url+psycopg2}"},
    )
    assert wanted(with_driver, lambda url: asyncio.run(asyncpg.connect(url))) == {"SHOP_URL": "{url}"}
    twice = with_driver.replace("+asyncpg", "+psycopg+psycopg")
    assert wanted(with_driver, lambda url: create_engine(twice)) == {"SHOP_URL": "{url}"}
    monkeypatch.setitem(sys.modules, default, None)
    without_default = wanted(given, create_engine)
    assert without_default["SHOP_URL"] in ("{url+asyncpg}", "{url+psycopg2}") and len(without_default) == 1
    assert "another driver" in settings_to_add(ModuleNotFoundError(f"No module named {default!r}", name=default))
    assert failed(lambda: __import__("no_such_module")) == {}


def test_a_made_up_value_that_was_to_be_a_url(monkeypatch: pytest.MonkeyPatch) -> None:
    from sqlalchemy import create_engine

    monkeypatch.setenv("SHOP_DB", MADE_UP)
    assert list(failed(lambda: create_engine(os.environ["SHOP_DB"]))) == ["SHOP_DB"]
    assert failed(lambda: create_engine(os.environ["SHOP_DB"]))["SHOP_DB"].startswith("{url")
    monkeypatch.setenv("SHOP_KEY", MADE_UP)
    assert failed(lambda: create_engine(os.environ["SHOP_DB"])) == {}, "either of two"


def fails_in(folder: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> BaseException:
    """The error of a project's module while it is imported."""
    (folder / "shop_settings.py").write_text(source)
    monkeypatch.chdir(folder)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "shop_settings", raising=False)
    with pytest.raises(Exception) as caught:
        __import__("shop_settings")
    return caught.value


SAYS = "raise ValueError('SHOP_BUCKET must be set')"


@pytest.mark.parametrize(
    "source,names",
    [
        (f"config = {{}}\nif not config.get('SHOP_BUCKET'):\n    {SAYS}", set()),
        (f"from types import SimpleNamespace as N\nN(SHOP_BUCKET=None, x=['SHOP_BUCKET'])\n{SAYS}", set()),
        (f"import os\nif not os.getenv('SHOP_BUCKET'):\n    {SAYS}", {"SHOP_BUCKET"}),
        (f"import os\nfor name in ('SHOP_BUCKET',):\n    if name not in os.environ:\n        {SAYS}", {"SHOP_BUCKET"}),
        (SAYS, {"SHOP_BUCKET"}),
        (f"import os\nfrom shop_names import NAME\nif not os.environ.get(NAME):\n    {SAYS}", {"SHOP_BUCKET"}),
    ],
)
def test_a_key_of_the_application_s_own_is_no_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, names: set[str]
) -> None:
    (tmp_path / "shop_names.py").write_text("NAME = 'SHOP_BUCKET'\n")
    monkeypatch.delitem(sys.modules, "shop_names", raising=False)
    assert set(dict(missing(fails_in(tmp_path, source, monkeypatch)))) == names


@pytest.mark.parametrize(
    "fields,names",
    [
        ("class S(BaseSettings):\n    TOKEN: str = os.getenv('SHOP_TOKEN', None)\nS()", {"SHOP_TOKEN"}),
        ("class S(BaseSettings):\n    TOKEN: str = None\nS()", {"TOKEN"}),
        ("class S(BaseSettings):\n    PORT: int = os.environ.get('SHOP_PORT')\nS()", {"SHOP_PORT"}),
        ("class M(BaseModel):\n    token: str\nM(token=os.environ.get('SHOP_TOKEN'))", {"SHOP_TOKEN"}),
        ("class M(BaseModel):\n    token: str\nM(token=None)", set()),
    ],
)
def test_the_variable_of_a_field_that_got_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fields: str, names: set[str]
) -> None:
    pytest.importorskip("pydantic_settings")
    head = "import os\nfrom pydantic import BaseModel\nfrom pydantic_settings import BaseSettings\n"
    assert set(dict(missing(fails_in(tmp_path, head + fields, monkeypatch)))) == names


def test_a_setting_that_demands_a_form(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import Field

    class Shop(settings.BaseSettings):  # type: ignore[name-defined,misc]
        name: str = Field(min_length=1, max_length=12, pattern=r"^[a-z_]+$")
        workers: int = Field(gt=2, lt=9)
        code: str = Field(min_length=50)

    for _ in range(4):
        with contextlib.suppress(AssertionError):  # it did not fail: nothing is left to set
            for name, value in failed(Shop).items():
                monkeypatch.setenv(name, value)
    shop = Shop()
    assert (shop.name, shop.workers, len(shop.code)) == ("pgpatterns", 8, 50)


@pytest.mark.parametrize(
    "line,names",
    [
        (
            "size = os.environ.get('SHOP_SIZE')\nif not size:\n    raise RuntimeError('set SHOP_SIZE first')",
            {"SHOP_SIZE"},
        ),
        ("size = {}.get('SHOP_COUNT')\nif not size:\n    raise RuntimeError('set SHOP_COUNT first')", set()),
    ],
)
def test_a_variable_that_the_words_tell_people_to_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, names: set[str]
) -> None:
    assert set(dict(missing(fails_in(tmp_path, f"import os\n{line}", monkeypatch)))) == names


def test_a_made_up_value_that_was_to_be_a_number(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SHOP_SIZE", MADE_UP)
    assert failed(lambda: int(os.environ["SHOP_SIZE"])) == {"SHOP_SIZE": "5432"}
    monkeypatch.setenv("SHOP_KEY", MADE_UP)
    assert not failed(lambda: int(MADE_UP)), "either of two"


def test_a_variable_that_chooses_a_configuration_gets_one_that_the_source_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os\nconfigs = {'production': 1, 'local-development': 2, 'testing': 3, 'SHOP': 4}\n"
    error = fails_in(tmp_path, f"{source}configs[os.environ['SHOP_ENV']]", monkeypatch)
    assert dict(missing(error)) == {"SHOP_ENV": "testing"}
    said = settings_to_add(error)
    assert "(SHOP_ENV must have a value that the application knows)" in said and "any value works" not in said
    # Of another length: Python tells a changed file by its size and the second in which it was written.
    error = fails_in(tmp_path, f"{source}configs[os.environ['SHOP_API_KEY']]", monkeypatch)
    assert dict(missing(error)) == {"SHOP_API_KEY": MADE_UP}


@pytest.mark.parametrize(
    "line,names",
    [
        ("x = {\n    'a': os.getenv('SHOP_HOST').rsplit('/', 1)[0],\n    'b': os.getenv('SHOP_B')}", {"SHOP_HOST"}),
        ("x = int(os.environ.get('SHOP_PORT'))", {"SHOP_PORT"}),
        ("x = None\nx.split()", set()),
        (
            "from sqlalchemy import make_url\nhost, port = map(os.getenv, ('A_HOST', 'A_PORT'))\n"
            "port = os.getenv('SHOP_DB_PORT')\nmake_url(f'postgresql://{host}:{port}/shop')",
            {"SHOP_DB_PORT"},
        ),
        ("base = os.getenv('SHOP_PREFIX')\nother = 1\nx = base + '/orders'", {"SHOP_PREFIX"}),
        ("base = os.getenv('SHOP_ROOT', None)\nx = os.path.join(\n    base,\n    'orders')", {"SHOP_ROOT"}),
        ("class Config:\n    HOME = os.environ.get('SHOP_HOME')\nx = Config.HOME.rstrip('/')", {"SHOP_HOME"}),
        ("def read():\n    base = os.getenv('SHOP_IN')\n    return base + '/'\nread()", {"SHOP_IN"}),
        ("base = os.getenv('SHOP_USED', 'a')\nother = {}.get('SHOP')\nx = base + other", set()),
    ],
)
def test_a_line_that_fails_on_a_variable_that_is_not_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str, names: set[str]
) -> None:
    assert set(dict(missing(fails_in(tmp_path, f"import os\n{line}", monkeypatch)))) == names


READER = """
import os
def get(name):
    return dict(os.environ).get(name)
key = get("SHOP_KEY")
if key is None:
    raise Exception("the key is not in the file")
if len(key) != 32:
    raise ValueError("a key has 32 bytes")
"""


def test_the_variable_that_a_condition_is_about(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert dict(missing(fails_in(tmp_path, READER, monkeypatch))) == {"SHOP_KEY": MADE_UP}
    monkeypatch.setenv("SHOP_KEY", MADE_UP)
    ((name, value),) = missing(fails_in(tmp_path, READER, monkeypatch))
    assert (name, len(value)) == ("SHOP_KEY", 32)
    monkeypatch.delenv("SHOP_KEY")
    assert not dict(missing(fails_in(tmp_path, READER.replace("dict(os.environ)", "{}"), monkeypatch)))


CHECKED = """
import os
env = os.getenv
config = {"SHOP_SECRET_KEY": env("SHOP_SECRET_KEY", ""), "SHOP_OWNER_EMAIL": env("SHOP_OWNER_EMAIL")}
errors = []
if len(config.get("SHOP_SECRET_KEY", "")) < 64:
    errors.append("x SHOP_SECRET_KEY must be >= 64 characters (use secrets.token_hex(64))")
if not config.get("SHOP_OWNER_EMAIL"):
    errors.append("x SHOP_OWNER_EMAIL is required")
if errors:
    raise RuntimeError("start failed:\\n" + "\\n".join(errors))
"""


def test_settings_that_a_check_of_the_whole_configuration_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The source reads the environment by another name, and checks all at once."""
    for expected in ("SHOP_OWNER_EMAIL", "SHOP_SECRET_KEY"):
        found = dict(missing(fails_in(tmp_path, CHECKED, monkeypatch)))
        assert list(found) == [expected]
        monkeypatch.setenv(expected, found[expected])
    assert len(found["SHOP_SECRET_KEY"]) == 64
    exec(CHECKED, {})


REFUSED = [
    ("secret_key: the placeholder is rejected in every environment", {"SHOP_SECRET_KEY"}),
    ("SHOP_SECRET_KEY must be changed", {"SHOP_SECRET_KEY"}),
    ("change the default of API_TOKEN", {"API_TOKEN"}),
    ("secret_key could not be sent to its_server", set()),
    ("other_word must not be empty", set()),
]


@pytest.mark.parametrize("words,names", REFUSED)
def test_a_default_that_the_application_refuses(words: str, names: set[str]) -> None:
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import Field

    class Shop(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(env_prefix="SHOP_")
        secret_key: str = "change me"
        token: str = Field("change me", alias="API_TOKEN")

    class InsecureError(Exception):
        pass

    assert set(dict(missing(InsecureError(words)))) == names
    del Shop


def test_a_rule_for_secrets_that_several_values_break(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pytest.importorskip("pydantic_settings")
    from pydantic import field_validator, model_validator

    class Shop(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(validate_default=True)
        cookie_secret: str = "changeme"
        signing_key: str = "changeme"
        salt: str = ""

        @field_validator("cookie_secret")
        @classmethod
        def check(cls, value: str) -> str:
            if len(value) < 50 or value == "changeme":
                raise ValueError("too short")
            return value

        @model_validator(mode="after")
        def check_all(self) -> Shop:
            assert self.signing_key != "changeme", "signing_key must not be the default"
            if not any(letter in "!$%&" for letter in self.signing_key):
                raise ValueError("SIGNING_KEY: the value must have letters of all kinds")
            return self

    for _ in range(8):
        with contextlib.suppress(AssertionError):
            for name, value in failed(Shop).items():
                monkeypatch.setenv(name, value)
    shop = Shop()
    assert len(shop.signing_key) > 100 and shop.salt == ""


def test_a_default_that_the_source_has_and_the_application_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os\nkey = os.getenv('SHOP_SIGNER', 'secret')\nif key == 'secret' or len(key) < 40:\n    {}"
    error = fails_in(tmp_path, source.format("raise ValueError('SHOP_SIGNER is weak')"), monkeypatch)
    assert dict(missing(error)) == {"SHOP_SIGNER": MADE_UP}
    monkeypatch.setenv("SHOP_SIGNER", MADE_UP)
    assert dict(missing(error)) == {"SHOP_SIGNER": MADE_UP_KEY}
    monkeypatch.setenv("SHOP_SIGNER", "the user's own")
    assert not dict(missing(error))


def test_settings_of_pydantic_before_version_2(monkeypatch: pytest.MonkeyPatch) -> None:
    pydantic = pytest.importorskip("pydantic.v1")

    class Shop(pydantic.BaseSettings):  # type: ignore[name-defined,misc]
        database_url: str
        size: int
        named: str = pydantic.Field(env="SHOP_NAME")
        optional: int = 5

        class Config:
            env_prefix = "shop_"

    assert failed(Shop) == {"SHOP_DATABASE_URL": "{url}", "SHOP_SIZE": MADE_UP, "SHOP_NAME": MADE_UP}

    monkeypatch.setenv("SHOP_SIZE", MADE_UP)
    assert failed(lambda: Shop(database_url="a", named="b")) == {"SHOP_SIZE": "5432"}
    monkeypatch.setenv("SHOP_SIZE", "the user's own")

    def refused() -> None:
        Shop(database_url="a", named="b")

    assert not failed(refused)


SHAPED = [
    "import uuid\nuuid.UUID(read('SHOP_VALUE'))",
    "import json\njson.loads(os.environ['SHOP_VALUE'])",
    "import ipaddress\nipaddress.ip_address(os.environ['SHOP_VALUE'])",
    "import zoneinfo\nzoneinfo.ZoneInfo(read('SHOP_VALUE'))",
    "import datetime\ndatetime.date.fromisoformat(os.environ['SHOP_VALUE'])",
    "import datetime\ndatetime.datetime.strptime(os.environ['SHOP_VALUE'], '%d.%m.%Y')",
    "import logging\nlogging.getLogger('shop').setLevel(os.environ['SHOP_VALUE'])",
    "bytes.fromhex(os.environ['SHOP_VALUE'])",
    "import base64\nbase64.b64decode(os.environ['SHOP_VALUE'], validate=True)",
    "import configparser\nparser = configparser.ConfigParser()\n"
    "parser.read_dict({'shop': {'value': os.environ['SHOP_VALUE']}})\nparser.getboolean('shop', 'value')",
    "import decimal\ndecimal.Decimal(os.environ['SHOP_VALUE'])",
    "open(read('SHOP_VALUE')).read()",
    "import pathlib\npath = pathlib.Path(os.environ['SHOP_VALUE']).resolve()\n"
    "if not path.exists():\n    raise RuntimeError(f'{path} not found')",
]


@pytest.mark.parametrize("line", SHAPED)
def test_a_made_up_value_that_has_not_the_shape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    source = f"import os\n\ndef read(name):\n    return dict(os.environ)[name]\n\n{line}\n"
    monkeypatch.setenv("SHOP_VALUE", MADE_UP)
    if "pathlib" not in line and "parser" not in line:
        monkeypatch.setenv("SHOP_OTHER", MADE_UP)
    values = dict(missing(fails_in(tmp_path, source, monkeypatch)))
    assert set(values) == {"SHOP_VALUE"}
    monkeypatch.setenv("SHOP_VALUE", values["SHOP_VALUE"])
    __import__("shop_settings")


def test_a_file_that_must_have_something_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "import json, os\njson.load(open(os.environ['SHOP_RULES_PATH']))\n"
    monkeypatch.setenv("SHOP_RULES_PATH", MADE_UP)
    monkeypatch.setenv("SHOP_TOKEN", MADE_UP)
    value = dict(missing(fails_in(tmp_path, source, monkeypatch)))["SHOP_RULES_PATH"]
    assert value == os.devnull
    monkeypatch.setenv("SHOP_RULES_PATH", value)
    text = settings_to_add(fails_in(tmp_path, source, monkeypatch))
    assert "SHOP_RULES_PATH must name a file" in text and "an empty one was tried" in text


def test_settings_of_pydantic_that_are_no_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = pytest.importorskip("pydantic_settings")
    import datetime
    import ipaddress
    import uuid

    from pydantic import DirectoryPath, FilePath

    monkeypatch.chdir(Path(__file__).parents[2])

    class Shop(settings.BaseSettings):  # type: ignore[name-defined,misc]
        model_config = settings.SettingsConfigDict(env_prefix="SHAPED_")
        account: uuid.UUID
        opened: datetime.date
        gateway: ipaddress.IPv4Address
        rules: FilePath
        uploads: DirectoryPath
        hosts: list[str]
        limits: dict[str, int]

    for _ in range(6):
        with contextlib.suppress(AssertionError):
            for name, value in failed(Shop).items():
                monkeypatch.setenv(name, value)
    assert Shop().hosts == [] and Shop().limits == {}


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "asyncpg"])
def test_a_driver_that_is_not_installed(monkeypatch: pytest.MonkeyPatch, driver: str) -> None:
    monkeypatch.setitem(sys.modules, driver, None)
    with pytest.raises(ModuleNotFoundError) as caught:
        sqlalchemy.create_engine(f"postgresql+{driver}://shop@localhost/shop")
    text = settings_to_add(caught.value)
    assert f"has no {driver}. " in text and f"(pip install {driver})" in text
    takes_it_itself = sqlalchemy.make_url("postgresql://").get_dialect().driver == driver
    assert ("where a URL names no driver" in text) == takes_it_itself
    config = Config()
    config.set_main_option("sqlalchemy.url", "postgresql://shop@localhost/shop")
    assert Need("url", "pg8000", "postgresql://shop@localhost/shop") in of_error(caught.value, config, "pg8000", "")
