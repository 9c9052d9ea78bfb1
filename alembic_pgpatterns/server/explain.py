"""Find out from an error what the server lacks, and what to do."""

from __future__ import annotations

import re
from collections.abc import Callable

from alembic_pgpatterns.errors import text_of
from alembic_pgpatterns.output.causes import causes
from alembic_pgpatterns.server.binaries import another_installation
from alembic_pgpatterns.server.protocol import Server

# By its words: one SQLSTATE stands for many of these errors (42704 for a missing role as for a missing type), and no
# field of the message has the name. The check's server speaks English (lc_messages).
_EXTENSION = (
    re.compile(r'extension "([^"]+)" is not available'),
    re.compile(r'could not open extension control file "[^"]*/([^/"]+)\.control"'),
)
_PRELOADED = re.compile(r'(\w+) must be loaded via "?shared_preload_libraries')
_STOOD_IN = re.compile(r"the stand-in for (\S+) has no (.+)")
_ROLE = re.compile(r'role "([^"]+)" does not exist')
_RELATION = re.compile(r'(?<!of )relation "([^"]+)" does not exist')
_CONNECTING = re.compile(
    r"could not (?:establish connection|connect to (?:server|the publisher))|connection to server .* failed:"
)
_UNREACHABLE = re.compile(r"Permission denied|Network is unreachable")
_ICU = re.compile(r"ICU is not supported in this build")


def explain(error: BaseException, server: Server) -> str | None:
    """The first explanation below that fits the error, or None."""
    explanations: tuple[Callable[[BaseException, Server], str | None], ...] = (
        explain_missing_extension,
        explain_missing_role,
        explain_missing_relation,
        explain_missing_icu,
        explain_connecting,
        explain_full_disk,
    )
    return next((text for each in explanations if (text := each(error, server))), None)


def explain_missing_extension(error: BaseException, server: Server) -> str | None:
    """Explain that ``server`` lacks an extension which the failed statement needs; else None."""
    text = _text(error)
    for pattern in _EXTENSION:
        match = pattern.search(text)
        if match:
            return (
                f"{server.source} has no extension {match[1]!r}. Way out: --server URL (or PGPATTERNS_SERVER) with "
                f"a PostgreSQL that has {match[1]!r}, such as the container that your tests use."
                f"{_also_here(server, match[1])}"
            )
    preloaded, stood_in = _PRELOADED.search(text), _STOOD_IN.search(text)
    if preloaded:
        return (
            f"the extension {preloaded[1]!r} only works if the server loads it at its start. "
            f"Way out: --server URL with a PostgreSQL whose shared_preload_libraries has {preloaded[1]!r}."
        )
    if stood_in:
        return (
            f"{server.source} has no extension {stood_in[1]!r}, only a stand-in without {stood_in[2].strip()}. "
            f"Way out: --server URL with a PostgreSQL that has the real {stood_in[1]!r}."
            f"{_also_here(server, stood_in[1])}"
        )
    return None


def explain_missing_role(error: BaseException, server: Server) -> str | None:
    """Explain that the failed statement uses a role that does not exist; else None."""
    match = _ROLE.search(_text(error))
    if not match:
        return None
    return (
        f"the role {match[1]!r} does not exist on {server.source}: no revision creates it. "
        f'Way out: the setting roles = ["{match[1]}"] creates it before the first revision.'
    )


def explain_missing_relation(error: BaseException, server: Server) -> str | None:
    """Explain that the failed statement uses a table that does not exist; else None."""
    match = _RELATION.search(_text(error))
    if not match:
        return None
    return (
        f"No earlier revision created {match[1]!r}. If something else creates it before the first revision, "
        "put that SQL into a file and name it in the setting `prepare`. If the application creates its schema from "
        "the models and only stamps the revisions, use --create-all."
    )


def explain_missing_icu(error: BaseException, server: Server) -> str | None:
    """Explain that the failed statement needs an ICU collation and the server was built without ICU; else None."""
    if not _ICU.search(_text(error)):
        return None
    return (
        f"{server.source} was built without ICU, so it has no ICU collations. "
        "Way out: --server URL with a PostgreSQL that has them, such as Debian's or the official container."
        f"{_also_here(server)}"
    )


def _also_here(server: Server, extension: str | None = None) -> str:
    """What to try first, if this machine has another PostgreSQL (with an extension)."""
    other = another_installation(server.source, extension)
    return f' This machine also has one: try the setting postgres = "{other.directory}" first.' if other else ""


def explain_connecting(error: BaseException, server: Server) -> str | None:
    """Explain that the failed statement made the server connect to another one; else None."""
    text = _text(error)
    # Its own socket: then the project's process has lost the right to use it, for example by os.setuid().
    is_own = str(server.parameters().get("host")) in text
    if is_own or not _CONNECTING.search(text) or not _UNREACHABLE.search(text):
        return None
    return (
        f"{server.source} connects to no other server, so that no real one is reached (dblink, foreign tables, "
        "subscriptions). Way out: skip the statement if the setting env says that this is a check, or catch "
        "its error."
    )


def explain_full_disk(error: BaseException, server: Server) -> str | None:
    """Explain that the disk is full; else None."""
    if "No space left on device" not in _text(error):
        return None
    return (
        f"the disk of {server.source} is full: free some space, or point TMPDIR (where the throw-away server keeps "
        "its files) at a folder that has some."
    )


def _text(error: BaseException | None) -> str:
    """The messages of an error and of all errors that it wraps."""
    return "\n".join(map(text_of, causes(error)))
