"""The chart of cohorts: what a customer of each has brought so far and will bring."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.report.charts.canvas import add_band, add_line, label_ends, new_chart
from clv.report.figures.style import MODEL, OBSERVED
from clv.report.labels import currency_of, interval_of
from clv.words import futures, money

MOST_LINES = 4


def chart_cumulative(cohorts: pd.DataFrame) -> go.Figure:
    """Show what a customer of each cohort has brought and will bring; `cohorts` is table COHORTS.

    Of many cohorts the oldest, the newest and evenly spaced ones between are drawn.
    """
    currency, interval = currency_of(cohorts), interval_of(cohorts)
    names = sorted(cohorts["cohort"].unique())
    chosen = [names[at] for at in np.unique(np.linspace(0, len(names) - 1, MOST_LINES).round().astype(int))]
    drawn_of = f"; {len(chosen)} of {len(names)} cohorts are drawn" if len(names) > len(chosen) else ""
    figure = new_chart(
        title(cohorts),
        x=f"Months since the first purchase{drawn_of}",
        y=f"Revenue per customer so far ({currency})",
        height=460,
    )
    drawn = [cohorts[cohorts["cohort"] == name].sort_values("months_since") for name in chosen]
    for first, line in zip([True] + [False] * len(drawn), drawn, strict=False):
        _add_cohort(figure, line, currency, interval, in_legend=first)
    ends = pd.concat([line.tail(1) for line in drawn])
    # Cohorts of neighbouring months end side by side, and so would their names: those stand at the edge, pushed apart.
    close = np.ptp(ends["months_since"]) < 0.4 * ends["months_since"].max()
    places = ends["months_since"].clip(lower=ends["months_since"].max() if close else 0)
    label_ends(figure, places, ends["cumulative"], ends["cohort"], apart=0.055 if close else 0.0)
    figure.update_xaxes(range=[0, max(cohorts["months_since"].max(), 1)])
    figure.update_layout(margin_r=64)
    figure.update_yaxes(rangemode="tozero")
    return figure


def title(cohorts: pd.DataFrame) -> str:
    """Say what a customer of the oldest cohort will have brought."""
    last = cohorts[cohorts["months_since"] == cohorts["months_since"].max()].iloc[0]
    return f"The oldest cohort will have brought {money(last['cumulative'], currency_of(cohorts))} per customer"


def _add_cohort(figure: go.Figure, line: pd.DataFrame, currency: str, interval: float, *, in_legend: bool) -> None:
    seen = line[line["status"] == "observed"]
    # The forecast starts where the observation stops, so that the line is one.
    ahead = pd.concat([seen.tail(1), line[line["status"] != "observed"]])
    limits = (ahead["cumulative_lower"], ahead["cumulative_upper"])
    add_band(figure, ahead["months_since"], *limits, futures(interval), in_legend=in_legend)
    cohort = line["cohort"].iloc[0]
    parts = ((seen, OBSERVED, "solid", "observed"), (ahead, MODEL, "dash", "expected by the model"))
    for part, colour, dash, name in parts:
        add_line(
            figure,
            part["months_since"],
            part["cumulative"],
            name,
            line={"color": colour, "dash": dash},
            legendgroup=name,
            showlegend=in_legend,
            customdata=part["month"],
            hover=f"Cohort {cohort}, month %{{x}} (%{{customdata}}):<br>%{{y:,.2f}} {currency} per customer<br>{name}",
        )
