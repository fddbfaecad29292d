"""A forecast against what came after it: every customer, every group, naive rules beside it.

"Actual" is what happened after the origin, "forecast" what the model, fitted on what was known at the origin alone,
said would happen. The predictive distribution of each customer is its simulated draws; `scores` judges them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtr as norm_cdf

from clv import tables
from clv.backtest.scoring_rules import against
from clv.backtest.tables import BACKTEST_GROUPS
from clv.forecast.closed_forms import expectations
from clv.forecast.future import Calendar, Groups, Horizon, Totals, simulate, yearly_horizon
from clv.forecast.groups import grouped
from clv.models.base import HISTORY, Floats, Integers
from clv.models.draws import Draws, tails

# What is known of a customer decides how hard the forecast is.
ONCE, BACK = "bought once", "came back"
OUTCOMES = {"purchases": "expected_purchases", "value": "clv_mean"}
# So much of the last origin's base was there at the first: windows of the same customers are no independent tests.
SAME_CUSTOMERS = 0.9
GROUPS_BY_FREQUENCY = 6


@dataclass(frozen=True)
class Scored:
    """A forecast held against what came: tables BACKTEST and BACKTEST_GROUPS, and the joint draws of the groups."""

    customers: pd.DataFrame
    groups: pd.DataFrame
    totals: Totals

    @property
    def total(self) -> pd.Series:
        """The row of table BACKTEST_GROUPS that is about everybody."""
        return self.groups.iloc[0]


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
    groupings: pd.DataFrame | None = None,
    calendar: Calendar | None = None,
) -> Scored:
    """Hold a forecast against what came.

    Parameters
    ----------
    customers
        Table CALIBRATION, summarised at `origin`.
    holdout
        Table HOLDOUT: what the same customers did within `horizon` after `origin`.
    groupings
        One column per grouping beside `history`, one row per row of `customers`.
    """
    history = customers[["customer_id", *HISTORY, "monetary_value", "revenue"]]
    came = holdout[["customer_id", "actual_purchases", "actual_value"]]
    known = history.merge(came, on="customer_id", how="left", validate="one_to_one")
    actual = {outcome: known[f"actual_{outcome}"].to_numpy(float) for outcome in OUTCOMES}
    groups, labels = _groups(known, groupings)
    found = np.empty((len(known), 10))

    def keep(rows: slice, purchases: Integers, value: Floats) -> None:
        counted = against(purchases, actual["purchases"][rows], interval)
        found[rows] = np.column_stack([*counted, *against(value, actual["value"][rows], interval)])

    options: dict[str, Any] = {"seed": seed, "workers": workers, "stage": "simulating the holdout"}
    totals = simulate(known, draws, horizon, keep=keep, groups=groups, calendar=calendar, **options)
    columns = [
        *(f"purchases_{name}" for name in ("lower", "upper", "cdf_below", "cdf", "crps")),
        *(f"{name}" for name in ("clv_lower", "clv_upper", "value_cdf_below", "value_cdf", "value_crps")),
    ]
    scored = pd.DataFrame(found, columns=columns, index=known.index)
    expected = expectations(known, draws, horizon, interval=interval, workers=workers)
    expected = expected[["p_alive", "expected_purchases", "clv_mean", "expected_clv_lower", "expected_clv_upper"]]
    table = pd.concat([known, scored, expected], axis=1).assign(origin=pd.Timestamp(origin))
    return Scored(table, _group_table(table, groups, labels, totals, interval), totals)


def _groups(known: pd.DataFrame, groupings: pd.DataFrame | None) -> tuple[Groups, pd.DataFrame]:
    history = pd.Series(np.where(known["frequency"] > 0, BACK, ONCE), index=known.index, dtype="str")
    named = pd.DataFrame({"history": history})
    if groupings is not None:
        named = named.join(groupings.set_axis(known.index))
    return grouped(named, list(named.columns))


def _group_table(
    table: pd.DataFrame, groups: Groups, labels: pd.DataFrame, totals: Totals, interval: float
) -> pd.DataFrame:
    """Return table BACKTEST_GROUPS."""
    total = groups.sums
    columns = {"customers": total(pd.Series(1, index=table.index)).astype("int64")}
    for outcome, predicted in OUTCOMES.items():
        draws = getattr(totals, outcome)
        lower, upper = np.quantile(draws, tails(interval), axis=0)
        columns |= {
            f"{outcome}_actual": total(table[f"actual_{outcome}"]),
            f"{outcome}_forecast": total(table[predicted]),
            f"{outcome}_lower": lower,
            f"{outcome}_upper": upper,
            f"{outcome}_log_sd": _log_sd(draws),
        }
    return tables.check(BACKTEST_GROUPS, labels.assign(**columns))


def _log_sd(draws: Floats) -> Floats:
    """Return each column's standard deviation of the logarithm, from its central 68 %: far tails do not matter."""
    low, high = np.quantile(draws, norm_cdf([-1.0, 1.0]), axis=0)
    from_moments = np.sqrt(np.log1p(draws.var(axis=0) / np.maximum(draws.mean(axis=0), 1e-12) ** 2))
    known = low > 0
    return np.where(known, np.log(np.divide(high, low, out=np.ones_like(high), where=known)) / 2, from_moments)


def origin_day(calibration_end: date | None) -> date:
    """Return the last day the backtest's forecast may see; without a backtest the first of all days, nobody's."""
    return calibration_end or date.min


def holdout_horizon(
    cut: date, last_day: date, *, discount_rate_annual: float = 0.0, gross_margin: float = 1.0
) -> Horizon:
    """Return the horizon of the backtest: from the cut to the last day; of no length without a backtest."""
    weeks = (last_day - cut).days / 7 if cut > date.min else 0.0
    return yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)


def holdout_weeks(customers: pd.DataFrame, calibration: pd.DataFrame) -> float:
    """Return the weeks between the calibration end and the observation end, 0 without a backtest."""
    return float(customers["T"].max() - calibration["T"].max()) if len(calibration) else 0.0
