"""Which fixes a revision can make alone."""

from __future__ import annotations

import pytest

from alembic_pgpatterns.remedies.fixable import is_conversion
from alembic_pgpatterns.remedies.model import TypeChange
from alembic_pgpatterns.schema.names import Name


@pytest.mark.parametrize(
    ("using", "conversion"),
    [
        (None, False),
        ("c", False),
        ("c::numeric(12,2)", False),
        ("CAST(t.c AS text)::uuid", False),
        ('"CASE (x)"::uuid', True),  # another column, whose name only looks like code
        ("c AT TIME ZONE 'UTC'", False),
        ("c AT TIME ZONE 'Europe/Rome'", True),
        ("c = 1", True),
        ("coalesce(c, 'x')", True),
        ("CASE c WHEN 'yes' THEN true END", True),
        ("c || 'x'", True),
        ("not SQL at all (", True),
    ],
)
def test_values_that_change_with_the_type(using: str | None, conversion: bool) -> None:
    assert is_conversion(TypeChange(Name("public", "t"), "c", "text", "uuid", using=using)) is conversion
