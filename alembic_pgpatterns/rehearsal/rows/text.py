"""Texts that suit the name of a column, as SQL expressions over the number of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from psycopg import sql

Expression = sql.Composable
Writer = Callable[[Expression], Expression]


def hashed(index: Expression) -> Expression:
    """32 hexadecimal digits that differ with the number."""
    return sql.SQL("md5(({})::text)").format(index)


@dataclass(frozen=True, slots=True)
class TextStyle:
    """A way to write a text.

    ``words``: names of columns that end in one of these look so. ``before`` and ``after`` stand around the number, or
    around the digest of it where ``digest``. ``length``: characters with a number of eight digits. ``distinct``: how
    many texts there are where nothing demands more; 0: as many as rows. ``start``: is added to the number. ``width``:
    digits of the digest; ``uuid``: all of them, with hyphens.
    """

    words: tuple[str, ...]
    before: str = ""
    after: str = ""
    digest: bool = False
    length: int = 24
    distinct: int = 0
    start: int = 0
    width: int = 32
    uuid: bool = False

    def write(self, index: Expression) -> Expression:
        """The text for a number."""
        number = sql.SQL("({} + {})").format(index, sql.Literal(self.start)) if self.start else index
        digest = sql.SQL("left({}, {})").format(hashed(number), sql.Literal(self.width))
        if self.uuid:
            return sql.SQL("{}::uuid::text").format(hashed(number))
        middle = digest if self.digest else sql.SQL("({})::text").format(number)
        return sql.SQL("({} || {} || {})").format(sql.Literal(self.before), middle, sql.Literal(self.after))


_LOREM = (
    ": the rest of this text stands for what people write here, a sentence or two that say what it is about and why, "
    "and it is made up."
)
STYLES = (
    TextStyle(("email", "mail"), "user", "@example.com"),
    TextStyle(("url", "uri", "link", "href", "website", "endpoint"), "https://example.com/"),
    TextStyle(
        ("hash", "digest", "checksum", "sha256", "sha", "md5", "etag", "token", "secret", "password"), digest=True
    ),
    TextStyle(("uuid", "guid"), digest=True),
    TextStyle(("json", "metadata", "meta", "payload", "config", "params", "attributes", "extra"), '{"id": ', "}"),
    TextStyle(("status", "state"), "state ", distinct=5),
    TextStyle(("type", "kind", "category", "role", "level", "mode"), "kind ", distinct=8),
    TextStyle(("locale", "lang", "language"), "l", distinct=9, length=2),
    TextStyle(("currency", "country"), "C", distinct=9, length=2),
    TextStyle(("phone", "mobile", "fax"), "+1555", length=13),
    TextStyle(("ip", "ip_address", "address_ip"), "10.0.0.", distinct=250, length=11),
    TextStyle(("slug", "handle"), "slug-"),
    TextStyle(("path", "file", "filename", "file_path", "location"), "/data/file-"),
    TextStyle(("color", "colour"), "#00000", distinct=9, length=7),
    TextStyle(("version",), "1.0.", distinct=40, length=8),
    TextStyle(("name", "title", "label", "username", "login", "key"), "Name "),
    TextStyle(
        ("description", "comment", "body", "content", "text", "note", "notes", "message", "summary", "details"),
        "About ",
        _LOREM,
        length=len(_LOREM) + 14,
    ),
)
PLAIN = TextStyle((), "value ")
TRIALS = (
    TextStyle((), "v", length=9),
    TextStyle((), "", length=8),
    TextStyle((), "V", length=9),
    TextStyle((), "user", "@example.com"),
    TextStyle((), "https://example.com/", length=28),
    TextStyle((), "a-", length=10),
    TextStyle((), "a_", length=10),
    TextStyle((), "a/", length=10),
    TextStyle((), "a.", length=10),
    TextStyle((), "a:", length=10),
    TextStyle((), "/a", length=10),
    TextStyle((), "", length=8, start=10_000_000),
    TextStyle((), "+", length=9, start=10_000_000),
    TextStyle((), "", length=6, digest=True, width=6),
    TextStyle((), "#", length=7, digest=True, width=6),
    TextStyle((), "", length=8, digest=True, width=8),
    TextStyle((), "", length=40, digest=True, width=40),
    TextStyle((), "1.0.", length=12),
    TextStyle((), "", ".0.0", length=12),
    TextStyle((), "", digest=True, length=32),
    TextStyle((), uuid=True, length=36),
)
"""Tried in this order if a regular expression, or another condition on the text, requires a form."""


def style_of(name: str, length: int | None) -> TextStyle:
    """The style for a column's name that is not longer than this many characters."""
    words = name.lower().strip("_")
    for style in STYLES:
        named = any(words == word or words.endswith("_" + word) for word in style.words)
        if named and (length is None or style.length <= length):
            return style
    return PLAIN


def short(index: Expression, length: int) -> Expression:
    """Hexadecimal digits, exactly as many as the length: distinct below 16 ** length."""
    return sql.SQL("lpad(to_hex({}), {}, '0')").format(index, sql.Literal(length))
