"""The chart of who will buy: all customers by how probable a purchase is."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast.tiers import purchase_bins
from clv.report.charts.canvas import new_chart
from clv.report.figures.style import BAND, MODEL, fade
from clv.report.labels import currency_of, horizon_of
from clv.words import count, money, percent, weeks


def chart_will_buy(customers: pd.DataFrame) -> go.Figure:
    """Show all customers by how probable it is that they buy at all; table CUSTOMERS."""
    bins = purchase_bins(customers)
    return drawn(bins, title=title(bins, horizon_of(customers)), currency=currency_of(customers))


def drawn(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Return the chart of `forecast.purchase_bins`."""
    figure = new_chart(
        title,
        x="Probability of buying within the horizon (%)",
        y="Customers",
        alt=sentence(bins, currency=currency),
    )
    middle, width = 50 * (bins["low"] + bins["high"]), 100 * (bins["high"] - bins["low"])
    parts = (("repeat", MODEL, "bought more than once"), ("one_time", BAND, "bought once so far"))
    for column, colour, name in parts:
        figure.add_bar(
            x=middle,
            y=bins[column],
            width=width,
            marker={"color": fade(colour, 0.75), "line": {"color": MODEL, "width": 1}}
            | ({"pattern": {"shape": "/", "size": 6}} if column == "one_time" else {}),
            name=name,
            customdata=np.column_stack([100 * bins["low"], 100 * bins["high"], bins["clv_mean"]]),
            hovertemplate="%{customdata[0]:.0f} to %{customdata[1]:.0f} %: %{y:,} customers who "
            f"{name};<br>%{{customdata[2]:,.0f}} {currency} expected from all in this bar<extra></extra>",
        )
    figure.update_layout(barmode="stack", bargap=0)
    figure.update_xaxes(range=[0, 100], dtick=10, showgrid=False)
    return figure


def title(bins: pd.DataFrame, horizon_weeks: float) -> str:
    """Say which share will more likely buy than not."""
    share = bins.loc[bins["likely"], "customers"].sum() / max(bins["customers"].sum(), 1)
    return f"{percent(float(share))} of all customers are more likely than not to buy within {weeks(horizon_weeks)}"


def sentence(bins: pd.DataFrame, *, currency: str) -> str:
    """Return of how many something or next to nothing is to be expected."""
    customers, value = bins["customers"], bins["clv_mean"]
    likely, seldom = bins["likely"], bins["high"] <= 0.1
    return (
        f"{count(customers[likely].sum())} of {count(customers.sum())} customers are more likely than not to buy, and "
        f"{money(value[likely].sum(), currency)} is expected from them; {count(customers[seldom].sum())} have a "
        f"probability below {percent(0.1)}, and {money(value[seldom].sum(), currency)} is expected from those."
    )
