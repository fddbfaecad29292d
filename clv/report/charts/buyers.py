"""Charts of who will buy: the map of customers who may have left, and how probable a purchase is."""

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from clv.forecast import tiers
from clv.forecast.tiers import LIKELY_LEFT
from clv.report.charts.canvas import new_chart
from clv.report.figures.style import BAND, MODEL, fade
from clv.words import count, money, percent, short_number, weeks


def of_customer_map(bins: pd.DataFrame, *, currency: str) -> str:
    """Return who has probably left and who is worth most; `bins` is from `segments.customer_map`."""
    value, left = bins["customers"] * bins["clv_mean"], bins["p_alive"] < LIKELY_LEFT
    return (
        f"Of {count(bins['customers'].sum())} repeat customers {count(bins.loc[left, 'customers'].sum())} have more "
        f"likely left than not, and {money(value[left].sum(), currency)} is expected from them; from the others "
        f"{money(value[~left].sum(), currency)}."
    )


def of_will_buy(bins: pd.DataFrame, *, currency: str) -> str:
    """Return of how many something or next to nothing is to be expected; `bins` is from `segments.purchase_bins`."""
    customers, value = bins["customers"], bins["clv_mean"]
    likely, seldom = bins["likely"], bins["high"] <= 0.1
    return (
        f"{count(customers[likely].sum())} of {count(customers.sum())} customers are more likely than not to buy, and "
        f"{money(value[likely].sum(), currency)} is expected from them; {count(customers[seldom].sum())} have a "
        f"probability below {percent(0.1)}, and {money(value[seldom].sum(), currency)} is expected from those."
    )


MOST_SPREAD = 10_000  # largest over smallest value on a logarithmic axis


def chart_customer_map(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show repeat customers by how surely they are still there and what they are worth.

    Parameters
    ----------
    bins
        customers, p_alive and clv_mean of every bin (p_alive_bin, value_bin) that somebody is in.
    """
    figure = new_chart(
        title,
        x="Probability of still being a customer (%)",
        y=f"Expected value each ({currency}, log scale)",
        alt=of_customer_map(bins, currency=currency),
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


def chart_will_buy(bins: pd.DataFrame, *, title: str, currency: str) -> go.Figure:
    """Show all customers by how probable it is that they buy at all; `bins` is from `segments.purchase_bins`."""
    figure = new_chart(
        title,
        x="Probability of buying within the horizon (%)",
        y="Customers",
        alt=of_will_buy(bins, currency=currency),
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


def _log_ticks(low: float, high: float) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    steps = (1, 2, 5) if len(decades) <= 4 else (1,)
    return [step * 10.0**decade for decade in decades for step in steps]


def title_customer_map(customers: pd.DataFrame) -> str:
    repeat = max(int((customers["frequency"] > 0).sum()), 1)
    return f"{percent(len(tiers.slipping(customers)) / repeat)} of repeat customers have more likely left than not"


def title_will_buy(bins: pd.DataFrame, horizon_weeks: float) -> str:
    share = bins.loc[bins["likely"], "customers"].sum() / max(bins["customers"].sum(), 1)
    return f"{percent(float(share))} of all customers are more likely than not to buy within {weeks(horizon_weeks)}"
