"""Which group is better? Groups of one kind by what a customer will bring, with the probability of their order."""

import numpy as np
import pandas as pd

from clv import tables
from clv.backtest.misfit import group_draws
from clv.backtest.tables import RANKS
from clv.forecast.groups import Forecast
from clv.units import tails


def rank_groups(
    result: Forecast, groupings: list[str], past: pd.DataFrame | None, *, weeks: float, interval: float, seed: int
) -> pd.DataFrame:
    """Return table RANKS: the groups of each of `groupings`, the best first; P(A > B) is of A and the next one.

    From joint draws, so that what moves all groups alike decides nothing; `past` as in `widened`.
    """
    parts = [_of_one(result, grouping, past, weeks, interval, seed) for grouping in groupings]
    return tables.check(RANKS, pd.concat(parts, ignore_index=True))


def _of_one(
    result: Forecast, grouping: str, past: pd.DataFrame | None, weeks: float, interval: float, seed: int
) -> pd.DataFrame:
    rows = result.groups[result.groups["grouping"] == grouping]
    means, drawn = group_draws(rows, result.totals.value, past, weeks=weeks, seed=seed)
    size = rows["customers"].to_numpy()
    each, draws = means.to_numpy() / size, np.column_stack(list(drawn)) / size
    order = np.argsort(-each, kind="stable")
    each, draws = each[order], draws[:, order]
    lower, upper = np.quantile(draws, tails(interval), axis=0)
    better = np.append((draws[:, :-1] > draws[:, 1:]).mean(axis=0), np.nan)
    found = {"grouping": grouping, "group": rows["group"].to_numpy()[order], "customers": size[order]}
    found |= {"clv_per_customer": each, "lower": lower, "upper": upper, "p_above_next": better}
    return tables.with_texts(RANKS, pd.DataFrame(found))
