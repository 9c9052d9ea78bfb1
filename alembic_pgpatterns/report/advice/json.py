"""The advice as JSON, version 1."""

from __future__ import annotations

import json
from typing import Any, TextIO

from alembic_pgpatterns.advisor.model import AdvisedIndex
from alembic_pgpatterns.checks.advice_report import AdviceReport
from alembic_pgpatterns.output.safe_text import json_text
from alembic_pgpatterns.report.advice.words import ddl, location, model, operation
from alembic_pgpatterns.report.json import document as findings_document

VERSION = 1


def write(report: AdviceReport, stream: TextIO) -> None:
    """Write the document."""
    stream.write(json_text(json.dumps(document(report), indent=2, default=str)) + "\n")


def document(report: AdviceReport) -> dict[str, Any]:
    """The advice as plain data."""
    advice = report.advice
    return {
        "version": VERSION,
        "source": report.workload.source,
        "indexes": [_index(item) for item in advice.indexes],
        "unused": [
            {"index": str(item.name), "table": str(item.table), "reason": item.reason} for item in advice.unused
        ],
        "explained": [
            {
                "fingerprint": pair.statement.fingerprint,
                "location": location(pair.statement),
                "before": list(pair.before),
                "after": list(pair.after),
            }
            for pair in advice.explained
        ],
        "findings": findings_document(report.report)["findings"],
        "sizes": {
            str(name): {"rows": round(size.rows), "source": size.source} for name, size in sorted(advice.sizes.items())
        },
        "unplanned": [
            {
                "fingerprint": item.statement.fingerprint,
                "location": location(item.statement),
                "reason": item.reason,
            }
            for item in advice.unplanned
        ],
        "notes": [*report.workload.notes, *advice.notes],
        "summary": {
            "statements": len(report.workload.statements),
            "planned": advice.planned,
            "candidates": advice.candidates,
            "plans": advice.plans,
            "mode": advice.mode,
            "accepted": len(report.report.accepted),
            "suppressed": report.report.suppressed,
        },
    }


def _index(item: AdvisedIndex) -> dict[str, Any]:
    return {
        "table": str(item.index.table),
        "ddl": ddl(item),
        "model": model(item),
        "op": operation(item),
        "statements": [
            {
                "fingerprint": benefit.statement.fingerprint,
                "location": location(benefit.statement),
                "cost_before": round(benefit.cost_before, 2),
                "cost_after": round(benefit.cost_after, 2),
            }
            for benefit in item.benefits
        ],
        "size_bytes": item.size,
        "break_even_rows": item.break_even_rows,
        "robust": dict(item.robust),
        "write_cost": item.write_cost,
    }
