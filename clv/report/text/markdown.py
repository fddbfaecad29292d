"""report.md: the findings of the report as text."""

import pandas as pd

from clv.forecast.tiers import of_grouping
from clv.report.key_figures import Figures
from clv.report.tables.backtest import answers_table
from clv.report.tables.value import groups_table
from clv.report.text import advice, trust
from clv.report.text.cover import cover, further_cautions, read_first, tiles
from clv.report.text.log import left_out


def markdown_report(figures: Figures, groups: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Return report.md: the report's findings as text."""
    named = of_grouping(groups, "rfm_segment")
    tiers = of_grouping(groups, "value_tier")
    parts = [
        cover(figures),
        "\n".join(f"- {label}: **{figure}**, {words}." for label, figure, words in tiles(figures)),
        read_first(figures),
        "## Segments",
        _markdown_table(groups_table(named)),
        "## Value tiers",
        _markdown_table(groups_table(tiers)),
        "## What to do",
        advice.where_to_begin(figures, named),
        "## What to decide",
        advice.campaign_in_words(figures),
        advice.acquisition_in_words(figures),
        "## How far to trust it",
        further_cautions(figures),
        _markdown_table(answers_table(trust.answers(figures))),
        trust.trust_in_words(figures),
        "## What was left out",
        left_out(ledger, figures["currency"], purchases=figures["n_transactions"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(table: pd.DataFrame) -> str:
    header = ["", *table.columns]
    rows = [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
