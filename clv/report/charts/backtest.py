"""Charts of the backtest: whether what was expected week by week, of groups and of totals came."""

import pandas as pd
import plotly.graph_objects as go

from clv.backtest.summary import by_predicted_value, worst_tenth
from clv.report.charts.canvas import add_band, add_line, add_ranges, blank_chart, mark_at, new_chart, thinned
from clv.report.figures.style import BAND, MODEL, OBSERVED, fade
from clv.report.key_figures import Figures
from clv.report.labels import currency_of, interval_of
from clv.words import count, futures, level, money

_SHOWN = ["lower_with_misfit", "upper_with_misfit"]  # by what was known at each origin
_UNTESTED = "No backtest in this run"


def chart_tracking(tracking: pd.DataFrame, outcome: Figures | None) -> go.Figure:
    """Show whether repeat purchases came as forecast; table TRACKING, and what the backtest says of purchases."""
    if tracking.empty or outcome is None:
        return blank_chart(_UNTESTED)
    title = f"{count(outcome['forecast']['mean'])} purchases were forecast, {count(outcome['actual'])} came"
    figure = new_chart(title, x="Weeks since the first purchase of all", y="Repeat purchases so far")
    band, tracking = futures(interval_of(tracking)), thinned(tracking)
    known = tracking[tracking["lower"].notna()]
    add_band(figure, known["week"], known["lower"], known["upper"], band)
    for column, colour, name in (("expected", MODEL, "expected by the model"), ("actual", OBSERVED, "what happened")):
        hover = f"Week %{{x}}: %{{y:,.0f}} repeat purchases<br>{name}"
        add_line(figure, tracking["week"], tracking[column], name, line={"color": colour}, hover=hover)
    mark_at(figure, tracking.loc[tracking["period"] == "calibration", "week"].max(), "forecast begins")
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_windows(windows: pd.DataFrame) -> go.Figure:
    """Show how far past totals of value fell from their forecasts; `windows` is table WINDOWS."""
    rows = windows[windows["outcome"] == "value"].sort_values(["horizon_weeks", "origin"])
    if rows.empty:
        return blank_chart("No past window to test on", "No past window has enough history before it to be tested on.")
    inside = rows["actual"].between(*(rows[limit] for limit in _SHOWN)).groupby(rows["horizon_weeks"])
    held = ", ".join(f"{found.sum()} of {len(found)} ({weeks} weeks)" for weeks, found in inside)
    title, height = f"Past totals inside their range: {held}", 170 + 30 * len(rows)
    figure = new_chart(title, x="% of the forecast", y="", height=height)
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


def chart_backtest(scored: pd.DataFrame) -> go.Figure:
    """Show whether the customers forecast to be valuable were so; table BACKTEST."""
    table, currency = by_predicted_value(scored), currency_of(scored)
    if table.empty:
        return blank_chart(_UNTESTED)
    worst = worst_tenth(table)
    title = (
        f"Furthest off in tenth {worst['decile']:.0f}: {money(worst['predicted'], currency)} each were forecast, "
        f"{money(worst['actual'], currency)} came"
    )
    return against_actual(table, x="Tenth of customers, lowest forecast first", unit=currency, title=title)


def chart_by_frequency(table: pd.DataFrame) -> go.Figure:
    """Show purchases forecast and made by those before the cut; `backtest.by_frequency`, whose last row is and more."""
    names = table["frequency"].astype("str").where(table.index != table.index.max(), lambda last: last + "+")
    title, before = "Purchases after the cut, by purchases before it", "Repeat purchases before the cut"
    return against_actual(table.assign(decile=names), x=before, unit="purchases", title=title)


def against_actual(table: pd.DataFrame, *, x: str, unit: str, title: str) -> go.Figure:
    """Return the chart of groups (`decile`): customers, actual, predicted, actual_error (two standard errors)."""
    if table.empty:
        return blank_chart(_UNTESTED)
    figure = new_chart(title, x=x, y=f"Per customer ({unit})")
    figure.add_bar(
        x=table["decile"],
        y=table["predicted"],
        marker={"color": fade(BAND, 0.6), "line": {"color": MODEL, "width": 1}},
        name="expected by the model",
        customdata=table["customers"],
        hovertemplate=f"%{{x}}, %{{customdata:,}} customers:<br>forecast %{{y:,.2f}} {unit} each<extra></extra>",
    )
    figure.add_scatter(
        x=table["decile"],
        y=table["actual"],
        mode="markers",
        marker={"color": OBSERVED, "size": 9},
        error_y={"type": "data", "array": table["actual_error"], "color": OBSERVED, "thickness": 2, "width": 5},
        name="what happened, ± 2 standard errors",
        customdata=table["actual_error"],
        hovertemplate=f"%{{x}}:<br>%{{y:,.2f}} ± %{{customdata:,.2f}} {unit} each happened<extra></extra>",
    )
    figure.update_xaxes(type="category", showgrid=False)
    figure.update_yaxes(rangemode="tozero")
    return figure
