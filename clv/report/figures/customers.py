"""Figures for analysts of customers: how often, how recently, with which scores."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from clv.report.figures.canvas import bins_up_to, colour_bar, new_figure, ramp
from clv.report.figures.purchases import MOST_PURCHASES
from clv.report.figures.style import OBSERVED, OBSERVED_RAMP, QUIET, REFERENCE


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
