"""Exact simulation of every customer's future from posterior draws, in chunks of customers.

For one customer and one posterior draw: alive with P(alive); then lambda ~ Gamma(r + x, alpha + T) and
p ~ Beta(a, b + x), independent; purchases at exponential gaps until the horizon ends or, after one of
them, the customer leaves (probability p); amounts ~ Gamma(p_spend, rate nu) with one
nu ~ Gamma(p_spend x + q, v + x z) per customer and draw. Value is gross margin times the sum of amounts
discounted by exp(-delta t). So parameter, individual and process uncertainty are all in every draw.

Nothing of size customers x draws is ever held: each chunk is summarised where it is simulated.
"""

import math
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from clv.bgnbd import WEEKS_PER_YEAR

# Part of the result: another size spawns other random numbers. 2,048 customers x 1,000 draws are 25 MB.
CHUNK_CUSTOMERS = 2048

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Draws:
    """Joint posterior draws, each array of shape (draws,); time in weeks, v in the log's currency."""

    r: Floats
    alpha: Floats
    a: Floats
    b: Floats
    p: Floats
    q: Floats
    v: Floats

    def __len__(self) -> int:
        return self.r.size

    def thinned(self, n: int) -> "Draws":
        """Return at most `n` of the draws, evenly spaced."""
        keep = spaced(len(self), n)
        return Draws(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Horizon:
    """The future that is valued: its length, the weekly discount rate delta, the share of revenue kept."""

    weeks: float
    discount_weekly: float = 0.0
    gross_margin: float = 1.0


def yearly_horizon(weeks: float, *, discount_rate_annual: float, gross_margin: float) -> Horizon:
    """Return the horizon of a run's settings; an annual rate of .10 makes money a year from now worth 1 / 1.10."""
    return Horizon(weeks, math.log1p(discount_rate_annual) / WEEKS_PER_YEAR, gross_margin)


@dataclass(frozen=True)
class Groups:
    """Groups whose totals are kept per draw: `codes` (customers, groupings) holds numbers below `count`."""

    codes: Integers
    count: int


@dataclass(frozen=True)
class Calendar:
    """Periods of the future kept per cohort and draw.

    `edges` (periods + 1,) in weeks from now, rising from 0; `cohorts` (customers,) numbers below `count`;
    `seen` (customers,) true for those already counted as active in the period that is still open.
    """

    edges: Floats
    cohorts: Integers
    count: int
    seen: NDArray[np.bool_]


@dataclass(frozen=True)
class Totals:
    """Sums within each posterior draw.

    purchases, value: (draws, groups). active, revenue: (draws, cohorts, periods), revenue undiscounted
    and before margin, active counts customers with a purchase in the period.
    """

    purchases: Floats
    value: Floats
    active: Floats
    revenue: Floats
    period_purchases: Floats

    def plus(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


# Gets the chunk's rows and its simulated (rows, draws) purchases and values; what it returns is kept.
Summarise = Callable[[slice, Integers, Floats], Any]


def spaced(size: int, n: int) -> Integers:
    """Return at most `n` evenly spaced positions out of `size`."""
    return np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(np.int64))


def simulate(
    customers: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    *,
    summarise: Summarise,
    seed: int,
    workers: int = 1,
    groups: Groups | None = None,
    calendar: Calendar | None = None,
) -> tuple[list[Any], Totals]:
    """Simulate one future per customer and posterior draw; return each chunk's summary, in order, and the totals.

    The same seed gives the same numbers for any number of workers, and the same purchases whatever the spend model.

    Parameters
    ----------
    customers
        frequency, recency, T (weeks), monetary_value: one row per customer, their order is part of the seed.
    """
    n = len(customers)
    groups = groups or Groups(np.zeros((n, 1), np.int64), 1)
    calendar = calendar or Calendar(np.array([0.0, np.inf]), np.zeros(n, np.int64), 1, np.zeros(n, bool))
    history = np.ascontiguousarray(customers[["frequency", "recency", "T", "monetary_value"]].to_numpy(float))
    parameters = np.column_stack([getattr(draws, name) for name in Draws.__dataclass_fields__])
    future = np.array([horizon.weeks, horizon.discount_weekly, horizon.gross_margin])
    starts = range(0, max(n, 1), CHUNK_CUSTOMERS)  # nobody is one empty chunk
    seeds = np.random.SeedSequence(seed).spawn(len(starts))

    def chunk(start: int, chunk_seed: np.random.SeedSequence) -> tuple[Any, Totals]:
        rows = slice(start, min(start + CHUNK_CUSTOMERS, n))
        purchases, value, totals = _empty_results(rows.stop - rows.start, len(draws), groups.count, calendar)
        _simulate_chunk(  # type: ignore[call-arg]
            *(np.random.Generator(np.random.PCG64(seed)) for seed in chunk_seed.spawn(2)),
            history[rows],
            parameters,
            future,
            groups.codes[rows],
            calendar.edges,
            calendar.cohorts[rows],
            calendar.seen[rows],
            purchases,
            value,
            totals.purchases,
            totals.value,
            totals.active,
            totals.revenue,
            totals.period_purchases,
        )
        return summarise(rows, purchases, value), totals

    summaries, total = [], None
    for summary, totals in _in_order(chunk, list(zip(starts, seeds, strict=True)), workers):
        summaries.append(summary)
        total = totals if total is None else total.plus(totals)
    assert total is not None
    return summaries, total


def _empty_results(n: int, draws: int, groups: int, calendar: Calendar) -> tuple[Integers, Floats, Totals]:
    by_group, by_period = (draws, groups), (draws, calendar.count, calendar.edges.size - 1)
    totals = Totals(
        np.zeros(by_group), np.zeros(by_group), np.zeros(by_period), np.zeros(by_period), np.zeros(by_period)
    )
    return np.zeros((n, draws), np.int64), np.zeros((n, draws)), totals


def _in_order(task: Callable[..., Any], arguments: list[tuple[Any, ...]], workers: int) -> Iterator[Any]:
    """Yield task(*arguments) in order with `workers` threads, at most two results per thread waiting."""
    if workers == 1:
        yield from (task(*given) for given in arguments)
        return
    with ThreadPoolExecutor(workers) as pool:
        todo = iter(arguments)
        running = [pool.submit(task, *given) for given in islice(todo, 2 * workers)]
        while running:
            yield running.pop(0).result()
            running += [pool.submit(task, *given) for given in islice(todo, 1)]


@njit(nogil=True, cache=True)
def _simulate_chunk(  # type: ignore[no-untyped-def]
    rng, spend_rng, history, parameters, future, codes, edges, cohorts, seen,
    purchases, value, group_purchases, group_value, active, revenue, period_purchases,
):  # fmt: skip
    """Fill the result arrays for one chunk; arguments as in `simulate`, all arrays."""
    weeks, discount, margin = future
    for i in range(history.shape[0]):
        x, t_x, T, z_mean = history[i]
        for d in range(parameters.shape[0]):
            r, alpha, a, b, p, q, v = parameters[d]
            if x > 0:
                odds_left = a / (b + x - 1) * ((alpha + T) / (alpha + t_x)) ** (r + x)
                if rng.random() * (1 + odds_left) >= 1:
                    continue
            rate = rng.standard_gamma(r + x) / (alpha + T)
            time = rng.standard_exponential() / rate if rate > 0 else np.inf
            if time > weeks:
                continue
            leave = rng.beta(a, b + x)
            nu = spend_rng.standard_gamma(p * x + q) / (v + x * z_mean)
            period, last_active = 0, 0 if seen[i] else -1
            count, worth = 0, 0.0
            while time <= weeks:
                amount = spend_rng.standard_gamma(p) / nu
                count += 1
                worth += amount * np.exp(-discount * time)
                while period + 2 < edges.size and time > edges[period + 1]:
                    period += 1
                revenue[d, cohorts[i], period] += amount
                period_purchases[d, cohorts[i], period] += 1
                if period > last_active:
                    active[d, cohorts[i], period] += 1
                    last_active = period
                if rng.random() < leave:
                    break
                time += rng.standard_exponential() / rate
            purchases[i, d], value[i, d] = count, margin * worth
            for g in range(codes.shape[1]):
                group_purchases[d, codes[i, g]] += count
                group_value[d, codes[i, g]] += margin * worth
