"""The figure for analysts of forecasts against what came."""

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from clv.report.figures.canvas import add_legend, blank_figure, new_figure
from clv.report.figures.style import OBSERVED, OBSERVED_RAMP, REFERENCE, WITHOUT_BACKTEST

PIT_BINS = 20


def plot_pit(pit: ArrayLike) -> Figure:
    """Show whether outcomes fall everywhere in their forecasts; `pit` are randomised PIT values in [0, 1]."""
    values = np.asarray(pit, dtype=float)
    if not values.size:
        return blank_figure(WITHOUT_BACKTEST)
    edges, even = np.linspace(0, 1, PIT_BINS + 1), 100 / PIT_BINS
    shares = 100 * np.histogram(values, edges)[0] / values.size
    figure, axes = new_figure(
        "Where outcomes fall in their forecasts",
        x="Place of the outcome in its forecast (randomised PIT, 0 = lowest)",
        y="Customers (%)",
        alt=f"Bars of {shares.min():.1f} to {shares.max():.1f} % of the customers; all would be {even:.0f} % in a "
        "calibrated forecast.",
    )
    # Binomial scatter of one bin if the forecast is right, two standard errors.
    scatter = 200 * np.sqrt((1 / PIT_BINS) * (1 - 1 / PIT_BINS) / values.size)
    axes.stairs(shares, edges, fill=True, color=OBSERVED_RAMP[0], edgecolor=OBSERVED, label="what happened")
    axes.axhspan(even - scatter, even + scatter, color=REFERENCE, alpha=0.25, linewidth=0)
    axes.axhline(even, color=REFERENCE, linestyle="--", label="calibrated forecast, ± 2 standard errors")
    axes.set_xlim(0, 1)
    add_legend(figure, axes)
    return figure
