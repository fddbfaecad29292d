"""The chart of groups: what each segment, or each tier, will bring."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tables import shown_limits
from clv.report.charts.canvas import label_ends, new_chart
from clv.report.figures.style import BAND, MODEL, fade
from clv.report.labels import currency_of, interval_of
from clv.words import futures, if_right, money, percent, possible, short_number, span


def chart_groups(groups: pd.DataFrame) -> go.Figure:
    """Show what each group will bring; `groups` are the rows of one grouping of table SEGMENTS, first on top."""
    currency, interval = currency_of(groups), interval_of(groups)
    figure = new_chart(
        title(groups),
        x=f"Value of the group ({currency})",
        y="",
        alt=sentence(groups),
        height=150 + 34 * len(groups),
    )
    tested = bool(groups["clv_lower_with_misfit"].notna().any())
    limits = groups[["clv_lower_with_misfit", "clv_upper_with_misfit"] if tested else ["clv_lower", "clv_upper"]]
    details = np.column_stack([groups["customers"], limits, groups["clv_per_customer"]])
    held = possible(interval) if tested else futures(interval)
    figure.add_bar(
        y=groups["group"],
        x=groups["clv_mean"],
        orientation="h",
        marker={"color": fade(BAND, 0.6)},
        name="expected value",
        customdata=details,
        hovertemplate=f"%{{y}}: %{{customdata[0]:,.0f}} customers<br>expected %{{x:,.0f}} {currency}, "
        f"%{{customdata[3]:,.2f}} per customer<br>{held}: "
        "%{customdata[1]:,.0f} to %{customdata[2]:,.0f}<extra></extra>",
    )
    # Lines, not error bars: the mean of a skewed total may lie outside its limits.
    figure.add_scatter(
        y=np.repeat(groups["group"], 3),
        x=np.column_stack([limits, np.full(len(groups), np.nan)]).ravel(),
        mode="lines+markers",
        line={"color": MODEL, "width": 2.5},
        marker={"symbol": "line-ns", "size": 10, "line": {"color": MODEL, "width": 2.5}},
        name=f"total: {held}",
        hoverinfo="skip",
    )
    ends = limits.iloc[:, 1]
    if tested:
        figure.add_scatter(
            y=np.repeat(groups["group"], 3),
            x=np.column_stack([groups[["clv_lower", "clv_upper"]], np.full(len(groups), np.nan)]).ravel(),
            mode="lines",
            line={"color": MODEL, "width": 7},
            name=if_right(interval),
            hoverinfo="skip",
        )
    label_ends(figure, ends, groups["group"], groups["clv_mean"].map(short_number))
    figure.update_xaxes(range=[0, 1.02 * max(ends.max(), groups["clv_mean"].max(), 1e-9)])
    figure.update_layout(margin_r=52)
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def title(groups: pd.DataFrame) -> str:
    """Say what the group with the largest value holds."""
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"


def sentence(groups: pd.DataFrame) -> str:
    """Return the first and the last group by expected value."""
    currency, interval = currency_of(groups), interval_of(groups)
    ranked = groups.sort_values("clv_mean", ascending=False)
    best, last = ranked.iloc[0], ranked.iloc[-1]
    held = if_right(interval) if pd.isna(best["clv_lower_with_misfit"]) else possible(interval)
    limits = shown_limits(best, "clv")
    return (
        f"“{best['group']}” are expected to bring most, {money(best['clv_mean'], currency)} (total "
        f"{span(limits)}; {held}), “{last['group']}” least, "
        f"{money(last['clv_mean'], currency)}."
    )
