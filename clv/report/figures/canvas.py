"""Figures for analysts: one matplotlib function per figure, finished table in, figure out.

A figure neither shows nor saves itself; its label is its alternative text, title and caption, and it takes both texts
into the notebook: pages write the caption, one sentence, below the picture.
Colours are the roles of `clv.style`.
"""

import base64
import io
from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator
from numpy.typing import ArrayLike

from clv.report.figures.style import (
    BAND,
    MODEL,
    MODEL_RAMP,
    OBSERVED,
    OBSERVED_RAMP,
    OBSERVED_TINT,
    PRIOR,
    QUIET,
    REFERENCE,
    WITHOUT_BACKTEST,
    futures,
    level,
    short_number,
)

SIZE_INCHES, DPI = (7.0, 3.8), 100
PARAMETER_UNITS = {"alpha": "weeks", "v": "currency of the log"}
PIT_BINS = 20
MOST_PURCHASES = 10


class DescribedFigure(Figure):
    """A figure whose label is its alternative text: notebooks store it and the caption beside the picture."""

    caption = ""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        picture = io.BytesIO()
        self.savefig(picture, format="png")
        data = {"image/png": base64.b64encode(picture.getvalue()).decode(), "text/plain": self.get_label()}
        return data, {"image/png": {"alt": self.get_label(), "caption": self.caption}}


def _blank_without_backtest(plot: Callable[..., Figure]) -> Callable[..., Figure]:
    """Let a run without a backtest show a sentence where the figure would be."""

    @wraps(plot)
    def plot_or_blank(table: Any, **options: Any) -> Figure:
        return plot(table, **options) if len(table) else blank_figure(WITHOUT_BACKTEST)

    return plot_or_blank


def plot_weekly_activity(weekly: pd.DataFrame, *, currency: str) -> Figure:
    """Show purchases and revenue week by week.

    Parameters
    ----------
    weekly
        date (of the week), purchases (count), revenue (currency).
    """
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
        axes.yaxis.set_major_formatter(FuncFormatter(short_tick))
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


def plot_score_counts(grid: pd.DataFrame) -> Figure:
    """Show how many customers have each pair of scores; `grid` has r_score, f_score, customers."""
    counts = grid.pivot(index="r_score", columns="f_score", values="customers").fillna(0)
    recency, frequency = counts.stack().idxmax()
    figure, axes = new_figure(
        "Customers by recency and frequency score",
        x="Frequency score (5 = buys most often)",
        y="Recency score (5 = bought last)",
        alt=f"Most customers, {counts.to_numpy().max():,.0f}, have recency {recency} and frequency {frequency}.",
        grid=False,
    )
    mesh = axes.pcolormesh(
        counts.columns, counts.index, counts, cmap=ramp(OBSERVED_RAMP), edgecolor="white", linewidth=2, vmin=0
    )
    for row in grid.itertuples():
        strong = row.customers > 0.45 * counts.to_numpy().max()
        colour = "white" if strong else "#333333"
        axes.text(row.f_score, row.r_score, f"{row.customers:,}", ha="center", va="center", color=colour)
    colour_bar(figure, axes, mesh, "Customers")
    axes.set_xticks(range(1, 6))
    axes.set_yticks(range(1, 6))
    return figure


def plot_prior_predictive(table: pd.DataFrame, *, interval: float) -> Figure:
    """Show what the priors alone allow beside what was observed.

    Parameters
    ----------
    table
        frequency (text bins), observed, lower, median, upper (shares of customers).
    interval
        Probability between lower and upper.
    """
    name = f"{level(interval)} of what the priors allow, and median"
    return _frequency_check(table, name, PRIOR, "Before fitting: do the priors allow what was observed?")


def plot_posterior_predictive(table: pd.DataFrame, *, interval: float) -> Figure:
    """Show whether the fitted model reproduces what was observed; arguments as `plot_prior_predictive`."""
    name = f"{level(interval)} of what the model would produce, and median"
    return _frequency_check(table, name, MODEL, "After fitting: does the model reproduce what was observed?")


def plot_prior_posterior(draws: pd.DataFrame, references: pd.DataFrame) -> Figure:
    """Show what the data taught about each parameter, one panel each; the posterior decides what is in view.

    Parameters
    ----------
    draws
        parameter, source ("prior" or "posterior"), value.
    references
        parameter, value, name (for instance "truth"); may be empty.
    """
    names = list(draws["parameter"].unique())
    columns = 2 if len(names) == 4 else len(names)
    learnt = draws[draws["source"] == "posterior"].groupby("parameter")["value"].median()
    figure, panels = new_panels(
        "What the data taught: prior and posterior",
        f"The posterior's medians: {', '.join(f'{name} {learnt[name]:.3g}' for name in names)}.",
        rows=-(-len(names) // columns),
        columns=columns,
    )
    for axes, name in zip(panels, names, strict=True):
        known = references[references["parameter"] == name]
        _densities(axes, draws[draws["parameter"] == name], known)
        axes.set_xlabel(f"{name} ({PARAMETER_UNITS.get(name, 'no unit')})")
        axes.grid(False)
        axes.set_yticks([])
        axes.set_ylabel("Density")
    add_legend(figure, panels[0])
    return figure


def plot_draws(posterior: xr.DataTree) -> Figure:
    """Show whether the draws can be trusted: chains that agree (NUTS), or weights that are even (importance sampling).

    Parameters
    ----------
    posterior
        As `sampling.sample` returns it.
    """
    statistics = posterior["sample_stats"].to_dataset()
    if "weight" not in statistics:
        return _chains(posterior)
    weights = np.sort(statistics["weight"].to_numpy().ravel())[::-1]
    first = weights[: -(-weights.size // 100)].sum() / weights.sum()
    figure, axes = new_figure(
        "How evenly the draws count",
        x="Draws, most important first (%)",
        y="Share of the weight (%)",
        alt=f"The weightiest hundredth of the draws carries {100 * first:.1f} % of the weight.",
    )
    share = 100 * np.arange(1, weights.size + 1) / weights.size
    axes.plot(share, 100 * weights.cumsum() / weights.sum(), color=MODEL, label="draws around the mode")
    axes.plot([0, 100], [0, 100], color=REFERENCE, linestyle="--", label="all count the same")
    axes.set_xlim(0, 100)
    axes.set_ylim(0, 100)
    add_legend(figure, axes)
    return figure


def plot_alive_plane(plane: pd.DataFrame) -> Figure:
    """Show the probability of still being a customer; `plane` has recency_weeks, frequency, value (0 to 1)."""
    shares = plane.assign(value=100 * plane["value"])
    return _plane(shares, "Who is still a customer?", "Probability of still being one (%)", 100.0)


def plot_expected_plane(plane: pd.DataFrame, *, horizon_weeks: float) -> Figure:
    """Show the expected purchases within the horizon; columns as `plot_alive_plane`, value in purchases."""
    title = f"How many purchases to expect in the next {horizon_weeks:g} weeks?"
    return _plane(plane, title, "Expected purchases", None)


@_blank_without_backtest
def plot_tracking(tracking: pd.DataFrame, *, interval: float) -> Figure:
    """Show cumulative repeat purchases, actual and expected, across the cut; `tracking` is table TRACKING."""
    figure, axes = new_figure(
        "Repeat purchases: what happened, and what was expected",
        x="Weeks since the first purchase of all",
        y="Repeat purchases so far",
        alt="By week {week:.0f}, {actual:,.0f} repeat purchases had come where {expected:,.0f} were expected.".format(
            **tracking.iloc[-1]
        ),
    )
    known = tracking[tracking["lower"].notna()]
    axes.fill_between(
        known["week"], known["lower"], known["upper"], color=BAND, alpha=0.45, linewidth=0, label=futures(interval)
    )
    axes.plot(tracking["week"], tracking["expected"], color=MODEL, label="expected by the model")
    axes.plot(tracking["week"], tracking["actual"], color=OBSERVED, label="what happened")
    cut = tracking.loc[tracking["period"] == "calibration", "week"].max()
    axes.axvline(cut, color=REFERENCE, linestyle="--", linewidth=1.2, label="calibration ends, forecast begins")
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(short_tick))
    add_legend(figure, axes)
    return figure


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
    axes.set_yscale("log")
    number_ticks(axes, "y")
    return figure


def plot_spend_prior(table: pd.DataFrame, *, currency: str, interval: float) -> Figure:
    """Show whether the priors allow what repeat buyers spend on average; `table` as in `plot_spend_check`."""
    title = "Before fitting: do the priors allow what customers spend?"
    return _spend(table, title, (PRIOR, PRIOR), "the priors allow", currency, interval)


def plot_spend_check(table: pd.DataFrame, *, currency: str, interval: float) -> Figure:
    """Show whether the spend model reproduces what repeat buyers spend on average.

    Parameters
    ----------
    table
        amount (left edges of the bins) and width in `currency`; observed, lower, median, upper (shares of buyers).
    interval
        Probability between lower and upper.
    """
    title = "After fitting: does the model reproduce what customers spend?"
    return _spend(table, title, (BAND, MODEL), "the model would produce", currency, interval)


def _spend(
    table: pd.DataFrame, title: str, colours: tuple[str, str], source: str, currency: str, interval: float
) -> Figure:
    figure, axes = new_figure(
        title,
        x=f"Mean amount of a customer's repeat purchases ({currency}, logarithmic scale)",
        y="Repeat buyers (%)",
        alt=share_inside(table),
    )
    edges = [*table["amount"], table["amount"].iloc[-1] + table["width"].iloc[-1]]
    limits = {name: 100 * table[name].to_numpy() for name in ("observed", "lower", "median", "upper")}
    axes.stairs(limits["observed"], edges, fill=True, color=OBSERVED_TINT, label="observed")
    axes.stairs(
        limits["upper"],
        edges,
        baseline=limits["lower"],
        fill=True,
        color=colours[0],
        alpha=0.5,
        label=f"{level(interval)} of what {source}",
    )
    axes.stairs(limits["median"], edges, baseline=None, color=colours[1], linewidth=1.8, label="median of that")
    axes.set_xscale("log")
    number_ticks(axes)
    add_legend(figure, axes)
    return figure


def plot_shrinkage(table: pd.DataFrame, *, population_mean: float, currency: str) -> Figure:
    """Show how far the model trusts a customer's own mean.

    Parameters
    ----------
    table
        monetary_value and expected_spend (currency), frequency.
    population_mean
        Expected amount of a purchase of a new customer.
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
    axes.set_xscale("log")
    axes.set_yscale("log")
    number_ticks(axes)
    number_ticks(axes, "y")
    colour_bar(figure, axes, points, "Repeat purchases", log=True)
    add_legend(figure, axes)
    return figure


def _chains(posterior: xr.DataTree) -> Figure:
    """Return ArviZ's densities and ranks of every chain, a row per parameter."""
    import arviz as az
    import matplotlib.pyplot as plt

    height = 0.5 + 1.5 * len(posterior["posterior"].to_dataset().data_vars)
    drawn = az.plot_rank_dist(posterior, figure_kwargs={"figsize": (8, height), "FigureClass": DescribedFigure})
    figure = drawn.viz["figure"].item()
    plt.close(figure)  # shown once, by the cell that made it
    figure.caption = f"{posterior['posterior'].sizes['chain']} chains, a row per parameter: densities, and ranks."
    figure.set_label(figure.caption)
    return figure


def blank_figure(sentence: str) -> Figure:
    figure = DescribedFigure(figsize=(SIZE_INCHES[0], 0.6), dpi=DPI)
    figure.set_label(sentence)
    figure.text(0.01, 0.4, sentence, color=QUIET)
    return figure


def _frequency_check(table: pd.DataFrame, name: str, role: str, title: str) -> Figure:
    figure, axes = new_figure(title, x="Repeat purchases", y="Customers (%)", alt=share_inside(table))
    median = 100 * table["median"]
    reach = [median - 100 * table["lower"], 100 * table["upper"] - median]
    axes.bar(table["frequency"], 100 * table["observed"], color=OBSERVED_TINT, width=0.8, label="observed")
    axes.errorbar(
        table["frequency"], median, yerr=reach, fmt="o", color=role, markersize=4.5, capsize=4, linewidth=2, label=name
    )
    axes.set_ylim(bottom=0)
    add_legend(figure, axes)
    return figure


def share_inside(table: pd.DataFrame) -> str:
    inside = table["observed"].between(table["lower"], table["upper"])
    return f"{inside.sum()} of {len(table)} observed shares lie inside their band."


def _densities(axes: Axes, draws: pd.DataFrame, known: pd.DataFrame) -> None:
    values = {source: part["value"].to_numpy() for source, part in draws.groupby("source")}
    low, high = np.quantile(values["posterior"], [0.002, 0.998])
    for value in known["value"]:
        low, high = min(low, value), max(high, value)
    edges = np.linspace(low - 0.05 * (high - low), high + 0.05 * (high - low), 36)
    for source, colour, opacity in (("prior", PRIOR, 0.35), ("posterior", MODEL, 0.25)):
        # Shares of all draws, so that a prior that lies mostly out of view stays low.
        density = np.histogram(values[source], edges)[0] / values[source].size / np.diff(edges)
        axes.stairs(density, edges, fill=True, color=colour, alpha=opacity, label=source)
        axes.stairs(density, edges, color=colour, linewidth=1.4)
    for row in known.itertuples():
        axes.axvline(row.value, color=REFERENCE, linestyle="--", linewidth=1.6, label=row.name)


def _plane(plane: pd.DataFrame, title: str, meaning: str, highest: float | None) -> Figure:
    cells = plane.pivot(index="frequency", columns="recency_weeks", values="value")
    figure, axes = new_figure(
        title,
        x="Recency: from the first to the last purchase (weeks)",
        y="Repeat purchases",
        alt=f"{meaning}: with {cells.index[-1]} purchases {cells.iloc[-1, -1]:.1f} if the last was just now, "
        f"{cells.iloc[-1, 0]:.1f} if it was long ago.",
        grid=False,
    )
    mesh = axes.pcolormesh(
        cells.columns, cells.index, cells, cmap=ramp(MODEL_RAMP), vmin=0, vmax=highest, shading="nearest"
    )
    axes.yaxis.set_major_locator(MaxNLocator(10, integer=True))
    colour_bar(figure, axes, mesh, meaning)
    return figure


def new_figure(title: str, *, x: str, y: str, alt: str, note: str = "", grid: bool = True) -> tuple[Figure, Axes]:
    figure, (axes,) = new_panels(title, f"{alt} {note}".strip())
    axes.set_title(note, loc="left", fontsize=9, color=QUIET)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if not grid:
        axes.grid(False)
    return figure, axes


def new_panels(title: str, alt: str, *, rows: int = 1, columns: int = 1) -> tuple[Figure, list[Axes]]:
    figure = DescribedFigure(figsize=SIZE_INCHES, dpi=DPI, layout="constrained")
    figure.caption = alt
    figure.set_label(f"{title}{'' if title.endswith('?') else '.'} {alt}")
    figure.suptitle(title, x=0.01, ha="left", fontsize=12, fontweight="bold")
    panels: list[Axes] = list(figure.subplots(rows, columns, squeeze=False).ravel())
    for axes in panels:
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(True, color="#e3e6e8", linewidth=0.8)
        axes.set_axisbelow(True)
    return figure, panels


def colour_bar(figure: Figure, axes: Axes, drawn: ScalarMappable, label: str, *, log: bool = False) -> None:
    bar = figure.colorbar(drawn, ax=axes, label=label)
    bar.outline.set_visible(False)
    if log:
        number_ticks(bar.ax, "y")


def add_legend(figure: Figure, axes: Axes) -> None:
    # Below the panels, where no data can lie under it.
    handles, labels = axes.get_legend_handles_labels()
    columns = 2 if len(labels) == 4 else 3
    figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False)


def date_ticks(axes: Axes) -> None:
    """Label a few dates along x; with fewer than four ticks asked for, the locator warns between 195 and 238 weeks."""
    locator = AutoDateLocator(minticks=4, maxticks=9)
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator, show_offset=False))


def number_ticks(axes: Axes, which: str = "x") -> None:
    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axis.set_major_formatter(FuncFormatter(short_tick))
    axis.set_minor_locator(NullLocator())


def short_tick(value: float, _: int | None = None) -> str:
    return short_number(value)


def bins_up_to(most: int) -> list[str]:
    return [*map(str, range(most)), f"{most}+"]


def ramp(colours: Sequence[str]) -> Colormap:
    return LinearSegmentedColormap.from_list("ramp", colours)
