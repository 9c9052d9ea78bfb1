"""Secrets in sentences: ``the password is X``, ``invalid token: X``, ``'X' is not a valid key``.

What stands right behind the name of a secret and a word such as "is" is its value, unless it is an ordinary word
("the password is missing"). In the rest of a line that names a secret, what looks like no word at all is taken for one.
"""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import (
    HIDDEN,
    QUOTED,
    SPOKEN,
    WITHIN,
    is_about_secrets,
    is_named,
    is_proposed,
    looks_secret,
)

_WORDS = (
    "a|about|above|access|after|again|algorithm|all|allowed|already|also|always|an|and|another|"
    "any|are|argument|as|at|attribute|authentication|authenticator|authorization|available|bad|base64|"
    "be|because|been|before|being|below|blank|both|but|by|can|cannot|case|change|characters|check|"
    "class|column|correct|could|credential|credentials|decode|decrypt|default|did|different|do|does|"
    "during|either|else|empty|encryption|endpoint|enough|entry|error|errors|exactly|exist|exists|"
    "expected|fail|fails|false|field|file|first|for|found|from|further|generator|given|good|got|"
    "had|has|hash|have|header|here|how|if|in|incorrect|instead|integer|into|invalid|is|it|its|"
    "itself|kept|key|keys|last|length|less|like|list|longer|lost|made|malformed|manager|many|may|"
    "method|mismatch|module|more|most|must|my|name|never|new|next|no|none|nor|not|nothing|now|"
    "null|of|off|ok|old|on|once|one|only|option|optional|or|other|our|out|over|parameter|"
    "passphrase|password|passwords|plain|policy|prompt|property|protocol|provider|rather|read|row|"
    "rule|same|secret|secrets|server|service|set|setting|shall|short|should|shown|since|so|some|"
    "soon|stale|still|store|stored|str|string|such|table|taken|than|that|the|their|them|then|"
    "there|these|they|this|those|through|to|together|token|tokens|too|true|two|type|unable|under|"
    "unknown|unset|until|up|use|user|valid|validator|value|variable|verification|was|weak|were|"
    "auth|challenge|format|mac|prefix|realm|scheme|security|"
    "what|when|where|which|while|whose|why|will|with|without|would|write|wrong|yes|yet|you|your"
)
_ORDINARY = re.compile(rf"(?:{_WORDS}|[a-z]+(?:ed|ing|able|ible|ly|less|ful|ent|ant|ous|ive|ical|ory))", re.IGNORECASE)
_BARE = r"(?!--)[^\s'\"`,;(){}\[\]<>|]+"
_VALUE = rf"(?:{WITHIN}|{QUOTED}|`[^`\n]*`|{_BARE})"
_VERB = r"is|was|are|were|equals|(?:has|had) the value|set to|changed to|changed from|must not be|got|provided"
_STATED = re.compile(
    rf"((?<!no )(?<![\w/]){SPOKEN}['\"`]?(?:\s+(?:for|of)\s+[\w@.-]+)?(?:\s+(?:provided|given|supplied|used|value))?"
    rf"(?:\s*(?:-+>|=>|>>|:=|==|!=|:|=)\s*|,?\s+(?:{_VERB})(?:\s+set to)?(?:\s+now)?:?\s+))(?!\*\*\*)({_VALUE})",
    re.IGNORECASE,
)
_USED = re.compile(
    rf"(\b(?:with|using|wrong|received|expected|use|try|bad)\s+(?:the\s+)?{SPOKEN}\s+)(?!\*\*\*)({_BARE})"
    rf"|((?<![\w/.]){SPOKEN}\s+)(?!\*\*\*)({_BARE})(?=\s+(?:is|was|has|expired|could|cannot|denied|rejected)\b)",
    re.IGNORECASE,
)
_GOT = re.compile(
    rf"(\b(?:got|received|given|value|not|as)\s+)(?!\*\*\*)({QUOTED})|(\b(?:got|received)\s+)(?!\*\*\*)({_BARE})",
    re.IGNORECASE,
)
"""In a sentence that names a secret before or after it."""
_CHANGED = re.compile(rf"((?<![\w/]){SPOKEN}\s+changed from \S{{1,200}} to\s+)(?!\*\*\*)({_VALUE})", re.IGNORECASE)
_SHORT = re.compile(
    rf"((?<![\w/.-])(?:PASS|PWD|PIN|OTP|pass|pwd|pw|Pass|Pwd)\b\s*(?:[:=]|\bis)\s*)(?!\*\*\*)(?![/-])({_VALUE})"
)
_BESIDE = re.compile(rf"((?<!expected )(?<![\w/.]){SPOKEN}\s+\(?)(?!\*\*\*)({_VALUE})(?!\s*(?:=|:[^/]))", re.IGNORECASE)
_KIND = re.compile(r"(\b\w{0,60}?(?:Password|Token|Secret|Credential|ApiKey)\w{0,60}:\s+)(?!\*\*\*)(\S+)")
"""The class of an error, such as InvalidTokenError."""
_WITH_VALUE = re.compile(
    # A variable with its value; a command that sets it; a user and his password.
    r"((?<![\w.-])[A-Z][A-Z0-9_]{0,60}(?:PASSWORD|PASSWD|SECRET|TOKEN|_PASS|_PWD|_KEY) \((?:[Vv]alue:? )?)"
    rf"({_BARE}|{QUOTED})(?=\))"
    rf"|(\b(?:setx|ENV|ARG|export|setenv)\s+(?i:{SPOKEN})[\w-]*\s+)({_VALUE})"
    rf"|(\binvalid value )({_BARE}|{QUOTED})(?= for (?i:{SPOKEN}))"
    rf"|(\bcredentials:?\s+[\w.@*-]{{1,60}}\s?[/:]\s?)({_VALUE})"
    rf"|(\buser\s+[\w.@-]{{1,60}}\s?[/,]\s+password\s+)({_VALUE})"
    rf"|((?<![\w.-])(?i:{SPOKEN})(?: ?\|[ \t]*|[ \t]*(?:\t|\\t)[ \t]*|[ ]{{4,}}|[ \t]?\.\.\.+[ \t]*))({_VALUE})"
)
"""Where only a value can stand, unless it is the type of a column."""
_TYPE = re.compile(
    r"(?:text|citext|varchar|char|character|bytea|int\d?|integer|bigint|smallint|uuid|jsonb?|bool|boolean|numeric|float\d?"
    r"|real|date|time|timestamp|timestamptz|interval|name|serial|bigserial|String|Text|Unicode|LargeBinary|Uuid|Enum)\b.*",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    rf"((?:^|(?<=: )){_BARE}|{QUOTED})"
    rf"(?=\s+(?:is|was|does)(?:\s+not?|n't)?\s+(?:look like |a |an |the |valid |correct |right )*{SPOKEN})",
    re.IGNORECASE | re.MULTILINE,
)
"""The value comes first: ``'X' is not a valid token``."""

_CERTAIN = re.compile(
    # A header; a comparison; what environs quotes; an argument of RAISE; a key that cannot be decoded; a login.
    rf"(\b[Bb]earer\s+)(?!\w+=)({_BARE})"
    rf"|((?i:{SPOKEN})\s+(?:mismatch\w*|differs?):?\s+)({_VALUE})(?=\s+(?:!=|<>|vs)\s)"
    rf"|((?i:{SPOKEN})\s+(?:mismatch\w*|differs?):?\s+\S+\s+(?:!=|<>|vs\.?)\s+)({_VALUE})"
    r"|(\bEnvironment variable ['\"](?i:\w*(?:PASS|PWD|SECRET|TOKEN|KEY)\w*)['\"] invalid: [^\n]{0,300}?: )"
    r"([^'\"\]\n]+)"
    rf"|(\bRAISE\s+\w+\s+'[^'\n]{{0,200}}(?i:{SPOKEN})[^'\n]{{0,200}}%[^'\n]{{0,200}}',\s*)({QUOTED})"
    rf"|(\bcannot (?:decode|decrypt|load|parse) )({_BARE})(?= as (?:a|an|the) (?:\w+ )?(?:key|token|secret|password)\b)"
    rf"|(\bdecrypt (?:by|with|using) the key )({_BARE})|(\bFernet: )({_BARE})(?= is not a key)"
    rf"|(\bthe key )({_BARE})(?= is (?:no|not) (?:valid )?(?:base64|Fernet))"
    rf"|()((?<!\S){_BARE})(?= is (?:no|not a) (?:valid )?(?:base64|Fernet)\b)"
    rf"|(\blogin as [\w.@-]{{1,60}} with )({_BARE})(?= (?:was|is|failed|refused)\b)"
    rf"|(\bassert (?:{QUOTED}) [!=]= )({QUOTED})(?=,\s*['\"](?i:{SPOKEN}))"
    rf"|((?:^|(?<=: ))(?:passwd|api_?key)[ ]+)({_BARE})(?=\s*$)"
    rf"|((?<![\w.-])(?i:{SPOKEN})\s+(?:should|must) be (?:longer|shorter) than )(?!\d)({_BARE})(?=\s*$)"
)
"""Where a word is the secret, unless it is an ordinary one."""
_BASIC = re.compile(rf"(\bBasic\s+)({_BARE})")

_PRONOUNCED = re.compile(rf"(?<![/\w]){SPOKEN}(?![\w/]|\.\w)", re.IGNORECASE)
_SQL = re.compile(r"\b(?:SELECT|INSERT INTO|UPDATE \w+ SET|DELETE FROM|CREATE|ALTER|DROP|GRANT|COMMENT ON)\b")
_PIECE = re.compile(
    rf"{QUOTED}|(?<![\w/])[\w+/-]{{4,}}==?(?![\w=*'\"])|`[^`\n]*`|(?<![\w/.:@-])[\w!@#$%^&*+~?-]+(?![\w/]|[.:]\w|\()"
)
_PLACE = re.compile(r"\S+\.py:\d+: ")


def without_spoken(text: str) -> str:
    """A text of others without the secrets in its sentences. Lines of SQL stay as they are."""
    return "\n".join(line if _SQL.search(line) else _without_spoken(line) for line in text.split("\n"))


def _without_spoken(line: str) -> str:
    for form in (_STATED, _USED, _CHANGED, _SHORT):
        line = form.sub(_stated, line)
    line = _CERTAIN.sub(_stated, _WITH_VALUE.sub(_if_value, line))
    for form in (_BASIC, _BESIDE, _KIND):
        line = form.sub(_if_unlike_a_word, line)
    return _without_odd_words(_BEFORE.sub(_first, line))


def _stated(match: re.Match[str]) -> str:
    before, value = (group for group in match.groups() if group is not None)
    value, end = _value_and_end(value)
    if _is_ordinary(value) or is_about_secrets(before) or re.match(r"[\w./-]+\.\w+:\d|//", value):
        return match[0]
    return f"{before}{HIDDEN}{end}"


def _if_value(match: re.Match[str]) -> str:
    value = next(group for group in match.groups()[1::2] if group is not None)
    return match[0] if _TYPE.fullmatch(_plain(value)) or value.isdigit() else _stated(match)


def _if_unlike_a_word(match: re.Match[str]) -> str:
    value, end = _value_and_end(match[2])
    return f"{match[1]}{HIDDEN}{end}" if looks_secret(value) or _is_quoted_word(value) else match[0]


def _first(match: re.Match[str]) -> str:
    return match[0] if _is_ordinary(match[0]) or is_named(match[0]) else HIDDEN


def _without_odd_words(line: str) -> str:
    """A line without what is no word in it, if it names a secret."""
    if not _PRONOUNCED.search(line):
        return line
    if "expected token" not in line:  # of a parser, whose tokens are no secrets
        line = _GOT.sub(_stated, line)
    place = _PLACE.match(line)
    begin = place.end() if place else 0
    return line[:begin] + _PIECE.sub(_odd, line[begin:])


def _odd(match: re.Match[str]) -> str:
    value, end = _value_and_end(match[0])
    if " " in value:
        return value[0] + _PIECE.sub(_odd, value[1:-1]) + value[-1]
    return f"{HIDDEN}{end}" if looks_secret(value) else match[0]


def _value_and_end(text: str) -> tuple[str, str]:
    """A word, and the marks of the sentence behind it."""
    value = text if text[:1] in ("'", '"', "`", "\\") else text.rstrip(".,:;!?)")
    return value, text[len(value) :]


def _plain(value: str) -> str:
    return value.strip("'\"`\\")


def _is_quoted_word(value: str) -> bool:
    """Whether it is one word in quotes and cannot be a keyword: ``token 'abcdef'``, but not ``token 'end of line'``."""
    word = _plain(value)
    return word != value and bool(re.fullmatch(r"(?=\w*[a-z])[^\s'\"]{4,}", word)) and not _is_ordinary(value)


def _is_ordinary(value: str) -> bool:
    word = _plain(value)
    return not word or bool(_ORDINARY.fullmatch(word)) or is_proposed(word) or word.startswith(HIDDEN)
