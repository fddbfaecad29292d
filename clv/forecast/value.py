"""Posterior draws to value: per customer, per group and in total, each with the interval it deserves.

Three kinds of interval, never confused: *expected value* (closed form per draw, parameter uncertainty
only), *realised value* (what one customer will actually bring), *total* (realised values summed over a
group within each draw). Means come from closed forms, limits of realised values from simulation.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from clv.forecast.future import simulate
from clv.forecast.groups import Forecast, group_table, grouped, realised_limits
from clv.forecast.horizon import Calendar, Horizon, Keep
from clv.forecast.ranking import Ranking, membership, tier_codes
from clv.models.draws import Draws, Floats, Integers
from clv.rfm.windows import by_lot


def forecast_values(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, interval: float, seed: int, workers: int,
    groupings: list[str], calendar: Calendar | None = None, of_segments: Calendar | None = None,
) -> Forecast:  # fmt: skip
    """Simulate every customer and return realised limits, membership probabilities and joint group totals.

    `customers`: RFM columns, `expectations` columns, value_tier and the columns named in `groupings`. `groupings`:
    columns whose groups get totals; "base" (everybody) is always the first group. `calendar`, `of_segments`: months of
    cohorts and, beside them, of segments. What makes the best of a draw is read off the futures of customers by lot:
    who is among them is then known to a third of what the draws themselves leave uncertain.
    """
    groups, labels = grouped(customers, groupings)
    ranking = Ranking(len(draws), scale=float(customers["clv_mean"].mean()) or 1.0)
    found = np.empty((len(customers), 8))
    options: dict[str, Any] = {"seed": seed, "workers": workers}
    simulate(by_lot(customers, seed), draws, horizon, keep=ranking.keep, stage="ranking futures", **options)
    keep = Keep(partial(_kept, membership(ranking), interval), found.__setitem__, tier_codes(customers["value_tier"]))
    months = calendar.beside(of_segments) if calendar and of_segments else calendar
    totals = simulate(customers, draws, horizon, keep=keep, groups=groups, calendar=months, **options)
    split = calendar and calendar.count
    totals, segments = totals.of_cohorts(slice(split)), totals.of_cohorts(slice(split, None))
    table = customers.assign(
        purchases_lower=found[:, 0],
        purchases_upper=found[:, 2],
        clv_lower=found[:, 3],
        clv_median=found[:, 4],
        clv_upper=found[:, 5],
        p_top_decile=found[:, 6],
        value_tier_probability=found[:, 7],
    )
    by_group = group_table(table, groups, labels, totals, interval)
    return Forecast(table, by_group, totals, totals.value[:, 0], totals.purchases[:, 0], segments)


def _kept(
    shares: Callable[..., Floats], interval: float, tiers: Integers, purchases: Integers, value: Floats
) -> Floats:
    """Return what is said of single customers: limits, then the chances of where they stand."""
    limits = (*realised_limits(purchases, interval), *realised_limits(value, interval))
    return np.column_stack([*limits, shares(tiers, value)])
