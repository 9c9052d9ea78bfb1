"""Text that contains names, messages and errors, made harmless: it can only be read.

Names in a database may hold anything. A terminal acts on control characters, the eye follows bidirectional marks, a CI
system runs lines that begin with ``::`` or hold ``##[``, a forge notifies ``@user``. Each of these is replaced by a
sign that looks alike or shows what was there. All but `without_mentions` keep the length, so that styles stay in place.
"""

from __future__ import annotations

import re
import unicodedata

from alembic_pgpatterns.output.secrets import without_passwords, without_secrets

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
JOINER = "\N{WORD JOINER}"
_BIDI = {0x61C, 0x200E, 0x200F, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_BREAKS = {0x2028, 0x2029}
_WORKFLOW = re.compile(r"(?m)^(\s*):(?=:)")
"""GitHub's runner trims a line before it looks for ``::`` (actions/runner, ActionCommand.TryParseV2)."""
_COMMAND = re.compile(r"#(?=#(?:\[|vso\[|teamcity\[))")
"""The older form is found anywhere in a line (TryParse); Azure and TeamCity have forms of their own."""
_MENTION = re.compile(r"(?<![\w`])(?<!\*\*\*)@(?=[A-Za-z0-9])")
"""Not after a hidden password: ``://user:***@host``."""


class _Inert(dict[int, str]):
    """A table for `str.translate` that fills itself when it sees a new character."""

    def __missing__(self, code: int) -> str:
        result = self[code] = _inert(code)
        return result


def _inert(code: int) -> str:
    if code in (9, 10):
        return chr(code)
    if code < 32:
        return chr(0x2400 + code)  # CONTROL PICTURES: ESC is shown as one sign
    if code == 127:
        return "\N{SYMBOL FOR DELETE}"
    noncharacter = code & 0xFFFE == 0xFFFE or 0xFDD0 <= code <= 0xFDEF
    if noncharacter or code in _BIDI or code in _BREAKS or unicodedata.category(chr(code)) in ("Cc", "Cs"):
        return REPLACEMENT
    return chr(code)


_TABLE = _Inert()


def inert(text: str) -> str:
    """The text with its lines, without characters and lines that mislead a terminal, a reader or a CI system."""
    text = text.translate(_TABLE)
    return _COMMAND.sub("\N{FULLWIDTH NUMBER SIGN}", _WORKFLOW.sub("\\1\N{MODIFIER LETTER COLON}", text))


def one_line(text: str) -> str:
    """The same on one line and without passwords. A line break in a name is shown as a symbol."""
    return inert(
        without_passwords(text).replace("\r\n", "\n").replace("\n", "\N{SYMBOL FOR NEWLINE}").replace("\t", " ")
    )


def without_mentions(text: str) -> str:
    """Prose in which ``@user`` notifies nobody; not for code, which would no longer run."""
    return _MENTION.sub(f"@{JOINER}", text)


def prose(text: str) -> str:
    """A message of this package on one line, for every format: no password, no control character, no mention."""
    return without_mentions(one_line(text))


def json_text(text: str) -> str:
    """JSON in ASCII in which no line is a command to a CI system. No value changes."""
    return text.replace("##", "#\\u0023")


def code(text: str) -> str:
    """SQL or Python with its lines: no password, no control character."""
    return inert(without_passwords(text))


def error(text: str) -> str:
    """An error of any origin with its lines: no secret, no control character, no mention."""
    return without_mentions(inert(without_secrets(text)))
