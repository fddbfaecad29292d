"""Charts of value: the total, its concentration, and groups side by side."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from clv.forecast import tables
from clv.report.charts.canvas import add_band, add_reference, label_ends, mark_at, new_chart, thinned
from clv.report.figures.style import BAND, MODEL, QUIET, fade
from clv.words import amount, futures, if_right, money, percent, possible, short_number, span


def of_total(base: pd.Series, *, currency: str, interval: float) -> str:
    """Return what all customers together may bring; `base` is their row of table SEGMENTS."""
    expected = f"{money(base['clv_mean'], currency)} are expected from all customers together; the total will be"
    own = f"{_range(base)}\N{NO-BREAK SPACE}{currency} ({if_right(interval)})"
    if pd.isna(base["clv_lower_with_misfit"]):
        return f"{expected} {own}."
    wider = f"{_range(base, '_with_misfit')}\N{NO-BREAK SPACE}{currency} ({possible(interval)})"
    return f"{expected} {wider} or {own}."


def of_concentration(concentration: pd.DataFrame, *, interval: float) -> str:
    """Return what the best customers hold; `concentration` is table CONCENTRATION."""
    shares = concentration[["value_share", "lower", "upper"]].to_numpy().T
    at = concentration["customer_share"]
    tenth, lower, upper = (float(np.interp(0.1, at, share)) for share in shares)
    return (
        f"The best tenth of the customers hold {percent(tenth)} of the expected value, and {percent(lower)} to "
        f"{percent(upper)} of the realised value in {futures(interval)}; the best half hold "
        f"{percent(float(np.interp(0.5, at, shares[0])))}."
    )


def of_groups(groups: pd.DataFrame, *, currency: str, interval: float) -> str:
    """Return the first and the last group by expected value; `groups` are rows of table SEGMENTS."""
    ranked = groups.sort_values("clv_mean", ascending=False)
    best, last = ranked.iloc[0], ranked.iloc[-1]
    held = if_right(interval) if pd.isna(best["clv_lower_with_misfit"]) else possible(interval)
    limits = tables.shown_limits(best, "clv")
    return (
        f"“{best['group']}” are expected to bring most, {money(best['clv_mean'], currency)} (total "
        f"{span(limits)}; {held}), “{last['group']}” least, "
        f"{money(last['clv_mean'], currency)}."
    )


def _range(row: pd.Series, suffix: str = "") -> str:
    return f"{amount(row[f'clv_lower{suffix}'])} to {amount(row[f'clv_upper{suffix}'])}"


BARS_IN_INTERVAL = 24


def chart_total(draws: pd.DataFrame, base: pd.Series, *, title: str, currency: str, interval: float) -> go.Figure:
    """Show which totals the customers may bring.

    Parameters
    ----------
    draws
        Table TOTAL_DRAWS.
    base
        The row of table SEGMENTS that is about everybody. Where its limits allow for misfit, so do the bars.
    """
    tested = bool(pd.notna(base["clv_lower_with_misfit"]))
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    mean, lower, upper = (float(base[name]) for name in ("clv_mean", f"clv_lower{suffix}", f"clv_upper{suffix}"))
    edges, shares = _histogram(draws[f"value{suffix}"].to_numpy(), lower, upper)
    figure = new_chart(
        title,
        x=f"Value of all customers together ({currency})",
        y="Share of possible futures (%)",
        alt=of_total(base, currency=currency, interval=interval),
    )
    middle = (edges[:-1] + edges[1:]) / 2
    inside = (middle > lower) & (middle < upper)
    words = [f"{short_number(low)} to {short_number(high)}" for low, high in pairwise(edges)]
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
            x=[base["clv_lower"], base["clv_upper"]],
            y=[-0.02 * shares.max()] * 2,
            mode="lines",
            line={"color": MODEL, "width": 5},
            name=if_right(interval),
            hovertemplate=f"{if_right(interval)}: {short_number(base['clv_lower'])} to "
            f"{short_number(base['clv_upper'])} {currency}<extra></extra>",
        )
    mark_at(figure, mean, f"expected: {short_number(mean)} {currency}")
    figure.update_layout(bargap=0.04)
    return figure


def chart_concentration(concentration: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show how much of the value the best customers hold; `concentration` is table CONCENTRATION."""
    table = 100 * thinned(concentration)
    figure = new_chart(
        title,
        x="Customers, best expected value first (%)",
        y="Share of the value (%)",
        alt=of_concentration(concentration, interval=interval),
    )
    add_band(figure, table["customer_share"], table["lower"], table["upper"], f"{futures(interval)}: realised value")
    figure.add_scatter(
        x=table["customer_share"],
        y=table["value_share"],
        mode="lines",
        line={"color": MODEL, "width": 3},
        name="expected value",
        customdata=table[["lower", "upper"]],
        hovertemplate="The best %{x:.0f} % of the customers hold<br>%{y:.0f} % of the expected value, and "
        f"%{{customdata[0]:.0f}} to %{{customdata[1]:.0f}} %<br>of the realised value in {futures(interval)}"
        "<extra></extra>",
    )
    add_reference(figure, [0, 100], [0, 100], "if all customers were equal")
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(range=[0, 102])
    return figure


def chart_groups(groups: pd.DataFrame, *, title: str, currency: str, interval: float) -> go.Figure:
    """Show what each group will bring; `groups` are the rows of one grouping of table SEGMENTS, first on top."""
    figure = new_chart(
        title,
        x=f"Value of the group ({currency})",
        y="",
        alt=of_groups(groups, currency=currency, interval=interval),
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


def _histogram(values: NDArray[np.float64], lower: float, upper: float) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return bin edges that meet both limits, and the share of values in every bin (%)."""
    width = (upper - lower) / BARS_IN_INTERVAL or 1.0
    # Beyond one interval's width on either side the outermost bars collect the rest.
    before = min(int(np.ceil(max(lower - values.min(), 0) / width)), BARS_IN_INTERVAL)
    after = min(int(np.ceil(max(values.max() - upper, 0) / width)) + 1, BARS_IN_INTERVAL)
    edges = lower + width * np.arange(-before, BARS_IN_INTERVAL + after + 1)
    counts = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0]
    return edges, 100 * counts / values.size


def title_total(base: pd.Series, *, currency: str, interval: float) -> str:
    """Say what everybody together will bring; `base` is their row of table SEGMENTS."""
    limits = tables.shown_limits(base, "clv")
    return (
        f"All customers together will bring {amount(limits['lower'])} to {money(limits['upper'], currency)} with "
        f"{percent(interval)} probability"
    )


def title_concentration(concentration: pd.DataFrame) -> str:
    """Say what the best tenth holds; table CONCENTRATION."""
    tenth = np.interp(0.1, concentration["customer_share"], concentration["value_share"])
    return f"The best tenth of the customers hold {percent(float(tenth))} of the value"


def title_groups(groups: pd.DataFrame) -> str:
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"
