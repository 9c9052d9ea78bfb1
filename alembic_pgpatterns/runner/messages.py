"""The messages between the project's process and its parent: requests and results. Plain data only."""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.revisions.recorder import Recording
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.origin import Location
from alembic_pgpatterns.server.real_database import RealDatabase


@dataclass(frozen=True)
class ScriptFacts:
    """The folders of the project's migrations. ``files``: all that Alembic would load as revisions, in its order."""

    folder: str
    env_py: str
    version_locations: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class RevisionFacts:
    """The facts in a revision file. ``dependencies``: as written, maybe a label or the start of an identifier."""

    revision: str
    path: str
    down_revisions: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Supplies:
    """What env.py is given.

    ``options``: for Alembic's configuration, in place of those of the file. ``attributes``: the entries of
    ``config.attributes`` that hold a connection. ``replace_sqlite``: open PostgreSQL where the project would open a
    SQLite file. ``models``: as the setting of that name has them. ``advanced_alchemy``, ``flask_app``: likewise.
    ``own_environment``: why the revisions are to run without env.py; None if they are not. ``stores_computed``:
    production is older than PostgreSQL 18, so a column with ``Computed()`` is a stored one there.
    """

    options: Mapping[str, str] = field(default_factory=dict)
    attributes: tuple[str, ...] = ()
    replace_sqlite: bool = False
    models: tuple[str, ...] = ()
    advanced_alchemy: str | None = None
    flask_app: str | None = None
    own_environment: str | None = None
    stores_computed: bool = False


@dataclass(frozen=True)
class Need:
    """Something that is missing.

    ``kind``: "sqlite" (the project opened a file of it; ``name``: its URL), "attribute" (of ``config.attributes``),
    "url" (Alembic's ``sqlalchemy.url`` is not set; ``name``: the driver that env.py can use), "variable" (of the
    environment; ``name``, and a ``value`` that will do), "option" (of Alembic's configuration) and "argument" (of
    ``-x``), both likewise, "url_variable" (one that is read, and may give the URL of a database), "module" (a package
    that was not found), "mode" (a variable by which the application chooses another configuration; ``value``: one that
    its source names), "search_path" (``name``: a statement that sets it), "flask_app" and "advanced_alchemy" (the
    settings of these names), "application" (what they name cannot be had), "no connection" (the attribute that was
    given one is to hold something else).
    """

    kind: str
    name: str = ""
    value: str = ""


@dataclass(frozen=True)
class Steps:
    """The revisions that a run of env.py has to run.

    ``kind``: "nothing"; "heads": what is missing up to all heads, in Alembic's order; "missing": the missing ones of
    ``revisions``, in that order; "up" and "down": ``revisions``, even if they have run; "until": the missing ancestors
    of ``revisions``, including these; "stamp": none, but the version table then says that ``revisions`` have run.
    """

    kind: str = "nothing"
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvRequest:
    """Run env.py once.

    ``server``: libpq's parameters of the server, without a database. ``databases``: the existing scratch databases,
    by real database. ``aliases``: the same by names that the project is given for them. ``variables``: of the
    environment, for this run. ``log``: the server's, for a recorded run. ``clock``: record without a log:
    statements, how long they take, how many rows they change. ``last``: revisions after which the session is
    examined for what they leave in it; empty: no session is examined. ``history``: the expected revisions; None if
    they are not known. ``without_env_py``: run the revisions even if env.py cannot be used. ``supplies``: what
    env.py is given.
    """

    steps: Steps = Steps()
    server: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[tuple[RealDatabase, str], ...] = ()
    aliases: tuple[tuple[RealDatabase, str], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    history: tuple[RevisionFacts, ...] | None = None
    last: tuple[str, ...] = ()
    log: str | None = None
    clock: bool = False
    offline: bool = False
    without_env_py: bool = True
    supplies: Supplies = field(default_factory=Supplies)


@dataclass(frozen=True)
class ConfiguredDatabase:
    """The facts of one ``context.configure`` call in env.py, one per database.

    ``models``: number of its MetaData. ``driver``: of SQLAlchemy's dialect. ``plugins``: of autogenerate, as env.py
    names them; None if it does not. ``location``: the call in env.py. ``search_path``: of the session in which the
    revisions run. ``default_schema``: its first schema, for tables without one. Both None if that is not known.
    """

    database: str
    version_table: str
    version_schema: str | None = None
    models: int = 0
    driver: str = ""
    plugins: tuple[str, ...] | None = None
    transaction_per_migration: bool = False
    opened_transaction: bool = False
    location: Location | None = None
    applied: tuple[str, ...] = ()
    search_path: str | None = None
    default_schema: str | None = None

    @property
    def by_plugin(self) -> bool:
        """Whether ``autogenerate_plugins`` of env.py, names or globs, names this package."""
        return any(fnmatch.fnmatchcase("alembic_pgpatterns", name) for name in self.plugins or ())


@dataclass(frozen=True)
class Failure:
    """Why something failed, for messages and for decisions.

    ``kind``: "project" (its code, or its configuration), "history" (the revision files), "no downgrade" (a revision's
    file lacks the function), "refused" (we refused what it did), "programming", "operational" or "database" (the
    server's error, by the class of the driver's exception).
    ``place``: the innermost line in a revision, or in env.py. ``raised``: that line is a ``raise`` statement.
    ``diagnostics``: the parts of the server's message, by libpq's names. ``log``: what was logged before, if it was not
    shown. ``outdated``: the code uses what SQLAlchemy no longer has.
    """

    message: str
    kind: str = "project"
    place: Location | None = None
    raised: bool = False
    outdated: bool = field(default=False, kw_only=True)
    statement: str = ""
    sqlstate: str = ""
    texts: tuple[str, ...] = ()
    diagnostics: Mapping[str, str] = field(default_factory=dict)
    log: str = ""


@dataclass(frozen=True)
class EnvResult:
    """The result of a run of env.py. ``databases``: those it connected to, in the order of first use.

    ``run``: its number, for requests about its models.
    ``real_parameters``: libpq's parameters of the real ones, with the password. ``elsewhere``: connections that lead to
    no PostgreSQL.
    ``own_environment``: why env.py could not be used and the revisions ran without it. ``seconds``: of the revisions.
    ``windows``: per database, where each recorded revision starts and ends in the server's log, in bytes.
    ``needs``: what env.py lacked, if it failed or did not arrive. ``model_tables``: the models' tables, if it failed.
    """

    run: int
    configured: tuple[ConfiguredDatabase, ...] = ()
    databases: tuple[tuple[RealDatabase, str], ...] = ()
    real_parameters: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    elsewhere: tuple[str, ...] = ()
    own_environment: str | None = None
    failure: Failure | None = None
    history: tuple[RevisionFacts, ...] | None = None
    blame: Mapping[str, BlameFacts] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=dict)
    leaves_more: bool = False
    seconds: float = 0.0
    recording: Recording | None = None
    start: int = 0
    windows: Mapping[str, tuple[tuple[int, int], ...]] = field(default_factory=dict)
    needs: tuple[Need, ...] = ()
    model_tables: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelsRequest:
    """Read the models of one ``context.configure`` call of a run, or of all calls (None).

    ``registries``: ``package.module:Base`` each.
    """

    run: int
    number: int | None
    default_schema: str
    target_version: int | None = None
    registries: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelsResult:
    """The models' schema; None, with the reason, if there are none or they cannot be read."""

    schema: Schema | None = None
    reason: str | None = None


@dataclass(frozen=True)
class CreateRequest:
    """Create a run's models in a database; ``number``: of one ``context.configure`` call, None: of all.

    ``before``: SQL to run first. ``effective``: create the effective metadata, which `CopyRequest` has made.
    ``search_path``: of the session that creates them; None: the server's.
    """

    run: int
    server: Mapping[str, str]
    number: int | None = None
    before: tuple[str, ...] = ()
    effective: bool = False
    schemas: bool = False
    search_path: str | None = None


@dataclass(frozen=True)
class DependenciesRequest:
    """Find out what the revisions and env.py depend on. ``lasting``: files that count according to earlier runs.

    ``from_settings``: variables that the settings set, whatever values they had.
    """

    revisions: tuple[str, ...]
    lasting: tuple[str, ...]
    from_settings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependencies:
    """What the project's code depended on when it ran.

    ``files``: with their digests; None: there was no such file; for a folder, the digest of the names in it.
    ``variables``: of the environment, with the digests of their values; ``*`` stands for all. ``lasting``: the files
    that revisions depend on; a later run that does not run these revisions cannot find them out. ``untracked``: why the
    dependencies are not known; then nothing is cached.
    """

    files: Mapping[str, str | None] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()
    untracked: str | None = None


@dataclass(frozen=True)
class Route:
    """Where the project's connections lead, and what env.py is given. See `EnvRequest`."""

    server: Mapping[str, str]
    databases: tuple[tuple[RealDatabase, str], ...]
    variables: Mapping[str, str]
    supplies: Supplies = field(default_factory=Supplies)
