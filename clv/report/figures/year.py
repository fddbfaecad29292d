"""The figure of a year: how much more or less than on an average day customers buy in each month."""

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

from clv.models.operational_time import Clock
from clv.report.figures.canvas import blank_figure, new_figure
from clv.report.figures.style import MODEL, QUIET
from clv.transactions.months import ENGLISH
from clv.words import percent


def plot_year(clock: Clock | None, *, interval: float) -> Figure:
    """Show the months of a calendar, as they were and what they may be in the future."""
    if clock is None or len(set(clock.months)) == 1:
        return blank_figure("All months count alike: none were stated, and the log shows no year.")
    months = np.array(clock.months)
    luck = ndtri((1 + interval) / 2) * np.array([[-1.0], [1.0]])
    ends = months * np.exp(clock.sd * luck - clock.sd**2 / 2)
    figure, axes = new_figure(
        "The year as the log shows it" if clock.history else "The year as it was stated",
        x="Month",
        y="Purchases a day (1: average)",
        alt=f"{ENGLISH[months.argmax()]} brings most, {percent(months.max())} of an average day's purchases, "
        f"{ENGLISH[months.argmin()]} least, {percent(months.min())}.",
        note=f"Whiskers: where a month to come lies with {percent(interval)}.",
    )
    axes.bar([name[:3] for name in ENGLISH], months, color=MODEL, alpha=0.35)
    axes.errorbar(range(len(ENGLISH)), months, abs(ends - months), fmt="o", color=MODEL, capsize=3)
    axes.axhline(1, color=QUIET, linewidth=1, linestyle="--")
    return figure
