"""A diagram in Mermaid's words, which GitHub and GitLab draw in a comment."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from alembic_pgpatterns.findings.report_model import Report
from alembic_pgpatterns.output.safe_text import one_line
from alembic_pgpatterns.report.diagram.model import Box, Diagram, Row, diagram

TABLES = 15
"""Tables in one picture, those with most findings: more of them cannot be read in a comment."""
MARKS = {"error": "🔴", "warning": "🟡", "info": "🔵"}


def pictures(report: Report) -> Iterator[tuple[str, str]]:
    """For each database with findings on tables: a title, and the picture of these tables."""
    for label, schema in report.schemas:
        counts = Counter(finding.table for finding in report.findings if finding.table is not None)
        drawn = diagram(schema, report.findings, [table for table, _ in counts.most_common(TABLES)])
        if drawn.boxes:
            count = len(drawn.boxes)
            title = f"The {count} tables with most findings" if count > 1 else "The table with findings"
            yield f"{title} {label}".strip(), mermaid(drawn)


def mermaid(diagram: Diagram) -> str:
    """An ``erDiagram``: columns that are keys or have findings, and the foreign keys between the tables."""
    names = {box.table: f"t{number}" for number, box in enumerate(diagram.boxes)}
    lines = ["erDiagram"]
    for box in diagram.boxes:
        lines += [f'  {names[box.table]}["{_title(box)}"] {{', *_rows(box), "  }"]
    for link in diagram.links:
        lines.append(f'  {names[link.parent]} ||--o{{ {names[link.child]} : "{_text(link.column)}"')
    return "\n".join(lines) + "\n"


def _title(box: Box) -> str:
    mark = f"{MARKS[str(box.severity)]} " if box.severity is not None else ""
    return f"{mark}{_text(str(box.table))}"


def _rows(box: Box) -> Iterator[str]:
    for row in box.rows:
        if row.key or row.severity is not None:
            yield f"    {_word(row.type)} {_word(row.name)}{_keys(row)}{_note(row)}"


def _keys(row: Row) -> str:
    return f" {', '.join(row.key.split())}" if row.key else ""


def _note(row: Row) -> str:
    return f' "{MARKS[str(row.severity)]}"' if row.severity is not None else ""


def _word(text: str) -> str:
    """Mermaid takes letters, digits, and few other characters in the names of attributes."""
    return re.sub(r"\W", "_", text).lstrip("_0123456789") or "x"


def _text(text: str) -> str:
    """Text between double quotes: Mermaid has no escape for these, refuses ``%``, and reads Markdown and entities."""
    return re.sub(r"[^\w .,:()*+=/@!?$-]", "'", one_line(text).replace("\\", "/"))
