"""Figures for analysts of the spend model: prior, posterior, and how far it pulls customers to the mean."""

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure

from clv.report.figures.canvas import add_legend, bins_up_to, colour_bar, logarithmic, new_figure, ramp, share_inside
from clv.report.figures.style import BAND, FITTED, MODEL_RAMP, OBSERVED, OBSERVED_TINT, QUIET, REFERENCE, UNFITTED
from clv.words import level


def plot_spend_and_frequency(customers: pd.DataFrame, *, currency: str) -> Figure:
    """Show whether those who buy often spend more per purchase; `customers` has frequency, monetary_value."""
    repeat = customers[(customers["frequency"] > 0) & (customers["monetary_value"] > 0)]
    most = min(7, int(repeat["frequency"].max()))
    groups = [part["monetary_value"].to_numpy() for _, part in repeat.groupby(repeat["frequency"].clip(upper=most))]
    labels = [f"{x}\n{len(group):,}" for x, group in zip(bins_up_to(most)[-len(groups) :], groups, strict=True)]
    figure, axes = new_figure(
        "Spend per purchase, by number of purchases",
        x="Repeat purchases (number of customers below)",
        y=f"Mean amount of repeat\npurchases ({currency}, log scale)",
        alt=f"The median customer with one repeat purchase spends {np.median(groups[0]):,.2f} {currency} per purchase, "
        f"with {bins_up_to(most)[-1]} {np.median(groups[-1]):,.2f}.",
        note="Box: middle half of the customers; line: median; whiskers: 90 % of them.",
    )
    axes.boxplot(
        groups,
        whis=(5, 95),
        showfliers=False,
        patch_artist=True,
        tick_labels=labels,
        widths=0.55,
        boxprops={"facecolor": OBSERVED_TINT, "edgecolor": OBSERVED},
        medianprops={"color": "black", "linewidth": 1.6},
        whiskerprops={"color": OBSERVED},
        capprops={"color": OBSERVED},
    )
    logarithmic(axes, "y")
    return figure


def plot_spend_check(table: pd.DataFrame, *, fitted: bool, currency: str, interval: float) -> Figure:
    """Show whether the priors allow, or the fitted model reproduces, what repeat buyers spend on average.

    `table` has amount (left edges of the bins) and width in `currency`; observed, lower, median, upper (shares of
    buyers).
    """
    asks, source, role = FITTED if fitted else UNFITTED
    x, alt = f"Mean amount of a customer's repeat purchases ({currency}, logarithmic scale)", share_inside(table)
    figure, axes = new_figure(f"{asks} what customers spend?", x=x, y="Repeat buyers (%)", alt=alt)
    edges = [*table["amount"], table["amount"].iloc[-1] + table["width"].iloc[-1]]
    limits = {name: 100 * table[name].to_numpy() for name in ("observed", "lower", "median", "upper")}
    axes.stairs(limits["observed"], edges, fill=True, color=OBSERVED_TINT, label="observed")
    axes.stairs(
        limits["upper"],
        edges,
        baseline=limits["lower"],
        fill=True,
        color=BAND if fitted else role,
        alpha=0.5,
        label=f"{level(interval)} of what {source}",
    )
    axes.stairs(limits["median"], edges, baseline=None, color=role, linewidth=1.8, label="median of that")
    logarithmic(axes, "x")
    add_legend(figure, axes)
    return figure


def plot_shrinkage(table: pd.DataFrame, *, population_mean: float, currency: str) -> Figure:
    """Show how far the model trusts a customer's own mean.

    `table` has monetary_value, expected_spend (currency) and frequency; `population_mean` is what a purchase of a new
    customer is expected to cost.
    """
    figure, axes = new_figure(
        "Few purchases: the model moves a customer towards the average",
        x=f"Customer's own mean ({currency}, log scale)",
        y=f"Expected spend ({currency}, log scale)",
        alt=f"{len(table):,} customers; the average one spends {population_mean:,.2f} {currency}, and those with many "
        "purchases lie near their own mean.",
    )
    ends = [table["monetary_value"].min(), table["monetary_value"].max()]
    axes.plot(ends, ends, color=REFERENCE, linestyle="--", label="own mean, fully trusted")
    average = f"average customer: {population_mean:.3g} {currency}"
    axes.axhline(population_mean, color=QUIET, linestyle=":", label=average)
    ordered = table.sort_values("frequency")
    most = max(int(ordered["frequency"].max()), 2)
    points = axes.scatter(
        ordered["monetary_value"],
        ordered["expected_spend"],
        c=ordered["frequency"],
        s=14,
        norm=LogNorm(1, most),
        cmap=ramp(MODEL_RAMP[1:]),
        linewidth=0,
    )
    logarithmic(axes)
    colour_bar(figure, axes, points, "Repeat purchases", log=True)
    add_legend(figure, axes)
    return figure
