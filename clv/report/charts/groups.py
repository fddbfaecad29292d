"""The chart of groups: what each segment, tier, cohort or stated group will bring."""

from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.forecast.tiers import of_grouping
from clv.report.charts.canvas import add_ranges, new_chart
from clv.report.figures.style import MODEL
from clv.report.labels import currency_of, interval_of
from clv.report.text.trust import GROUPINGS
from clv.words import level, percent, short_number

_LEAST = 1e-3  # of the largest mean: what is smaller would stretch a logarithmic axis for nothing
_FEW_TENS = 2  # powers of ten, between which an axis needs marks
# By whether its customers are too few for a past test to speak of, and its mean too small for the axis.
_MARKS = {
    (False, False): ("circle", "expected"),
    (False, True): ("triangle-left", "expected, off the axis"),
    (True, False): ("circle-open", f"expected; under {FEWEST_CUSTOMERS} customers: no range"),
    (True, True): ("triangle-left-open", f"off the axis; under {FEWEST_CUSTOMERS} customers: no range"),
}


def chart_groups(groups: pd.DataFrame) -> go.Figure:
    """Show what each group will bring, a grouping at a time; `groups` are rows of table SEGMENTS."""
    parts = [(name, of_grouping(groups, name)) for name in groups["grouping"].unique() if name != "base"]
    figure = new_chart(title(parts[0][1]), x="", y="")
    views = []
    for name, rows in parts:
        before = len(figure.data)
        axis = _add_groups(figure, rows, shown=not before)
        view = {"name": GROUPINGS.get(name, name), "traces": list(range(before, len(figure.data)))}
        views.append(view | {"said": title(rows), "layout": {"height": 170 + 30 * len(rows)} | axis})
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
    return {"xaxis.tickvals": ticks, "xaxis.title.text": f"Value ({currency}), {step} at each step"}


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
        hovertemplate="%{y}: %{customdata[0]:,.0f} customers<br>expected %{customdata[4]:,.0f} "
        f"{currency_of(rows)}, %{{customdata[3]:,.2f}} per customer<br>{told}<extra></extra>",
    )


def title(groups: pd.DataFrame) -> str:
    """Say what the group with the largest value holds."""
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"
