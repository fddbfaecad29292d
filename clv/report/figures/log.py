"""Figures for analysts of the log: weeks and amounts."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clv.report.figures.canvas import date_ticks, new_figure, new_panels, number_ticks
from clv.report.figures.style import OBSERVED
from clv.words import short_number


def plot_weekly_activity(weekly: pd.DataFrame, *, currency: str) -> Figure:
    """Show purchases and revenue week by week; `weekly` has date, purchases (count), revenue (currency)."""
    best = weekly.loc[weekly["purchases"].idxmax()]
    alt = (
        f"{len(weekly)} weeks with {weekly['purchases'].median():,.0f} purchases in the middle one, at most "
        f"{best['purchases']:,.0f} in that of {best['date']:%d %b %Y}."
    )
    figure, (top, bottom) = new_panels("Purchases and revenue per week", alt, rows=2)
    for axes, column, label in ((top, "purchases", "Purchases"), (bottom, "revenue", f"Revenue ({currency})")):
        axes.plot(weekly["date"], weekly[column], color=OBSERVED, linewidth=1.5)
        axes.fill_between(weekly["date"], weekly[column], color=OBSERVED, alpha=0.15, linewidth=0)
        axes.set_ylabel(label)
        axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
        axes.yaxis.set_major_locator(MaxNLocator(4))
    top.tick_params(labelbottom=False)
    top.sharex(bottom)
    date_ticks(bottom)
    bottom.set_xlabel("Week")
    if len(weekly) == 1:  # an axis of no length cannot be ticked
        bottom.set_xlim(weekly["date"].iloc[0] - pd.Timedelta("7D"), weekly["date"].iloc[0] + pd.Timedelta("7D"))
    figure.align_ylabels()
    return figure


def plot_order_amounts(amounts: pd.Series, *, currency: str) -> Figure:
    """Show how large purchases are; `amounts` are positive, in `currency`."""
    figure, axes = new_figure(
        "How much one purchase costs",
        x=f"Amount of a purchase ({currency}, logarithmic scale)",
        y="Purchases",
        alt=f"The middle half of the purchases cost {amounts.quantile(0.25):,.2f} to {amounts.quantile(0.75):,.2f} "
        f"{currency}.",
    )
    axes.set_xscale("log")
    edges = np.geomspace(amounts.min() / 1.05, amounts.max() * 1.05, 41)
    axes.hist(amounts, bins=edges.tolist(), color=OBSERVED, edgecolor="white", linewidth=0.5)
    number_ticks(axes)
    return figure
