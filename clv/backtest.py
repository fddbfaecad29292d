"""Scores of a forecast against held-out purchases: coverage, PIT, CRPS, calibration, naive baselines.

The predictive distribution of each customer is its simulated draws. A customer's actual outcome y enters
through F(y-) (share of draws below y) and F(y) (share at or below y); coverage and the randomised PIT
follow from these two numbers. "Actual" is what happened after the calibration end, "predicted" what the
model, fitted on the calibration part alone, said would happen.
"""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clv import bgnbd
from clv.predict import Calendar, Draws, Floats, Horizon, Integers, Totals, simulate, yearly_horizon
from clv.value import EXPECTATION_DRAWS, expectations, realised_limits, tails

LEVELS = (0.50, 0.80, 0.90, 0.94)
_GROUPS_BY_FREQUENCY = 6


def score(
    customers: pd.DataFrame,
    holdout: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    *,
    origin: date,
    interval: float,
    seed: int,
    workers: int,
    calendar: Calendar | None = None,
) -> tuple[pd.DataFrame, Totals]:
    """Return table BACKTEST and the joint totals of the same simulated futures.

    Parameters
    ----------
    customers
        Table CALIBRATION, summarised at `origin`.
    holdout
        Table HOLDOUT: what the same customers did within `horizon` after `origin`.
    """
    history = customers[["customer_id", *bgnbd.HISTORY, "monetary_value"]]
    known = history.merge(holdout, on="customer_id", how="left", validate="one_to_one")
    actual_purchases, actual_value = (known[name].to_numpy(float) for name in ("actual_purchases", "actual_value"))

    against = np.empty((len(known), 10))

    def keep(rows: slice, purchases: Integers, value: Floats) -> None:
        against[rows] = np.column_stack(
            [
                *_against(purchases, actual_purchases[rows], interval),
                *_against(value, actual_value[rows], interval),
            ]
        )

    options: dict[str, Any] = {"seed": seed, "workers": workers, "stage": "simulating the holdout"}
    totals = simulate(known, draws, horizon, keep=keep, calendar=calendar, **options)
    columns = [
        *(f"purchases_{name}" for name in ("lower", "upper", "cdf_below", "cdf", "crps")),
        *(f"{name}" for name in ("clv_lower", "clv_upper", "value_cdf_below", "value_cdf", "value_crps")),
    ]
    scored = pd.DataFrame(against, columns=columns, index=known.index)
    expected = expectations(known, draws, horizon, interval=interval, workers=workers)
    expected = expected[["expected_purchases", "clv_mean", "expected_clv_lower", "expected_clv_upper"]]
    return pd.concat([known, scored, expected], axis=1).assign(origin=pd.Timestamp(origin)), totals


def _against(draws: NDArray[Any], actual: Floats, interval: float) -> list[Floats]:
    """Return lower limit, upper limit, F(y-), F(y) and CRPS of each row's draws against its actual outcome."""
    draws.sort(axis=1)  # ours to use up, and everything below is quicker on sorted draws
    lower, _, upper = realised_limits(draws, interval)
    below = (draws < actual[:, None]).mean(axis=1)
    at_most = (draws <= actual[:, None]).mean(axis=1)
    return [lower, upper, below, at_most, crps(draws, actual)]


def crps(draws: NDArray[Any], actual: Floats) -> Floats:
    """Return the continuous ranked probability score of each row's draws, E|X - y| - E|X - X'| / 2, in y's unit."""
    ranked = np.sort(draws, axis=1)
    n = ranked.shape[1]
    spread = ranked @ (2.0 * np.arange(1, n + 1) - n - 1) / n**2
    return np.abs(ranked - actual[:, None]).mean(axis=1) - spread


def coverage(below: pd.Series, at_most: pd.Series, level: float) -> float:
    """Return the share of customers whose outcome lies inside the central predictive interval (limits included)."""
    lower, upper = tails(level)
    return float(((at_most >= lower) & (below < upper)).mean())


def randomised_pit(below: pd.Series, at_most: pd.Series, *, seed: int) -> Floats:
    """Return F(y-) + U (F(y) - F(y-)): uniform on (0, 1) if and only if the forecast is calibrated."""
    return (below + np.random.default_rng(seed).random(len(below)) * (at_most - below)).to_numpy()


def pit_distance(below: pd.Series, at_most: pd.Series, *, seed: int) -> tuple[float, float]:
    """Return the Kolmogorov-Smirnov distance of the randomised PIT from uniform, and its p-value."""
    from scipy.stats import kstest  # a second that only this costs

    distance, p_value = kstest(randomised_pit(below, at_most, seed=seed), "uniform")
    return float(distance), float(p_value)


def slope(predicted: pd.Series, actual: pd.Series) -> float:
    """Return the regression slope of actual on predicted: 1 if forecasts are neither too wide nor too narrow."""
    return float(np.cov(predicted, actual)[0, 1] / np.var(predicted, ddof=1))


def slope_error(predicted: pd.Series, actual: pd.Series) -> float:
    """Return the standard error of `slope`, whatever the spread of the outcomes (White 1980)."""
    x = predicted - predicted.mean()
    residual = actual - actual.mean() - slope(predicted, actual) * x
    return float(np.sqrt(((x * residual) ** 2).sum()) / (x**2).sum())


def figures(
    table: pd.DataFrame, totals: Totals, *, horizon: Horizon, interval: float, seed: int
) -> dict[str, Any] | None:
    """Return the backtest's key figures, the ones the report states in words; None without a backtest."""
    if table.empty:
        return None
    days = round(horizon.weeks * 7)
    return {
        "origin": str(table["origin"].iloc[0].date()),
        "horizon_weeks": days / 7,
        "n_customers": len(table),
        "purchases": _outcome(table, "purchases", "expected_purchases", totals.purchases[:, 0], interval, seed),
        "value": _outcome(table, "value", "clv_mean", totals.value[:, 0], interval, seed)
        | {"expectation_interval_coverage": _inside(table, "expected_clv_lower", "expected_clv_upper")},
        "worst_tenth": _worst_tenth(by_predicted_value(table)),
        "naive": _naive(table, horizon),
    }


def purchase_figures(table: pd.DataFrame, totals: Totals, *, interval: float, seed: int) -> dict[str, Any] | None:
    """Return the key figures of the number of purchases alone (no spend model needed); None without a backtest."""
    if table.empty:
        return None
    return _outcome(table, "purchases", "expected_purchases", totals.purchases[:, 0], interval, seed)


def _outcome(
    table: pd.DataFrame, name: str, predicted: str, total: Floats, interval: float, seed: int
) -> dict[str, Any]:
    actual, below, at_most = table[f"actual_{name}"], table[f"{name}_cdf_below"], table[f"{name}_cdf"]
    lower, upper = np.quantile(total, tails(interval))
    distance, p_value = pit_distance(below, at_most, seed=seed)
    return {
        "actual": float(actual.sum()),
        "forecast": {"mean": float(table[predicted].sum()), "lower": float(lower), "upper": float(upper)},
        "inside": bool(lower <= actual.sum() <= upper),
        "error": float(table[predicted].sum() / actual.sum() - 1) if actual.sum() else None,
        "coverage": {f"{level:.2f}": coverage(below, at_most, level) for level in LEVELS},
        "coverage_of_interval": coverage(below, at_most, interval),
        "pit_distance": distance,
        "pit_p_value": p_value,
        "crps": float(table[f"{name}_crps"].mean()),
        "mae": float((table[predicted] - actual).abs().mean()),
        "rmse": float(np.sqrt(((table[predicted] - actual) ** 2).mean())),
        "slope": slope(table[predicted], actual),
        "slope_error": slope_error(table[predicted], actual),
    }


def _worst_tenth(tenths: pd.DataFrame) -> dict[str, float]:
    """Return the tenth of the customers, by forecast value, in which forecast and actual lie furthest apart."""
    gap = (tenths["actual"] - tenths["predicted"]).abs()
    return tenths.loc[gap.idxmax(), ["decile", "predicted", "actual"]].to_dict()


def _naive(table: pd.DataFrame, horizon: Horizon) -> dict[str, float]:
    """Return the errors of two forecasts without a model: everybody goes on as before; nobody buys again."""
    going_on = table["frequency"] / table["T"].where(table["T"] > 0, np.inf) * horizon.weeks
    actual = table["actual_purchases"]
    return {
        "past_rate_mae": float((going_on - actual).abs().mean()),
        "past_rate_total": float(going_on.sum()),
        "nobody_mae": float(actual.abs().mean()),
    }


def _inside(table: pd.DataFrame, lower: str, upper: str) -> float:
    return float(table["actual_value"].between(table[lower], table[upper]).mean())


def by_frequency(table: pd.DataFrame) -> pd.DataFrame:
    """Return actual and predicted purchases per customer by calibration frequency 0, 1, ... 6 and more."""
    group = table["frequency"].clip(upper=_GROUPS_BY_FREQUENCY)
    return _group_means(group, table["actual_purchases"], table["expected_purchases"])


def by_predicted_value(table: pd.DataFrame, *, groups: int = 10) -> pd.DataFrame:
    """Return actual and predicted value per customer by tenth of predicted value, lowest first."""
    standing = table["clv_mean"].rank(method="first").to_numpy() - 1
    group = pd.Series(1 + (standing * groups // max(len(table), 1)).astype(int), index=table.index, name="decile")
    return _group_means(group, table["actual_value"], table["clv_mean"])


def _group_means(group: pd.Series, actual: pd.Series, predicted: pd.Series) -> pd.DataFrame:
    """Return per group: customers, mean actual, mean predicted, and two standard errors of the mean actual."""
    outcome = actual.groupby(group).agg(["size", "mean", "std"])
    means = pd.DataFrame(
        {
            "customers": outcome["size"],
            "actual": outcome["mean"],
            "predicted": predicted.groupby(group).mean(),
            "actual_error": 2 * outcome["std"].fillna(0.0) / np.sqrt(outcome["size"]),
        }
    )
    return means.reset_index()


def origin_day(calibration_end: date | None) -> date:
    """Return the last day the backtest's forecast may see; without a backtest the first of all days, nobody's."""
    return calibration_end or date.min


def holdout_horizon(cut: date, last_day: date, *, discount_rate_annual: float, gross_margin: float) -> Horizon:
    """Return the horizon of the backtest: from the cut to the last day; of no length without a backtest."""
    weeks = (last_day - cut).days / 7 if cut > date.min else 0.0
    return yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)


def holdout_weeks(customers: pd.DataFrame, calibration: pd.DataFrame) -> float:
    """Return the weeks between the calibration end and the observation end, 0 without a backtest."""
    return float(customers["T"].max() - calibration["T"].max()) if len(calibration) else 0.0


def coverage_table(table: pd.DataFrame, outcome: str) -> pd.DataFrame:
    """Return nominal level and reached coverage of "purchases" or "value"."""
    levels = LEVELS if len(table) else ()
    below, at_most = table[f"{outcome}_cdf_below"], table[f"{outcome}_cdf"]
    return pd.DataFrame({"level": levels, "coverage": [coverage(below, at_most, level) for level in levels]})


def tracking(
    weekly: pd.DataFrame, customers: pd.DataFrame, draws: Draws, totals: Totals, *, interval: float
) -> pd.DataFrame:
    """Return table TRACKING: cumulative repeat purchases week by week, actual against expected.

    In the calibration the expectation is that of the fitted population; in the holdout it continues from the
    actual level with the simulated futures of the same customers (calendar of weeks, one cohort).

    Parameters
    ----------
    weekly
        Table WEEKLY_PURCHASES.
    customers
        Table CALIBRATION.
    totals
        Of a simulation with `weekly_calendar`.
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
    ends = np.minimum(weeks + 1 - 1 / 7 - age, horizon.weeks)
    edges = np.concatenate([[0.0], ends[:-1], [horizon.weeks]]) if len(weeks) else np.array([0.0, horizon.weeks])
    return Calendar(edges, np.zeros(len(customers), np.int64), 1, np.zeros(len(customers), bool))


def _expected_repeat_purchases(customers: pd.DataFrame, draws: Draws, weeks: int) -> Floats:
    """Return the population's expected repeat purchases up to the end of each week since the first purchase of all."""
    if customers.empty:
        return np.zeros(0)
    oldest = customers["T"].max()
    starts, counts = np.unique(oldest - customers["T"].to_numpy(), return_counts=True)
    ends = np.minimum(np.arange(1, weeks + 1) - 1 / 7, oldest)
    ages = np.maximum(ends[:, None] - starts, 0.0)
    distinct, which = np.unique(ages, return_inverse=True)
    few = draws.thinned(EXPECTATION_DRAWS)
    parameters = [getattr(few, name)[:, None] for name in ("r", "alpha", "a", "b")]
    expected = bgnbd.purchase_integrals(distinct, 0.0, 0.0, 0.0, *parameters, discount=0.0)[0].mean(axis=0)
    return expected[which.reshape(ages.shape)] @ counts
