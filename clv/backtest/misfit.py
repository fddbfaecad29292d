"""Totals that allow for the model being wrong, by as much as its past forecasts were.

A simulated total knows what the model does not know about customers and parameters, not that the model itself may be
wrong: a shop with seasons, a new competitor, customers unlike those of the papers. Past forecasts show how large such
errors are. The log of actual over forecast total in window k is taken as normal with mean 0, never as a correction, and
variance s_k^2 + tau^2: s_k is the spread the model itself announced, tau its misfit, with prior HalfNormal(0.2). Every
total draw is multiplied by exp(tau z), with one z per draw for all groups, since what misleads a model misleads it for
all of them. Intervals of single customers stay as they are: there luck outweighs misfit by far.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clv.forecast.future import Totals
from clv.models.draws import Floats, tails

# Errors of a fifth are common, of a half rare: what a year's forecast of a shop is off by.
PRIOR_SD = 0.2
_GRID = np.linspace(0, 2, 4001)
# Of a window in which nothing came: as if it had been a hundredth of the forecast.
_LEAST_SHARE = 0.01
# Factors per total draw: limits from one each would have a Monte-Carlo error of a twentieth of their width.
TILES = 50


def evidence(windows: pd.DataFrame, tested: dict[str, Any] | None) -> pd.DataFrame:
    """Return the past forecasts that say most about the next one: those of the longest horizon with two windows.

    Where no horizon has two, the backtest at the calibration end stands alone; without a backtest there are none.

    Parameters
    ----------
    windows
        Table WINDOWS.
    tested
        From `backtest.figures`.

    Returns
    -------
    One row per window and outcome: horizon_weeks, origin, outcome, actual, forecast, log_sd.
    """
    columns = ["horizon_weeks", "origin", "outcome", "actual", "forecast", "log_sd"]
    if tested is None:
        return windows.iloc[:0][columns]
    number = windows.groupby("horizon_weeks")["origin"].nunique()
    if (number >= 2).any():
        return windows.loc[windows["horizon_weeks"] == number[number >= 2].index.max(), columns]
    rows = [
        {
            "horizon_weeks": tested["horizon_weeks"],
            "origin": pd.Timestamp(tested["origin"]),
            "outcome": outcome,
            "actual": tested[outcome]["actual"],
            "forecast": tested[outcome]["forecast"]["mean"],
            "log_sd": tested[outcome]["log_sd"],
        }
        for outcome in ("purchases", "value")
    ]
    return pd.DataFrame(rows)


def log_errors(rows: pd.DataFrame) -> Floats:
    """Return log(actual / forecast) of every row."""
    actual, forecast = (rows[name].to_numpy(float) for name in ("actual", "forecast"))
    least = _LEAST_SHARE * np.maximum(forecast, 1e-9)
    return np.log(np.clip(np.maximum(actual, least) / np.maximum(forecast, 1e-9), _LEAST_SHARE, 1 / _LEAST_SHARE))


def tau(rows: pd.DataFrame, *, draws: int, seed: int) -> Floats:
    """Return posterior draws of tau from the rows of one outcome."""
    errors, spread = log_errors(rows)[:, None], rows["log_sd"].to_numpy(float)[:, None]
    variance = spread**2 + _GRID**2 + 1e-12
    log_density = -0.5 * (_GRID / PRIOR_SD) ** 2 - 0.5 * (np.log(variance) + errors**2 / variance).sum(axis=0)
    density = np.exp(log_density - log_density.max())
    below = np.concatenate([[0.0], np.cumsum(density[1:] + density[:-1])])
    return np.interp(np.random.default_rng(seed).random(draws), below / below[-1], _GRID)


def factors(found: pd.DataFrame, *, draws: int, seed: int) -> dict[str, Floats]:
    """Return per outcome what total draws are multiplied by in turn, exp(tau z), shape (TILES x draws,).

    Nothing where `found` holds no forecast. Purchases and value share the z and the place of tau in its posterior: what
    goes wrong with the one goes wrong with the other.
    """
    z = np.random.default_rng([seed, 1]).standard_normal(TILES * draws)
    return {
        str(outcome): np.exp(tau(rows, draws=TILES * draws, seed=seed) * z)
        for outcome, rows in found.groupby("outcome")
    }


def one_per_draw(found: Mapping[str, Floats], draws: int) -> dict[str, Floats]:
    """Return the first factor of every draw, for sums that are kept by draw."""
    return {outcome: factor[:draws] for outcome, factor in found.items()}


def misfit_figures(found: pd.DataFrame, *, seed: int) -> dict[str, Any] | None:
    """Return what the report says of the misfit: from which past forecasts, and tau's mean and 90 % per outcome."""
    if found.empty:
        return None
    draws = {str(outcome): tau(rows, draws=4000, seed=seed) for outcome, rows in found.groupby("outcome")}
    return {
        "horizon_weeks": float(found["horizon_weeks"].iloc[0]),
        "n_windows": int(found["origin"].nunique()),
        "tau": {outcome: float(taus.mean()) for outcome, taus in draws.items()},
        "tau_range": {outcome: np.quantile(taus, tails(0.9)).tolist() for outcome, taus in draws.items()},
    }


def tested_with(
    tested: dict[str, Any] | None, totals: Totals, found: dict[str, Floats], *, interval: float
) -> dict[str, Any] | None:
    """Return the figures of `backtest.figures` with the limits of its totals, had they allowed for misfit.

    The misfit was learnt from times that overlap the test: this says whether it is of that size, and proves nothing.
    """
    if tested is None:
        return None
    wider = {
        outcome: limits_with(getattr(totals, outcome)[:, :1], factor, interval=interval)[:, 0].tolist()
        for outcome, factor in found.items()
    }
    return tested | {
        outcome: tested[outcome] | {"with_misfit": dict(zip(("lower", "upper"), limits, strict=True))}
        for outcome, limits in wider.items()
    }


def widened(groups: pd.DataFrame, totals: Totals, found: dict[str, Floats], *, interval: float) -> pd.DataFrame:
    """Return `groups`, one row per group of `totals`, with the limits of the totals that allow for misfit.

    Without a backtest nothing is known of misfit, and the limits are missing.
    """
    columns: dict[str, Any] = {}
    for outcome, name in {"purchases": "purchases", "value": "clv"}.items():
        draws = getattr(totals, outcome)
        limits: Any = (np.nan, np.nan)
        if outcome in found:
            limits = limits_with(draws, found[outcome], interval=interval)
        columns |= {f"{name}_lower_with_misfit": limits[0], f"{name}_upper_with_misfit": limits[1]}
    return groups.assign(**columns).astype(dict.fromkeys(columns, float))


def limits_with(draws: Floats, factor: Floats, *, interval: float) -> Floats:
    """Return lower and upper limits (2, groups) of total draws (draws, groups), times every factor in turn."""
    factor = factor.reshape(-1, len(draws))
    columns = (np.quantile(column * factor, tails(interval)) for column in draws.T)
    return np.column_stack(list(columns))


def with_misfit(total_draws: pd.DataFrame, found: dict[str, Floats]) -> pd.DataFrame:
    """Return table TOTAL_DRAWS with every total multiplied by its factor (`one_per_draw`), missing without any."""
    nothing = np.full(len(total_draws), np.nan)
    columns = {
        f"{outcome}_with_misfit": total_draws[outcome] * found.get(outcome, nothing)
        for outcome in ("value", "purchases")
    }
    return total_draws.assign(**columns)
