"""The chart of tracking: whether repeat purchases came week by week as forecast."""

import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, add_line, blank_chart, mark_at, new_chart, thinned
from clv.report.figures.style import MODEL, OBSERVED
from clv.report.key_figures import Figures
from clv.report.labels import interval_of
from clv.words import count, futures


def chart_tracking(tracking: pd.DataFrame, outcome: Figures | None) -> go.Figure:
    """Show whether repeat purchases came as forecast; table TRACKING, and what the backtest says of purchases."""
    if tracking.empty or outcome is None:
        return blank_chart("No backtest in this run")
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
