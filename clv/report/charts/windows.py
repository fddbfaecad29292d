"""The chart of past windows: how far totals of value fell from their forecasts."""

import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_ranges, blank_chart, mark_at, new_chart
from clv.report.figures.style import OBSERVED
from clv.report.labels import interval_of
from clv.words import level

_SHOWN = ["lower_with_misfit", "upper_with_misfit"]  # by what was known at each origin


def chart_windows(windows: pd.DataFrame) -> go.Figure:
    """Show how far past totals of value fell from their forecasts; `windows` is table WINDOWS."""
    rows = windows[windows["outcome"] == "value"].sort_values(["horizon_weeks", "origin"])
    if rows.empty:
        return blank_chart("No past window to test on", "No past window has enough history before it to be tested on.")
    inside = rows["actual"].between(*(rows[limit] for limit in _SHOWN)).groupby(rows["horizon_weeks"])
    held = ", ".join(f"{found.sum()} of {len(found)} ({weeks} weeks)" for weeks, found in inside)
    figure = new_chart(
        f"Past totals inside their range: {held}", x="% of the forecast", y="", height=170 + 30 * len(rows)
    )
    ends = rows["origin"] + pd.to_timedelta(7 * rows["horizon_weeks"], unit="D")
    names = [f"{weeks} weeks to {end.day} {end:%b %Y}" for weeks, end in zip(rows["horizon_weeks"], ends, strict=True)]
    share = 100 * rows[[*_SHOWN, "actual"]].div(rows["forecast"], axis="index")
    add_ranges(figure, names, share[_SHOWN], f"{level(interval_of(windows))} range, by what was known then")
    figure.add_scatter(
        y=names,
        x=share["actual"],
        mode="markers",
        marker={"color": OBSERVED, "size": 11, "symbol": "diamond"},
        name="what came",
        customdata=rows[["actual", "forecast"]],
        hovertemplate="%{y}<br>forecast %{customdata[1]:,.0f}, came %{customdata[0]:,.0f} (%{x:.0f} %)<extra></extra>",
    )
    mark_at(figure, 100, "as forecast")
    figure.update_yaxes(autorange="reversed", type="category", showgrid=False)
    return figure
