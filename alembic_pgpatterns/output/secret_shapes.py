"""Tokens, keys and hashes that are known by their form alone, wherever they stand."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import HIDDEN, is_proposed

_PREFIXES = (
    r"gh[pousr]_|github_pat_|gl(?:pat|dt|rt|ptt|soat|cbt|ft)-|xox[abeoprs](?:\.xox[bp])?-|xapp-|[srp]k_(?:live|test)_|whsec_"
    r"|sk-|npm_|pypi-|do[opr]_v1_|dckr_pat_|shp(?:at|ca|pa|ss)_|hv[bsr]\.|lin_api_|PMAK-|NRAK-|ATATT|sq0(?:csp|atp)-"
    r"|AGE-SECRET-KEY-|EAACEdEose0cBA|ya29\.|1//0|AIza"
)
_SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{4,}(?:\.[\w-]*)*"  # a JSON web token
    rf"|(?<![\w-])(?:{_PREFIXES})[\w-]{{12,}}"
    r"|\bSG\.[\w-]{16,}\.[\w-]{16,}|\bhf_[A-Za-z]{24,}|\bkey-[0-9a-z]{32}\b|\bs\.[A-Za-z0-9]{24}\b|\b(?:AC|SK)[0-9a-f]{32}\b"
    r"|\bA(?:KIA|SIA|GPA|ROA|IDA)[0-9A-Z]{12,}"
    # Hashes of passwords: a server takes some of them in a password's place.
    r"|\bSCRAM-SHA-256\$[^\s'\"]+|\bmd5[0-9a-f]{32}\b|\$(?:2[abxy]|argon2\w*|[156y]|scrypt|pbkdf2[\w-]*)\$[^\s'\",)]{8,}"
    r"|\bpbkdf2_\w+\$[^\s'\",)]+|\bscrypt:[^\s'\",)]+",
)
_PARTS = re.compile(
    r"(://hooks\.slack\.com/\w+/|://(?:\w+\.)?discord(?:app)?\.com/api/webhooks/\d+/|://api\.telegram\.org/bot\d*:?"
    r"|://\w+\.webhook\.office\.com/)[^\s'\"<>)]+"
)
"""Addresses that are secrets themselves: who knows them can write there."""
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY(?: BLOCK)?-----).*?(?=-----END|\Z)", re.DOTALL)
_LETTERS = r"(?<![\w/.+=-])(?=[\w/+-]*[a-z])(?=[\w/+-]*[A-Z])"
_RANDOM = re.compile(
    rf"{_LETTERS}(?=(?:[A-Za-z/+-]*\d){{2}})[A-Za-z0-9/+-]{{32,}}={{0,2}}(?![\w/.])"
    rf"|{_LETTERS}(?=[A-Za-z/+-]*\d)[A-Za-z0-9/+]{{40}}(?![\w/.])"
)
"""Random letters: 32 and more in one piece, small, large and digits; a key of AWS has 40."""


def without_shapes(text: str) -> str:
    """The text without tokens that are known by their form."""
    text = _PEM.sub(rf"\1{HIDDEN}", text)
    return _PARTS.sub(rf"\1{HIDDEN}", _SHAPES.sub(HIDDEN, text))


def without_random_letters(text: str) -> str:
    """The text without long words of random letters, as keys are; for texts of others only."""
    return _RANDOM.sub(_hidden, text)


_WORD = re.compile("[a-z]{5,}")


def _hidden(match: re.Match[str]) -> str:
    """In a path, whose folders are words, a name may be a key; the path as a whole is none."""
    if is_proposed(match[0]):
        return match[0]
    parts = match[0].split("/")
    if not any(_WORD.fullmatch(part) for part in parts):
        return HIDDEN
    return "/".join(_RANDOM.sub(HIDDEN, part) for part in parts)
