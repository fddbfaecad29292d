"""What contacting a customer brings: its expectation in closed form, and the exact simulation of the difference.

Symbols as in bgnbd: r' = r + x, alpha' = alpha + T, w = P(alive), m(s) the purchase rate at time s from now of a
customer alive now, h the horizon, delta the discount rate, I(h, delta) the integral of exp(-delta s) m(s) over (0, h).
A share rho of the contacted respond, whoever they are; on a responder the contact has an effect e until the horizon.

* "rate": purchases come f = 1 + e times as fast, each with the same chance of leaving. A life lived f times as fast has
  the rate f m(f s), so its purchases over h are those over f h, discounted at delta / f:
      gain = rho w [I(f h, delta / f) - I(h, delta)].
* "survival": of every leaving, that which may have happened and those to come, the share e does not happen. With
  k = 1 - e the leavings to come are thinned, so the rate is m(k s), and who has left is there again with probability e:
      gain = rho {w [I(k h, delta / k) / k - I(h, delta)] + (1 - w) e I_left(k h, delta / k) / k},
  I_left being I of a customer who left at t_x: lambda ~ Gamma(r', alpha + t_x), p ~ Beta(a + 1, b + x - 1).

Both times gross margin and the expected amount, which a contact does not change. Every leaving is a coin thrown at a
purchase, so both kinds are exact in the model. The simulation throws the same coins, draws the same amounts and the
same purchases on the customer's own clock with and without the contact: the two futures differ by the effect alone.
Only the mean of a difference could ever be observed; the spread of its luck rests on this pairing.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numba import njit
from scipy.special import betaincinv, ndtri

from clv import progress
from clv.forecast.blocks import BLOCK_CUSTOMERS, CHUNK_CUSTOMERS, blocks, in_order
from clv.forecast.closed_forms import distinct
from clv.forecast.future import Groups, Horizon
from clv.models import bgnbd, gamma_gamma
from clv.models.bgnbd import HISTORY
from clv.models.draws import Draws, Floats

RATE, SURVIVAL = "rate", "survival"
# Posterior draws behind an expected gain. The mean over 100 errs by a tenth of the posterior sd, and for all
# customers alike.
GAIN_DRAWS = 100


@dataclass(frozen=True)
class Effect:
    """What a contact does: its kind, and mean and sd of what is believed about e; `response_share` is rho.

    1 + e is log-normal for "rate", e is beta for "survival"; one e holds for all customers.
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

    Parameters
    ----------
    customers
        frequency, recency, T (weeks), monetary_value.
    at
        Effects, above -1 for "rate" and in [0, 1) for "survival"; the beliefs of `effect` are not used.
    """
    history = customers[[*HISTORY, "monetary_value"]]
    order = np.lexsort([history[name].to_numpy() for name in ("recency", "T", "frequency")])
    found, thinned = np.empty((len(customers), len(at))), draws.thinned(GAIN_DRAWS)

    def block(rows: slice) -> None:
        found[order[rows]] = _gain_block(history.iloc[order[rows]], thinned, horizon, effect.kind, at)

    parts = [(rows,) for rows in blocks(0, len(customers), BLOCK_CUSTOMERS)]
    with progress.stage("gains of a contact", of=len(parts)) as advance:
        for _ in in_order(block, parts, workers):
            advance()
    return effect.response_share * found


def _gain_block(customers: pd.DataFrame, draws: Draws, horizon: Horizon, kind: str, at: Floats) -> Floats:
    """Return the mean over draws of responders' gains, (customers, effects)."""
    purchase = [getattr(draws, name)[:, None] for name in ("r", "alpha", "a", "b")]
    spend = [getattr(draws, name)[:, None] for name in ("p", "q", "v")]
    history, which = distinct(customers, HISTORY)
    ages, of_age = distinct(customers, ["frequency", "T"])
    alive = bgnbd.probability_alive(*history, *purchase)[:, which]
    worth = horizon.gross_margin * gamma_gamma.expected_spend(
        customers["frequency"], customers["monetary_value"], *spend
    )
    usual = _discounted(horizon, 1.0, ages, purchase)
    weight = alive * worth / len(draws)
    if kind == RATE:
        return np.column_stack(
            [_weighted(weight, (_discounted(horizon, 1 + e, ages, purchase) - usual)[:, of_age]) for e in at]
        )
    # Of those without a repeat purchase nobody has left; any b keeps their integral finite, and its weight is 0.
    silences, of_silence = distinct(customers, ["frequency", "recency"])
    left = [purchase[0], purchase[1], purchase[2] + 1, purchase[3] - (silences[0] > 0)]
    gone = (1 - alive) * worth / len(draws)
    found = []
    for e in at:
        kept = _discounted(horizon, 1 - e, ages, purchase) / (1 - e) - usual
        again = e * _discounted(horizon, 1 - e, silences, left) / (1 - e)
        found.append(_weighted(weight, kept[:, of_age]) + _weighted(gone, again[:, of_silence]))
    return np.column_stack(found)


def _discounted(horizon: Horizon, speed: float, ages: list[Floats], purchase: list[Floats]) -> Floats:
    """Return I(speed h, delta / speed) of customers alive at the given (x, time since the first purchase)."""
    weeks, discount = speed * horizon.weeks, horizon.discount_weekly / speed
    return bgnbd.alive_integrals(weeks, *ages, *purchase, discount=discount)[1]


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

    Parameters
    ----------
    effects
        One effect for each posterior draw, shared by all customers in it.
    groups
        Their totals are kept per draw; nothing of size customers x draws is ever held.
    """
    n, starts = len(customers), range(0, max(len(customers), 1), CHUNK_CUSTOMERS)
    parameters = np.column_stack([getattr(draws, name) for name in Draws.__dataclass_fields__])
    speeds = 1 + effects if effect.kind == RATE else np.ones(len(draws))
    undone = effects if effect.kind == SURVIVAL else np.zeros(len(draws))
    settings = np.array([horizon.weeks, horizon.discount_weekly, horizon.gross_margin, effect.response_share])
    history = customers[[*HISTORY, "monetary_value"]]

    def chunk(start: int, chunk_seed: np.random.SeedSequence) -> Floats:
        rows, gains = slice(start, min(start + CHUNK_CUSTOMERS, n)), np.zeros((groups.count, len(draws)))
        generators = [np.random.Generator(np.random.PCG64(part)) for part in chunk_seed.spawn(2)]
        _add_gains(  # type: ignore[call-arg]
            *generators,
            history.iloc[rows].to_numpy(float),
            parameters,
            speeds,
            undone,
            settings,
            groups.codes[rows],
            gains,
        )
        return gains

    total = np.zeros((groups.count, len(draws)))
    seeds = np.random.SeedSequence([seed, 3]).spawn(len(starts))
    with progress.stage("simulating the campaign", of=len(starts)) as advance:
        for gains in in_order(chunk, list(zip(starts, seeds, strict=True)), workers):
            total += gains
            advance()
    return total.T


@njit(nogil=True, cache=True, error_model="numpy")
def _add_gains(rng, spend_rng, history, parameters, speeds, undone, settings, codes, gains):  # type: ignore[no-untyped-def]
    """Add to `gains` (groups, draws) each customer's value with the contact less that without, one future per draw."""
    weeks, discount, margin, response = settings
    for i in range(history.shape[0]):
        x, t_x, T, z_mean = history[i]
        for d in range(parameters.shape[0]):
            r, alpha, a, b, p, q, v = parameters[d]
            if rng.random() >= response:
                continue
            shape, rate, leave, stay, here = r + x, alpha + T, a, b + x, True
            if x > 0:
                odds_left = a / (b + x - 1) * np.exp(shape * np.log(rate / (alpha + t_x)))
                if rng.random() * (1 + odds_left) >= 1:
                    if rng.random() >= undone[d]:
                        continue
                    rate, leave, stay, here = alpha + t_x, a + 1, b + x - 1, False
            # On the customer's own clock, which the contact makes run `speed` times as fast.
            speed = speeds[d]
            reach = weeks * max(speed, 1.0)
            time = rate * np.expm1(rng.standard_exponential() / shape)
            if time > reach:
                continue
            purchase_rate = rng.standard_gamma(shape + 1) / (rate + time)
            nu = spend_rng.standard_gamma(p * x + q) / (v + x * z_mean)
            gain = 0.0
            while time <= reach:
                amount = spend_rng.standard_gamma(p) / nu
                if time <= speed * weeks:
                    gain += amount * np.exp(-discount * time / speed)
                if here and time <= weeks:
                    gain -= amount * np.exp(-discount * time)
                if rng.random() * (leave + stay) < leave:
                    leave, here = leave + 1, False
                    if rng.random() >= undone[d]:
                        break
                else:
                    stay += 1
                time += rng.standard_exponential() / purchase_rate
            for g in range(codes.shape[1]):
                gains[codes[i, g], d] += margin * gain
