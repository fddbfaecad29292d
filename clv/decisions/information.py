"""What a campaign's plan earns at any effect, and what better knowledge of the effect or the customers would add.

With P(e) the expected profit of a plan if the effect is e, and B(e) that of the best plan for e,

    value of perfect information about the effect = E[B(e)] - E[P(e)],

never negative, 0 where the effect is known, and the same number as the plan's expected regret against somebody who
knows the effect.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev

from clv.decisions import uplift
from clv.decisions.tables import RATE
from clv.forecast.horizon import Horizon
from clv.models.draws import Draws, Floats, Integers

# Gains are computed at so many effects, Chebyshev's in ln(1 + e), and interpolated between them: the believed gain is
# right to 1e-6 where e is .2 or .3 ± .1, to 1e-4 where it is .2 ± 1, to .3 % where it is .2 ± 5.
NODES = 7
BELIEFS = 200  # effects that stand for what is believed of it
MOST_UNDONE = 0.95  # up to where a share of leavings is drawn


@dataclass(frozen=True)
class Campaign:
    """What may be done: the effect of a contact, its cost, and the most that may be spent (None: no limit)."""

    effect: uplift.Effect
    cost_per_contact: float
    budget: float | None = None

    def affordable(self, customers: int) -> int:
        """Return how many of the customers the budget can pay for."""
        if self.budget is None:
            return customers
        # 30 contacts at .1 cost 3, whatever the computer makes of 3 / .1.
        return min(customers, int(self.budget / self.cost_per_contact * (1 + 1e-12)))


@dataclass(frozen=True)
class Gains:
    """Every customer's expected gain for any effect between `low` and `high`; `at_nodes` is (customers, NODES)."""

    effect: uplift.Effect
    at_nodes: Floats
    low: float
    high: float

    def weights(self, effects: Floats) -> Floats:
        """Return (NODES, effects): `at_nodes` times these are the gains at the effects."""
        low, high = np.log1p(self.low), np.log1p(self.high)
        places = chebyshev.chebpts1(NODES), 2 * (np.log1p(effects) - low) / (high - low) - 1
        at_nodes, at_effects = (chebyshev.chebvander(place, NODES - 1).T for place in places)
        return np.asarray(np.linalg.solve(at_nodes, at_effects), dtype=float)

    def believed(self) -> Floats:
        """Return every customer's gain averaged over the belief about the effect."""
        gains: Floats = self.at_nodes @ self.weights(self.effect.points(BELIEFS)).mean(axis=1)
        return gains


def expected_gains(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, effect: uplift.Effect, *, workers: int = 1
) -> Gains:
    """Return the expected gains of all customers, from no effect to twice the expected one and as far as believed."""
    points = effect.points(BELIEFS)
    twice = 2 * effect.mean if effect.kind == RATE else min(2 * effect.mean, MOST_UNDONE)
    low, high = min(0.0, points[0]), max(twice, points[-1], 0.01)
    inside = (chebyshev.chebpts1(NODES) + 1) / 2
    nodes = np.expm1(np.log1p(low) + np.log1p((high - low) / (1 + low)) * inside)
    return Gains(effect, uplift.expected_gains(customers, draws, horizon, effect, nodes, workers=workers), low, high)


def best(gains: Floats, cost: float, most: int) -> tuple[float, int]:
    """Return the profit of the best plan of at most `most` contacts, and how many it contacts."""
    net = gains[gains > cost] - cost
    if net.size > most:
        net = np.partition(net, net.size - most - 1)[net.size - most :]
    return float(net.sum()), net.size


def value_of_information(gains: Gains, chosen: Integers, given: Campaign, most: int) -> float:
    """Return what knowing the effect before deciding would add to the expected profit."""
    if gains.effect.sd == 0:
        return 0.0
    points = gains.effect.points(BELIEFS)
    informed = [best(gains.at_nodes @ weights, given.cost_per_contact, most)[0] for weights in gains.weights(points).T]
    return max(float(np.mean(informed) - profit_at(gains, chosen, given, points).mean()), 0.0)


def break_even(gains: Gains, chosen: Integers, given: Campaign) -> float:
    """Return the effect from which on a plan that is expected to earn something earns its cost."""
    effects = np.linspace(gains.low, gains.high, 1001)
    return float(effects[(profit_at(gains, chosen, given, effects) > 0).argmax()])


def profit_at(gains: Gains, chosen: Integers, given: Campaign, effects: Floats) -> Floats:
    """Return the expected profit of contacting the chosen at each effect."""
    return gains.at_nodes[chosen].sum(axis=0) @ gains.weights(effects) - given.cost_per_contact * len(chosen)
