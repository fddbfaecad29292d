"""Whom a campaign should contact, what that brings, and what better knowledge of its effect would be worth.

The expected gain of every customer (clv.uplift) is averaged over the posterior and over what is believed about the
effect. All contacts cost the same, so the plan that earns most on average contacts the customers with the largest
gains, as long as a gain exceeds the cost and the budget lasts. With P(e) the expected profit of that plan if the effect
is e, and B(e) that of the best plan for e,

    value of perfect information about the effect = E[B(e)] - E[P(e)],

never negative, 0 where the effect is known, and the same number as the plan's expected regret against somebody who
knows the effect. Somebody who knows every customer as well can earn more still: `perfect_profit` is the limit to that.
The profit that will be realised, with luck, is simulated: one effect per posterior draw for all customers. Where the
model was wrong before, the gain of a draw is multiplied by the draw's misfit factor (clv.misfit): customers worth less
than thought gain less as well. Means are never moved by it.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.polynomial import chebyshev

from clv import tables, uplift
from clv.predict import Draws, Floats, Groups, Horizon, Integers, blocks, in_order
from clv.uplift import RATE, Effect
from clv.value import tails

# Gains are computed at so many effects and interpolated between them: right to 5e-4 of the largest gain where 1 + e
# runs from .5 to 3, to 2e-6 from 1 to 1.6; to 5e-4 where up to half of the leavings are undone.
NODES = 5
BELIEFS = 200  # effects that stand for what is believed of it
EFFECT_STEPS, CONTACT_STEPS = 40, 40  # of the two curves
_TRUTHS, _BLOCK_CUSTOMERS = 50, 2048  # truths that perfect knowledge is averaged over
MOST_UNDONE = 0.95  # up to where a share of leavings is drawn
TOP_SPENDERS, LOWEST_P_ALIVE, RANDOM = "top_past_spenders", "lowest_p_alive", "random"


@dataclass(frozen=True)
class Campaign:
    """What may be done: the effect of a contact, its cost, and the most that may be spent (None: no limit)."""

    effect: Effect
    cost_per_contact: float
    budget: float | None = None

    def affordable(self, customers: int) -> int:
        """Return how many of the customers the budget can pay for."""
        if self.budget is None:
            return customers
        # 30 contacts at .1 cost 3, whatever the computer makes of 3 / .1.
        return min(customers, int(self.budget / self.cost_per_contact * (1 + 1e-12)))


@dataclass(frozen=True)
class Decision:
    """What is decided: tables CONTACTS, DECISIONS and EFFECTS, empty without a campaign, and the key figures.

    `profit` holds the plan's realised profit in every joint draw, if the model is right.
    """

    contacts: pd.DataFrame
    curve: pd.DataFrame
    effects: pd.DataFrame
    profit: Floats
    figures: dict[str, Any] | None


def campaign(
    *,
    cost_per_contact: float | None,
    budget: float | None,
    effect: str | None,
    effect_mean: float | None,
    effect_sd: float | None,
    response_share: float | None,
) -> Campaign | None:
    """Return the campaign of a run's settings; None where they have none."""
    if cost_per_contact is None or effect is None or effect_mean is None or effect_sd is None or response_share is None:
        return None
    return Campaign(Effect(effect, effect_mean, effect_sd, response_share), cost_per_contact, budget)


def decide(
    customers: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    given: Campaign | None,
    factors: dict[str, Floats],
    *,
    interval: float,
    seed: int,
    workers: int,
) -> Decision:
    """Return whom to contact and what that brings.

    Parameters
    ----------
    customers
        customer_id, frequency, recency, T, monetary_value, revenue, p_alive, clv_mean.
    factors
        From `misfit.factors`, one per draw; empty without a backtest.
    """
    if given is None:
        contacts, curve, effects = (
            tables.empty(table) for table in (tables.CONTACTS, tables.DECISIONS, tables.EFFECTS)
        )
        return Decision(contacts, curve, effects, profit=np.empty(0), figures=None)
    gains = expected_gains(customers, draws, horizon, given.effect, workers=workers)
    expected = gains.believed()
    order = np.argsort(-expected, kind="stable")
    most = given.affordable(len(customers))
    chosen = order[: best(expected, given.cost_per_contact, most)[1]]
    rules = naive_rules(customers, len(chosen), seed)

    steps = np.linspace(0, len(customers), CONTACT_STEPS + 1).round().astype(int)
    ends = np.unique([*steps, len(chosen)])
    groups = _groups(order, ends, rules)
    drawn_effects = given.effect.draws(len(draws), seed)
    realised = uplift.realised_gains(
        customers, draws, horizon, given.effect, drawn_effects, groups, seed=seed, workers=workers
    )
    drawn = np.column_stack([np.zeros(len(draws)), realised[:, : len(ends) - 1].cumsum(axis=1)])
    curve = _curve(ends, expected[order], drawn, given.cost_per_contact, factors.get("value"), interval)
    own = drawn[:, np.searchsorted(ends, len(chosen))]
    against = {
        name: _against(expected, chosen, members, own, realised[:, len(ends) + 2 * place])
        for place, (name, members) in enumerate(rules.items())
    }
    return Decision(
        _contacts(customers, expected, chosen, given.cost_per_contact),
        tables.check(tables.DECISIONS, curve),
        effect_curve(gains, chosen, given, most),
        own - given.cost_per_contact * len(chosen),
        _figures(given, gains, expected, chosen, curve, most, interval)
        | {
            "rules": against,
            "perfect_profit": perfect_profit(customers, draws, horizon, given, seed=seed, workers=workers),
        },
    )


# --- gains as a function of the effect ---


@dataclass(frozen=True)
class Gains:
    """Every customer's expected gain for any effect between `low` and `high`; `at_nodes` is (customers, NODES)."""

    effect: Effect
    at_nodes: Floats
    low: float
    high: float

    def weights(self, effects: Floats) -> Floats:
        """Return (NODES, effects): `at_nodes` times these are the gains at the effects."""
        inside = 2 * (np.asarray(effects) - self.low) / (self.high - self.low) - 1
        at_nodes, at_effects = (
            chebyshev.chebvander(places, NODES - 1).T for places in (chebyshev.chebpts1(NODES), inside)
        )
        return np.asarray(np.linalg.solve(at_nodes, at_effects), dtype=float)

    def believed(self) -> Floats:
        """Return every customer's gain averaged over the belief about the effect."""
        gains: Floats = self.at_nodes @ self.weights(self.effect.points(BELIEFS)).mean(axis=1)
        return gains


def expected_gains(
    customers: pd.DataFrame, draws: Draws, horizon: Horizon, effect: Effect, *, workers: int = 1
) -> Gains:
    """Return the expected gains of all customers, from no effect to twice the expected one and as far as believed."""
    points = effect.points(BELIEFS)
    twice = 2 * effect.mean if effect.kind == RATE else min(2 * effect.mean, MOST_UNDONE)
    low, high = min(0.0, points[0]), max(twice, points[-1], 0.01)
    nodes = low + (high - low) * (chebyshev.chebpts1(NODES) + 1) / 2
    return Gains(effect, uplift.expected_gains(customers, draws, horizon, effect, nodes, workers=workers), low, high)


# --- the plan, and what it is compared with ---


def best(gains: Floats, cost: float, most: int) -> tuple[float, int]:
    """Return the profit of the best plan of at most `most` contacts, and how many it contacts."""
    net = gains[gains > cost] - cost
    if net.size > most:
        net = np.partition(net, net.size - most - 1)[net.size - most :]
    return float(net.sum()), net.size


def naive_rules(customers: pd.DataFrame, contacts: int, seed: int) -> dict[str, Integers]:
    """Return whom rules without a model would contact, as many as the plan does: positions of customers."""
    lot = np.random.default_rng([seed, 4]).permutation(len(customers))
    orders = {
        TOP_SPENDERS: np.argsort(-customers["revenue"].to_numpy(), kind="stable"),
        LOWEST_P_ALIVE: np.argsort(customers["p_alive"].to_numpy(), kind="stable"),
        RANDOM: lot,
    }
    return {name: order[:contacts] for name, order in orders.items()}


def effect_curve(gains: Gains, chosen: Integers, given: Campaign, most: int) -> pd.DataFrame:
    """Return table EFFECTS: the plan's expected profit at each effect, and that of the best plan for it."""
    effects = np.linspace(gains.low, gains.high, EFFECT_STEPS + 1)
    rows = [best(gains.at_nodes @ weights, given.cost_per_contact, most) for weights in gains.weights(effects).T]
    found = pd.DataFrame(rows, columns=["best_profit", "best_contacts"])
    profit = _profit_at(gains, chosen, given, effects)
    found = found.assign(effect=effects, profit=profit)[list(tables.EFFECTS.columns)]
    return tables.check(tables.EFFECTS, found)


def value_of_information(gains: Gains, chosen: Integers, given: Campaign, most: int) -> float:
    """Return what knowing the effect before deciding would add to the expected profit."""
    if gains.effect.sd == 0:
        return 0.0
    points = gains.effect.points(BELIEFS)
    informed = [best(gains.at_nodes @ weights, given.cost_per_contact, most)[0] for weights in gains.weights(points).T]
    return max(float(np.mean(informed) - _profit_at(gains, chosen, given, points).mean()), 0.0)


def perfect_profit(
    customers: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    given: Campaign,
    *,
    seed: int,
    workers: int = 1,
) -> float:
    """Return the most that somebody can expect to earn who knows every customer and the effect, but no luck.

    Averaged over truths drawn from the posterior. Under a budget of n contacts the best profit of a truth is at most
    sum(max(gain - cost - price, 0)) + n price at any price of a place among them; the least of several prices is taken.
    """
    thinned, most = draws.thinned(_TRUTHS), given.affordable(len(customers))
    effects = given.effect.draws(len(thinned), seed)
    prices = given.cost_per_contact * np.array([0.0, *1.3 ** np.arange(-8, 20)])
    parts = list(blocks(0, len(customers), _BLOCK_CUSTOMERS))
    generators = np.random.default_rng([seed, 9]).spawn(len(parts))

    def beyond(rows: slice, generator: np.random.Generator) -> Floats:
        gains = uplift.latent_gains(customers.iloc[rows], thinned, horizon, given.effect, effects, generator)
        net = gains - given.cost_per_contact
        return np.array([np.maximum(net - price, 0).sum() for price in prices]) / len(thinned)

    found = in_order(beyond, list(zip(parts, generators, strict=True)), workers)
    return float(np.min(sum(found) + most * prices))


def break_even(gains: Gains, chosen: Integers, given: Campaign) -> float:
    """Return the effect from which on a plan that is expected to earn something earns its cost."""
    effects = np.linspace(gains.low, gains.high, 1001)
    return float(effects[(_profit_at(gains, chosen, given, effects) > 0).argmax()])


def _profit_at(gains: Gains, chosen: Integers, given: Campaign, effects: Floats) -> Floats:
    """Return the expected profit of contacting the chosen at each effect."""
    return gains.at_nodes[chosen].sum(axis=0) @ gains.weights(effects) - given.cost_per_contact * len(chosen)


# --- tables and figures ---


def _groups(order: Integers, ends: Integers, rules: dict[str, Integers]) -> Groups:
    """Return groups for the simulation: steps down the ranking, then for each rule its own and the others."""
    codes = np.empty((len(order), 1 + len(rules)), np.int16)
    codes[order, 0] = np.searchsorted(ends[1:], np.arange(len(order)), side="right")
    for place, members in enumerate(rules.values()):
        codes[:, 1 + place] = len(ends) + 2 * place + 1
        codes[members, 1 + place] -= 1
    return Groups(codes, len(ends) + 2 * len(rules))


def _curve(
    ends: Integers, ranked: Floats, drawn: Floats, cost: float, factors: Floats | None, interval: float
) -> pd.DataFrame:
    """Return table DECISIONS; `ranked` are expected gains in order, `drawn` (draws, ends) realised gains up to each."""
    expected = np.concatenate([[0.0], ranked.cumsum()])[ends]
    columns: dict[str, Any] = {
        "contacts": ends,
        "cost": cost * ends,
        "expected_gain": expected,
        "expected_profit": expected - cost * ends,
    }
    for suffix, factor in (("", 1.0), ("_with_misfit", np.nan if factors is None else factors[:, None])):
        profit = drawn * factor - cost * ends
        columns[f"profit_lower{suffix}"], columns[f"profit_upper{suffix}"] = np.quantile(
            profit, tails(interval), axis=0
        )
        columns[f"loss_probability{suffix}"] = np.where(np.isnan(profit[0]), np.nan, (profit < 0).mean(axis=0))
    return pd.DataFrame(columns)[list(tables.DECISIONS.columns)]


def _against(expected: Floats, chosen: Integers, members: Integers, own: Floats, other: Floats) -> dict[str, float]:
    """Return how much less a rule with as many contacts earns, and in how many futures it earns less or the same."""
    return {
        "regret": float(expected[chosen].sum() - expected[members].sum()),
        "beaten": float((own >= other).mean()),
    }


def _figures(
    given: Campaign,
    gains: Gains,
    expected: Floats,
    chosen: Integers,
    curve: pd.DataFrame,
    most: int,
    interval: float,
) -> dict[str, Any]:
    row = curve.set_index("contacts").loc[len(chosen)]
    lower, upper = given.effect.quantiles(np.array(tails(interval)))
    tested = bool(row.notna()["profit_lower_with_misfit"])
    return {
        "effect": given.effect.kind,
        "effect_mean": given.effect.mean,
        "effect_sd": given.effect.sd,
        "effect_lower": float(lower),
        "effect_upper": float(upper),
        "response_share": given.effect.response_share,
        "cost_per_contact": given.cost_per_contact,
        "budget": given.budget,
        "contacts": len(chosen),
        "worthwhile": int((expected > given.cost_per_contact).sum()),
        "highest_gain": float(expected.max()),
        "cost": float(row["cost"]),
        "expected_gain": float(row["expected_gain"]),
        "profit": {
            "mean": float(row["expected_profit"]),
            "lower": float(row["profit_lower"]),
            "upper": float(row["profit_upper"]),
            "with_misfit": {end: float(row[f"profit_{end}_with_misfit"]) for end in ("lower", "upper")}
            if tested
            else None,
        },
        "loss_probability": float(row["loss_probability"]),
        "loss_probability_with_misfit": float(row["loss_probability_with_misfit"]) if tested else None,
        "value_of_information": value_of_information(gains, chosen, given, most),
        "break_even_effect": break_even(gains, chosen, given) if len(chosen) else None,
    }


def _contacts(customers: pd.DataFrame, expected: Floats, chosen: Integers, cost: float) -> pd.DataFrame:
    """Return table CONTACTS."""
    rows = customers.iloc[chosen]
    columns = {
        "place": np.arange(1, len(chosen) + 1),
        "expected_gain": expected[chosen],
        "expected_net_gain": expected[chosen] - cost,
    }
    found = rows[["customer_id", "p_alive", "clv_mean"]].assign(**columns).reset_index(drop=True)
    return tables.check(tables.CONTACTS, found[list(tables.CONTACTS.columns)])
