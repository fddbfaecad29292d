"""A forecast against what came after it: every customer, every group, naive rules beside it.

"Actual" is what happened after the origin, "forecast" what the model, fitted on what was known at the origin alone,
said would happen. The predictive distribution of each customer is its simulated draws; `scores` judges them.
"""

from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clv import tables
from clv.backtest import misfit
from clv.backtest.scored_draws import against
from clv.backtest.tables import BACK, BACKTEST, BACKTEST_GROUPS, ONCE, OUTCOMES
from clv.forecast.closed_forms import expectations
from clv.forecast.future import simulate
from clv.forecast.groups import grouped
from clv.forecast.horizon import Calendar, Groups, Horizon, Keep, Totals
from clv.forecast.tiers import value_tier
from clv.models.draws import Draws
from clv.models.gamma_gamma import SPEND_COLUMNS
from clv.units import tails

# The central share from which a total's spread is read, and so many standard deviations of a normal one.
_SPREAD, _SPREAD_SDS = 0.9, 3.29


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
    customers: pd.DataFrame, holdout: pd.DataFrame, draws: Draws, horizon: Horizon, *, origin: date, interval: float,
    seed: int, workers: int, groupings: pd.DataFrame | None = None, past: pd.DataFrame | None = None,
    calendar: Calendar | None = None, mean_draws: int | None = None,
) -> Scored:  # fmt: skip
    """Hold a forecast against what came.

    `customers`: Table CALIBRATION, summarised at `origin`. `holdout`: Table HOLDOUT: what the same customers did within
    `horizon` after `origin`. `groupings`: one column per grouping beside `history` and `value_tier`, one row per row of
    `customers`. `past`: forecasts that were over by `origin`, from `ended_by`: what the intervals of totals allow for
    is learnt from them, so that they are tested on what they have not seen. None: no allowance is made. `mean_draws`:
    how many draws expected values are means over; None: as many as they take (closed_forms).
    """
    history = customers[["customer_id", *draws.model.history, *SPEND_COLUMNS[1:], "revenue"]]
    came = holdout[["customer_id", "actual_purchases", "actual_value"]]
    known = history.merge(came, on="customer_id", how="left", validate="one_to_one")
    actual = known[[f"actual_{outcome}" for outcome in OUTCOMES]].to_numpy(float)
    expected = expectations(known, draws.thinned(mean_draws or len(draws)), horizon, interval=interval, workers=workers)
    expected = expected[["p_alive", "expected_purchases", "clv_mean", "expected_clv_lower", "expected_clv_upper"]]
    groups, labels = _groups(known, expected["clv_mean"], groupings)
    found = np.empty((len(known), 10))
    keep = Keep(partial(against, interval), found.__setitem__, actual)
    options: dict[str, Any] = {"seed": seed, "workers": workers, "stage": "simulating the holdout"}
    totals = simulate(known, draws, horizon, keep=keep, groups=groups, calendar=calendar, **options)
    columns = [f"purchases_{name}" for name in ("lower", "upper", "cdf_below", "cdf", "crps")]
    columns += ["clv_lower", "clv_upper", "value_cdf_below", "value_cdf", "value_crps"]
    scored = pd.DataFrame(found, columns=columns, index=known.index)
    table = pd.concat([known, scored, expected], axis=1).assign(origin=pd.Timestamp(origin))
    by_group = _group_table(table, groups, labels, totals, interval)
    allowance: dict[str, Any] = {"weeks": horizon.weeks, "interval": interval, "seed": seed, "columns": misfit.TESTED}
    by_group = misfit.widened(by_group, totals, past, **allowance)
    told = table.drop(columns=[name for name in draws.model.history if name not in BACKTEST.columns])
    return Scored(told, tables.check(BACKTEST_GROUPS, by_group), totals)


def _groups(known: pd.DataFrame, value: pd.Series, groupings: pd.DataFrame | None) -> tuple[Groups, pd.DataFrame]:
    history = pd.Series(np.where(known["frequency"] > 0, BACK, ONCE), index=known.index, dtype="str")
    named = pd.DataFrame({"history": history})
    if groupings is not None:
        named = named.join(groupings.set_axis(known.index)).assign(value_tier=value_tier(value))
    return grouped(named, list(named.columns))


def _group_table(
    table: pd.DataFrame, groups: Groups, labels: pd.DataFrame, totals: Totals, interval: float
) -> pd.DataFrame:
    """Return table BACKTEST_GROUPS without what allows for misfit."""
    total = groups.sums
    columns = {"customers": total(pd.Series(1, index=table.index)).astype("int64")}
    forecasts = {outcome: total(table[predicted]) for outcome, predicted in OUTCOMES.items()}
    order = float(forecasts["value"][0] / forecasts["purchases"][0]) if forecasts["purchases"][0] > 0 else 0.0
    # Half an order, so that a logarithm exists of nothing too.
    least = {"purchases": 0.5, "value": 0.5 * order or 0.5}
    for outcome, forecast in forecasts.items():
        draws, actual = getattr(totals, outcome), total(table[f"actual_{outcome}"])
        lower, upper = np.quantile(draws, tails(interval), axis=0)
        low, high = np.quantile(np.log(draws + least[outcome]), tails(_SPREAD), axis=0)
        columns |= {
            f"{outcome}_actual": actual,
            f"{outcome}_forecast": forecast,
            f"{outcome}_lower": lower,
            f"{outcome}_upper": upper,
            f"{outcome}_log_error": np.log((actual + least[outcome]) / (forecast + least[outcome])),
            f"{outcome}_log_sd": (high - low) / _SPREAD_SDS,
        }
    return labels.assign(**columns)


def by_outcome(groups: pd.DataFrame) -> pd.DataFrame:
    """Return table BACKTEST_GROUPS with one row per group and outcome, which is no longer part of a column's name."""
    parts = []
    for outcome in OUTCOMES:
        own = {name: name.removeprefix(f"{outcome}_") for name in groups if name.startswith(f"{outcome}_")}
        rows = groups[["grouping", "group", "customers", *own]].rename(columns=own)
        parts.append(rows.assign(outcome=pd.Series(outcome, rows.index, dtype="str")))
    return pd.concat(parts, ignore_index=True)
