"""The chart of concentration: how much of the value the best customers hold."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, add_line, new_chart, thinned
from clv.report.figures.style import REFERENCE
from clv.report.labels import interval_of
from clv.words import futures, percent


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
