"""Simulation of every customer's future from posterior draws, in chunks of customers; knows no purchase model.

When customers buy is the model's (base.PurchaseModel.futures). Amounts ~ Gamma(p, rate nu) with one nu per customer
and draw, from what its history tells (gamma_gamma.state); a share of the purchases may cost nothing. Value is gross
margin times the sum of amounts discounted by exp(-delta t). So parameter, individual and process uncertainty are all
in every draw.

Nothing of size customers x draws is ever held: a chunk is simulated in blocks, each summarised where it is simulated.
"""

from collections.abc import Iterable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numba import njit

from clv.forecast.blocks import BLOCK_BYTES, blocks, in_runs, seeded, simulated_at_once
from clv.forecast.horizon import Calendar, Groups, Horizon, Keep, Totals
from clv.models.base import Floats, Integers
from clv.models.draws import Draws
from clv.models.gamma_gamma import Amounts, draw_amount, draw_nu


def simulate(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, *, seed: int, keep: Keep | None = None, workers: int = 1,
    groups: Groups | None = None, calendar: Calendar | None = None, block_bytes: int = BLOCK_BYTES,
    stage: str = "simulating futures",
) -> Totals:  # fmt: skip
    """Simulate one future per customer and posterior draw, let `keep` have its part of them, and return the totals.

    The same seed gives the same numbers for any number of workers and any size of the blocks, and the same purchases
    whatever the spend model.

    `customers`: the model's `history` and SPEND_COLUMNS: one row per customer, their order is part of the seed.
    `block_bytes`: memory per worker for the futures of one block. `stage`: what the terminal calls it.
    """
    n = len(customers)
    groups = groups or Groups(np.zeros((n, 1), np.int64), 1)
    calendar = calendar or Calendar(np.array([0.0, np.inf]), np.zeros(n, np.int64), 1, np.zeros(n, bool))
    cohorts = np.ascontiguousarray(np.atleast_2d(calendar.cohorts.T).T)
    counts = (groups.count, calendar.count)

    def told(part: tuple[slice, np.random.SeedSequence]) -> tuple[Any, ...]:
        rows, own_seed = part
        known, own = customers.iloc[rows], None if keep is None or keep.own is None else keep.own[rows]
        history, amounts = known[draws.model.history].to_numpy(float), np.column_stack(Amounts.of(known))
        return own_seed, history, amounts, groups.codes[rows], cohorts[rows], calendar.seen[rows], own

    chunk = partial(_chunk, draws, horizon, calendar.edges, counts, keep and keep.of, block_bytes)
    total = _no_totals(len(draws), calendar.edges, *counts)
    for run, (totals, found) in in_runs(stage, chunk, _added, seeded(n, seed), told, workers):
        total = total.plus(totals)
        for (rows, _), kept in zip(run, found, strict=True):
            if keep:
                keep.put(rows, kept)
    return total.by_draw()


def _added(chunks: Iterable[tuple[Totals, Any]]) -> tuple[Totals, list[Any]]:
    total, kept = next(iter(chunks))
    found = [kept]
    for totals, kept in chunks:
        total = total.plus(totals)
        found.append(kept)
    return total, found


def _chunk(
    draws: Draws, horizon: Horizon, edges: Floats, counts: tuple[int, int], keep: Any, block_bytes: int,
    seed: np.random.SeedSequence, history: Floats, amounts: Floats, codes: Integers, cohorts: Integers, seen: Any,
    own: Any,
) -> tuple[Totals, Any]:  # fmt: skip
    """Return the totals of a chunk of customers, and what is kept of each."""
    rng, spend_rng = (np.random.Generator(np.random.PCG64(part)) for part in seed.spawn(2))
    totals, kept = _no_totals(len(draws), edges, *counts), []
    for rows in blocks(0, len(history), simulated_at_once(len(draws), block_bytes)):
        value = np.zeros((rows.stop - rows.start, len(draws)))
        purchases, times = draws.model.futures(rng, history[rows], draws.theta, np.full(len(value), horizon.weeks))
        _pay(  # type: ignore[call-arg]
            spend_rng,
            amounts[rows],
            draws.phi,
            draws.pays,
            np.array([horizon.discount_weekly, horizon.gross_margin]),
            times,
            codes[rows],
            edges,
            cohorts[rows],
            seen[rows],
            purchases,
            value,
            *(getattr(totals, name) for name in Totals.__dataclass_fields__),
        )
        if keep:
            kept.append(keep(None if own is None else own[rows], purchases, value))
    return totals, np.concatenate(kept) if keep else None


def _no_totals(draws: int, edges: Floats, groups: int, cohorts: int) -> Totals:
    """Return zeros, draws second: what one customer adds to lies together, and so do the periods of a draw."""
    by_group, by_period = (groups, draws), (cohorts, draws, edges.size - 1)
    return Totals(*(np.zeros(shape) for shape in (by_group, by_group, by_period, by_period, by_period)))


@njit(nogil=True, cache=True, error_model="numpy")
def _pay(  # type: ignore[no-untyped-def]
    rng, amounts, phi, pays, future, times, codes, edges, cohorts, seen,
    purchases, value, group_purchases, group_value, active, revenue, period_purchases,
):  # fmt: skip
    """Fill `value` and add to the totals what the purchases of one block cost; arguments as in `simulate`.

    amounts (customers, 3): what customers paid so far. times: of the purchases, as PurchaseModel.futures. In totals the
    draws come second. Numbers are read, no rows: compiled code counts who holds a row, which costs more than a number.
    """
    discount, margin = future
    n = 0
    for i in range(purchases.shape[0]):
        paid, total, first = amounts[i]
        for d in range(purchases.shape[1]):
            count = purchases[i, d]
            if count == 0:
                continue
            nu, amount, worth, period, last_active = 0.0, 0.0, 0.0, 0, 0 if seen[i] else -1
            p, q, v, p_first, first_ratio, share = phi[d, 0], phi[d, 1], phi[d, 2], phi[d, 3], phi[d, 4], phi[d, 5]
            if pays:
                nu = draw_nu(rng, paid, total, first, p, q, v, p_first, first_ratio)
            for k in range(n, n + count):
                if pays:
                    amount = draw_amount(rng, nu, p, share)
                    worth += amount * np.exp(-discount * times[k])
                while period + 2 < edges.size and times[k] > edges[period + 1]:
                    period += 1
                for g in range(cohorts.shape[1]):
                    c = cohorts[i, g]
                    revenue[c, d, period] += amount
                    period_purchases[c, d, period] += 1
                    active[c, d, period] += period > last_active
                last_active = max(last_active, period)
            n += count
            value[i, d] = margin * worth
            for g in range(codes.shape[1]):
                group_purchases[codes[i, g], d] += count
                group_value[codes[i, g], d] += margin * worth
