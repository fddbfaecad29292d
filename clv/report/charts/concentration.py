"""The chart of concentration: how much of the value the best customers hold."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, add_reference, new_chart, thinned
from clv.report.figures.style import MODEL
from clv.report.labels import interval_of
from clv.words import futures, percent


def chart_concentration(concentration: pd.DataFrame) -> go.Figure:
    """Show how much of the value the best customers hold; `concentration` is table CONCENTRATION."""
    interval = interval_of(concentration)
    table = 100 * thinned(concentration)
    figure = new_chart(
        title(concentration),
        x="Customers, best expected value first (%)",
        y="Share of the value (%)",
        alt=sentence(concentration),
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


def title(concentration: pd.DataFrame) -> str:
    """Say what the best tenth holds."""
    tenth = np.interp(0.1, concentration["customer_share"], concentration["value_share"])
    return f"The best tenth of the customers hold {percent(float(tenth))} of the value"


def sentence(concentration: pd.DataFrame) -> str:
    """Return what the best customers hold."""
    shares = concentration[["value_share", "lower", "upper"]].to_numpy().T
    at = concentration["customer_share"]
    tenth, lower, upper = (float(np.interp(0.1, at, share)) for share in shares)
    return (
        f"The best tenth of the customers hold {percent(tenth)} of the expected value, and {percent(lower)} to "
        f"{percent(upper)} of the realised value in {futures(interval_of(concentration))}; the best half hold "
        f"{percent(float(np.interp(0.5, at, shares[0])))}."
    )
