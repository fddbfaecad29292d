"""The map of repeat customers: how surely they are still there, and what they are worth."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import LIKELY_LEFT, customer_map, slipping
from clv.report.charts.canvas import new_chart
from clv.report.figures.style import BAND, MODEL, fade
from clv.report.labels import currency_of
from clv.words import count, money, percent, short_number

MOST_SPREAD = 10_000  # largest over smallest value on a logarithmic axis


def chart_customer_map(customers: pd.DataFrame) -> go.Figure:
    """Show repeat customers by how surely they are still there and what they are worth; table CUSTOMERS."""
    return drawn(customer_map(customers), title=title(customers), currency=currency_of(customers))


def drawn(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Return the chart of `forecast.customer_map`.

    Parameters
    ----------
    bins
        customers, p_alive and clv_mean of every bin (p_alive_bin, value_bin) that somebody is in.
    """
    figure = new_chart(
        title,
        x="Probability of still being a customer (%)",
        y=f"Expected value each ({currency}, log scale)",
        alt=sentence(bins, currency=currency),
        height=460,
    )
    most = max(int(bins["customers"].max()), 1)
    # Customers who are all but lost would stretch the scale without end: they stand at its foot.
    place = bins["clv_mean"].clip(lower=max(bins["clv_mean"].max(), 1e-9) / MOST_SPREAD)
    diameter = 46 * np.sqrt(bins["customers"] / most)
    figure.add_scatter(
        x=100 * bins["p_alive"],
        y=place,
        mode="markers+text",
        marker={
            "size": bins["customers"],
            "sizemode": "area",
            "sizeref": 2 * most / 46**2,
            "sizemin": 3,
            "color": fade(BAND, 0.55),
            "line": {"color": MODEL, "width": 1.2},
        },
        text=[f"{n:,}" if size > 24 else "" for n, size in zip(bins["customers"], diameter, strict=True)],
        textfont={"size": 10},
        customdata=bins[["customers", "clv_mean"]],
        hovertemplate="%{customdata[0]:,} repeat customers<br>%{x:.0f} % sure to be still there<br>expected value "
        f"%{{customdata[1]:,.2f}} {currency} each<extra></extra>",
        name="repeat customers; area: how many",
        showlegend=True,
    )
    figure.update_xaxes(range=[-6, 106])
    ticks = _log_ticks(place.min(), place.max())
    figure.update_yaxes(type="log", tickvals=ticks, ticktext=[short_number(tick) for tick in ticks])
    return figure


def title(customers: pd.DataFrame) -> str:
    """Say which share has more likely left than not."""
    repeat = max(int((customers["frequency"] > 0).sum()), 1)
    return f"{percent(len(slipping(customers)) / repeat)} of repeat customers have more likely left than not"


def sentence(bins: pd.DataFrame, *, currency: str) -> str:
    """Return who has probably left and who is worth most."""
    value, left = bins["customers"] * bins["clv_mean"], bins["p_alive"] < LIKELY_LEFT
    return (
        f"Of {count(bins['customers'].sum())} repeat customers {count(bins.loc[left, 'customers'].sum())} have more "
        f"likely left than not, and {money(value[left].sum(), currency)} is expected from them; from the others "
        f"{money(value[~left].sum(), currency)}."
    )


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps]
