"""Which names are those of secrets, and how their values are written: parts of regular expressions."""

from __future__ import annotations

import re
from itertools import pairwise

HIDDEN = "***"
MADE_UP = "for-the-check-only-0123456789abcdef"
"""The value that this package proposes for any variable: it is no secret, and people shall paste it."""
MADE_UP_KEY = "Zm9yLXRoZS1jaGVjay1vbmx5LTAxMjM0NTY3ODlhYmM="
"""The same for a key that must be 32 bytes in the letters of base64 for URLs, as those of Fernet."""
MADE_UP_VALUES = (
    MADE_UP,
    MADE_UP_KEY,
    "666f722d7468652d636865636b2d6f6e6c792d30313233343536373839616263",
    "For-the-check-Only!0123456789+For-the-check-Only!9876543210+For-the-check-Only!0123456789+For-the-check-Only!98",
)
"""These, 32 bytes in hexadecimal, and a long one with letters of all kinds: some rules refuse the first ones."""
_URL_WORD = re.compile(r"\{url(?:\+\w+)?\}")

_KEYS = (
    r"API|ACCESS|PRIVATE|ACCOUNT|SECRET|ENCRYPTION|CRYPTO|SIGNING|SIGNATURE|MASTER|FERNET|SHARED|AUTH|SESSION|JWT|HMAC"
    r"|AES|LICEN[CS]E|DEPLOY|SUBSCRIPTION|STORAGE"
)
_WORDS = rf"PASS_?WORD|PASSWD|PASS_?PHRASE|PASSCODE|SECRET|TOKEN|CREDENTIAL|(?:{_KEYS})[_-]?KEY"
NAME_IN_SQL = rf"(?:{_WORDS})S?"
"""What a column's name, or a parameter's, ends with if it holds a secret: ``token_type`` is none."""
_HASHES = r"(?:PASSWORD|PASSWD|TOKEN|SECRET)_(?:HASH|DIGEST)"
COLUMN = rf"(?:{NAME_IN_SQL}|{_HASHES}|\b(?:PW|PWD|PASS))"

NAME = rf"(?<![\w.-])[\w.-]{{0,60}}?(?:{_WORDS}|SHARED_?ACCESS|AUTHORIZATION|_PASS\b|_PWD\b)[\w.-]{{0,60}}"
"""A name that has such a word anywhere. Without limits, a text made for it would take hours."""
SPOKEN = (
    rf"(?:(?:(?<![\w.-])[\w.-]{{0,60}}?(?:PASS_?WORD|PASSWD|PASS_?PHRASE|PASSCODE|SECRET|TOKEN|CREDENTIALS?|[_-]PASS|[_-]PWD)"
    rf"[\w-]{{0,60}}|\b(?:{_KEYS})[_ -]?KEY|\bPWD(?!=/))(?: (?:KEY|TOKEN|VALUE))?)"
)
"""The same in a sentence: ``the secret key``, ``an API key``."""
IS_NAME = re.compile(rf"{NAME}|\bPWD\b", re.IGNORECASE)
_ABOUT = re.compile(
    r"_(?:types?|counts?|length|min|max|uris?|endpoint|ttl|expir\w*|lifetime|timeout|names?|files?|paths?|fields?"
    r"|columns?|tables?|minutes|seconds|days|hours|algorithms?|policy|validators?|hashers?)$",
    re.IGNORECASE,
)


def is_about_secrets(name: str) -> bool:
    """Whether a name, such as ``TOKEN_TTL`` or ``password_file``, says something of a secret and does not hold it."""
    return bool(_ABOUT.search(name.strip(" =:'\"")))


ENTRY_NAME = rf"(?P<q>\\*['\"])(?:{NAME}|PASS|PWD|PW|PIN|OTP)(?P=q)"
QUERY = re.compile(
    r"([?&#][\w.\[\]-]{0,60}?(?:key|token|secret|sig|signature|auth|code|credential|session|jwt|otp|passw\w*|pwd)[\w-]{0,60}=)"
    r"(?![{%$<]|\*\*\*)[^&\s'\"<>);]+",
    re.IGNORECASE,
)
"""An argument in an address."""
WITHIN_SQL = r"(?:\\+'(?:[^'\\]|\\+[^'\\]){0,300}(?:\\+'|\Z)|''(?:[^']|''''){1,300}'')"
WITHIN = rf"(?:{WITHIN_SQL}|\\+\"(?:[^\"\\]|\\+[^\"\\]){{0,300}}(?:\\+\"|\Z))"
"""A string inside a string of SQL; of Python or JSON."""
QUOTED = r"(?:[bBrRuU]?'(?:[^'\\]|\\.){0,1000}'|[bBrRuU]?\"(?:[^\"\\]|\\.){0,1000}\")"
WRAPPED = rf"(?:[\w.]+\()?{QUOTED}"
"""A string, or an object that is written with one: ``SecretStr('x')``."""
CONTAINER = (
    r"(?:\[(?:[^\[\]]|\[[^\[\]]*\])*\]|\((?:[^()]|\([^()]*\))*\)"
    r"|\{(?![\w+]+\})(?:[^{}]|\{[^{}]*\})*\}(?=[\s,\]})'\"]|\Z))"
)
"""A list, a tuple or a dict, two deep; ``{name}`` is a place to be filled."""


def is_proposed(value: str) -> bool:
    """Whether this is a value that this package itself tells people to write."""
    bare = value.strip("'\"")
    return bare in MADE_UP_VALUES or bool(_URL_WORD.fullmatch(bare))


_COMMON = re.compile(
    r"v?\d[\d.,_:-]*\w{0,3}|0x[\da-f]+|[\da-f]{12}|[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}|[^\W_]+(?:_+[^\W_]+)+|[A-Z]\d{1,2}"
    r"|argon\w*|psycopg\w*|(?:sha|md|utf|int|float|oauth|http|base|x|python|py|pg|s|ipv|uuid|ed|aes|rsa|[ehpr]s|postgres"
    r"|postgresql|ec|k|db|host|test|user|table|t|col|column|c|line|node|server|app|shop|env|dev|prod|stage|schema|rev"
    r"|revision|step|phase|option|arg|param|group|role|tenant|replica|shard|worker|address|file|dir|page|item|bits?|level"
    r"|f|a|b|x|y)\d{1,5}\w?",
    re.IGNORECASE,
)
"""Letters and digits that are no secret: versions, identifiers, revisions, names of algorithms and servers."""
_SIGNS = re.compile(r"[A-Za-z][!@#$%^&*+~?]+\w|[!#$%^&*+~][A-Za-z]")


def is_named(value: str) -> bool:
    """Whether a word is the name of a thing: a module, a file, a variable."""
    return bool(re.fullmatch(r"[A-Za-z_][\w-]*(?:\.[\w-]+)+|[A-Z]+(?:_[A-Z]+)+", value.strip("'\"`\\")))


def _changes_case(word: str) -> bool:
    """Whether small and capital letters are mixed at random, as in base64: in ``CamelCase`` a word is longer."""
    letters = re.sub(r"[+/_-]", "", word)
    if len(letters) < 10 or not letters.isalpha() or not letters.isascii():
        return False
    changes = sum(left.isupper() != right.isupper() for left, right in pairwise(letters))
    return changes / (len(letters) - 1) > 0.42


def looks_secret(value: str) -> bool:
    """Whether this is no word, no name and no number: letters and digits, or letters and signs, in a mix."""
    word = re.sub(r"^[bru](?=['\"])", "", value).strip("'\"`\\")[:300]
    if len(word) < 5 or " " in word or is_proposed(word) or HIDDEN in word or _COMMON.fullmatch(word) or is_named(word):
        return False
    if re.fullmatch(r"(?=[^=]*\d)[\w+/-]{8,}={1,2}", word):
        return True  # base64, which may begin with a slash
    if _changes_case(word):
        return True
    if re.match(r"[~.]{0,2}/|\w+(?:/[\w.-]+)+\.\w+$|\w+://", word):
        return False
    if re.fullmatch(r"(?=[^=]*[\d+/])[\w+/-]{4,}={1,2}", word):
        return True  # base64
    parts = [part for part in re.split(r"[-_]", word) if not _COMMON.fullmatch(part)]
    return any(re.search(r"[A-Za-z]", part) and (re.search(r"\d", part) or _SIGNS.search(part)) for part in parts)


def hide_entry(match: re.Match[str]) -> str:
    """Hide what follows the first group, a name, unless that only says something of a secret."""
    return match[0] if is_about_secrets(match[1]) else f"{match[1]}'{HIDDEN}'"
