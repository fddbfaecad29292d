"""What contacting a customer brings: its expectation in closed form, and the exact simulation of the difference.

w = P(alive); I(h, delta) are the purchases expected over the horizon h of a customer alive now, each counting
exp(-delta s), and I_left those of one who left and is there again (base.PurchaseModel.if_alive and if_back).
A share rho of the contacted respond, whoever they are; on a responder the contact has an effect e until the horizon.

* "rate": purchases come f = 1 + e times as fast, each with the same chance of leaving. With I_f of that speed:
      gain = rho w [I_f(h, delta) - I(h, delta)].
* "survival": of every leaving, that which may have happened and those to come, the share e does not happen. With I^k
  where of the leavings to come k = 1 - e are left, and who has left is there again with probability e:
      gain = rho {w [I^k(h, delta) - I(h, delta)] + (1 - w) e I^k_left(h, delta)}.
* "win_back": who has left returns with probability e, buys as fast as before and has a fresh chance of leaving:
      gain = rho (1 - w) e I_fresh(h, delta).

All times gross margin and the expected amount, which a contact does not change. The simulation takes two lives of one
luck from the model (base.PurchaseModel.contacted), so they differ by the effect alone, and draws the same amounts for
both. Only the mean of a difference could ever be observed; the spread of its luck rests on this pairing.
"""

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from scipy.special import betaincinv, ndtri

from clv.decisions.tables import RATE, SURVIVAL, WIN_BACK
from clv.forecast.blocks import BLOCK_CUSTOMERS, blocks, in_order, in_runs, seeded, simulated_at_once
from clv.forecast.closed_forms import distinct
from clv.forecast.horizon import Groups, Horizon
from clv.models.base import Floats, Integers
from clv.models.draws import Draws
from clv.models.gamma_gamma import SPEND_COLUMNS, Amounts, draw_amount, draw_nu, expected_per_visit

# Posterior draws behind an expected gain. The mean over 100 errs by a tenth of the posterior sd, and for all
# customers alike.
GAIN_DRAWS = 100


@dataclass(frozen=True)
class Effect:
    """What a contact does: its kind, and mean and sd of what is believed about e; `response_share` is rho.

    1 + e is log-normal for "rate", e is beta for the others, where it is a share; one e holds for all customers.
    """

    kind: str
    mean: float
    sd: float
    response_share: float = 1.0

    def quantiles(self, shares: Floats) -> Floats:
        """Return the effects that stand at these shares (0 to 1) of the belief."""
        if self.sd == 0:
            return np.full(np.shape(shares), self.mean)
        if self.kind == RATE:
            log_variance = np.log1p((self.sd / (1 + self.mean)) ** 2)
            return (1 + self.mean) * np.exp(np.sqrt(log_variance) * ndtri(shares) - log_variance / 2) - 1
        size = self.mean * (1 - self.mean) / self.sd**2 - 1
        return betaincinv(self.mean * size, (1 - self.mean) * size, shares)

    def points(self, n: int) -> Floats:
        """Return `n` effects that stand for the belief, rising, each for an equal share of it; one if it is certain."""
        n = n if self.sd else 1
        return self.quantiles((np.arange(n) + 0.5) / n)

    def draws(self, n: int, seed: int) -> Floats:
        """Return `n` effects in random order, one for each posterior draw."""
        points = self.quantiles((np.arange(n) + 0.5) / n)
        return np.random.default_rng([seed, 2]).permutation(points)


def expected_gains(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, effect: Effect, at: Floats, *, workers: int = 1
) -> Floats:
    """Return the posterior mean gain of contacting each customer if the effect is `at[k]`: (customers, effects).

    `customers`: frequency, recency, T (weeks), monetary_value. `at`: effects, above -1 for "rate" and in [0, 1) for the
    others; the beliefs of `effect` are not used.
    """
    history = customers[[*draws.model.history, *SPEND_COLUMNS[1:]]]
    order = np.lexsort([history[name].to_numpy() for name in ("recency", "T", "frequency")])
    found, parts = np.empty((len(customers), len(at))), [order[rows] for rows in blocks(0, len(order), BLOCK_CUSTOMERS)]
    block = partial(_gain_block, draws.thinned(GAIN_DRAWS), horizon, effect.kind, at)
    for part, gains in in_order("gains of a contact", block, parts, lambda part: (history.iloc[part],), workers):
        found[part] = gains
    return effect.response_share * found


def _gain_block(draws: Draws, horizon: Horizon, kind: str, at: Floats, customers: pd.DataFrame) -> Floats:
    """Return the mean over draws of responders' gains, (customers, effects)."""
    model, theta = draws.model, draws.theta
    history, which = distinct(customers, model.history)
    needed, of_needed = distinct(customers, model.if_alive_needs)
    alive = model.p_alive(history, theta)[:, which]
    worth = horizon.gross_margin * expected_per_visit(Amounts.of(customers), draws.phi)
    weeks, discount = horizon.weeks, horizon.discount_weekly
    usual = model.if_alive(weeks, needed, theta, discount=discount)[1]
    weight = alive * worth / len(draws)
    if kind == RATE:
        faster = [model.if_alive(weeks, needed, theta, discount=discount, speed=1 + e)[1] - usual for e in at]
        return np.column_stack([_weighted(weight, more[:, of_needed]) for more in faster])
    silences, of_silence = distinct(customers, model.if_back_needs)
    gone = (1 - alive) * worth / len(draws)
    if kind == WIN_BACK:
        fresh = model.if_back(weeks, silences, theta, discount=discount, fresh=True)[1]
        return np.outer(_weighted(gone, fresh[:, of_silence]), at)
    found = []
    for e in at:
        kept = model.if_alive(weeks, needed, theta, discount=discount, leaving=1 - e)[1] - usual
        again = e * model.if_back(weeks, silences, theta, discount=discount, leaving=1 - e)[1]
        found.append(_weighted(weight, kept[:, of_needed]) + _weighted(gone, again[:, of_silence]))
    return np.column_stack(found)


def _weighted(weight: Floats, values: Floats) -> Floats:
    return np.einsum("dc,dc->c", weight, values)


def realised_gains(
    customers: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    effect: Effect,
    effects: Floats,
    groups: Groups,
    *,
    seed: int,
    workers: int = 1,
) -> Floats:
    """Return what contacting everybody in each group would bring, per joint draw: (draws, groups), luck included.

    `effects`: one effect for each posterior draw, shared by all customers in it. `groups`: their totals are kept per
    draw; nothing of size customers x draws is ever held.
    """
    own = {kind: effects * (effect.kind == kind) for kind in (RATE, SURVIVAL, WIN_BACK)}
    effect_of_draw = np.column_stack([1 + own[RATE], own[SURVIVAL], own[WIN_BACK]])
    history, amounts = customers[draws.model.history].to_numpy(float), np.column_stack(Amounts.of(customers))

    def told(part: tuple[slice, np.random.SeedSequence]) -> tuple[Any, ...]:
        rows, own_seed = part
        return own_seed, history[rows], amounts[rows], groups.codes[rows]

    total = np.zeros((groups.count, len(draws)))
    chunk = partial(_gains_of_chunk, draws, horizon, effect.response_share, effect_of_draw, groups.count)
    for _, gains in in_runs("simulating the campaign", chunk, sum, seeded(len(customers), [seed, 3]), told, workers):
        total += gains
    return total.T


def _gains_of_chunk(
    draws: Draws, horizon: Horizon, share: float, effects: Floats, count: int,
    seed: np.random.SeedSequence, history: Floats, amounts: Floats, codes: Integers,
) -> Floats:  # fmt: skip
    gains, money = np.zeros((count, len(draws))), np.array([horizon.discount_weekly, horizon.gross_margin])
    rng, spend_rng = (np.random.Generator(np.random.PCG64(part)) for part in seed.spawn(2))
    for rows in blocks(0, len(history), simulated_at_once(len(draws))):
        lives = draws.model.contacted(rng, history[rows], draws.theta, horizon.weeks, share, effects)
        _add_gains(spend_rng, amounts[rows], draws.phi, money, codes[rows], *lives, gains)  # type: ignore[call-arg]
    return gains


@njit(nogil=True, cache=True, error_model="numpy")
def _add_gains(  # type: ignore[no-untyped-def]
    rng, amounts, phi, money, codes, counts, with_it, without, gains
):
    """Add to `gains` (groups, draws) each customer's value with the contact less that without, one future per draw."""
    discount, margin = money
    n = 0
    for i in range(counts.shape[0]):
        paid, total, first = amounts[i]
        for d in range(counts.shape[1]):
            count = counts[i, d]
            if count == 0:
                continue
            p, q, v, p_first, first_ratio, share = phi[d, 0], phi[d, 1], phi[d, 2], phi[d, 3], phi[d, 4], phi[d, 5]
            nu = draw_nu(rng, paid, total, first, p, q, v, p_first, first_ratio)
            gain = 0.0
            for k in range(n, n + count):
                amount = draw_amount(rng, nu, p, share)
                for time, sign in ((with_it[k], 1.0), (without[k], -1.0)):
                    if time < np.inf:
                        gain += sign * amount * np.exp(-discount * time)
            n += count
            for g in range(codes.shape[1]):
                gains[codes[i, g], d] += margin * gain
