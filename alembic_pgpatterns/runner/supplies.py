"""What the settings give env.py: what it would get from the project's own program, or from its own machine."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator, Mapping
from types import ModuleType
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL
from sqlalchemy.engine import url as url_module

from alembic_pgpatterns.errors import PgPatternsError
from alembic_pgpatterns.runner.url_drivers import postgresql_url

PATH_OPTION = "prepend_sys_path"


class AskedValues(dict[str, Any]):
    """Values by name, such as ``config.attributes``, and ``missing``: what was asked of them that they do not have."""

    def __init__(self, values: Mapping[str, Any], missing: list[str] | None = None) -> None:
        """``values``: those that there are. ``missing``: a list to which the names of the others are added."""
        super().__init__(values)
        self.missing: list[str] = missing if missing is not None else []

    def __missing__(self, name: str) -> Any:
        self.missing.append(name)
        raise KeyError(name)

    def get(self, name: str, default: Any = None) -> Any:
        """As of any dictionary."""
        # dict.get() does not call __missing__(). Who says what to take otherwise, as in ``get("connection", {})``,
        # misses nothing.
        if default is not None and not super().__contains__(name):
            return default
        if name not in self:
            return default
        return self[name]

    def __contains__(self, name: object) -> bool:
        present = super().__contains__(name)
        if not present:
            self.missing.append(str(name))
        return present


class Lent:
    """A connection that somebody else closes."""

    def __init__(self, connection: Any) -> None:
        """``connection``: of SQLAlchemy."""
        self._connection = connection

    def __enter__(self) -> Any:
        return self._connection

    def __exit__(self, *error: object) -> None:
        """It stays open."""

    def close(self) -> None:
        """It stays open."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def watched_attributes(config: Any) -> AskedValues:
    """The attributes of a configuration, which from now on note what is missing."""
    if not isinstance(config.attributes, AskedValues):
        # Config.attributes is memoized: Alembic looks in the object's own dictionary (alembic/config.py).
        config.__dict__["attributes"] = AskedValues(config.attributes)
    attributes: AskedValues = config.attributes
    return attributes


def asked_options(config: Any) -> list[str]:
    """The names of options that env.py asked for, from the first call on, and that the ini file does not have."""
    if "_asked_options" not in config.__dict__:
        config._asked_options = names = []
        stock = config.get_section_option

        def get_section_option(section: str, name: str, default: Any = None) -> Any:
            value = stock(section, name, default)
            if value == default:
                names.append(name)
            return value

        # Config.get_main_option() calls it, too (alembic/config.py).
        config.get_section_option = get_section_option
    options: list[str] = config._asked_options
    return options


def set_options(config: Any, options: Mapping[str, str]) -> None:
    """Set options of Alembic's configuration, in the section that it uses."""
    for name, value in options.items():
        # ConfigParser would interpolate a % (Alembic docs, Config.set_main_option).
        config.set_main_option(name, value.replace("%", "%%"))
        if name == PATH_OPTION and value not in sys.path:
            sys.path.insert(0, value)  # Alembic has read it already, when it looked for the folder of the migrations


@contextlib.contextmanager
def sqlite_replaced(driver: str, async_driver: str) -> Iterator[None]:
    """Engines for SQLite files are engines for PostgreSQL in here; where they connect to is the redirect's matter.

    `sqlalchemy.create_engine` reads its URL by ``make_url`` of that module, in 1.4 as in 2.0.

    Args:
        driver: of SQLAlchemy, for PostgreSQL.
        async_driver: for asynchronous engines.
    """
    stock = url_module.make_url

    def make_url(name_or_url: Any, **keywords: Any) -> URL:
        url = stock(name_or_url, **keywords)
        if url.get_backend_name() != "sqlite":
            return url
        chosen = async_driver if url.drivername.partition("+")[2] in ("aiosqlite", "asyncio") else driver
        return postgresql_url(chosen, _database(url))

    url_module.make_url = make_url
    try:
        with _asynchronous_replaced(async_driver):
            yield
    finally:
        url_module.make_url = stock


@contextlib.contextmanager
def _asynchronous_replaced(driver: str) -> Iterator[None]:
    """The same for asynchronous engines, whose URL may be ``sqlite:///file``: only its driver says which kind it is."""
    try:
        module: Any = importlib.import_module("sqlalchemy.ext.asyncio.engine")
    except ImportError:  # without greenlet
        yield
        return
    # `create_async_engine` makes its engine by this name of its module, in 1.4 as in 2.1.
    make, stock = url_module.make_url, module._create_engine

    def create_engine(name_or_url: Any, **keywords: Any) -> Any:
        url = make(name_or_url)
        is_replaced = url.get_backend_name() == "postgresql" and _is_sqlite(name_or_url)
        return stock(postgresql_url(driver, url.database or "") if is_replaced else name_or_url, **keywords)

    module._create_engine = create_engine
    try:
        yield
    finally:
        module._create_engine = stock


def _is_sqlite(name_or_url: Any) -> bool:
    return str(name_or_url).startswith("sqlite")


def _database(url: URL) -> str:
    """The file's name, which tells several apart."""
    name = (url.database or "").replace("\\", "/").rpartition("/")[2].partition(".")[0]
    return name or "pgpatterns"


def load_models(names: tuple[str, ...]) -> list[Any]:
    """The MetaData of the setting ``models``, each once.

    Args:
        names: ``package.module`` (all MetaData that it holds), ``package.module:Base`` (a declarative base, a MetaData,
            an extension object), or ``package.module:function()``.

    Raises:
        PgPatternsError: one does not import, or holds no MetaData.
    """
    result = {id(metadata): metadata for name in names for metadata in _named(name)}
    return list(result.values())


def _named(name: str) -> list[Any]:
    module_name, _, attribute = name.partition(":")
    try:
        value: Any = importlib.import_module(module_name)
        for part in filter(None, attribute.removesuffix("()").split(".")):
            value = getattr(value, part)
        if attribute.endswith("()"):
            value = value()
    except Exception as error:
        raise PgPatternsError(f"models: {name!r} does not import: {type(error).__name__}: {error}") from error
    held = _held(value)
    if not held:
        raise PgPatternsError(f"models: {name!r} holds no MetaData, declarative base or db object of SQLAlchemy.")
    return held


def _held(value: Any) -> list[Any]:
    if isinstance(value, ModuleType):
        metadatas = {id(item): item for entry in list(vars(value).values()) for item in _metadatas(entry)}
        return list(metadatas.values())
    return _metadatas(value)


def _metadatas(value: Any) -> list[Any]:
    """What MetaData a value is or has; several for an extension with binds."""
    if isinstance(value, sqlalchemy.MetaData):
        return [value]
    if isinstance(value, (list, tuple)):
        return [item for item in value if isinstance(item, sqlalchemy.MetaData)]
    several = getattr(value, "metadatas", None) if not isinstance(value, type) else None
    if isinstance(several, dict):
        return [item for item in several.values() if isinstance(item, sqlalchemy.MetaData)]
    try:
        metadata = getattr(value, "metadata", None)
    except Exception:  # a proxy without an application, for example
        return []
    return [metadata] if isinstance(metadata, sqlalchemy.MetaData) else []
