"""The chart of the total: which values all customers together may bring."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from clv.forecast.tables import limits
from clv.report.charts.canvas import mark_at, new_chart
from clv.report.figures.style import BAND, MODEL, QUIET, fade
from clv.report.labels import currency_of, interval_of
from clv.words import NBSP, futures, if_right, percent, possible, short_number, span

BARS_IN_INTERVAL = 24


def chart_total(draws: pd.DataFrame, groups: pd.DataFrame) -> go.Figure:
    """Show which totals the customers may bring: tables TOTAL_DRAWS and SEGMENTS, whose limits bars meet."""
    base, currency, interval = groups.iloc[0], currency_of(groups), interval_of(groups)
    tested = bool(pd.notna(base["clv_lower_with_misfit"]))
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    mean, lower, upper = (float(base[name]) for name in ("clv_mean", "clv_lower", "clv_upper"))
    edges, shares = _histogram(draws[f"value{suffix}"].to_numpy(), lower, upper)
    held_by = f"{span(limits(base, 'clv'))}{NBSP}{currency} with {percent(interval)} probability"
    title = f"All customers together will bring {held_by}"
    figure = new_chart(title, x=f"Value of all customers together ({currency})", y="Share of possible futures (%)")
    middle = (edges[:-1] + edges[1:]) / 2
    inside = (middle > lower) & (middle < upper)
    words = [f"{short_number(low)} to {short_number(high)}" for low, high in pairwise(edges)]
    words[0], words[-1] = f"{short_number(edges[1])} or less", f"{short_number(edges[-2])} or more"
    for chosen, colour, name in ((inside, BAND, held), (~inside, fade(QUIET, 0.4), "the other futures")):
        figure.add_bar(
            x=middle[chosen],
            y=shares[chosen],
            width=np.diff(edges)[chosen],
            marker={"color": colour},
            name=name,
            customdata=np.array(words)[chosen],
            hovertemplate=f"%{{customdata}} {currency}<br>in %{{y:.1f}} % of the futures<extra></extra>",
        )
    if tested:
        figure.add_scatter(
            x=[base["clv_lower_if_model_right"], base["clv_upper_if_model_right"]],
            y=[-0.02 * shares.max()] * 2,
            mode="lines",
            line={"color": MODEL, "width": 5},
            name=if_right(interval),
            hoverinfo="skip",
        )
    mark_at(figure, mean, f"expected: {short_number(mean)} {currency}")
    figure.update_layout(bargap=0.04)
    return figure


def _histogram(values: NDArray[np.float64], lower: float, upper: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return bin edges that meet both limits, and the share of values in every bin (%)."""
    width = (upper - lower) / BARS_IN_INTERVAL or 1.0
    # Beyond one interval's width on either side the outermost bars collect the rest.
    before = min(int(np.ceil(max(lower - values.min(), 0) / width)), BARS_IN_INTERVAL)
    after = min(int(np.ceil(max(values.max() - upper, 0) / width)) + 1, BARS_IN_INTERVAL)
    edges = lower + width * np.arange(-before, BARS_IN_INTERVAL + after + 1)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return edges, 100 * counts / values.size
