"""Figures for analysts of forecasts against what came."""

from collections.abc import Callable
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from clv.report.figures.canvas import add_legend, blank_figure, new_figure
from clv.report.figures.style import MODEL, OBSERVED, OBSERVED_RAMP, REFERENCE, WITHOUT_BACKTEST

PIT_BINS = 20


def _blank_without_backtest(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a run without a backtest show a sentence where the figure would be."""

    @wraps(plot)
    def plot_or_blank(table: Any, **options: Any) -> Figure:
        return plot(table, **options) if len(table) else blank_figure(WITHOUT_BACKTEST)

    return plot_or_blank


@_blank_without_backtest
def plot_by_frequency(table: pd.DataFrame) -> Figure:
    """Show forecast and outcome by what customers had done before the cut.

    Parameters
    ----------
    table
        frequency, customers, actual, predicted (purchases per customer), actual_error (two standard errors);
        the last frequency stands for itself and more.
    """
    close = (table["actual"] - table["predicted"]).abs() <= table["actual_error"]
    figure, axes = new_figure(
        "Purchases after the cut, by purchases before it",
        x="Repeat purchases before the cut (number of customers below)",
        y="Purchases per customer after it",
        alt=f"In {close.sum()} of {len(table)} groups the forecast lies within two standard errors of what came.",
    )
    place = np.arange(len(table))
    axes.errorbar(
        place - 0.1,
        table["actual"],
        yerr=table["actual_error"],
        fmt="o",
        color=OBSERVED,
        capsize=3,
        label="what happened, ± 2 standard errors",
    )
    axes.plot(place + 0.1, table["predicted"], "D", color=MODEL, label="expected by the model")
    labels = [f"{frequency}" for frequency in table["frequency"]]
    labels[-1] += "+"
    axes.set_xticks(place, [f"{label}\n{n:,}" for label, n in zip(labels, table["customers"], strict=True)])
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure


@_blank_without_backtest
def plot_pit(pit: ArrayLike) -> Figure:
    """Show whether outcomes fall everywhere in their forecasts; `pit` are randomised PIT values in [0, 1]."""
    values = np.asarray(pit, dtype=float)
    counts = np.histogram(values, np.linspace(0, 1, PIT_BINS + 1))[0]
    figure, axes = new_figure(
        "Where outcomes fall in their forecasts",
        x="Place of the outcome in its forecast (randomised PIT, 0 = lowest)",
        y="Customers (%)",
        alt=f"Bars of {100 * counts.min() / values.size:.1f} to {100 * counts.max() / values.size:.1f} % of the "
        f"customers; all would be {100 / PIT_BINS:.0f} % in a calibrated forecast.",
    )
    even = 100 / PIT_BINS
    # Binomial scatter of one bin if the forecast is right, two standard errors.
    scatter = 200 * np.sqrt((1 / PIT_BINS) * (1 - 1 / PIT_BINS) / values.size)
    axes.hist(
        values,
        bins=np.linspace(0, 1, PIT_BINS + 1).tolist(),
        weights=np.full(values.size, 100 / values.size),
        color=OBSERVED_RAMP[0],
        edgecolor=OBSERVED,
        label="what happened",
    )
    axes.axhspan(even - scatter, even + scatter, color=REFERENCE, alpha=0.25, linewidth=0)
    axes.axhline(even, color=REFERENCE, linestyle="--", label="calibrated forecast, ± 2 standard errors")
    axes.set_xlim(0, 1)
    add_legend(figure, axes)
    return figure
