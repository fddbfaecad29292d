"""Totals and groups that allow for the model being wrong, by as much as its past forecasts were.

A simulated total knows what the model does not know about customers and parameters, not that the model itself may be
wrong: a shop with seasons, a new competitor, customers unlike those of the papers. Past forecasts show how large such
errors are. Of each, e is the log of what came over what was forecast and s the spread of it that the model announced.

*Everybody*: e ~ N(0, s^2 + tau^2), tau ~ HalfNormal(0.25): never a correction. Every total draw is multiplied by
exp(tau z), one z per draw for all groups, since what misleads a model misleads it for all of them.
*A group* errs beside everybody by r = e(group) - e(everybody), and much of that lasts: r ~ N(m, s^2 + tau_r^2) with the
group's own m ~ N(0, omega^2); omega and tau_r ~ HalfNormal(0.3) are shared by the groups of a grouping. So a group's
draws are moved by what is known of m, widened by the rest, and rescaled so that the means of a grouping still add up to
that of everybody, which is never moved.

A past forecast of another length h' than the h that is asked for counts min(h'/h, h/h'). Intervals of single customers
stay as they are: there luck outweighs misfit by far.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clv.forecast.horizon import Totals
from clv.models.base import Floats
from clv.units import tails

# Errors of a fifth are common, of a half rare: what a year's forecast of a shop is off by.
PRIOR_SD = 0.25
GROUP_PRIOR_SD = 0.3
# What a smaller group was off by is luck.
FEWEST_CUSTOMERS = 20
# With a single past error nobody knows whether it was a usual one: tails as heavy as Student's with so many degrees.
_FEW_WINDOWS, _TAIL = 2, 4
_GRID = np.linspace(0, 2, 4001)
# Squares of even steps, finest where a misfit is small; the steps' own widths are their prior weight.
_STEPS = (np.arange(30) + 0.5) / 30
_OMEGA, _TAU = (axis.ravel() for axis in np.meshgrid(1.5 * _STEPS**2, 1.5 * _STEPS**2, indexing="ij"))
_WIDTHS = np.outer(_STEPS, _STEPS).ravel()
# Factors per total draw: limits from one each would have a Monte-Carlo error of a twentieth of their width.
TILES = 20
# Outcome -> the columns of a table of groups that hold its mean, and the stem of its limits.
VALUED = {"purchases": ("expected_purchases", "purchases"), "value": ("clv_mean", "clv")}
TESTED = {"purchases": ("purchases_forecast", "purchases"), "value": ("value_forecast", "value")}


def growth(rows: pd.DataFrame, weeks: float) -> float:
    """Return how much larger errors may be beyond the longest horizon tested: as a random walk's are; never smaller."""
    longest = rows["horizon_weeks"].max() if len(rows) else weeks
    return float(np.sqrt(weeks / longest)) if weeks > longest else 1.0


def weights(rows: pd.DataFrame, weeks: float) -> Floats:
    """Return how much each past forecast says of one that looks so many weeks ahead, or as far as any was tested."""
    lengths = rows["horizon_weeks"].to_numpy(float)
    asked = min(weeks, lengths.max(initial=0.0))
    return np.minimum(lengths / asked, asked / lengths) if lengths.size else lengths


def tau(rows: pd.DataFrame, *, weeks: float, draws: int, seed: int) -> Floats:
    """Return posterior draws of tau from the rows of one outcome about everybody: log_error, log_sd, horizon_weeks."""
    errors, spread = (rows[name].to_numpy(float)[:, None] for name in ("log_error", "log_sd"))
    variance = spread**2 + _GRID**2 + 1e-12
    known = weights(rows, weeks) @ (np.log(variance) + errors**2 / variance)
    log_density = -0.5 * (_GRID / PRIOR_SD) ** 2 - 0.5 * known
    density = np.exp(log_density - log_density.max())
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return np.interp(np.random.default_rng(seed).random(draws), below / below[-1], _GRID)


def factors(past: pd.DataFrame | None, *, weeks: float, draws: int, seed: int) -> dict[str, Floats]:
    """Return per outcome what total draws are multiplied by in turn, exp(tau z), shape (TILES x draws,).

    Nothing where no backtest tells of misfit. Purchases and value share the z and the place of tau in its posterior:
    what goes wrong with the one goes wrong with the other.
    """
    if past is None:
        return {}
    generator = np.random.default_rng([seed, 1])
    normal = generator.standard_normal(TILES * draws)
    heavy = normal / np.sqrt(generator.chisquare(_TAIL, TILES * draws) / _TAIL)
    found = {}
    for outcome in VALUED:
        rows = _about(past, outcome, "base")
        z = growth(rows, weeks) * (heavy if len(rows) < _FEW_WINDOWS else normal)
        found[outcome] = np.exp(tau(rows, weeks=weeks, draws=TILES * draws, seed=seed) * z)
    return found


def one_per_draw(found: Mapping[str, Floats], draws: int) -> dict[str, Floats]:
    """Return the first factor of every draw, for sums that are kept by draw."""
    return {outcome: factor[:draws] for outcome, factor in found.items()}


@dataclass(frozen=True)
class Residual:
    """What is known of the groups of one grouping beside everybody, over a grid of (omega, tau_r).

    probability (cells,); mean and variance (groups, cells) of the next residual of each group.
    """

    probability: Floats
    mean: Floats
    variance: Floats

    @property
    def shift(self) -> Floats:
        """Each group's expected log shift."""
        return self.mean @ self.probability

    def draws(self, n: int, generator: np.random.Generator) -> Iterator[Floats]:
        """Yield of each group in turn `n` draws of its log factor."""
        cells = generator.choice(self.probability.size, n, p=self.probability)
        for mean, variance in zip(self.mean, self.variance, strict=True):
            yield mean[cells] + np.sqrt(variance[cells]) * generator.standard_normal(n)


def residual(rows: pd.DataFrame, groups: Sequence[str], *, weeks: float) -> Residual:
    """Return what past residuals of one grouping and outcome say of its `groups`; of new ones only the grouping's.

    `rows` has group, residual, log_sd, horizon_weeks: one row per group and past forecast.
    """
    names, place = list(groups), {name: number for number, name in enumerate(groups)}
    names += [name for name in rows["group"].unique() if name not in place]
    member = pd.Categorical(rows["group"], categories=names).codes
    weight, error = weights(rows, weeks)[:, None], rows["residual"].to_numpy(float)[:, None]
    precision = 1 / (rows["log_sd"].to_numpy(float)[:, None] ** 2 + _TAU**2 + 1e-9)

    def summed(terms: Floats) -> Floats:
        found = np.zeros((len(names), _TAU.size))
        np.add.at(found, member, terms)
        return found

    known, pull = summed(weight * precision), summed(weight * precision * error)
    shrunk = _OMEGA**2 / (1 + _OMEGA**2 * known)
    each = weight * (np.log(precision) - precision * error**2)
    log_density = -0.5 * (_OMEGA**2 + _TAU**2) / GROUP_PRIOR_SD**2 + 0.5 * each.sum(axis=0)
    log_density += 0.5 * (shrunk * pull**2 - np.log1p(_OMEGA**2 * known)).sum(axis=0)
    density = _WIDTHS * np.exp(log_density - log_density.max())
    asked = slice(len(groups))
    return Residual(density / density.sum(), (shrunk * pull)[asked], shrunk[asked] + _TAU**2)


def widened(
    groups: pd.DataFrame, totals: Totals, past: pd.DataFrame | None, *, weeks: float, interval: float, seed: int,
    columns: Mapping[str, tuple[str, str]] = VALUED,
) -> pd.DataFrame:  # fmt: skip
    """Return `groups` with what allows for misfit: the limits of every total, and the means that belong to them.

    `groups`: grouping, group and the columns that `columns` name; the index is the group's place in `totals`. `past`:
    past forecasts: columns of table WINDOW_GROUPS. None without a backtest: nothing is known of misfit, and what would
    allow for it is missing. Without rows the priors speak.
    """
    missing = pd.DataFrame(np.nan, groups.index, ["mean", "lower", "upper"])
    shared = factors(past, weeks=weeks, draws=len(totals.value), seed=seed)
    for outcome, (mean, stem) in columns.items():
        found = missing
        if past is not None:
            parts = [
                _allowing(rows[mean], getattr(totals, outcome), shared[outcome], beside, interval, seed)
                for rows, beside in _by_grouping(groups, past, outcome, weeks)
            ]
            found = pd.concat([missing.iloc[:0], *parts]).reindex(groups.index)
        named = {"mean": f"{mean}_with_misfit"} | {end: f"{stem}_{end}_with_misfit" for end in ("lower", "upper")}
        groups = groups.assign(**{name: found[kind].astype(float) for kind, name in named.items()})
    return groups


def _by_grouping(
    groups: pd.DataFrame, past: pd.DataFrame | None, outcome: str, weeks: float
) -> Iterator[tuple[pd.DataFrame, Residual | None]]:
    """Yield the groups of each grouping and what is known of them; None of what is everybody by another name."""
    for grouping, rows in groups.groupby("grouping", sort=False):
        alone = len(rows) == 1 or past is None
        beside = None if alone else residual(_residuals(past, outcome, str(grouping)), list(rows["group"]), weeks=weeks)
        yield rows, beside


def _residuals(past: pd.DataFrame, outcome: str, grouping: str) -> pd.DataFrame:
    """Return the rows of one grouping, of groups not too small, with the log error beside everybody's."""
    rows, window = _about(past, outcome, grouping), ["horizon_weeks", "origin"]
    everybody = _about(past, outcome, "base").set_index(window)["log_error"]
    rows = rows[rows["customers"] >= FEWEST_CUSTOMERS]
    beside = everybody.reindex(pd.MultiIndex.from_frame(rows[window])).to_numpy()
    return rows.assign(residual=rows["log_error"] - beside)


def _about(past: pd.DataFrame, outcome: str, grouping: str) -> pd.DataFrame:
    return past[(past["outcome"] == outcome) & (past["grouping"] == grouping)]


def _allowing(
    means: pd.Series, drawn: Floats, shared: Floats, beside: Residual | None, interval: float, seed: int
) -> pd.DataFrame:
    """Return mean and limits of the groups of one grouping, their places in `drawn` as the index."""
    moved, factor = _of_groups(means, shared, beside, seed)
    each = zip(means.index, factor, strict=True)
    limits = [limits_with(drawn[:, place], own, interval=interval) for place, own in each]
    return pd.DataFrame(limits, means.index, ["lower", "upper"]).assign(mean=moved)


def _of_groups(
    means: pd.Series, shared: Floats, beside: Residual | None, seed: int
) -> tuple[pd.Series, Iterator[Floats]]:
    """Return the means of the groups of one grouping, moved, and what the draws of each are multiplied by in turn."""
    if beside is None:
        return means, iter([shared] * len(means))
    moved = means * np.exp(beside.shift)
    rescaled = means.sum() / moved.sum() if moved.sum() > 0 else 1.0
    own = beside.draws(shared.size, np.random.default_rng([seed, 2]))
    return rescaled * moved, (rescaled * shared * np.exp(log_factor) for log_factor in own)


def factor_quantiles(
    groups: pd.DataFrame, past: pd.DataFrame | None, *, weeks: float, probabilities: Floats, draws: int, seed: int
) -> pd.DataFrame:
    """Return quantiles of what the value of everybody and of each segment is multiplied by; without a backtest 1.

    `groups` has grouping, group and clv_mean as the model alone says it. Columns group, weeks, probability, factor.
    """
    rows = groups[groups["grouping"].isin(["base", "rfm_segment"])]
    shared = factors(past, weeks=weeks, draws=draws, seed=seed).get("value", np.ones(draws))
    found = [
        pd.DataFrame({"group": group, "probability": probabilities, "factor": np.quantile(factor, probabilities)})
        for those, beside in _by_grouping(rows, past, "value", weeks)
        for group, factor in zip(those["group"], _of_groups(those["clv_mean"], shared, beside, seed)[1], strict=True)
    ]
    return pd.concat(found, ignore_index=True).assign(weeks=weeks)


def group_draws(
    groups: pd.DataFrame, values: Floats, past: pd.DataFrame | None, *, weeks: float, seed: int
) -> tuple[pd.Series, Iterator[Floats]]:
    """Return what is shown of the value of the groups of one grouping: means, and of each in turn its total's draws.

    groups: grouping, group and clv_mean as the model alone says it, indexed by their places in `values` (draws, all).
    """
    shared = factors(past, weeks=weeks, draws=len(values), seed=seed).get("value", np.ones(len(values)))
    ((rows, beside),) = _by_grouping(groups, past, "value", weeks)
    means, factor = _of_groups(rows["clv_mean"], shared, beside, seed)
    drawn = (own.reshape(-1, len(values)) * values[:, place] for place, own in zip(rows.index, factor, strict=True))
    return means, (each.ravel() for each in drawn)


def limits_with(draws: Floats, factor: Floats, *, interval: float) -> Floats:
    """Return lower and upper limit of the draws of one total, times every factor in turn."""
    return np.quantile(factor.reshape(-1, len(draws)) * draws, tails(interval))


def misfit_figures(past: pd.DataFrame | None, *, weeks: float, seed: int) -> dict[str, Any] | None:
    """Return what the report says of the misfit: from which past forecasts, and tau's mean and 90 % per outcome."""
    if past is None:
        return None
    known = {outcome: _about(past, outcome, "base") for outcome in VALUED}
    drawn = {name: tau(rows, weeks=weeks, draws=4000, seed=seed) for name, rows in known.items()}
    lengths = known["value"]["horizon_weeks"]
    return {
        "horizon_weeks": float(lengths.max()),
        "shortest_weeks": float(lengths.min()),
        "n_windows": len(lengths),
        "growth": growth(known["value"], weeks),
        "tau": {outcome: float(taus.mean()) for outcome, taus in drawn.items()},
        "tau_range": {outcome: np.quantile(taus, tails(0.9)).tolist() for outcome, taus in drawn.items()},
    }


def with_misfit(total_draws: pd.DataFrame, found: dict[str, Floats]) -> pd.DataFrame:
    """Return table TOTAL_DRAWS with every total multiplied by its factor (`one_per_draw`), missing without any."""
    told = {outcome: total_draws[outcome] * found.get(outcome, np.nan) for outcome in ("value", "purchases")}
    return total_draws.assign(**{f"{outcome}_with_misfit": draws for outcome, draws in told.items()})
