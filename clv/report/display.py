"""What people see in notebooks and pages: the first screen's figures, cells in words, folded tables, priors, code."""

import inspect
from collections.abc import Callable, Iterable
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from clv import tables
from clv.backtest.tables import WINDOWS
from clv.checks.gate import PASS
from clv.decisions.tables import ACQUISITION, CONTACTS, RANKS, WATCH_LIST
from clv.forecast.tables import COHORTS, CUSTOMERS, FORECAST, MIGRATION, SEGMENTS
from clv.models.priors import LOG, LOGIT, Prior
from clv.report.key_figures import Figures
from clv.report.markup import Words, markup, worded
from clv.report.tables.backtest import checks_table
from clv.report.text.cover import tiles
from clv.words import NBSP, count

_MARGIN = 0.25  # of the bar of the headline, on either side of the range


def headline(figures: Figures) -> HTML:
    """Return the value with its range, the next quarter beside the last, where the value sits, how far to trust it."""
    first, *others = tiles(figures)
    parts = [_tile(*first, drawn=_range(figures)), *(_tile(*tile) for tile in others)]
    return HTML(f'<dl class="headline">{"".join(parts)}</dl>')


def _tile(label: str, figure: str, words: str, drawn: str = "") -> str:
    figure = figure.replace(NBSP, " ")  # in a narrow tile a unit stands below its number, never a piece of a word
    return f'<div><dt>{escape(label)}</dt><dd>{escape(figure)}</dd><dd class="words">{escape(words)}{drawn}</dd></div>'


def _range(figures: Figures) -> str:
    """Draw the range as a bar, with a mark where the expected value lies in it."""
    lower, mean, upper = (figures["total_clv"][name] for name in ("lower", "mean", "upper"))
    inside = min(max((mean - lower) / (upper - lower), 0), 1) if upper > lower else 0.5
    widths = (_MARGIN, inside * (1 - 2 * _MARGIN), (1 - inside) * (1 - 2 * _MARGIN), _MARGIN)
    pieces = "".join(f'<span style="width: {100 * width:.1f}%"></span>' for width in widths)
    return f'<span class="range">{pieces}</span>'


def readable(table: pd.DataFrame, *, decimals: int = 2) -> Words:
    """Return `table` as text: days without a time, numbers with few decimals, nothing for what is missing."""

    def written(cell: Any) -> str:
        if pd.isna(cell):
            return ""
        if isinstance(cell, pd.Timestamp):
            return f"{cell:%Y-%m-%d}"
        return f"{cell:,.{decimals}f}" if isinstance(cell, float) else str(cell)

    return Words(table.map(written))


def folded(table: Words, summary: str) -> HTML:
    """Return `table` hidden behind a line that opens it; nothing of one without rows."""
    if table.empty:
        return HTML("")
    return HTML(f'<details class="more" open><summary>{escape(summary)}</summary>{markup(table)}</details>')


def folded_checks(checks: list[dict[str, Any]]) -> HTML:
    """Return the checks that failed or warn, and below them, folded, those that passed."""
    table = checks_table(checks)
    passed = table["Verdict"] == PASS
    told = "<p>Nothing failed or warns.</p>" if passed.all() else markup(table[~passed].captioned("Failed or warns"))
    rest = folded(table[passed].captioned("Passed"), f"{count(passed.sum())} checks passed")
    return HTML(f"{told}{rest.data}")


def data_dictionary() -> pd.DataFrame:
    """Return the meaning of every column of the exported tables."""
    exported = CUSTOMERS, SEGMENTS, FORECAST, MIGRATION, COHORTS, RANKS, WINDOWS, CONTACTS, WATCH_LIST, ACQUISITION
    parts = [tables.dictionary(table).assign(table=table.name) for table in exported]
    return pd.concat(parts, ignore_index=True)[["table", "column", "kind", "meaning"]]


def priors_table(priors: Iterable[Prior]) -> Words:
    """Return the priors as they are used: the tuple that the sampler was built from."""
    priors, scale = list(priors), {LOG: "ln", LOGIT: "logit"}
    shown = {
        "Parameter": [one.name for one in priors],
        "Prior": [f"{one.distribution}({scale[one.distribution]} {one.median:g}, {one.sigma:g})" for one in priors],
        "95 % from": [f"{one.low:g}" for one in priors],
        "95 % to": [f"{one.high:g}" for one in priors],
        "What it is": [one.meaning for one in priors],
    }
    return worded(shown, "What is held possible before any data")


def source(function: Callable[..., Any]) -> Markdown:
    """Return a function as the package runs it: shown, never copied."""
    return Markdown(f"```python\n{inspect.getsource(function).rstrip()}\n```")
