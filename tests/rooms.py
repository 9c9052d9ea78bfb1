"""The rooms of the package and what they import of each other, read from the sources; the picture of it in the docs.

``python -m tests.rooms`` writes the picture in docs/design.md again.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.test_layers import LAYERS, imports, modules

DESIGN = Path(__file__).parent.parent / "docs" / "design.md"
PICTURE = re.compile(r"(?<=^```mermaid\n)flowchart TB\n.*?(?=^```$)", re.MULTILINE | re.DOTALL)


def room(module: str) -> str:
    """The room that a module stands in: the longest name of a layer that it begins with."""
    names = (name for row in LAYERS for name in row if module == name or module.startswith(f"{name}."))
    return max(names, key=len)


def arrows() -> dict[str, set[str]]:
    """For each room, the other rooms that it imports from."""
    result: dict[str, set[str]] = {name: set() for row in LAYERS for name in row}
    for module in modules():
        result[room(module)] |= {room(name) for name in imports(module) if name in modules()}
    return {name: others - {name} for name, others in result.items()}


def reduced(graph: dict[str, set[str]]) -> dict[str, set[str]]:
    """The fewest arrows from which the others follow: one is left out where a longer way leads to the same room.

    Rooms of one row may import each other; between them every arrow stays.
    """
    reached = {name: _below(graph, name) for name in graph}
    return {
        name: {
            other
            for other in others
            if not any(other in reached[way] and name not in reached[way] for way in others - {other})
        }
        for name, others in graph.items()
    }


def _below(graph: dict[str, set[str]], start: str) -> set[str]:
    found, waiting = set(), [start]
    while waiting:
        new = graph[waiting.pop()] - found
        found |= new
        waiting.extend(new)
    return found


def picture() -> str:
    """The rooms from the top down, with the arrows that are needed, as Mermaid."""
    lines = ["flowchart TB"]
    lines += [f"  {_identifier(name)}[{name}]" for row in LAYERS for name in row]
    for name, others in reduced(arrows()).items():
        lines += [f"  {_identifier(name)} --> {_identifier(other)}" for other in sorted(others)]
    return "\n".join(lines) + "\n"


def _identifier(name: str) -> str:
    return name.replace(".", "_")


if __name__ == "__main__":
    DESIGN.write_text(PICTURE.sub(lambda _: picture(), DESIGN.read_text(encoding="utf-8")), encoding="utf-8")
