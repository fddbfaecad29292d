"""The purchase model as drawings: three lives, what happens at each purchase and what is seen of them, and its year."""

import numpy as np
from matplotlib.figure import Figure
from scipy.special import ndtri

from clv.models.operational_time import Clock
from clv.report.figures.canvas import blank_figure, new_figure
from clv.report.figures.style import MODEL, OBSERVED, QUIET
from clv.transactions.months import ENGLISH
from clv.words import percent

_T = 40
_ARROW = {"arrowstyle": "<-", "color": QUIET, "shrinkA": 0, "shrinkB": 4}
# Weeks of purchases, and what became of each customer.
_LIVES = (
    ("often", (0, 4, 7, 12, 17, 22, 27, 33, 37), "still a customer"),
    ("left", (0, 6, 11, 20), "left for good: silent"),
    ("seldom", (0, 9), "still a customer: silent too"),
)


def plot_story(*, leaves_at_once: bool) -> Figure:
    """Show what the model takes customers for; `leaves_at_once`: whether they may leave with their first purchase."""
    chances = "every purchase" if leaves_at_once else "every purchase but the first"
    figure, axes = new_figure(
        "How the model sees customers",
        x="Weeks since the first purchase",
        y="Three customers",
        alt=f"Purchases come at a customer's own rate λ; after {chances} the customer leaves with the own chance p. "
        "Of each life only the dots are seen, and silence up to T.",
        grid=False,
    )
    for row, (_, days, now) in enumerate(_LIVES):
        axes.plot([0, days[-1]], [row, row], color=MODEL, zorder=1)
        axes.plot([days[-1], _T], [row, row], color=QUIET, linestyle=":", zorder=1)
        axes.scatter(days, [row] * len(days), color=OBSERVED, s=36, zorder=2)
        for day in days if leaves_at_once else days[1:]:
            axes.annotate("p", (day, row), (day + 0.6, row - 0.32), color=QUIET, fontsize=8, arrowprops=_ARROW)
        axes.annotate(now, (_T + 0.6, row), color=QUIET, fontsize=8, va="center", annotation_clip=False)
    axes.annotate("λ: own rate", (0.5, 0.3), color=MODEL, fontsize=9)
    axes.annotate(f"seen: x = 3, $t_x$ = 20, T = {_T}", (20.5, 1.3), color=OBSERVED, fontsize=9)
    axes.axvline(_T, color=QUIET, linewidth=0.8)
    axes.set(xlim=(-1, 59), ylim=(2.5, -0.6), xticks=range(0, _T + 1, 10), yticks=range(3))
    axes.set_yticklabels([name for name, _, _ in _LIVES])
    return figure


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
