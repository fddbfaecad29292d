"""Totals that allow for the model being wrong, by as much as its past forecasts were.

A simulated total knows what the model does not know about customers and parameters, not that the model itself may be
wrong: a shop with seasons, a new competitor, customers unlike those of the papers. Past forecasts show how large such
errors are. The log of actual over forecast total in window k is taken as normal with mean 0, never as a correction, and
variance s_k^2 + tau^2: s_k is the spread the model itself announced, tau its misfit, with prior HalfNormal(0.2). Every
total draw is multiplied by exp(tau z), with one z per draw for all groups, since what misleads a model misleads it for
all of them. Intervals of single customers stay as they are: there luck outweighs misfit by far.
"""

from typing import Any

import numpy as np
import pandas as pd

from clv.predict import Floats, Totals
from clv.value import tails

# Errors of a fifth are common, of a half rare: what a year's forecast of a shop is off by.
PRIOR_SD = 0.2
_GRID = np.linspace(0, 2, 4001)
# Of a window in which nothing came: as if it had been a hundredth of the forecast.
_LEAST_SHARE = 0.01


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
    forecast = rows["forecast"].to_numpy(float)
    return np.log(np.maximum(rows["actual"].to_numpy(float) / forecast, _LEAST_SHARE))


def tau(rows: pd.DataFrame, *, draws: int, seed: int) -> Floats:
    """Return posterior draws of tau from the rows of one outcome."""
    errors, spread = log_errors(rows)[:, None], rows["log_sd"].to_numpy(float)[:, None]
    variance = spread**2 + _GRID**2 + 1e-12
    log_density = -0.5 * (_GRID / PRIOR_SD) ** 2 - 0.5 * (np.log(variance) + errors**2 / variance).sum(axis=0)
    below = np.cumsum(np.exp(log_density - log_density.max()))
    return np.interp(np.random.default_rng(seed).random(draws), below / below[-1], _GRID)


def factors(found: pd.DataFrame, *, draws: int, seed: int) -> dict[str, Floats]:
    """Return per outcome what each total draw is multiplied by, exp(tau z); nothing where `found` holds no forecast.

    Purchases and value share the z and the place of tau in its posterior: what goes wrong with the one goes wrong with
    the other.
    """
    z = np.random.default_rng([seed, 1]).standard_normal(draws)
    return {str(outcome): np.exp(tau(rows, draws=draws, seed=seed) * z) for outcome, rows in found.groupby("outcome")}


def figures(found: pd.DataFrame, *, seed: int) -> dict[str, Any] | None:
    """Return what the report says of the misfit: from which past forecasts, and tau's posterior mean per outcome."""
    if found.empty:
        return None
    return {
        "horizon_weeks": float(found["horizon_weeks"].iloc[0]),
        "n_windows": int(found["origin"].nunique()),
        "tau": {
            str(outcome): float(tau(rows, draws=4000, seed=seed).mean()) for outcome, rows in found.groupby("outcome")
        },
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
            limits = np.quantile(draws * found[outcome][:, None], tails(interval), axis=0)
        columns |= {f"{name}_lower_with_misfit": limits[0], f"{name}_upper_with_misfit": limits[1]}
    return groups.assign(**columns).astype(dict.fromkeys(columns, float))


def with_misfit(total_draws: pd.DataFrame, found: dict[str, Floats]) -> pd.DataFrame:
    """Return table TOTAL_DRAWS with every total multiplied by its factor, missing without a backtest."""
    nothing = np.full(len(total_draws), np.nan)
    columns = {
        f"{outcome}_with_misfit": total_draws[outcome] * found.get(outcome, nothing)
        for outcome in ("value", "purchases")
    }
    return total_draws.assign(**columns)
