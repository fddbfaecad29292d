"""Charts of how wrong forecasts were: week by week, by tenth of the customers, window by window."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, blank_chart, mark_at, new_chart, thinned
from clv.report.figures.style import BAND, MODEL, OBSERVED, fade
from clv.report.key_figures import Figures
from clv.words import count, futures, if_right, money, percent


def of_tracking(tracking: pd.DataFrame, *, interval: float) -> str:
    """Return where the lines end; `tracking` is table TRACKING."""
    end = tracking.iloc[-1]
    band = f" ({futures(interval)}: {count(end['lower'])} to {count(end['upper'])})" if pd.notna(end["lower"]) else ""
    return (
        f"By week {end['week']:.0f}, {count(end['actual'])} repeat purchases had come where {count(end['expected'])} "
        f"were expected{band}."
    )


def of_backtest(table: pd.DataFrame, *, currency: str) -> str:
    """Return how far the tenths were off; `table` is from `backtest.by_predicted_value`."""
    close = (table["actual"] - table["predicted"]).abs() <= table["actual_error"]
    best = table.loc[table["predicted"].idxmax()]
    return (
        f"In {close.sum()} of {len(table)} groups the forecast lies within two standard errors of what came; customers "
        f"of the highest were forecast to bring {money(best['predicted'], currency)} each and brought "
        f"{money(best['actual'], currency)}."
    )


def of_windows(rows: pd.DataFrame) -> str:
    """Return how far past windows were off; `rows` are those of one outcome of table WINDOWS."""
    share, inside = rows["actual"] / rows["forecast"], rows["actual"].between(rows["lower"], rows["upper"])
    return (
        f"What came lay between {percent(share.min())} and {percent(share.max())} of the forecast, in {inside.sum()} "
        f"of {len(rows)} windows inside the interval that holds if the model is right."
    )


def chart_tracking(tracking: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show whether repeat purchases came as forecast; `tracking` is table TRACKING."""
    if tracking.empty:
        return blank_chart(title)
    figure = new_chart(
        title,
        x="Weeks since the first purchase of all",
        y="Repeat purchases so far",
        alt=of_tracking(tracking, interval=interval),
    )
    tracking = thinned(tracking)
    known = tracking[tracking["lower"].notna()]
    add_band(figure, known["week"], known["lower"], known["upper"], futures(interval))
    for column, colour, name in (("expected", MODEL, "expected by the model"), ("actual", OBSERVED, "what happened")):
        figure.add_scatter(
            x=tracking["week"],
            y=tracking[column],
            mode="lines",
            line={"color": colour, "width": 2.5},
            name=name,
            hovertemplate=f"Week %{{x}}: %{{y:,.0f}} repeat purchases<br>{name}<extra></extra>",
        )
    mark_at(figure, tracking.loc[tracking["period"] == "calibration", "week"].max(), "forecast begins")
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_backtest(table: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show whether the customers forecast to be valuable were so.

    Parameters
    ----------
    table
        decile (1 = lowest forecast), customers, actual and predicted (value per customer), actual_error (two
        standard errors).
    """
    if table.empty:
        return blank_chart(title)
    figure = new_chart(
        title,
        x="Tenth of customers, lowest forecast first",
        y=f"Value per customer ({currency})",
        alt=of_backtest(table, currency=currency),
    )
    figure.add_bar(
        x=table["decile"],
        y=table["predicted"],
        marker={"color": fade(BAND, 0.6), "line": {"color": MODEL, "width": 1}},
        name="expected by the model",
        customdata=table["customers"],
        hovertemplate=f"Tenth %{{x}}, %{{customdata:,}} customers:<br>forecast %{{y:,.2f}} {currency} each"
        "<extra></extra>",
    )
    figure.add_scatter(
        x=table["decile"],
        y=table["actual"],
        mode="markers",
        marker={"color": OBSERVED, "size": 9},
        error_y={"type": "data", "array": table["actual_error"], "color": OBSERVED, "thickness": 2, "width": 5},
        name="what happened, ± 2 standard errors",
        customdata=table["actual_error"],
        hovertemplate=f"Tenth %{{x}}:<br>%{{y:,.2f}} ± %{{customdata:,.2f}} {currency} each happened<extra></extra>",
    )
    figure.update_xaxes(dtick=1, showgrid=False)
    figure.update_yaxes(rangemode="tozero")
    return figure


def chart_windows(windows: pd.DataFrame, *, title: str, interval: float) -> go.Figure:
    """Show how far past totals of value fell from their forecasts; `windows` is table WINDOWS."""
    rows = windows[windows["outcome"] == "value"].sort_values(["horizon_weeks", "origin"])
    if rows.empty:
        return blank_chart(title, "No past window has enough history before it to be tested on.")
    figure = new_chart(
        title,
        x="% of the forecast",
        y="",
        alt=of_windows(rows),
        height=170 + 30 * len(rows),
    )
    names = [
        f"{row.horizon_weeks} weeks to {row.origin + pd.Timedelta(weeks=row.horizon_weeks):%d %b %Y}"
        for row in rows.itertuples()
    ]
    share = 100 * rows[["lower", "upper", "actual"]].div(rows["forecast"], axis="index")
    figure.add_scatter(
        y=np.repeat(names, 3),
        x=np.column_stack([share[["lower", "upper"]], np.full(len(rows), np.nan)]).ravel(),
        mode="lines",
        line={"color": MODEL, "width": 5},
        name=if_right(interval),
        hoverinfo="skip",
    )
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


def title_tracking(figures: Figures) -> str:
    if figures["backtest"] is None:
        return "No backtest in this run"
    purchases = figures["backtest"]["purchases"]
    return f"{count(purchases['forecast']['mean'])} purchases were forecast, {count(purchases['actual'])} came"


def title_backtest(backtest: Figures | None, currency: str) -> str:
    """Say where the forecast was furthest off; `backtest` is from `backtest.figures`, None without one."""
    if backtest is None:
        return "No backtest in this run"
    worst = backtest["worst_tenth"]
    return (
        f"Furthest off in tenth {worst['decile']:.0f}: {money(worst['predicted'], currency)} each were forecast, "
        f"{money(worst['actual'], currency)} came"
    )


def title_windows(windows: pd.DataFrame) -> str:
    """Say in how many past windows of each length the total value lay inside the interval that the model announced."""
    rows = windows[windows["outcome"] == "value"]
    if rows.empty:
        return "No past window to test on"
    inside = rows["actual"].between(rows["lower"], rows["upper"]).groupby(rows["horizon_weeks"])
    parts = [f"{held.sum()} of {len(held)} ({weeks} weeks)" for weeks, held in inside]
    return f"Past totals inside the model's own interval: {', '.join(parts)}"
