"""A diagram as SVG that stands in an HTML page: colours and fonts come from the page's style sheet."""

from __future__ import annotations

from collections.abc import Iterator

from alembic_pgpatterns.output.counts import counted
from alembic_pgpatterns.report.diagram.layout import HEAD, LINE, WIDTH, Layout, Place
from alembic_pgpatterns.report.diagram.model import Diagram, Link, Row
from alembic_pgpatterns.report.markup import Markup, tag
from alembic_pgpatterns.schema.model import Name

MARGIN = 20
FITS = {"title": 28, "name": 19, "type": 12}
"""Characters that have room, at the page's font sizes."""


def svg(diagram: Diagram, layout: Layout, identifier: str) -> Markup:
    """The picture.

    Args:
        diagram: the tables and links.
        layout: where the tables stand.
        identifier: of the element in its page.
    """
    places = {place.box.table: place for place in layout.places}
    left, top = -MARGIN, -MARGIN
    size = f"{left} {top} {layout.width + 2 * MARGIN} {layout.height + 2 * MARGIN}"
    return tag(
        "svg",
        tag(
            "title",
            f"{counted(len(diagram.boxes), 'tables')} and {counted(len(diagram.links), 'foreign keys', 'foreign key')}",
        ),
        tag("g", [_link(link, places) for link in diagram.links], class_="links"),
        tag("g", [_box(place) for place in layout.places], class_="boxes"),
        viewBox=size,
        role="img",
        id=identifier,
    )


def _box(place: Place) -> Markup:
    box, severity = place.box, place.box.severity
    count = tag("text", str(box.findings), x=WIDTH - 12, y=20, class_="count") if box.findings else None
    badge = tag("circle", cx=WIDTH - 16, cy=15, r=11, class_="badge") if box.findings else None
    more = counted(box.hidden, "more columns", "more column")
    hidden = HEAD + LINE * len(box.rows) + 14
    return tag(
        "g",
        tag("title", f"{box.table}: {counted(box.findings, 'findings')}"),
        tag("rect", width=WIDTH, height=place.height, rx=6, class_="frame"),
        tag("path", d=f"M0 {HEAD}H{WIDTH}", class_="rule"),
        tag("text", _cut(_short(box.table), FITS["title"]), x=10, y=20, class_="title"),
        badge,
        count,
        [_row(row, HEAD + LINE * number) for number, row in enumerate(box.rows)],
        tag("text", more, x=34, y=hidden, class_="more") if box.hidden else None,
        class_=f"box {severity}" if severity is not None else "box",
        transform=f"translate({place.x} {place.y})",
        data_table=str(box.table),
        tabindex=0,
    )


def _row(row: Row, y: int) -> Markup:
    mark = tag("rect", x=1, y=y + 1, width=WIDTH - 2, height=LINE - 1, class_="mark") if row.severity else None
    return tag(
        "g",
        tag("title", f"{row.name} {row.type}"),
        mark,
        tag("text", row.key, x=10, y=y + 14, class_="key") if row.key else None,
        tag("text", _cut(row.name, FITS["name"]), x=48 if " " in row.key else 34, y=y + 14, class_="name"),
        tag("text", _cut(row.type, FITS["type"]), x=WIDTH - 8, y=y + 14, class_="type"),
        class_=f"row {row.severity}" if row.severity else "row",
    )


def _link(link: Link, places: dict[Name, Place]) -> Markup:
    child, parent = places[link.child], places[link.parent]
    return tag(
        "path",
        d=" ".join(_curve(child, parent, link.column)),
        class_="link",
        data_child=str(link.child),
        data_parent=str(link.parent),
    )


def _curve(child: Place, parent: Place, column: str) -> Iterator[str]:
    """From the child's column to the parent's heading; on the right side where the parent does not stand left of it."""
    y, heading = child.row_y(column), parent.y + HEAD // 2
    if parent.x + WIDTH < child.x:
        start, end = child.x, parent.x + WIDTH
        bend = max(40, (start - end) // 2)
        yield f"M{start} {y}C{start - bend} {y} {end + bend} {heading} {end} {heading}"
        yield f"M{start} {y - 5}L{start - 8} {y}L{start} {y + 5}"
    else:
        start, end = child.x + WIDTH, parent.x + WIDTH
        bend = 40 + abs(start - end) // 3
        yield f"M{start} {y}C{start + bend} {y} {end + bend} {heading} {end} {heading}"
        yield f"M{start} {y - 5}L{start + 8} {y}L{start} {y + 5}"


def _short(table: Name) -> str:
    return table.name if table.schema == "public" else f"{table.schema}.{table.name}"


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
