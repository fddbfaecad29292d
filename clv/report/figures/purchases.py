"""Figures for analysts of the purchase model: prior, posterior, chains, what it says of a history, what came of it."""

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike

from clv.report.figures import canvas, style
from clv.report.figures.style import MODEL, OBSERVED, REFERENCE
from clv.words import level

if TYPE_CHECKING:
    import xarray as xr

MOST_PURCHASES, PIT_BINS = 10, 20


def plot_predictive(table: pd.DataFrame, *, fitted: bool, interval: float) -> Figure:
    """Show whether the priors alone allow, or the fitted model reproduces, what was observed.

    `table` has frequency (text bins), observed, lower, median, upper (shares of customers).
    """
    asks, what, role = style.FITTED if fitted else style.UNFITTED
    figure, axes = canvas.new_figure(
        f"{asks} what was observed?", x="Repeat purchases", y="Customers (%)", alt=canvas.share_inside(table)
    )
    name, median = f"{level(interval)} of what {what}, and median", 100 * table["median"]
    reach = [median - 100 * table["lower"], 100 * table["upper"] - median]
    axes.bar(table["frequency"], 100 * table["observed"], color=style.OBSERVED_TINT, width=0.8, label="observed")
    axes.errorbar(
        table["frequency"], median, yerr=reach, fmt="o", color=role, markersize=4.5, capsize=4, linewidth=2, label=name
    )
    axes.set_ylim(bottom=0)
    canvas.add_legend(figure, axes)
    return figure


def plot_prior_posterior(draws: pd.DataFrame, references: pd.DataFrame) -> Figure:
    """Show what the data taught about each parameter, one panel each; the posterior decides what is in view.

    `draws` has parameter, unit, source ("prior" or "posterior"), value; `references`, if any, parameter, value, name.
    """
    names = list(draws["parameter"].unique())
    columns = -(-len(names) // 2) if len(names) > 3 else len(names)
    learnt = draws[draws["source"] == "posterior"].groupby("parameter")["value"].median()
    figure, panels = canvas.new_panels(
        "What the data taught: prior and posterior",
        f"The posterior's medians: {', '.join(f'{name} {learnt[name]:.3g}' for name in names)}.",
        rows=-(-len(names) // columns),
        columns=columns,
    )
    for empty in panels[len(names) :]:
        empty.remove()
    for axes, name in zip(panels, names, strict=False):
        drawn = draws[draws["parameter"] == name]
        _densities(axes, drawn, references[references["parameter"] == name])
        axes.grid(False)
        axes.set(xlabel=f"{name} ({drawn['unit'].iloc[0]})", ylabel="Density", yticks=[])
    canvas.add_legend(figure, panels[0])
    return figure


def plot_draws(posterior: "xr.DataTree") -> Figure | None:
    """Show whether the draws can be trusted: chains that agree (NUTS), or weights that are even (importance sampling).

    Nothing where no draw differs from another.
    """
    statistics = posterior["sample_stats"].to_dataset()
    if not statistics.data_vars:
        return None
    if "weight" not in statistics:
        return _chains(posterior)
    weights = np.sort(statistics["weight"].to_numpy().ravel())[::-1]
    first = weights[: -(-weights.size // 100)].sum() / weights.sum()
    alt = f"The weightiest hundredth of the draws carries {100 * first:.1f} % of the weight."
    x, y = "Draws, most important first (%)", "Share of the weight (%)"
    figure, axes = canvas.new_figure("How evenly the draws count", x=x, y=y, alt=alt)
    share = 100 * np.arange(1, weights.size + 1) / weights.size
    axes.plot(share, 100 * weights.cumsum() / weights.sum(), color=MODEL, label="draws around the mode")
    axes.plot([0, 100], [0, 100], color=REFERENCE, linestyle="--", label="all count the same")
    axes.set(xlim=(0, 100), ylim=(0, 100))
    canvas.add_legend(figure, axes)
    return figure


def plot_plane(plane: pd.DataFrame, *, horizon_weeks: float | None = None) -> Figure:
    """Show how many purchases to expect by history or, without a horizon, how probably one is still a customer.

    `plane` has recency_weeks, frequency, value (purchases, or 0 to 1).
    """
    cells = plane.pivot(index="frequency", columns="recency_weeks", values="value")
    title, meaning = f"How many purchases to expect in the next {horizon_weeks} weeks?", "Expected purchases"
    if horizon_weeks is None:
        cells, title, meaning = 100 * cells, "Who is still a customer?", "Probability of still being one (%)"
    figure, axes = canvas.new_figure(
        title,
        x="Recency: from the first to the last purchase (weeks)",
        y="Repeat purchases",
        alt=f"{meaning}: with {cells.index[-1]} purchases {cells.iloc[-1, -1]:.1f} if the last was just now, "
        f"{cells.iloc[-1, 0]:.1f} if it was long ago.",
        grid=False,
    )
    highest = 100.0 if horizon_weeks is None else None
    mesh = axes.pcolormesh(
        *cells.axes[::-1], cells, cmap=canvas.ramp(style.MODEL_RAMP), vmin=0, vmax=highest, shading="nearest"
    )
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    canvas.colour_bar(figure, axes, mesh, meaning)
    return figure


def _chains(posterior: "xr.DataTree") -> Figure:
    """Return ArviZ's densities and ranks of every chain, a row per parameter."""
    import arviz as az
    import matplotlib.pyplot as plt

    height = 0.5 + 1.5 * len(posterior["posterior"].to_dataset().data_vars)
    drawn = az.plot_rank_dist(posterior, figure_kwargs={"figsize": (8, height), "FigureClass": canvas.DescribedFigure})
    figure = drawn.viz["figure"].item()
    plt.close(figure)  # shown once, by the cell that made it
    figure.caption = f"{posterior['posterior'].sizes['chain']} chains, a row per parameter: densities, and ranks."
    figure.set_label(figure.caption)
    return figure


def _densities(axes: Axes, draws: pd.DataFrame, known: pd.DataFrame) -> None:
    values = {source: part["value"].to_numpy() for source, part in draws.groupby("source")}
    low, high = np.quantile(values["posterior"], [0.002, 0.998])
    low, high = min([low, *known["value"]]), max([high, *known["value"]])
    margin = 0.05 * (high - low) or 0.05 * abs(high)  # all draws may be one
    edges = np.linspace(low - margin, high + margin, 36)
    for source, colour, opacity in (("prior", style.PRIOR, 0.35), ("posterior", MODEL, 0.25)):
        # Shares of all draws, so that a prior that lies mostly out of view stays low.
        density = np.histogram(values[source], edges)[0] / values[source].size / np.diff(edges)
        axes.stairs(density, edges, fill=True, color=colour, alpha=opacity, label=source)
        axes.stairs(density, edges, color=colour, linewidth=1.4)
    for row in known.itertuples():
        axes.axvline(row.value, color=REFERENCE, linestyle="--", linewidth=1.6, label=row.name)


def plot_pit(pit: ArrayLike) -> Figure:
    """Show whether outcomes fall everywhere in their forecasts; `pit` are randomised PIT values in [0, 1]."""
    values = np.asarray(pit, dtype=float)
    if not values.size:
        return canvas.blank_figure(style.WITHOUT_BACKTEST)
    edges, even = np.linspace(0, 1, PIT_BINS + 1), 100 / PIT_BINS
    shares = 100 * np.histogram(values, edges)[0] / values.size
    figure, axes = canvas.new_figure(
        "Where outcomes fall in their forecasts",
        x="Place of the outcome in its forecast (randomised PIT, 0 = lowest)",
        y="Customers (%)",
        alt=f"Bars of {shares.min():.1f} to {shares.max():.1f} % of the customers; all would be {even:.0f} % in a "
        "calibrated forecast.",
    )
    # Binomial scatter of one bin if the forecast is right, two standard errors.
    scatter = 200 * np.sqrt((1 / PIT_BINS) * (1 - 1 / PIT_BINS) / values.size)
    axes.stairs(shares, edges, fill=True, color=style.OBSERVED_RAMP[0], edgecolor=OBSERVED, label="what happened")
    axes.axhspan(even - scatter, even + scatter, color=REFERENCE, alpha=0.25, linewidth=0)
    axes.axhline(even, color=REFERENCE, linestyle="--", label="calibrated forecast, ± 2 standard errors")
    axes.set_xlim(0, 1)
    canvas.add_legend(figure, axes)
    return figure
