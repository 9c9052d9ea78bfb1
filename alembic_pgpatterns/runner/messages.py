"""What passes between the project's process and its parent: requests, and what comes of them. Plain data only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from alembic_pgpatterns.revisions.recorder import Recording
from alembic_pgpatterns.runner.blame_facts import BlameFacts
from alembic_pgpatterns.schema.model import Schema
from alembic_pgpatterns.schema.origin import Location
from alembic_pgpatterns.server.real_database import RealDatabase


@dataclass(frozen=True)
class ScriptFacts:
    """Where the project's migrations are. ``files``: all that Alembic would load as revisions, in its order."""

    folder: str
    env_py: str
    version_locations: tuple[str, ...]
    files: tuple[str, ...]


@dataclass(frozen=True)
class RevisionFacts:
    """What a revision file says of itself. ``dependencies``: as written, so a label or the start of an identifier."""

    revision: str
    path: str
    down_revisions: tuple[str, ...] = ()
    dependencies: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Steps:
    """Which revisions a run of env.py is to run.

    ``kind``: "nothing"; "heads": what is missing up to all heads, as Alembic orders it; "missing": those of
    ``revisions`` that are missing, in that order; "up" and "down": ``revisions``, whatever has run; "until": what is
    missing of all that leads to ``revisions``.
    """

    kind: str = "nothing"
    revisions: tuple[str, ...] = ()


@dataclass(frozen=True)
class EnvRequest:
    """Run env.py once.

    ``server``: libpq's parameters of the server, without a database. ``databases``: scratch databases that exist, by
    what they stand for. ``variables``: of the environment, for this run. ``log``: the server's, for a recorded run.
    ``clock``: record without a log: statements, how long they take, how many rows they change. ``last``: after these
    revisions, look at what they leave in their session; empty: look at no session. ``history``: what the revisions are
    expected to be; None if nothing is known. ``without_env_py``: run the revisions even if env.py cannot be used.
    """

    steps: Steps = Steps()
    server: Mapping[str, str] = field(default_factory=dict)
    databases: tuple[tuple[RealDatabase, str], ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    history: tuple[RevisionFacts, ...] | None = None
    last: tuple[str, ...] = ()
    log: str | None = None
    clock: bool = False
    offline: bool = False
    without_env_py: bool = True


@dataclass(frozen=True)
class ConfiguredDatabase:
    """What one ``context.configure`` of env.py said: one per database.

    ``models``: how many MetaData it named. ``driver``: of SQLAlchemy's dialect. ``plugins``: of autogenerate, as
    env.py names them; None if it does not. ``location``: the call in env.py.
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


@dataclass(frozen=True)
class Failure:
    """Why something failed, for people and for decisions.

    ``kind``: "project" (its code, or its configuration), "history" (the revision files), "refused" (we refused what it
    did), "programming", "operational" or "database" (what the server said, by the class of the driver's error).
    ``place``: the innermost line in a revision, or in env.py. ``raised``: that line is a ``raise`` statement.
    ``diagnostics``: the parts of the server's message, by libpq's names.
    """

    message: str
    kind: str = "project"
    place: Location | None = None
    raised: bool = False
    statement: str = ""
    sqlstate: str = ""
    texts: tuple[str, ...] = ()
    diagnostics: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class EnvResult:
    """What a run of env.py did. ``databases``: all that it connected to, in the order of first use.

    ``run``: its number, for questions about its models. ``connected``: how often, by database. ``real_parameters``:
    libpq's parameters of the real ones, with the password. ``elsewhere``: connections that lead to no PostgreSQL.
    ``own_environment``: why env.py could not be used and the revisions ran without it. ``seconds``: the revisions'.
    ``windows``: per database, where each recorded revision begins and ends in the server's log, in bytes.
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


@dataclass(frozen=True)
class ModelsRequest:
    """Read the models that one ``context.configure`` of a run named, or all of them (None).

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
    """Create what the models of a run declare in a database; ``number``: of one ``context.configure``, None: of all.

    ``before``: SQL to run first. ``effective``: what autogenerate aims at, made by `CopyRequest` before.
    """

    run: int
    server: Mapping[str, str]
    number: int | None = None
    before: tuple[str, ...] = ()
    effective: bool = False
    schemas: bool = False


@dataclass(frozen=True)
class DependenciesRequest:
    """What the revisions and env.py depended on, by now. ``known``: of which earlier runs say that it counts.

    ``given``: variables that the settings give, whatever they were.
    """

    revisions: tuple[str, ...]
    known: tuple[str, ...]
    given: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependencies:
    """What the project's code depended on when it ran.

    ``files``: with their digests; None: there was no such file, and of a folder, the digest of the names in it.
    ``variables``: of the environment, with the digests of their values; ``*`` stands for all. ``lasting``: those of the
    files that revisions depend on; a run that does not run these again cannot tell. ``untracked``: why it cannot be
    known what the code depends on; nothing is cached then.
    """

    files: Mapping[str, str | None] = field(default_factory=dict)
    variables: Mapping[str, str] = field(default_factory=dict)
    lasting: frozenset[str] = frozenset()
    untracked: str | None = None


@dataclass(frozen=True)
class Route:
    """Where the project's connections lead. See `EnvRequest`."""

    server: Mapping[str, str]
    databases: tuple[tuple[RealDatabase, str], ...]
    variables: Mapping[str, str]
