"""The data-quality page: what a data owner needs to know of a log before anything is computed from it, and to mend it.

It is put together as a notebook's cells, so that it looks, escapes and protects as every other page does.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pandas as pd
from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from clv.report.figures.log import plot_order_amounts, plot_weekly_activity
from clv.report.markup import markup
from clv.report.tables.log import findings_table, ledger_table, rules_table, values_table
from clv.report.text import log
from clv.rfm.support import Support


@dataclass(frozen=True)
class Inspection:
    """What `make check-data` found out; of a log that was refused early only the refusal."""

    run: str
    source: str
    currency: str
    refusal: str | None = None
    mapping: pd.DataFrame | None = None
    ledger: pd.DataFrame | None = None
    quality: pd.DataFrame | None = None
    customers: pd.DataFrame | None = None
    values: pd.DataFrame | None = None
    weekly: pd.DataFrame | None = None
    amounts: pd.Series | None = None
    supports: list[Support] = field(default_factory=list)
    questions: tuple[str, ...] = ()


def notebook(found: Inspection) -> NotebookNode:
    """Return the page's content."""
    return new_notebook(cells=list(_cells(found)))


def _cells(found: Inspection) -> Iterator[NotebookNode]:
    verdict = log.verdict(found.refusal, found.supports)
    yield new_markdown_cell(f"# The log of {found.run}: can it be used?\n\n{verdict}")
    if found.customers is not None and found.quality is not None:
        yield new_markdown_cell(log.kept(found.customers, found.currency))
    if found.quality is not None:
        asked = "".join("\n- " + re.sub(r"([\\`*_\[\]<>&#])", r"\\\1", question) for question in found.questions)
        yield new_markdown_cell(f"## What to look at\n\n{log.findings_in_words(found.quality)}\n{asked}")
        needs_eyes = findings_table(found.quality, found.currency)
        if len(needs_eyes):
            yield _table(needs_eyes)
    if found.ledger is not None:
        yield new_markdown_cell(
            "## Where every row went\n\nEach row of the source is in exactly one line, and so is its money: "
            f"source = kept + all other lines.\n\n{log.left_out(found.ledger, found.currency)}"
        )
        yield _table(ledger_table(found.ledger, found.currency))
    if found.values is not None and len(found.values):
        yield new_markdown_cell("## Rows by value\n\n" + log.values_in_words(found.values))
        yield _table(values_table(found.values, found.currency))
    if found.supports:
        yield new_markdown_cell("## What these data can carry\n\n" + log.support_in_words(found.supports))
    if found.weekly is not None and found.amounts is not None and len(found.amounts):
        yield new_markdown_cell(
            "## Pictures\n\nLook for a fall at the end (an incomplete export), gaps (days that were not exported), and "
            "two hills of amounts (two kinds of customer, or two currencies)."
        )
        weekly: Any = plot_weekly_activity(found.weekly, currency=found.currency)
        amounts: Any = plot_order_amounts(found.amounts, currency=found.currency)
        yield from (_shown(*picture._repr_mimebundle_()) for picture in (weekly, amounts))
    if found.mapping is not None:
        yield new_markdown_cell("## How the columns were read")
        yield _table(found.mapping)
    if found.quality is not None:
        yield new_markdown_cell("## All rules\n\nThe first rule that holds takes a row; a warning takes none.")
        yield _table(rules_table(found.quality))


def _table(table: pd.DataFrame) -> NotebookNode:
    return _shown({"text/html": markup(table)})


def _shown(data: dict[str, str], metadata: dict[str, Any] | None = None) -> NotebookNode:
    output = new_output("display_data", data=data, metadata=metadata or {})
    return new_code_cell("# made by make check-data", outputs=[output])
