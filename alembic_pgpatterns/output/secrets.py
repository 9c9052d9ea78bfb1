"""Removes passwords, tokens and keys from text for people.

Most of such text is a mix of prose, SQL, Python and connection strings (an error of a driver, of env.py, of a server),
which no parser reads as a whole. So each form in which a secret is written is recognised by itself, PostgreSQL's
strings by the rules of its lexer (docs, "Lexical Structure", section "Constants").
"""

from __future__ import annotations

import re

HIDDEN = "***"
MADE_UP = "for-the-check-only-0123456789abcdef"
"""The value that this package proposes for any variable: it is no secret, and people shall paste it."""
MADE_UP_KEY = "Zm9yLXRoZS1jaGVjay1vbmx5LTAxMjM0NTY3ODlhYmM="
"""The same for a key that must be 32 bytes in the letters of base64 for URLs, as those of Fernet."""

_BREAK = r"(?:\n|\\n)"
"""A line break, or its form in the repr of a string."""
_SPACE = rf"(?:\s|\\[nrt]|--(?:(?!\\n)[^\n])*{_BREAK}|/\*.*?\*/)*"
_WITHIN = r"\\+'(?:[^'\\]|\\+[^'\\])*(?:\\+'|\Z)|''(?:[^']|'''')+''"
"""A string inside a string of Python or of SQL."""
_STRINGS = (
    _WITHIN,
    r"E'(?:[^'\\]|\\+''?|\\.|'')*(?:'|\Z)",  # a repr doubles the backslash: it is better to hide too much
    r"U&'(?:[^']|'')*(?:'|\Z)(?:\s*UESCAPE\s*'.')?",
    rf"N?'(?:[^']|'')*(?:'|\Z)(?:\s*{_BREAK}\s*'(?:[^']|'')*')*",
    r"(?P<dollar>\$(?:[^\W\d]\w*)?\$).*?(?:(?P=dollar)|\Z)",
)
_STRING = f"(?:{'|'.join(_STRINGS)})"
_OF_SQL = re.compile(rf"((?<!['\w])PASSWORD\"?{_SPACE}){_STRING}", re.IGNORECASE | re.DOTALL)
_NAME = r"(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|(?:API|ACCESS|SECRET|PRIVATE|ACCOUNT)[_-]?KEY|CREDENTIALS?)"
_VALUE_OF_SQL = re.compile(
    rf"((?<!')\b[\w.]*{_NAME}\"?{_SPACE}(?:=|:=|\bTO\b){_SPACE}){_STRING}", re.IGNORECASE | re.DOTALL
)
"""``SET app.jwt_secret TO 'x'``, ``UPDATE users SET password = 'x'``. The name ends so: ``token_type`` is no secret."""
_SET_CONFIG = re.compile(rf"(\bset_config\(\s*'[\w.]*{_NAME}'\s*,\s*){_STRING}", re.IGNORECASE | re.DOTALL)
_INSERT = re.compile(
    rf"(\bINSERT\s+INTO\s+[^()]+\([^()]*{_NAME}\b[^()]*\)\s*(?:OVERRIDING\s+\w+\s+VALUE\s*)?VALUES\b)(.*)",
    re.IGNORECASE | re.DOTALL,
)
"""Into such a column: which of the values is the secret one only a parser knows, so all strings are hidden."""
_CRYPT = re.compile(r"(\b(?:crypt|hmac|(?:pgp_(?:sym|pub)_)?(?:en|de)crypt\w*)\()([^()]*)", re.IGNORECASE)
"""Functions of pgcrypto: text and key."""
_ANY_STRING = re.compile(_STRING, re.IGNORECASE | re.DOTALL)

_URL = re.compile(r"(://[^\s:/@]*:)(?!password@)\S+@")
"""Up to the last @ of the word: a password may contain one that should be written %40."""
_URL_CUT = re.compile(r"(://[^\s:/@\[{]+:)(?!password\b|\d+(?!\w)|\*\*\*)[^\s/@'\"{]+(?=['\"\s]|\Z)")
"""One without its host: Alembic, for example, takes what stands before an @ for the name of a branch."""
_URL_TOKEN = re.compile(r"(\bhttps?://)[^\s:/@]{12,}@")

_QUOTED = r"b?'(?:[^'\\]|\\.)*'|b?\"(?:[^\"\\]|\\.)*\""
_CONNINFO = re.compile(rf"(\b(?:ssl)?password=(?!>))({_WITHIN}|{_QUOTED}|(?!\*\*\*)[^\s&;,)\]}}'\"]+)", re.IGNORECASE)
_CONNINFO_SPACED = re.compile(rf"(\bpassword\s*=(?!>)\s*)({_WITHIN}|{_QUOTED}|[^\s&;,)'\"]+)", re.IGNORECASE)
"""Only in errors: ``CHECK (password = upper(password))`` is no secret."""

_SECRET = (
    r"[\w.-]*(?:PASSWORD|PASSWD|PASSPHRASE|SECRET|TOKEN|(?:API|ACCESS|PRIVATE|ACCOUNT)[_-]?KEY|SHARED_?ACCESS|CREDENTIAL"
    r"|AUTHORIZATION|_PASS\b|_PWD\b)[\w.-]*"
)
_WRAPPED = rf"(?:\w+\()?(?:{_QUOTED})"
"""A string, or an object that is written with one: ``SecretStr('x')``."""
_ENTRY = re.compile(
    rf"((?P<q>['\"])(?:{_SECRET}|PASS|PWD|PW)(?P=q)\s*\]?\s*(?::|=>|=)\s*)"
    rf"({_WRAPPED}|(?!\*\*\*|'\*\*\*|(?:None|True|False|null|true|false)\b)[^\s,;&)\]}}'\"({{\[]+)",
    re.IGNORECASE,
)
"""An entry of a dict or of JSON, or what is given to one."""
_PAIR = re.compile(rf"((?<!\w)[(\[]\s*(?P<q>['\"]){_SECRET}(?P=q)\s*,\s*)({_QUOTED})", re.IGNORECASE)
"""A pair of a list. The arguments of a call, as in ``Index("ix_token_user", "user_id")``, are none."""
_ASSIGNED = re.compile(
    rf"(\b(?:{_SECRET}|PWD(?!=/))\s*(?::[\w.\[\]| ]+)?=>?\s*)({_WRAPPED}|(?!\*\*\*)[^\s,;&)}}\]'\"]+)", re.IGNORECASE
)
"""Also with a type: ``password: str = 'x'``."""
_COLON = re.compile(
    rf"(\b(?:[A-Z][A-Z0-9_]*|(?i:password|passwd|secret|passphrase|[\w.-]+[_-](?:password|passwd|pass|pwd|secret|token|key))"
    rf"|\w+(?:Password|Passwd|Secret|Token|Key))\s*:)(\s*)"
    rf"({_QUOTED}|(?!\*\*\*|//|:|\w+(?:\[[^\]]*\])?\s*=)[^\s,;&)}}\]'\"]+)"
)
_IS_SECRET = re.compile(rf"{_SECRET}|\bPWD\b", re.IGNORECASE)
_NAMED = re.compile(rf"(\b(?:password|passwd|passphrase|secret)\s+)({_QUOTED})(?!\s*(?:=|:))", re.IGNORECASE)
_HEADER = re.compile(r"(\b(?:authorization|cookie)['\"]?\s*[:=,]\s*['\"]?)(?!\*\*\*)[^'\"\n}]+", re.IGNORECASE)
_BEARER = re.compile(r"(\bBearer\s+)[\w.~+/=-]{6,}")
_FLAG = re.compile(r"((?<!\w)--?[\w-]*(?:password|passwd|secret|token|api-key)[ =])(?!\*\*\*)(\S+)", re.IGNORECASE)
_ELEMENT = re.compile(rf"(<(?P<tag>{_SECRET})>)[^<]*", re.IGNORECASE)
_PEM = re.compile(r"(-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL)
_SHAPES = re.compile(
    r"\beyJ[\w-]{8,}\.[\w-]{4,}\.[\w-]*|\b(?:gh[pousr]|github_pat|glpat|xox[abprs]|[sr]k_live|[sr]k_test)[_-][\w-]{10,}"
    r"|\bAKIA[0-9A-Z]{12,}"
)
"""Tokens that are known by their form: JSON web tokens, those of GitHub, GitLab, Slack, Stripe and AWS."""
_PARAMETERS = re.compile(r"(\[parameters: ).*?\](?=\s*(?:\(Background|\Z|\n|\\n))", re.DOTALL)
"""SQLAlchemy's error lists a statement's values; those of a list have no names by which a secret is known."""
_DETAIL = re.compile(r"(Key \([^()]*\)=\(|Failing row contains \()[^\n]*?(\)(?= already| is | conflicts|\.|\n|\Z))")
"""PostgreSQL's: the values of a row."""
_PYDANTIC = re.compile(rf"(\binput_value=)({_QUOTED}|[^\s,\]]+)")
_LIBPQ = re.compile(
    r"((?:after|connection option|option|value|URI query parameter:?|in URI:?)\s+)\"[^\"]*\"(?= (?:in|for) connection)"
    r"|(missing \"=\" after )\"[^\"]*\""
    r"|(invalid (?:connection option|URI query parameter:?|percent-encoded token:?) )\"[^\"]*\""
)
"""libpq's message about a connection string that it cannot read quotes a part, which may be the password."""


_HINT = re.compile(r"PASS|PWD|SECRET|TOKEN|KEY|CREDENTIAL|AUTHORI|COOKIE|BEARER|CRYPT|HMAC", re.IGNORECASE)
"""What every other form has in it: most text has none, and the forms are slow on it."""


def without_passwords(text: str) -> str:
    """Text of this package, such as a message about a schema, without passwords in SQL, URLs and connection strings."""
    text = _URL.sub(rf"\1{HIDDEN}@", text)
    text = _URL_TOKEN.sub(rf"\1{HIDDEN}@", text)
    if not _HINT.search(text):
        return text
    text = _OF_SQL.sub(_string_hidden, text)
    for values in (_VALUE_OF_SQL, _SET_CONFIG):
        text = values.sub(_string_hidden, text)
    for calls in (_INSERT, _CRYPT):
        text = calls.sub(lambda match: match[1] + _ANY_STRING.sub(f"'{HIDDEN}'", match[2]), text)
    text = _PAIR.sub(_pair, _ENTRY.sub(rf"\1'{HIDDEN}'", text))
    return _CONNINFO.sub(rf"\1{HIDDEN}", text)


def _string_hidden(match: re.Match[str]) -> str:
    value = match[0][len(match[1]) :]
    return match[0] if value.strip("'") in (MADE_UP, MADE_UP_KEY, "{url}") else f"{match[1]}'{HIDDEN}'"


def _pair(match: re.Match[str]) -> str:
    """Hide the second of a pair, unless both are names below one package, as in a list of modules."""
    first, second = match[1].strip(" ([,'\""), match[3].strip("'\"")
    package = first.partition(".")[0]
    return match[0] if "." in first and second.startswith(f"{package}.") else f"{match[1]}'{HIDDEN}'"


def without_secrets(text: str) -> str:
    """Text of others, such as an error of env.py, without anything that looks like a secret.

    Beside `without_passwords`: values that are assigned to names such as ``DB_PASSWORD``, ``client_secret`` or
    ``API_TOKEN``, with ``=`` or ``:``; what pydantic and libpq quote of their input.
    """
    text = _CONNINFO_SPACED.sub(rf"\1{HIDDEN}", without_passwords(_readable_part(text)))
    text = _LIBPQ.sub(lambda match: f'{match[1] or match[2] or match[3]}"{HIDDEN}"', text)
    text = _PYDANTIC.sub(rf"\1'{HIDDEN}'", text)
    text = _URL_CUT.sub(rf"\1{HIDDEN}", text)
    text = _PARAMETERS.sub(rf"\1{HIDDEN}]", text)
    if _IS_SECRET.search(text):
        text = _DETAIL.sub(rf"\1{HIDDEN}\2", text)
    for form in (_HEADER, _BEARER, _FLAG, _ELEMENT, _PEM):
        text = form.sub(rf"\1{HIDDEN}", text)
    text = _NAMED.sub(rf"\1'{HIDDEN}'", _SHAPES.sub(HIDDEN, text))
    text = _ASSIGNED.sub(_hidden, text)
    return _COLON.sub(_hidden_after_colon, text)


_LONGEST, _BEGINNING = 20_000, 15_000


def _readable_part(text: str) -> str:
    """Beginning and end of a text that nobody would read as a whole, such as an error with a file in it."""
    if len(text) <= _LONGEST:
        return text
    left_out = len(text) - _LONGEST
    return f"{text[:_BEGINNING]}\n… ({left_out} characters are left out) …\n{text[_BEGINNING - _LONGEST :]}"


def _hidden(match: re.Match[str]) -> str:
    if not _IS_SECRET.search(match[1]) or match[2].strip("'\"") in (MADE_UP, MADE_UP_KEY, "{url}"):
        return match[0]
    return f"{match[1]}{HIDDEN}"


def _hidden_after_colon(match: re.Match[str]) -> str:
    # Without a space it is a value only after a name that cannot be a word of prose.
    is_name = match[2] or match[1].isupper() or match[1].lower().startswith(("password:", "passwd:"))
    if not _IS_SECRET.search(match[1]) or match[3].strip("'\"") in (MADE_UP, MADE_UP_KEY, "{url}") or not is_name:
        return match[0]
    return f"{match[1]}{match[2]}{HIDDEN}"
