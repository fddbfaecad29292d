"""The chart of tenths: whether the customers forecast to be valuable were so."""

import pandas as pd
import plotly.graph_objects as go

from clv.backtest.summary import by_predicted_value, worst_tenth
from clv.report.charts.canvas import blank_chart, new_chart
from clv.report.figures.style import BAND, MODEL, OBSERVED, fade
from clv.report.labels import currency_of
from clv.words import money


def chart_backtest(scored: pd.DataFrame) -> go.Figure:
    """Show whether the customers forecast to be valuable were so; table BACKTEST."""
    return drawn(by_predicted_value(scored), currency=currency_of(scored))


def drawn(table: pd.DataFrame, *, currency: str) -> go.Figure:
    """Return the chart of `backtest.by_predicted_value`.

    Parameters
    ----------
    table
        decile (1 = lowest forecast), customers, actual and predicted (value per customer), actual_error (two
        standard errors).
    """
    if table.empty:
        return blank_chart(title(table, currency))
    figure = new_chart(
        title(table, currency),
        x="Tenth of customers, lowest forecast first",
        y=f"Value per customer ({currency})",
        alt=sentence(table, currency=currency),
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


def title(table: pd.DataFrame, currency: str) -> str:
    """Say in which tenth the forecast was furthest off."""
    if table.empty:
        return "No backtest in this run"
    worst = worst_tenth(table)
    return (
        f"Furthest off in tenth {worst['decile']:.0f}: {money(worst['predicted'], currency)} each were forecast, "
        f"{money(worst['actual'], currency)} came"
    )


def sentence(table: pd.DataFrame, *, currency: str) -> str:
    """Return how far the tenths were off."""
    close = (table["actual"] - table["predicted"]).abs() <= table["actual_error"]
    best = table.loc[table["predicted"].idxmax()]
    return (
        f"In {close.sum()} of {len(table)} groups the forecast lies within two standard errors of what came; customers "
        f"of the highest were forecast to bring {money(best['predicted'], currency)} each and brought "
        f"{money(best['actual'], currency)}."
    )
