"""Secrets in command lines, and in lists of a program's arguments."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.secret_names import HIDDEN

_NEXT = r"(?:=|['\"],\s*['\"]|\s+)"
"""Between a flag and its value, also in the list of a program's arguments."""
_FLAG = re.compile(
    rf"((?<![\w-])-(?:-|D)?[\w.-]{{0,60}}?(?:password|passwd|passphrase|secret|token|api-?key|access-key|secret-key){_NEXT}['\"]?)"
    r"(?!\*\*\*|value for|invalid )([^\s'\"]+)",
    re.IGNORECASE,
)
_PROGRAMS = re.compile(
    rf"(\bcurl\b.{{0,300}}?(?:-u|--user){_NEXT}['\"]?[^\s:'\"]*:|(?<!\w)(?:-u|--user)['\"],\s*['\"][^\s:'\"]*:"
    rf"|\b(?:mysql\w*|mariadb\w*)\b[^|;\n]{{0,300}}?\s['\"]?-p|\bsshpass['\"]?,?\s+['\"]?-p{_NEXT}?['\"]?"
    rf"|\bredis-cli\b[^|;\n]{{0,300}}?-a{_NEXT}['\"]?|\b(?:docker|podman|az|oc|helm|vault)\b[^|;\n]{{0,300}}?\blogin\b[^|;\n]{{0,300}}?-p{_NEXT}['\"]?"
    rf"|\bvault login\s+(?:token=)?|\bopenssl\b[^|;\n]{{0,300}}?(?:-[kK]{_NEXT}|-pass(?:in|out)?{_NEXT}pass:)['\"]?"
    r"|\bconfigure set [\w.]*(?:secret|key|token)\w*\s+"
    r"|\b(?:requirepass|masterauth)\s+|\bAUTH\s+(?:[\w-]+\s+(?=\S))?)(?!\*\*\*)([^\s'\"]+)"
)
"""Flags that mean a password with these programs only."""


def without_arguments(text: str) -> str:
    """The text without the passwords in command lines."""
    for form in (_FLAG, _PROGRAMS):
        text = form.sub(rf"\1{HIDDEN}", text)
    return text
