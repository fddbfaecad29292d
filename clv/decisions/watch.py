"""Customers worth watching: of high value, still there more likely than not, and soon not, should they stay silent.

P(alive) of a customer silent for s more weeks is that of the same history at T + s: in a stated closure, time
stands still. Averaged over the posterior it falls with s, so there is a first day on which it is below one half: from
then on silence is a sign that the customer has left. One-time buyers are not watched: what they do next says little.
"""

from datetime import date

import numpy as np
import pandas as pd

from clv import tables
from clv.decisions.tables import WATCH_LIST
from clv.forecast.blocks import BLOCK_CUSTOMERS, blocks
from clv.forecast.tiers import LIKELY_LEFT, TIERS
from clv.models.base import History, Integers
from clv.models.draws import Draws
from clv.units import DAYS_PER_WEEK

WATCHED_TIERS = list(TIERS)[:2]  # by value: the best 30 % of the customers
WATCHED_DAYS = 28  # four weeks ahead: whoever may be silent for longer than that is not slipping
_WATCH_DRAWS = 200


def watch_list(customers: pd.DataFrame, draws: Draws, last_day: date) -> pd.DataFrame:
    """Return table WATCH_LIST, highest value first.

    `customers` has customer_id, frequency, recency, T, p_alive, clv_mean, value_tier; days of silence are counted from
    `last_day`, the end of observation.
    """
    rank = customers["clv_mean"].rank(ascending=False, method="first").astype("int64")
    valuable, came_back = customers["value_tier"].isin(WATCHED_TIERS), customers["frequency"] > 0
    watched = customers.assign(value_rank=rank)[valuable & came_back & (customers["p_alive"] >= LIKELY_LEFT)]
    days = days_until_sign(watched, draws, at_most=WATCHED_DAYS)
    sign = (pd.Timestamp(last_day) + pd.to_timedelta(days, unit="D")).astype("datetime64[us]")
    found = watched.assign(weeks_silent=watched["T"] - watched["recency"], silence_is_a_sign_from=sign)
    found = found[days <= WATCHED_DAYS].sort_values("value_rank", ignore_index=True)
    return tables.check(WATCH_LIST, found[list(WATCH_LIST.columns)])


def days_until_sign(customers: pd.DataFrame, draws: Draws, *, at_most: int) -> Integers:
    """Return each repeat customer's first day of further silence with a mean P(alive) below one half.

    `at_most` + 1 stands for every later day.
    """
    thinned, found = draws.thinned(_WATCH_DRAWS), np.empty(len(customers), np.int64)
    for rows in blocks(0, len(customers), BLOCK_CUSTOMERS):
        block = customers.iloc[rows]
        low, high = np.zeros(len(block), np.int64), np.full(len(block), at_most + 1)
        while (high > low).any():  # the first such day lies in low..high
            middle = (low + high) // 2
            alive = draws.model.p_alive(History.of(block), thinned.theta, later=middle / DAYS_PER_WEEK).mean(axis=0)
            is_sign = (alive < LIKELY_LEFT) | (middle > at_most)
            low, high = np.where(is_sign, low, middle + 1), np.where(is_sign, middle, high)
        found[rows] = low
    return found
