"""Charts of the backtest: what was expected of groups of customers, and what came."""

import pandas as pd
import plotly.graph_objects as go

from clv.backtest.summary import by_predicted_value, worst_tenth
from clv.report.charts.canvas import blank_chart, new_chart
from clv.report.figures.style import BAND, MODEL, OBSERVED, fade
from clv.report.labels import currency_of
from clv.words import money

_UNTESTED = "No backtest in this run"


def chart_backtest(scored: pd.DataFrame) -> go.Figure:
    """Show whether the customers forecast to be valuable were so; table BACKTEST."""
    table = by_predicted_value(scored)
    return drawn(
        table,
        x="Tenth of customers, lowest forecast first",
        unit=currency_of(scored),
        title=title(table, currency_of(scored)),
    )


def chart_by_frequency(table: pd.DataFrame) -> go.Figure:
    """Show purchases forecast and made by those before the cut; `backtest.by_frequency`, whose last row is and more."""
    names = table["frequency"].astype("str").where(table.index != table.index.max(), lambda last: last + "+")
    return drawn(
        table.assign(decile=names), x="Repeat purchases before the cut", unit="purchases",
        title="Purchases after the cut, by purchases before it",
    )  # fmt: skip


def drawn(table: pd.DataFrame, *, x: str, unit: str, title: str) -> go.Figure:
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


def title(table: pd.DataFrame, currency: str) -> str:
    """Say in which tenth the forecast was furthest off."""
    if table.empty:
        return _UNTESTED
    worst = worst_tenth(table)
    return (
        f"Furthest off in tenth {worst['decile']:.0f}: {money(worst['predicted'], currency)} each were forecast, "
        f"{money(worst['actual'], currency)} came"
    )
