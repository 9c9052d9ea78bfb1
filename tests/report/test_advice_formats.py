"""Hostile names in the formats of the advice: nothing acts, nothing is markup, no password is shown."""

from __future__ import annotations

import io
import json

import pytest
from markdown_it import MarkdownIt

from alembic_pgpatterns.advisor.facts import TableSize
from alembic_pgpatterns.advisor.model import Advice, AdvisedIndex, Benefit, Unplanned, UnusedIndex
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.remedies.model import CreateIndex
from alembic_pgpatterns.report import advice as formats
from alembic_pgpatterns.schema.names import Name
from alembic_pgpatterns.workload.model import Recorded, Site, Usage, Workload
from tests.report.test_hostile_names import HOSTILE, SECRET, acts, report_of
from tests.report.test_html import Elements


def advice_of(name: str) -> AdviceReport:
    table = Name("public", name)
    site = Site(f"{name}.py", 3, "run")
    statement = Recorded("1", f'SELECT "{name}"', "select", usages=(Usage(site, 1),))
    return AdviceReport(
        Workload((statement,), notes=(name,)),
        Advice(
            indexes=(AdvisedIndex(CreateIndex.on(table, name), (Benefit(statement, 10.0, 1.0),), 8192, requires=name),),
            unused=(UnusedIndex(table, table, name),),
            unplanned=(Unplanned(statement, name),),
            sizes={table: TableSize(10.0, source=name)},
            notes=(name,),
        ),
        report_of(name),
    )


def written(name: str, form: str) -> str:
    stream = io.StringIO()
    formats.write(advice_of(name), stream, form)
    return stream.getvalue()


@pytest.mark.sample(5)
@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
@pytest.mark.parametrize("form", formats.FORMATS)
def test_nothing_acts_and_no_secret_is_shown(form: str, name: str) -> None:
    text = written(name, form)
    assert acts(text) == []
    assert SECRET not in text or form == "json"  # there a name is what a program looks for


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_a_page_has_no_element_that_a_name_made(name: str) -> None:
    expected = [element for element, _ in Elements(written("book", "html")).found]
    elements = Elements(written(name, "html"))
    assert elements.open == []
    assert [element for element, _ in elements.found] == expected


@pytest.mark.parametrize("name", HOSTILE.values(), ids=HOSTILE)
def test_markdown_has_no_markup_that_a_name_made(name: str) -> None:
    def shape(text: str) -> list[str]:
        return [token.type for token in MarkdownIt("commonmark").enable("table").parse(text)]

    assert shape(written(name, "markdown")) == shape(written("book", "markdown"))


def test_json_keeps_the_names() -> None:
    assert json.loads(written(HOSTILE["escape"], "json"))["unused"][0]["reason"] == HOSTILE["escape"]
