"""Repeat purchases week by week, expected and actual, on both sides of the cut."""

import numpy as np
import pandas as pd

from clv.forecast.closed_forms import mean_draws
from clv.forecast.horizon import Calendar, Horizon, Totals
from clv.models.base import Floats, new_customers
from clv.models.draws import Draws
from clv.units import DAYS_PER_WEEK, tails


def tracking(
    weekly: pd.DataFrame, customers: pd.DataFrame, draws: Draws, totals: Totals, *, interval: float
) -> pd.DataFrame:
    """Return table TRACKING: cumulative repeat purchases week by week, actual against expected.

    In the calibration the expectation is that of the fitted population; in the holdout it continues from the actual
    level with the simulated futures of the same customers (calendar of weeks, one cohort): `totals` are of a simulation
    with `weekly_calendar`. `weekly` is table WEEKLY_PURCHASES, `customers` table CALIBRATION.
    """
    counts = weekly.assign(actual=weekly["repeat_purchases"].cumsum().astype(float))
    past = counts[counts["period"] == "calibration"]
    future = counts[counts["period"] == "holdout"]
    start = past["actual"].iloc[-1] if len(past) else 0.0
    paths = start + totals.period_purchases[:, 0, : len(future)].cumsum(axis=1)
    lower, upper = np.quantile(paths, tails(interval), axis=0)
    expected_past = _expected_repeat_purchases(customers, draws, len(past))
    table = pd.concat([past.assign(expected=expected_past), future.assign(expected=paths.mean(axis=0))])
    blank = np.full(len(past), np.nan)
    table = table.assign(lower=[*blank, *lower], upper=[*blank, *upper])
    # A week cut in two by the calibration end is shown once, as it stood when it was over.
    table = table.drop_duplicates("week", keep="last")
    table = table.assign(week=table["week"] + 1)  # counts are those at the end of a week
    return table[["week", "period", "actual", "expected", "lower", "upper"]].astype({"lower": float, "upper": float})


def weekly_calendar(customers: pd.DataFrame, weekly: pd.DataFrame, horizon: Horizon) -> Calendar:
    """Return the calendar that splits the holdout at the ends of the weeks of table WEEKLY_PURCHASES."""
    weeks = weekly.loc[weekly["period"] == "holdout", "week"].to_numpy()
    age = customers["T"].max() if len(customers) else 0.0
    # Week w ends with day 7 w + 6 after the first purchase of all: a seventh short of w + 1 weeks.
    days = np.rint((weeks + 1 - age) * DAYS_PER_WEEK) - 1
    ends = np.minimum(days / DAYS_PER_WEEK, horizon.weeks)
    edges = np.concatenate([[0.0], ends[:-1], [horizon.weeks]]) if len(weeks) else np.array([0.0, horizon.weeks])
    return Calendar(edges, np.zeros(len(customers), np.int64), 1, np.zeros(len(customers), bool))


def _expected_repeat_purchases(customers: pd.DataFrame, draws: Draws, weeks: int) -> Floats:
    """Return the population's expected repeat purchases up to the end of each week since the first purchase of all."""
    if customers.empty:
        return np.zeros(0)
    oldest = customers["T"].max()
    starts, counts = np.unique(oldest - customers["T"].to_numpy(), return_counts=True)
    ends = np.minimum(np.arange(1, weeks + 1) - 1 / 7, oldest)
    few, ages = draws.thinned(mean_draws(len(customers))).steady(starts, ends[:, None], oldest)
    distinct, which = np.unique(ages, return_inverse=True)
    expected = new_customers(few.model, distinct, few.theta).mean(axis=0)
    return expected[which.reshape(ages.shape)] @ counts
