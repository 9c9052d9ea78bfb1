"""Markdown in which text of others stays text: prose, code in a line, and blocks of code."""

from __future__ import annotations

import re

from alembic_pgpatterns.output.safe_text import one_line, without_mentions

_SPECIAL = re.compile(r"([\\`*_{}\[\]()<>#+!|~&$-])")


def block(code: str, language: str, indent: str = "") -> str:
    """A fenced block; the fence is longer than any run of backticks inside. ``indent``: of a list's item."""
    fence = "`" * max(3, max((len(run) for run in re.findall("`+", code)), default=0) + 1)
    inner = "\n".join(f"{indent}{line}" for line in code.split("\n"))
    return f"\n{indent}{fence}{language}\n{inner}\n{indent}{fence}\n"


def escaped(text: str) -> str:
    """Prose in which nothing is markup, a link or a mention."""
    safe = _SPECIAL.sub(r"\\\1", one_line(text)).replace("://", ":\\//")
    return without_mentions(safe.replace("\\<", "&lt;").replace("\\&", "&amp;"))


def code_span(text: str) -> str:
    """Code in a line: the fence longer than any run of backticks inside."""
    text = one_line(text)
    fence = "`" * (max((len(run) for run in re.findall("`+", text)), default=0) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{text}{pad}{fence}"
