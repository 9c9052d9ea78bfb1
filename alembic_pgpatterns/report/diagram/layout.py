"""Where the boxes of a diagram stand: parents left of their children, in layers, related tables together.

The steps are those of Sugiyama, Tagawa and Toda (1981), each in its simplest form: break circles, give every table a
layer, put each layer in the order of its neighbours, then stack. Pixels throughout.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from alembic_pgpatterns.report.diagram.model import Box, Diagram
from alembic_pgpatterns.schema.model import Name

WIDTH, LINE, HEAD = 280, 20, 30
GAP_X, GAP_Y = 90, 28
SWEEPS = 6
FEW_COLUMNS = 8
"""So many columns always stand in one row."""
Graph = Mapping[Name, frozenset[Name]]


@dataclass(frozen=True, slots=True)
class Place:
    """A box with the position of its upper left corner."""

    box: Box
    x: int
    y: int

    @property
    def height(self) -> int:
        """Of the whole box."""
        return height_of(self.box)

    def row_y(self, column: str) -> int:
        """The middle of a column's line; of the heading, for a column that is not shown."""
        names = [row.name for row in self.box.rows]
        return self.y + (HEAD + names.index(column) * LINE + LINE // 2 if column in names else HEAD // 2)


@dataclass(frozen=True, slots=True)
class Layout:
    """All places, and the size of the picture."""

    places: tuple[Place, ...]
    width: int
    height: int


def height_of(box: Box) -> int:
    """The height of a box: its heading, a line per column, and one for the hidden columns."""
    return HEAD + LINE * (len(box.rows) + bool(box.hidden)) + 6


def layout(diagram: Diagram, aspect: float = 1.6) -> Layout:
    """Place all boxes.

    Args:
        diagram: what to place.
        aspect: width over height that the picture should come near to.
    """
    boxes = {box.table: box for box in diagram.boxes}
    parents: dict[Name, frozenset[Name]] = {
        name: frozenset(link.parent for link in diagram.links if link.child == name and link.parent != name)
        for name in boxes
    }
    groups = _groups(parents)
    alone = [name for group in groups if len(group) == 1 for name in group]
    blocks = [_block(group, parents, boxes) for group in groups if len(group) > 1]
    if alone:
        blocks.append(_grid([boxes[name] for name in alone], aspect))
    return _packed(blocks, aspect)


def _groups(parents: Graph) -> list[list[Name]]:
    """Tables that are connected, the largest group first; tables keep the order of the schema."""
    neighbours: dict[Name, set[Name]] = {name: set(others) for name, others in parents.items()}
    for name, others in parents.items():
        for other in others:
            neighbours[other].add(name)
    seen: set[Name] = set()
    groups = []
    for name in parents:
        if name in seen:
            continue
        group, waiting = {name}, [name]
        while waiting:
            new = neighbours[waiting.pop()] - group
            group |= new
            waiting.extend(new)
        seen |= group
        groups.append([item for item in parents if item in group])
    return sorted(groups, key=len, reverse=True)


def _layers(group: Sequence[Name], parents: Graph) -> dict[Name, int]:
    """A layer per table: one more than its farthest parent's. A link that closes a circle does not count."""
    # With a stack, not by recursion: a chain of a thousand tables would end at Python's limit.
    layers: dict[Name, int] = {}
    open_: set[Name] = set()
    for start in group:
        stack = [start]
        while stack:
            name = stack[-1]
            waiting = [other for other in sorted(parents[name], key=str) if other not in layers and other not in open_]
            open_.add(name)
            if name in layers:
                stack.pop()
            elif waiting:
                stack.extend(waiting[:1])
            else:
                layers[name] = 1 + max((layers[other] for other in parents[name] if other in layers), default=-1)
                stack.pop()
    return layers


def _ordered(group: Sequence[Name], parents: Graph) -> list[list[Name]]:
    """The layers, each in the order that brings neighbours together."""
    layers = _layers(group, parents)
    children = {name: [other for other in group if name in parents[other]] for name in group}
    columns: list[list[Name]] = [[] for _ in range(max(layers.values()) + 1)]
    for name in group:
        columns[layers[name]].append(name)
    for sweep in range(SWEEPS):
        forward = sweep % 2 == 0
        # A share of the layer, so that places in a long and in a short one can be compared.
        rank = {name: place / max(len(column), 1) for column in columns for place, name in enumerate(column)}
        for column in columns if forward else reversed(columns):
            near = {name: [rank[other] for other in (parents[name] if forward else children[name])] for name in column}
            column.sort(key=lambda name: sum(near[name]) / len(near[name]) if near[name] else rank[name])
            rank |= {name: place / max(len(column), 1) for place, name in enumerate(column)}
    return columns


def _block(group: Sequence[Name], parents: Graph, boxes: Mapping[Name, Box]) -> list[Place]:
    """The places of connected tables; a layer that would become too high takes several columns."""
    total = sum(height_of(boxes[name]) + GAP_Y for name in group)
    # The height that makes the block 1.6 times as wide as it is high; of few tables it would be less than one of them.
    limit = max(600, int((total * (WIDTH + GAP_X) / 1.6) ** 0.5))
    layers = _ordered(group, parents)
    columns = [part for layer in layers for part in _split([boxes[name] for name in layer], limit)]
    places: list[Place] = []
    y = 0
    for band in _bands(columns):
        stacks = [_stacked(column, number * (WIDTH + GAP_X), y) for number, column in enumerate(band)]
        places += [place for stack in stacks for place in stack]
        y = max(place.y + place.height for place in places) + 2 * GAP_Y
    return places


def _bands(columns: Sequence[list[Box]]) -> list[Sequence[list[Box]]]:
    """The columns in rows below each other, if they are many and low: a long chain of parents would be a thin line."""
    height = max(sum(height_of(box) + GAP_Y for box in column) for column in columns)
    width = len(columns) * (WIDTH + GAP_X)
    if len(columns) <= FEW_COLUMNS or width <= 3 * height:
        return [columns]
    each = max(FEW_COLUMNS, int((len(columns) * height * 1.6 / (WIDTH + GAP_X)) ** 0.5))
    return [columns[start : start + each] for start in range(0, len(columns), each)]


def _split(column: Sequence[Box], limit: int) -> list[list[Box]]:
    parts: list[list[Box]] = [[]]
    used = 0
    for box in column:
        if used and used + height_of(box) > limit:
            parts.append([])
            used = 0
        parts[-1].append(box)
        used += height_of(box) + GAP_Y
    return parts


def _stacked(column: Sequence[Box], x: int, y: int = 0) -> list[Place]:
    places = []
    for box in column:
        places.append(Place(box, x, y))
        y += height_of(box) + GAP_Y
    return places


def _grid(boxes: Sequence[Box], aspect: float) -> list[Place]:
    """Tables without any foreign key, in columns of about the same height."""
    total = sum(height_of(box) + GAP_Y for box in boxes)
    limit = max(300, int((total * (WIDTH + GAP_Y) / aspect) ** 0.5))
    parts = _split(boxes, limit)
    return [place for number, part in enumerate(parts) for place in _stacked(part, number * (WIDTH + GAP_Y))]


def _packed(blocks: Sequence[Sequence[Place]], aspect: float) -> Layout:
    """The blocks in rows, so that the picture comes near to its aspect."""
    sizes = [_size(block) for block in blocks]
    area = sum((width + GAP_X) * (height + GAP_Y) for width, height in sizes)
    limit = max([int((area * aspect) ** 0.5), *(width for width, _ in sizes)], default=0)
    places: list[Place] = []
    x = y = row = right = 0
    for block, (width, height) in zip(blocks, sizes, strict=True):
        if x and x + width > limit:
            x, y, row = 0, y + row + 2 * GAP_Y, 0
        places += [Place(place.box, place.x + x, place.y + y) for place in block]
        right, row = max(right, x + width), max(row, height)
        x += width + GAP_X
    return Layout(tuple(places), right, y + row)


def _size(block: Sequence[Place]) -> tuple[int, int]:
    return max(place.x for place in block) + WIDTH, max(place.y + place.height for place in block)
