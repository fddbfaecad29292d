"""Figures for analysts of the log and its customers: weeks, amounts, how often and how recently they bought."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from clv.report.figures.canvas import bins_up_to, colour_bar, date_ticks, logarithmic, new_figure, new_panels, ramp
from clv.report.figures.purchases import MOST_PURCHASES
from clv.report.figures.style import OBSERVED, OBSERVED_RAMP, QUIET, REFERENCE
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
    edges = np.geomspace(amounts.min() / 1.05, amounts.max() * 1.05, 41)
    axes.hist(amounts, bins=edges.tolist(), color=OBSERVED, edgecolor="white", linewidth=0.5)
    logarithmic(axes, "x")
    return figure


def plot_recency_frequency(customers: pd.DataFrame) -> Figure:
    """Show where customers stand in the plane the model works on; `customers` is table RFM."""
    repeat = customers[customers["frequency"] > 0]
    once, oldest = len(customers) - len(repeat), float(customers["T"].max())
    figure, axes = new_figure(
        "When repeat customers bought last, and how often",
        x="Recency: from the first to the last purchase (weeks)",
        y="Repeat purchases",
        alt=f"{len(repeat):,} repeat customers by their last purchase and the number of purchases.",
        note=f"Dashed: age of the oldest customer, {oldest:.0f} weeks. Not shown: {once:,} one-time buyers.",
    )
    most = max(int(repeat["frequency"].quantile(0.99)), 2) if len(repeat) else 2
    edges = [np.linspace(0, oldest, 41), np.arange(0.5, most + 1)]
    counts = np.histogram2d(repeat["recency"], repeat["frequency"].clip(upper=most), bins=edges)[0].T
    seen = np.ma.masked_equal(counts, 0)
    norm = LogNorm(1, max(counts.max(), 2))
    mesh = axes.pcolormesh(edges[0], edges[1], seen, cmap=ramp(OBSERVED_RAMP), norm=norm)
    colour_bar(figure, axes, mesh, "Customers (log scale)", log=True)
    axes.axvline(oldest, color=REFERENCE, linestyle="--")
    ticks = np.unique(np.linspace(1, most, 8).round().astype(int))
    axes.set_yticks(ticks, [f"{tick}+" if tick == most else f"{tick}" for tick in ticks])
    return figure


def plot_frequency_distribution(customers: pd.DataFrame) -> Figure:
    """Show how many customers came back how often; `customers` is table RFM."""
    counts = customers["frequency"].clip(upper=MOST_PURCHASES).value_counts()
    shares = 100 * counts.reindex(range(MOST_PURCHASES + 1), fill_value=0) / len(customers)
    figure, axes = new_figure(
        "How often customers came back",
        x="Repeat purchases",
        y="Customers (%)",
        alt=f"{shares.iloc[0]:.0f} % never came back, {shares.iloc[1]:.0f} % once, "
        f"{shares.iloc[MOST_PURCHASES]:.1f} % {MOST_PURCHASES} times or more.",
    )
    bars = axes.bar(bins_up_to(MOST_PURCHASES), shares.to_numpy(), color=OBSERVED, width=0.8)
    axes.bar_label(bars, fmt="{:.1f}", fontsize=9, padding=2, color=QUIET)
    axes.margins(y=0.1)
    return figure
