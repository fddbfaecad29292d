"""The chart of groups: what each segment, or each tier, will bring."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.forecast.tables import limits
from clv.report.charts.canvas import new_chart
from clv.report.figures.style import BAND, MODEL
from clv.report.labels import currency_of, interval_of
from clv.words import level, money, percent, short_number, span

_LEAST = 1e-3  # of the largest mean: what is smaller would stretch a logarithmic axis for nothing


def chart_groups(groups: pd.DataFrame) -> go.Figure:
    """Show what each group will bring; `groups` are the rows of one grouping of table SEGMENTS, first on top.

    The axis is logarithmic, so that one large group does not hide what the others bring.
    """
    currency, interval = currency_of(groups), interval_of(groups)
    figure = new_chart(
        title(groups),
        x=f"Value of the group ({currency}), each step ten times the last",
        y="",
        alt=sentence(groups),
        height=140 + 30 * len(groups),
    )
    floor = _LEAST * max(groups["clv_mean"].max(), 1e-9)
    mean, lower, upper = (groups[f"clv_{end}"].clip(lower=floor) for end in ("mean", "lower", "upper"))
    tested = groups["customers"] >= FEWEST_CUSTOMERS  # of fewer no past test speaks
    figure.add_scatter(
        y=np.repeat(groups["group"], 3),
        x=np.column_stack([lower.where(tested), upper.where(tested), np.full(len(groups), np.nan)]).ravel(),
        mode="lines",
        line={"color": BAND, "width": 9},
        name=f"{level(interval)} range of its total",
        hoverinfo="skip",
    )
    figure.add_scatter(
        y=groups["group"],
        x=mean,
        mode="markers+text",
        marker={"color": MODEL, "size": 12},
        text=groups["clv_mean"].map(short_number),
        textposition="top center",
        textfont={"size": 12},
        cliponaxis=False,
        name="expected",
        customdata=groups[["customers", "clv_lower", "clv_upper", "clv_per_customer", "clv_mean"]],
        hovertemplate=f"%{{y}}: %{{customdata[0]:,.0f}} customers<br>expected %{{customdata[4]:,.0f}} {currency}, "
        "%{customdata[3]:,.2f} per customer<br>likely %{customdata[1]:,.0f} to %{customdata[2]:,.0f}<extra></extra>",
    )
    figure.update_xaxes(type="log", tickvals=_tens(lower.min(), upper.max()), tickformat="~s")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def _tens(low: float, high: float) -> list[float]:
    return [float(10.0**power) for power in range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)]


def title(groups: pd.DataFrame) -> str:
    """Say what the group with the largest value holds."""
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"


def sentence(groups: pd.DataFrame) -> str:
    """Return the first and the last group by expected value."""
    currency = currency_of(groups)
    ranked = groups.sort_values("clv_mean", ascending=False)
    best, last = ranked.iloc[0], ranked.iloc[-1]
    return (
        f"“{best['group']}” are expected to bring most, {money(best['clv_mean'], currency)} (likely "
        f"{span(limits(best, 'clv'))}), “{last['group']}” least, {money(last['clv_mean'], currency)}."
    )
