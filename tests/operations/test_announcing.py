"""Directives are announced by name and imported when asked for: the names must be those the modules bring."""

from __future__ import annotations

import subprocess
import sys
from importlib import import_module

import pytest
from alembic import op
from alembic.operations import BatchOperations, Operations

from alembic_pgpatterns.operations import COMPARED, IN_BATCH, KINDS
from alembic_pgpatterns.operations.directive import Directive
from alembic_pgpatterns.operations.support.announcing import Announced, announce


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_announces_what_its_module_brings(kind: str):
    module = import_module(f"alembic_pgpatterns.operations.{kind}")
    own = [item for item in vars(module).values() if isinstance(item, type) and item.__module__ == module.__name__]
    brought = {item.name for item in own if issubclass(item, Directive) and "name" in vars(item)}
    assert brought == set(KINDS[kind])
    assert (kind in COMPARED) == hasattr(module, f"compare_{kind}")
    for name in KINDS[kind]:
        assert getattr(Operations, name).__doc__ == getattr(op, name).__doc__
        assert hasattr(BatchOperations, name) == (kind in IN_BATCH)


def test_nothing_but_what_is_used_is_imported():
    code = """
import sys
import alembic
from alembic import op
ours = {name for name in sys.modules if name.startswith("alembic_pgpatterns.operations.")}
assert ours == {"alembic_pgpatterns.operations.support", "alembic_pgpatterns.operations.support.announcing"}, ours
assert {"create_policy", "execute"} <= set(dir(op))
assert "Lock:" in op.create_policy.__doc__
from alembic.op import upsert
assert "alembic_pgpatterns.operations.upsert" in sys.modules
assert "alembic_pgpatterns.operations.grants" not in sys.modules
try:
    op.create_polcy
except AttributeError as error:
    assert "create_polcy" in str(error)
else:
    raise AssertionError("a name that nobody has")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_name_that_its_module_does_not_bring():
    class Holder:
        pass

    announce(Holder, {"nothing": "alembic_pgpatterns.errors"})
    assert isinstance(vars(Holder)["nothing"], Announced)
    with pytest.raises(AttributeError, match=r"alembic_pgpatterns\.errors does not define 'nothing'"):
        Holder.nothing  # noqa: B018
