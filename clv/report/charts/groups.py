"""The chart of groups: what each segment, or each tier, will bring."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.report.charts.canvas import add_ranges, new_chart
from clv.report.figures.style import MODEL
from clv.report.labels import currency_of, interval_of
from clv.words import level, percent, short_number

_LEAST = 1e-3  # of the largest mean: what is smaller would stretch a logarithmic axis for nothing


def chart_groups(groups: pd.DataFrame) -> go.Figure:
    """Show what each group will bring; `groups` are the rows of one grouping of table SEGMENTS, first on top.

    The axis is logarithmic, so that one large group does not hide what the others bring.
    """
    currency, interval = currency_of(groups), interval_of(groups)
    figure = new_chart(
        title(groups), x=f"Value ({currency}), tenfold at each step", y="", height=140 + 30 * len(groups)
    )
    floor = _LEAST * max(groups["clv_mean"].max(), 1e-9)
    mean, lower, upper = (groups[f"clv_{end}"].clip(lower=floor) for end in ("mean", "lower", "upper"))
    off = groups["clv_mean"] < floor  # an arrow, not a place on the axis
    tested = groups["customers"] >= FEWEST_CUSTOMERS  # of fewer no past test speaks
    limits = pd.DataFrame({"lower": lower, "upper": upper}).where(tested)
    add_ranges(figure, groups["group"], limits, f"{level(interval)} range of its total")
    figure.add_scatter(
        y=groups["group"],
        x=mean,
        mode="markers+text",
        marker={"color": MODEL, "size": 12, "symbol": np.where(off, "triangle-left", "circle")},
        text=groups["clv_mean"].map(short_number),
        textposition="top center",
        textfont={"size": 12},
        cliponaxis=False,
        name="expected",
        customdata=groups[["customers", "clv_lower", "clv_upper", "clv_per_customer", "clv_mean"]],
        hovertemplate=f"%{{y}}: %{{customdata[0]:,.0f}} customers<br>expected %{{customdata[4]:,.0f}} {currency}, "
        "%{customdata[3]:,.2f} per customer<br>likely %{customdata[1]:,.0f} to %{customdata[2]:,.0f}<extra></extra>",
    )
    tens = range(int(np.floor(np.log10(lower.min()))), int(np.ceil(np.log10(upper.max()))) + 1)
    figure.update_xaxes(type="log", tickvals=[10.0**power for power in tens], tickformat="~s")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def title(groups: pd.DataFrame) -> str:
    """Say what the group with the largest value holds."""
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"
