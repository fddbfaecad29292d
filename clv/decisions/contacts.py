"""Whom a campaign should contact, how many, what that brings, and what rules without a model would bring instead.

The expected gain of every customer (`uplift`) is averaged over the posterior and over what is believed about the
effect. All contacts cost the same, so the plan that earns most on average contacts the customers with the largest
gains, as long as a gain exceeds the cost and the budget lasts. The profit that will be realised, with luck, is
simulated: one effect per posterior draw for all customers. Where the model was wrong before, the gain of a draw is
multiplied by the draw's misfit factor (`backtest.misfit`): customers worth less than thought gain less as well. Means
are never moved by it. What better knowledge would add is told by `information`.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from clv import tables
from clv.decisions import uplift
from clv.decisions.information import Campaign, Gains, best, break_even, expected_gains, value_of_information
from clv.decisions.tables import CONTACTS, DECISIONS, LOWEST_P_ALIVE, RANDOM, TOP_SPENDERS
from clv.forecast.horizon import Groups, Horizon
from clv.forecast.tables import limits
from clv.models.draws import Draws, Floats, Integers
from clv.units import tails

CONTACT_STEPS = 40  # of table DECISIONS


@dataclass(frozen=True)
class Decision:
    """What is decided: tables CONTACTS and DECISIONS, empty without a campaign, and the key figures.

    `profit` holds the plan's realised profit in every joint draw, if the model is right.
    """

    contacts: pd.DataFrame
    curve: pd.DataFrame
    profit: Floats
    figures: dict[str, Any] | None


def campaign(
    *, cost_per_contact: float | None, budget: float | None, effect: str | None, **believed: Any
) -> Campaign | None:
    """Return the campaign of a run's settings, `believed`: effect_mean, effect_sd, response_share; None without one."""
    if cost_per_contact is None or effect is None:
        return None
    belief = (believed[name] for name in ("effect_mean", "effect_sd", "response_share"))
    return Campaign(uplift.Effect(effect, *belief), cost_per_contact, budget)


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

    `customers` has customer_id, frequency, recency, T, monetary_value, revenue, p_alive, clv_mean, rfm_segment;
    `factors` are from `misfit.one_per_draw`, empty without a backtest.
    """
    if given is None:
        return Decision(tables.empty(CONTACTS), tables.empty(DECISIONS), profit=np.empty(0), figures=None)
    gains = expected_gains(customers, draws, horizon, given.effect, workers=workers)
    expected = gains.believed()
    order = np.argsort(-expected, kind="stable")
    most = given.affordable(len(customers))
    chosen = order[: best(expected, given.cost_per_contact, most)[1]]
    rules = naive_rules(customers, len(chosen), seed)

    steps = np.linspace(0, len(customers), CONTACT_STEPS + 1).round().astype(int)
    ends = np.unique([*steps, len(chosen), len(chosen) // 2])
    groups = _groups(order, ends, rules)
    effects, options = given.effect.draws(len(draws), seed), {"seed": seed, "workers": workers}
    realised = uplift.realised_gains(customers, draws, horizon, given.effect, effects, groups, **options)
    drawn = np.column_stack([np.zeros(len(draws)), realised[:, : len(ends) - 1].cumsum(axis=1)])
    curve = _curve(ends, expected[order], drawn, given.cost_per_contact, factors.get("value"), interval)
    own = drawn[:, np.searchsorted(ends, len(chosen))]
    # How much less a rule with as many contacts earns, and in how many futures it earns less or the same.
    against = {
        name: {
            "regret": float(expected[chosen].sum() - expected[members].sum()),
            "beaten": float((own >= realised[:, len(ends) + 2 * place]).mean()),
        }
        for place, (name, members) in enumerate(rules.items())
    }
    contacts = _contacts(customers, expected, chosen, given.cost_per_contact)
    return Decision(
        contacts,
        tables.check(DECISIONS, curve),
        own - given.cost_per_contact * len(chosen),
        _figures(given, gains, expected, chosen, curve, most, interval)
        | {"rules": against, "segments": by_segment(contacts, customers)},
    )


def naive_rules(customers: pd.DataFrame, contacts: int, seed: int) -> dict[str, Integers]:
    """Return whom rules without a model would contact, as many as the plan does: positions of customers."""
    orders = {
        TOP_SPENDERS: np.argsort(-customers["revenue"].to_numpy(), kind="stable"),
        LOWEST_P_ALIVE: np.argsort(customers["p_alive"].to_numpy(), kind="stable"),
        RANDOM: np.random.default_rng([seed, 4]).permutation(len(customers)),
    }
    return {name: order[:contacts] for name, order in orders.items()}


def by_segment(contacts: pd.DataFrame, customers: pd.DataFrame) -> list[dict[str, Any]]:
    """Return how many of each segment are contacted and what that is expected to bring, the largest net gain first.

    `contacts` is table CONTACTS; `customers` has customer_id and rfm_segment.
    """
    named = contacts.assign(segment=contacts["customer_id"].map(customers.set_index("customer_id")["rfm_segment"]))
    counted = ["contacts", "expected_gain", "expected_net_gain"]
    found = named.assign(contacts=1).groupby("segment", as_index=False)[counted].sum()
    return found.sort_values("expected_net_gain", ascending=False).to_dict("records")


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
        lower, upper = np.quantile(profit, tails(interval), axis=0)
        columns |= {f"profit_lower{suffix}": lower, f"profit_upper{suffix}": upper}
        columns[f"loss_probability{suffix}"] = np.where(np.isnan(profit[0]), np.nan, (profit < 0).mean(axis=0))
    return pd.DataFrame(columns)[list(DECISIONS.columns)]


def _figures(
    given: Campaign, gains: Gains, expected: Floats, chosen: Integers, curve: pd.DataFrame, most: int, interval: float
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
        "profit": {"mean": float(row["expected_profit"]), **limits(row, "profit")}
        | {"with_misfit": limits(row, "profit", "_with_misfit") if tested else None},
        "loss_probability": float(row["loss_probability"]),
        "loss_probability_with_misfit": float(row["loss_probability_with_misfit"]) if tested else None,
        "value_of_information": value_of_information(gains, chosen, given, most),
        "break_even_effect": break_even(gains, chosen, given) if len(chosen) else None,
    }


def _contacts(customers: pd.DataFrame, expected: Floats, chosen: Integers, cost: float) -> pd.DataFrame:
    gains = {"expected_gain": expected[chosen], "expected_net_gain": expected[chosen] - cost}
    rows = customers.iloc[chosen].assign(place=np.arange(1, len(chosen) + 1), **gains)
    return tables.check(CONTACTS, rows[list(CONTACTS.columns)].reset_index(drop=True))
