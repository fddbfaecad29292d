"""The purchase model as a drawing: three lives, what happens at each purchase, and what is seen of them."""

from matplotlib.figure import Figure

from clv.report.figures.canvas import new_figure
from clv.report.figures.style import MODEL, OBSERVED, QUIET

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
