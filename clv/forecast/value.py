"""Posterior draws to value: per customer, per group and in total, each with the interval it deserves.

Three kinds of interval, never confused: *expected value* (closed form per draw, parameter uncertainty
only), *realised value* (what one customer will actually bring), *total* (realised values summed over a
group within each draw). Means come from closed forms, limits of realised values from simulation.
"""

from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numba import njit
from numpy.typing import NDArray

from clv import progress
from clv.forecast.future import (
    BLOCK_CUSTOMERS,
    Calendar,
    Draws,
    Floats,
    Groups,
    Horizon,
    Integers,
    Keep,
    Totals,
    blocks,
    in_order,
    simulate,
)
from clv.models import bgnbd, gamma_gamma
from clv.rfm.segments import TIERS

# Closed forms are smooth in the draws: 400 of them leave a Monte-Carlo error of a twentieth of the posterior sd.
EXPECTATION_DRAWS = 400
_EXPECTATIONS = [
    *("p_alive", "p_purchase", "expected_purchases", "expected_spend"),
    *("clv_mean", "expected_clv_lower", "expected_clv_upper"),
]
CONCENTRATION_STEPS = 20
# Ranking within a draw reads a histogram of the values: a number's exponent and first 9 binary digits are its bin, so
# bins are .1 to .2 % wide. From 16 doublings below the mean value to 6 above: a tenth of the customers cannot all have
# more than ten times the mean.
_DIGITS, _DOUBLINGS_BELOW, _DOUBLINGS_ABOVE = 9, 16, 6


@dataclass(frozen=True)
class Forecast:
    """What a simulation leaves: tables for people, and the joint draws they were made from."""

    customers: pd.DataFrame
    groups: pd.DataFrame
    totals: Totals
    total_value: Floats
    total_purchases: Floats


def pair(bgnbd_posterior: xr.DataTree, spend_posterior: xr.DataTree | None, n: int) -> Draws:
    """Return at most `n` joint draws of both models, evenly spaced over all chains.

    The two posteriors are independent, so any pairing is a joint draw. Without a spend posterior the
    values of a simulation mean nothing (purchases do not depend on them).
    """
    purchase = flat(bgnbd_posterior, ["r", "alpha", "a", "b"], n)
    if spend_posterior is None:
        return Draws(*purchase, *np.repeat([[1.0], [2.0], [1.0]], purchase[0].size, axis=1))
    return Draws(*purchase, *spend_draws(spend_posterior, n))


def spend_draws(posterior: xr.DataTree, n: int) -> list[Floats]:
    """Return at most `n` draws of p, q and v, evenly spaced over all chains.

    Where q <= 1 no mean spend exists, and a value would be infinite. The gate lets less than one draw in a hundred be
    so; others take their places.
    """
    p, q, v = flat(posterior, ["p", "q", "v"], n)
    usable = np.resize(np.flatnonzero(q > 1), q.size) if (q <= 1).any() else np.arange(q.size)
    return [p[usable], q[usable], v[usable]]


def flat(posterior: xr.DataTree, names: list[str], n: int) -> list[Floats]:
    group = posterior["posterior"].to_dataset()
    chains, draws = (group.sizes[dim] for dim in ("chain", "draw"))
    number = np.arange(min(n, chains * draws))
    # Every chain in turn, at evenly spaced draws.
    chain, draw = number % chains, number * draws // number.size
    return [group[name].transpose("chain", "draw").to_numpy()[chain, draw].astype(float) for name in names]


def expectations(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, interval: float, workers: int = 1
) -> pd.DataFrame:
    """Return the closed-form columns of every customer: probabilities, expected purchases, spend and value.

    `expected_clv_lower` and `expected_clv_upper` are limits of the *expected* value (parameter
    uncertainty only); they shrink to nothing as customers grow and never say what one customer will bring.
    """
    draws = draws.thinned(EXPECTATION_DRAWS)
    history = customers[[*bgnbd.HISTORY, "monetary_value"]]
    # Customers of one history stand together, so that what depends on the history alone is computed once per block.
    order = np.lexsort([history[name].to_numpy() for name in ("recency", "T", "frequency")])
    found = np.empty((len(_EXPECTATIONS), len(customers)))

    def block(rows: slice) -> None:
        found[:, order[rows]] = _expect_block(history.iloc[order[rows]], draws, horizon, interval)

    rows = list(blocks(0, len(customers), BLOCK_CUSTOMERS))
    with progress.stage("expected values", of=len(rows)) as advance:
        for _ in in_order(block, [(part,) for part in rows], workers):
            advance()
    return pd.DataFrame(dict(zip(_EXPECTATIONS, found, strict=True)), index=customers.index, copy=False)


def _expect_block(customers: pd.DataFrame, draws: Draws, horizon: Horizon, interval: float) -> list[Floats]:
    """Return the columns `_EXPECTATIONS`."""
    purchase = [getattr(draws, name)[:, None] for name in ("r", "alpha", "a", "b")]
    spend = [getattr(draws, name)[:, None] for name in ("p", "q", "v")]
    history, which = distinct(customers, bgnbd.HISTORY)
    ages, of_age = distinct(customers, ["frequency", "T"])
    alive = bgnbd.probability_alive(*history, *purchase)
    integrals = bgnbd.alive_integrals(horizon.weeks, *ages, *purchase, discount=horizon.discount_weekly)
    plain, discounted = (integral[:, of_age] * alive[:, which] for integral in integrals)
    amount = gamma_gamma.expected_spend(customers["frequency"], customers["monetary_value"], *spend)
    value = horizon.gross_margin * discounted * amount
    lower, upper = np.quantile(value, tails(interval), axis=0)
    return [
        alive.mean(axis=0)[which],
        bgnbd.probability_purchase(horizon.weeks, *history, *purchase).mean(axis=0)[which],
        plain.mean(axis=0),
        amount.mean(axis=0),
        value.mean(axis=0),
        lower,
        upper,
    ]


def distinct(customers: pd.DataFrame, names: list[str]) -> tuple[list[Floats], Integers]:
    """Return the distinct values of the columns `names`, and for each customer where its own stand."""
    first = customers[~customers.duplicated(names)]
    which = customers.groupby(names, sort=False).ngroup().to_numpy()
    return [first[name].to_numpy(float) for name in names], which


def forecast_values(
    customers: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    *,
    interval: float,
    seed: int,
    workers: int,
    groupings: list[str],
    calendar: Calendar | None = None,
) -> Forecast:
    """Simulate every customer and return realised limits, membership probabilities and joint group totals.

    Parameters
    ----------
    customers
        RFM columns, `expectations` columns, value_tier and the columns named in `groupings`.
    groupings
        Columns whose groups get totals; "base" (everybody) is always the first group.
    """
    groups, labels = grouped(customers, groupings)
    ranking = Ranking(len(draws), scale=float(customers["clv_mean"].mean()) or 1.0)
    limits, shares = np.empty((len(customers), 6)), np.empty((len(customers), 2))

    def keep_limits(rows: slice, purchases: Integers, value: Floats) -> None:
        ranking.count(value)
        limits[rows] = np.column_stack([*realised_limits(purchases, interval), *realised_limits(value, interval)])

    pass_over = partial(simulate, customers, draws, horizon, seed=seed, workers=workers)
    totals = pass_over(keep=keep_limits, groups=groups, calendar=calendar)
    pass_over(keep=keep_membership(customers["value_tier"], ranking, shares), stage="ranking futures")
    table = customers.assign(
        purchases_lower=limits[:, 0],
        purchases_upper=limits[:, 2],
        clv_lower=limits[:, 3],
        clv_median=limits[:, 4],
        clv_upper=limits[:, 5],
        p_top_decile=shares[:, 0],
        value_tier_probability=shares[:, 1],
    )
    by_group = group_table(table, groups, labels, totals, interval)
    return Forecast(table, by_group, totals, totals.value[:, 0], totals.purchases[:, 0])


def realised_limits(values: NDArray[Any], interval: float) -> list[Floats]:
    """Return each row's lower limit, median and upper limit over its draws: order statistics, no interpolation."""
    ranked = np.sort(values, axis=1)
    lower, upper = tails(interval)
    positions = [max(int(np.ceil(share * ranked.shape[1])) - 1, 0) for share in (lower, 0.5, upper)]
    return [ranked[:, position].astype(float) for position in positions]


def tails(interval: float) -> tuple[float, float]:
    """Return the two probabilities that a central interval cuts off at."""
    return (1 - interval) / 2, (1 + interval) / 2


def monte_carlo_error(draws: Floats, probability: float) -> float:
    """Return the standard error of a quantile over independent draws, from the neighbouring order statistics."""
    spread = np.sqrt(probability * (1 - probability) / draws.size)
    low, high = np.quantile(draws, np.clip([probability - spread, probability + spread], 0, 1))
    return float(high - low) / 2


def value_rank(clv_mean: pd.Series) -> pd.Series:
    """Return each customer's twentieth by expected value as text, "01" the best 5 %: the steps of `concentration`."""
    standing = clv_mean.rank(ascending=False, method="first").to_numpy() - 1
    steps = (standing * CONCENTRATION_STEPS // max(len(clv_mean), 1)).astype(int) + 1
    return pd.Series([f"{step:02d}" for step in steps], index=clv_mean.index, dtype="str")


def concentration(result: Forecast, *, interval: float) -> pd.DataFrame:
    """Return table CONCENTRATION: what share of the value the best 5 %, 10 %, ... of the customers hold.

    Customers are ranked by expected value, as one would rank them today; the limits come from the same
    ranking's share of each draw's realised total. Needs the grouping `value_rank`.
    """
    steps = result.groups[result.groups["grouping"] == "value_rank"]
    drawn = np.cumsum(result.totals.value[:, steps.index], axis=1)
    everything = np.maximum(result.total_value, np.finfo(float).tiny)[:, None]
    lower, upper = np.quantile(np.minimum(drawn / everything, 1.0), tails(interval), axis=0)
    start = pd.DataFrame({"customer_share": [0.0], "value_share": [0.0], "lower": [0.0], "upper": [0.0]})
    curve = pd.DataFrame(
        {
            "customer_share": steps["customers"].cumsum() / len(result.customers),
            "value_share": steps["share_of_value"].cumsum().clip(upper=1.0),
            "lower": lower,
            "upper": upper,
        }
    )
    return pd.concat([start, curve], ignore_index=True)


def total_draws(result: Forecast) -> pd.DataFrame:
    """Return table TOTAL_DRAWS: realised value and purchases of everybody, per joint posterior draw."""
    draw = np.arange(len(result.total_value))
    return pd.DataFrame({"draw": draw, "value": result.total_value, "purchases": result.total_purchases})


class Ranking:
    """Where each draw's customers stand: a histogram of realised values per draw, filled block by block.

    Whole numbers are added, so the order of the blocks does not matter.
    """

    def __init__(self, draws: int, scale: float) -> None:
        self._lowest = int(_keys(np.array([scale]))[0]) - (_DOUBLINGS_BELOW << _DIGITS)
        self._customers = 0
        self._counts = np.zeros((draws, (_DOUBLINGS_BELOW + _DOUBLINGS_ABOVE) << _DIGITS), np.int32)
        self._lock = Lock()

    def count(self, value: Floats) -> None:
        """Add a block's realised values (customers, draws)."""
        keys = _keys(value)
        with self._lock:
            self._customers += value.shape[0]
            _count_bins(keys, self._lowest, self._counts)

    def threshold(self, top_share: float) -> Floats:
        """Return per draw the value that `top_share` of the customers exceed; 0 where fewer have any."""
        above = top_share * self._customers
        bins, within = _bins_at(self._counts, above)
        low, high = _edge(self._lowest + bins), _edge(self._lowest + bins + 1)
        return np.where(bins >= 0, low + within * (high - low), 0.0)

    @property
    def draws(self) -> int:
        """Return the number of draws."""
        return self._counts.shape[0]

    def share_without_value(self) -> Floats:
        """Return per draw the share of customers who bring nothing."""
        return 1 - self._counts.sum(axis=1) / self._customers


def _keys(value: Floats) -> NDArray[np.int64]:
    """Return exponent and first digits of every number: as ordered as the numbers; 0 for 0."""
    return np.ascontiguousarray(value).view(np.int64) >> (52 - _DIGITS)


def _edge(keys: NDArray[np.int64]) -> Floats:
    """Return the smallest number that has each key."""
    return (keys << (52 - _DIGITS)).view(np.float64)


@njit(nogil=True, cache=True)
def _count_bins(keys, lowest, counts):  # type: ignore[no-untyped-def]
    for d in range(keys.shape[1]):  # one draw's counts at a time stay in the cache
        for i in range(keys.shape[0]):
            if keys[i, d] > 0:
                counts[d, min(max(keys[i, d] - lowest, 0), counts.shape[1] - 1)] += 1


@njit(nogil=True, cache=True)
def _bins_at(counts, above):  # type: ignore[no-untyped-def]
    """Return per row the bin that `above` of its values reach and how far up in it; bin -1 if there are not so many."""
    bins, within = np.zeros(counts.shape[0], np.int64), np.zeros(counts.shape[0])
    for d in range(counts.shape[0]):
        passed, bin = 0, counts.shape[1]
        while bin > 0 and passed < above:
            bin -= 1
            passed += counts[d, bin]
        bins[d] = bin if passed >= above else -1
        within[d] = (passed - above) / max(counts[d, bin], 1)
    return bins, within


def keep_membership(tier: pd.Series, ranking: Ranking, shares: Floats) -> Keep:
    """Return what a second pass does: fill `shares` with every customer's P(top decile) and P(own tier)."""
    names = list(TIERS)
    own = tier.map({name: code for code, name in enumerate(names)}).to_numpy(np.int8)
    # What a draw's value must exceed, and must not, for each tier; the last tier holds what is left.
    floors = np.array([*(ranking.threshold(TIERS[name]) for name in names[:-1]), np.zeros(ranking.draws)])
    ceilings = np.array([np.full(ranking.draws, np.inf), *floors[:-1]])
    places_left = places_without_value(ranking.share_without_value())
    top_decile = ranking.threshold(0.10)

    def keep(rows: slice, purchases: Integers, value: Floats) -> None:
        _count_members(value, own[rows], floors, ceilings, places_left, top_decile, shares[rows])

    return keep


@njit(nogil=True, cache=True)
def _count_members(value, own, floors, ceilings, places_left, top_decile, found):  # type: ignore[no-untyped-def]
    """Fill `found` (customers, 2) with the shares of draws above `top_decile` and in the customer's own tier."""
    for i in range(value.shape[0]):
        top, mine, tier = 0, 0.0, own[i]
        for d in range(value.shape[1]):
            if value[i, d] > 0:
                top += value[i, d] > top_decile[d]
                mine += (value[i, d] > floors[tier, d]) & (value[i, d] <= ceilings[tier, d])
            else:
                mine += places_left[tier, d]
        found[i, 0], found[i, 1] = top / value.shape[1], mine / value.shape[1]


def places_without_value(share: Floats) -> Floats:
    """Return (tiers, draws): the chance that a customer without value stands in each tier.

    All of them tie; they share the places that the draw's buyers leave, from the bottom up.
    """
    ends = np.array([0.0, *TIERS.values()])[:, None]
    overlap = np.clip(ends[1:], 1 - share, None) - np.clip(ends[:-1], 1 - share, None)
    return overlap / np.where(share > 0, share, 1.0)


def grouped(customers: pd.DataFrame, groupings: list[str]) -> tuple[Groups, pd.DataFrame]:
    """Return the groups and their names, grouping and group: everybody, then those of each grouping, sorted."""
    codes, names = [np.zeros(len(customers), np.int16)], [("base", "all customers")]
    for grouping in groupings:
        code, found = pd.factorize(customers[grouping], sort=True)
        codes.append(code.astype(np.int16) + len(names))
        names += [(grouping, str(name)) for name in found]
    labels = pd.DataFrame(names, columns=["grouping", "group"], dtype="str")
    return Groups(np.column_stack(codes), len(names)), labels


def group_table(
    customers: pd.DataFrame, groups: Groups, labels: pd.DataFrame, totals: Totals, interval: float
) -> pd.DataFrame:
    """Return table SEGMENTS: sums of the means, limits from the joint totals."""

    total = groups.sums
    size, clv_mean = total(pd.Series(1, index=customers.index)), total(customers["clv_mean"])
    purchases, value = (np.quantile(draws, tails(interval), axis=0) for draws in (totals.purchases, totals.value))
    return labels.assign(
        customers=size.astype("int64"),
        repeat_customers=total(customers["frequency"] > 0).astype("int64"),
        revenue=total(customers["revenue"]),
        mean_p_alive=total(customers["p_alive"]) / size,
        mean_p_purchase=total(customers["p_purchase"]) / size,
        expected_purchases=total(customers["expected_purchases"]),
        purchases_lower=purchases[0],
        purchases_upper=purchases[1],
        clv_mean=clv_mean,
        clv_lower=value[0],
        clv_upper=value[1],
        clv_per_customer=clv_mean / size,
        share_of_value=clv_mean / clv_mean[0] if clv_mean[0] else 0.0,
    )
