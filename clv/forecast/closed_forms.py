"""Means in closed form: P(alive), expected purchases, spend and value of each customer, with limits of the mean."""

from functools import partial

import numpy as np
import pandas as pd

from clv.forecast.blocks import BLOCK_CUSTOMERS, blocks, in_order
from clv.forecast.horizon import Horizon
from clv.models.base import Floats, History, Integers
from clv.models.draws import Draws
from clv.models.gamma_gamma import SPEND_COLUMNS, Amounts, expected_per_visit
from clv.units import tails

# Closed forms are smooth in the draws: 400 of them leave a Monte-Carlo error of a twentieth of the posterior sd, 100 of
# a tenth. That sd falls with the root of the customers, so of many customers fewer draws give the same digits.
_MOST_DRAWS, _FEWEST_DRAWS, _CUSTOMER_DRAWS = 400, 100, 40_000_000
_EXPECTATIONS = [
    *("p_alive", "p_purchase", "expected_purchases", "expected_spend"),
    *("clv_mean", "expected_clv_lower", "expected_clv_upper"),
]


def mean_draws(customers: int) -> int:
    """Return how many draws the mean of a closed form over the posterior of so many customers takes."""
    return int(np.clip(_CUSTOMER_DRAWS // max(customers, 1), _FEWEST_DRAWS, _MOST_DRAWS))


def expectations(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, interval: float, workers: int = 1
) -> pd.DataFrame:
    """Return the closed-form columns of every customer: probabilities, expected purchases, spend and value.

    `expected_clv_lower` and `expected_clv_upper` are limits of the *expected* value (parameter
    uncertainty only); they shrink to nothing as customers grow and never say what one customer will bring.
    """
    draws = draws.thinned(mean_draws(len(customers)))
    history = customers[[*draws.model.history, *SPEND_COLUMNS[1:]]]
    # Customers of one history stand together, so that what depends on the history alone is computed once per block.
    order = np.lexsort([history[name].to_numpy() for name in ("recency", "T", "frequency")])
    found = np.empty((len(_EXPECTATIONS), len(customers)))
    parts = [order[rows] for rows in blocks(0, len(customers), BLOCK_CUSTOMERS)]
    block = partial(_expect_block, draws, horizon, interval)
    for part, columns in in_order("expected values", block, parts, lambda part: (history.iloc[part],), workers):
        found[:, part] = columns
    return pd.DataFrame(dict(zip(_EXPECTATIONS, found, strict=True)), index=customers.index, copy=False)


def _expect_block(draws: Draws, horizon: Horizon, interval: float, customers: pd.DataFrame) -> list[Floats]:
    """Return the columns `_EXPECTATIONS`."""
    model, theta, weeks = draws.model, draws.theta, horizon.weeks
    history, which = distinct(customers, model.history)
    needed, of_needed = distinct(customers, model.if_alive_needs)
    alive = model.p_alive(history, theta)
    integrals = model.if_alive(weeks, needed, theta, discount=horizon.discount_weekly)
    plain, discounted = (integral[:, of_needed] * alive[:, which] for integral in integrals)
    amount = expected_per_visit(Amounts.of(customers), draws.phi)
    value = horizon.gross_margin * discounted * amount
    lower, upper = np.quantile(value, tails(interval), axis=0)
    return [
        alive.mean(axis=0)[which],
        (alive * (1 - model.p_silent(weeks, history, theta))).mean(axis=0)[which],
        plain.mean(axis=0),
        amount.mean(axis=0),
        value.mean(axis=0),
        lower,
        upper,
    ]


def distinct(customers: pd.DataFrame, names: list[str]) -> tuple[History, Integers]:
    """Return histories with the distinct values of the columns `names`, and for each customer where its own stands."""
    first = customers[~customers.duplicated(names)]
    return History.of(first), customers.groupby(names, sort=False).ngroup().to_numpy()
