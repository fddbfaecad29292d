"""Charts of value: what everybody together, the best customers, and each group will bring."""

from itertools import pairwise
from textwrap import wrap
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from numpy.typing import NDArray

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.forecast.tables import limits
from clv.forecast.tiers import of_grouping, segment_grid
from clv.report.charts.canvas import add_band, add_cells, add_line, add_ranges, mark_at, new_chart, thinned
from clv.report.figures.style import BAND, MODEL, MODEL_RAMP, QUIET, REFERENCE, fade
from clv.report.labels import currency_of, interval_of
from clv.report.text.trust import GROUPINGS
from clv.words import futures, if_right, level, percent, possible, priced, short_number, span

BARS_IN_INTERVAL = 24
_LEAST = 1e-3  # of the largest mean: what is smaller would stretch a logarithmic axis for nothing
_FEW_TENS = 2  # powers of ten, between which an axis needs marks
# By whether its customers are too few for a past test to speak of, and its mean too small for the axis.
_MARKS = {
    (False, False): ("circle", "expected"),
    (False, True): ("triangle-left", "expected, off the axis"),
    (True, False): ("circle-open", f"expected; under {FEWEST_CUSTOMERS} customers: no range"),
    (True, True): ("triangle-left-open", f"off the axis; under {FEWEST_CUSTOMERS} customers: no range"),
}


def chart_total(draws: pd.DataFrame, groups: pd.DataFrame) -> go.Figure:
    """Show which totals the customers may bring: tables TOTAL_DRAWS and SEGMENTS, whose limits bars meet."""
    base, currency, interval = groups.iloc[0], currency_of(groups), interval_of(groups)
    tested = bool(pd.notna(base["clv_lower_with_misfit"]))
    suffix, held = ("_with_misfit", possible(interval)) if tested else ("", futures(interval))
    mean, lower, upper = (float(base[name]) for name in ("clv_mean", "clv_lower", "clv_upper"))
    edges, shares = _histogram(draws[f"value{suffix}"].to_numpy(), lower, upper)
    held_by = f"{priced(span(limits(base, 'clv')), currency)} with {percent(interval)} probability"
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
            hovertemplate=f"{priced('%{customdata}', currency)}<br>in %{{y:.1f}} % of the futures<extra></extra>",
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
    mark_at(figure, mean, f"expected: {priced(short_number(mean), currency)}")
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


def chart_concentration(concentration: pd.DataFrame) -> go.Figure:
    """Show how much of the value the best customers hold; `concentration` is table CONCENTRATION."""
    interval = interval_of(concentration)
    # What the best tenth holds stands above, moved by past errors, which this curve is not: so who holds half.
    best = np.interp(0.5, [0, *concentration["value_share"]], [0, *concentration["customer_share"]])
    title = f"Half of the value sits with the best {percent(float(best))} of the customers, by the model alone"
    table = 100 * thinned(concentration)
    figure = new_chart(title, x="Customers, best expected value first (%)", y="Share of the value (%)")
    add_band(figure, table["customer_share"], table["lower"], table["upper"], f"{futures(interval)}: realised value")
    add_line(
        figure,
        table["customer_share"],
        table["value_share"],
        "expected value",
        customdata=table[["lower", "upper"]],
        hover="The best %{x:.0f} % of the customers hold<br>%{y:.0f} % of the expected value, and "
        f"%{{customdata[0]:.0f}} to %{{customdata[1]:.0f}} %<br>of the realised value in {futures(interval)}",
    )
    add_line(figure, [0, 100], [0, 100], "if all customers were equal", line={"color": REFERENCE, "dash": "dot"})
    figure.update_xaxes(range=[0, 100])
    figure.update_yaxes(range=[0, 102])
    return figure


def chart_groups(groups: pd.DataFrame) -> go.Figure:
    """Show what each group will bring, a grouping at a time; `groups` are rows of table SEGMENTS."""
    parts = [(name, of_grouping(groups, name)) for name in groups["grouping"].unique() if name != "base"]
    figure = new_chart(_finding(parts[0][1]), x="", y="")
    views = []
    for name, rows in parts:
        before = len(figure.data)
        axis = _add_groups(figure, rows, shown=not before)
        view = {"name": GROUPINGS.get(name, name), "traces": list(range(before, len(figure.data)))}
        views.append(view | {"said": _finding(rows), "layout": {"height": 170 + 30 * len(rows)} | axis})
    figure.update_layout(views[0]["layout"], meta={"views": views})
    figure.update_xaxes(type="log", tickformat="~s")  # so that one large group does not hide what the others bring
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure


def _add_groups(figure: go.Figure, groups: pd.DataFrame, *, shown: bool) -> dict[str, Any]:
    """Draw the groups of one grouping; return what their axis shows."""
    currency, range_of = currency_of(groups), f"{level(interval_of(groups))} range of its total"
    floor = _LEAST * max(groups["clv_mean"].max(), 1e-9)
    few, off = groups["customers"] < FEWEST_CUSTOMERS, groups["clv_mean"] < floor
    limits = groups[["clv_lower", "clv_upper"]].mask(few)
    if limits["clv_lower"].lt(floor).any():
        range_of += "; \N{BLACK LEFT-POINTING SMALL TRIANGLE} starts off the axis"
    add_ranges(figure, groups["group"], limits, range_of, floor=floor, visible=shown)
    for (is_few, is_off), (symbol, name) in _MARKS.items():
        rows = groups[(few == is_few) & (off == is_off)]
        if len(rows):
            told = "too few to give a range" if is_few else "likely %{customdata[1]:,.0f} to %{customdata[2]:,.0f}"
            _add_means(figure, rows, floor, symbol, told, name=name, visible=shown)
    ends = pd.concat([groups["clv_mean"], limits.stack()]).clip(lower=floor)
    first, last = int(np.floor(np.log10(ends.min()))), int(np.ceil(np.log10(ends.max())))
    steps, step = ((1, 2, 5), "about twofold") if last - first <= _FEW_TENS else ((1,), "tenfold")
    ticks = [multiple * 10.0**power for power in range(first, last + 1) for multiple in steps]
    marked = [tick for tick in ticks if ends.min() <= tick <= ends.max()]
    around = [max(tick for tick in ticks if tick <= ends.min()), min(tick for tick in ticks if tick >= ends.max())]
    seen = {"xaxis.autorange": True} if len(marked) > 1 else {"xaxis.range": np.log10(around).tolist()}
    return seen | {"xaxis.tickvals": ticks, "xaxis.title.text": f"Value ({currency}), {step} at each step"}


def _add_means(figure: go.Figure, rows: pd.DataFrame, floor: float, symbol: str, told: str, **more: Any) -> None:
    figure.add_scatter(
        y=rows["group"],
        x=rows["clv_mean"].clip(lower=floor),
        mode="markers+text",
        marker={"color": MODEL, "size": 12, "symbol": symbol, "line": {"color": MODEL, "width": 2}},
        meta={"values": rows["clv_mean"].tolist()},
        text=rows["clv_mean"].map(short_number),
        textposition="top center",
        textfont={"size": 12},
        cliponaxis=False,
        **more,
        customdata=rows[["customers", "clv_lower", "clv_upper", "clv_per_customer", "clv_mean"]],
        hovertemplate="%{y}: %{customdata[0]:,.0f} customers<br>expected "
        f"{priced('%{customdata[4]:,.0f}', currency_of(rows))}, %{{customdata[3]:,.2f}} per customer<br>{told}"
        "<extra></extra>",
    )


def _finding(groups: pd.DataFrame) -> str:
    """Say what the group with the largest value holds."""
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"


def chart_segment_grid(customers: pd.DataFrame) -> go.Figure:
    """Show where the value sits among recency and frequency scores; `customers` is table CUSTOMERS with its scores."""
    return grid_chart(segment_grid(customers), currency=currency_of(customers))


def grid_chart(grid: pd.DataFrame, *, currency: str) -> go.Figure:
    """Return the chart of `forecast.segment_grid`: 25 cells with segment, customers, clv and clv_per_customer."""
    best = grid.loc[grid["clv_per_customer"].idxmax(), "segment"]
    x, y = "Frequency score (5 = buys most often)", "Recency score (5 = bought last)"
    figure = new_chart(f"A customer is worth most among {best}", x=x, y=y, height=520)
    counted = grid["customers"].map(lambda number: f"<b>{number:,}</b>" if number else "nobody")
    names = grid["segment"].map(lambda name: "<br>".join(wrap(name, 10, break_long_words=False)))
    told = grid.assign(words=names + "<br>" + counted).set_index(["r_score", "f_score"])
    add_cells(
        figure,
        told["clv_per_customer"].fillna(0.0).unstack(),
        MODEL_RAMP,
        f"Expected value per customer ({currency})",
        customdata=told[["segment", "customers", "clv"]].sort_index().to_numpy().reshape(5, 5, 3),
        hovertemplate="%{customdata[0]}: %{customdata[1]:,} customers<br>expected "
        f"{priced('%{z:,.2f}', currency)} per customer,<br>{priced('%{customdata[2]:,.0f}', currency)} together"
        "<extra></extra>",
        text=told["words"].unstack(),
        texttemplate="%{text}",
        **{"xgap": 3, "ygap": 3},
    )
    figure.update_xaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    figure.update_yaxes(range=[0.5, 5.5], dtick=1, showgrid=False, zeroline=False)
    return figure
