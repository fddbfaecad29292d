"""Do campaigns earn what is forecast, and more than rules without a model? decisions.json, decisions.md, decisions.png.

    python tests/decisions.py [--datasets 200] [--seed 20260101] [--folder outputs/decisions]

Worlds are simulated whose truth is known: their parameters, every customer's rate, chance of leaving and amounts, and
the effect of a contact, drawn from what is believed of it. Each is fitted and decided upon as a run does it; then the
customers live their future event by event, with and without the contact, and what that brought is held against the
forecast and against as many contacts chosen without a model.
"""

import argparse
import json
import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path
from textwrap import fill
from typing import Any

import bench
import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import kstest

from clv import artefacts, bgnbd, decisions, gamma_gamma, predict, style, value
from clv.decisions import Campaign
from clv.uplift import RATE, SURVIVAL, Effect

Floats = NDArray[np.float64]
CUSTOMERS, DRAWS, INTERVAL, SEED, WORKERS = 4000, 500, 0.90, 20260101, 2
WEEKS_SEEN = 104.0
CHAINS, RUN_DRAWS, TUNE = 4, 500, 500
HORIZON = predict.yearly_horizon(52, discount_rate_annual=0.10, gross_margin=0.5)
# A shop like the default run's, its parameters uneven from world to world by about a fifth.
SHOP, UNEVEN = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 4.0, "p": 5.0, "q": 4.0, "v": 24.0}, 0.2
CAMPAIGNS = {
    "rate 0": Campaign(Effect(RATE, 0.0, 0.0, 0.5), 1.0),
    "rate 0 ± 0.1": Campaign(Effect(RATE, 0.0, 0.1, 0.5), 1.0),
    "rate 0.1 ± 0.05": Campaign(Effect(RATE, 0.1, 0.05, 0.5), 1.0),
    "rate 0.3 ± 0.1": Campaign(Effect(RATE, 0.3, 0.1, 0.5), 3.0),
    "rate 0.3 ± 0.1, budget": Campaign(Effect(RATE, 0.3, 0.1, 0.5), 3.0, budget=1500.0),
    "survival 0": Campaign(Effect(SURVIVAL, 0.0, 0.0, 0.5), 1.0),
    "survival 0.1 ± 0.05": Campaign(Effect(SURVIVAL, 0.1, 0.05, 0.5), 1.0),
    "survival 0.3 ± 0.1": Campaign(Effect(SURVIVAL, 0.3, 0.1, 0.5), 5.0),
}


@dataclass(frozen=True)
class World:
    """Customers as they stand today, and the latent truth about each: what a decision may not know."""

    customers: pd.DataFrame
    rate: Floats
    leaving: Floats
    spend_rate: Floats
    alive: NDArray[np.bool_]
    truth: Mapping[str, float]


def world(generator: np.random.Generator, customers: int = CUSTOMERS) -> World:
    """Tell every customer's life up to today, event by event."""
    truth = {name: mean * np.exp(generator.normal(0, UNEVEN)) for name, mean in SHOP.items()}
    truth["q"] = max(truth["q"], 2.5)
    rate = generator.gamma(truth["r"], 1 / truth["alpha"], customers)
    leaving = generator.beta(truth["a"], truth["b"], customers)
    spend_rate = generator.gamma(truth["q"], 1 / truth["v"], customers)
    age = generator.uniform(0, WEEKS_SEEN, customers)
    frequency, last, repeats = np.zeros(customers, int), np.zeros(customers), np.zeros(customers)
    alive, here, clock = np.ones(customers, bool), np.arange(customers), np.zeros(customers)
    while here.size:
        clock[here] += generator.exponential(1, here.size) / rate[here]
        here = here[clock[here] <= age[here]]
        frequency[here] += 1
        last[here] = clock[here]
        repeats[here] += generator.gamma(truth["p"], 1, here.size) / spend_rate[here]
        alive[here] = generator.random(here.size) >= leaving[here]
        here = here[alive[here]]
    first = generator.gamma(truth["p"], 1, customers) / spend_rate
    table = pd.DataFrame(
        {
            "customer_id": np.arange(customers).astype(str),
            "frequency": frequency,
            "recency": last,
            "T": age,
            "monetary_value": repeats / np.maximum(frequency, 1),
            "revenue": first + repeats,
        }
    ).astype({"customer_id": "str"})
    return World(table, rate, leaving, spend_rate, alive, truth)


def realised(true: World, effect: Effect, size: float, generator: np.random.Generator) -> Floats:
    """Live every customer's future with and without the contact, with the same luck; return what it brings each."""
    n, weeks, discount = len(true.customers), HORIZON.weeks, HORIZON.discount_weekly
    responds = generator.random(n) < effect.response_share
    speed = np.where(responds & (effect.kind == RATE), 1 + size, 1.0)
    undone = np.where(responds & (effect.kind == SURVIVAL), size, 0.0)
    without, contacted = true.alive.copy(), true.alive | (generator.random(n) < undone)
    gain, clock = np.zeros(n), np.zeros(n)
    while (without | contacted).any():
        clock += generator.exponential(1, n) / true.rate
        amount = generator.gamma(true.truth["p"], 1, n) / true.spend_rate
        without &= clock <= weeks
        contacted &= clock <= weeks * speed
        gain += amount * contacted * np.exp(-discount * clock / speed)
        gain -= amount * without * np.exp(-discount * clock)
        leaves = generator.random(n) < true.leaving
        without &= ~leaves
        contacted &= ~leaves | (generator.random(n) < undone)
    return HORIZON.gross_margin * gain


def expected_by_truth(true: World, effect: Effect, size: float) -> Floats:
    """Return the expected gain of contacting each customer, by somebody who knows everything but luck."""

    def discounted(speed: float, kept: float) -> Floats:
        fading = true.rate * speed * true.leaving * kept + HORIZON.discount_weekly
        found: Floats = -true.rate * speed * np.expm1(-fading * HORIZON.weeks) / fading
        return found

    usual = discounted(1, 1)
    changed = discounted(1 + size, 1) if effect.kind == RATE else discounted(1, 1 - size)
    again = changed * size if effect.kind == SURVIVAL else np.zeros_like(usual)
    amount = HORIZON.gross_margin * true.truth["p"] / true.spend_rate
    return effect.response_share * amount * np.where(true.alive, changed - usual, again)


@cache
def _models() -> tuple[Any, Any]:
    """Return both models, compiled when first used and for all worlds of this process."""
    from clv import bgnbd_model, gamma_gamma_model, sampling

    anybody = pd.DataFrame({"frequency": [1, 2], "recency": [1.0, 2.0], "T": 3.0, "monetary_value": [1.0, 2.0]})
    return sampling.Compiled(bgnbd_model.model(anybody)), sampling.Compiled(gamma_gamma_model.model(anybody))


def fitted(customers: pd.DataFrame, seed: int) -> predict.Draws:
    """Return joint posterior draws as a run finds them."""
    from clv import sampling

    settings = sampling.Settings(CHAINS, RUN_DRAWS, TUNE, seed, workers=1, method="laplace")
    purchases, spend = _models()
    return value.pair(
        sampling.sample(purchases, customers, settings),
        sampling.sample(spend, gamma_gamma.usable(customers), settings),
        DRAWS,
    )


def judged_world(number: int, *, seed: int) -> list[dict[str, Any]]:
    """Return one row per campaign: what was forecast in a world, and what came."""
    seeds = np.random.SeedSequence([seed, number])
    generator, one_seed = np.random.default_rng(seeds), int(seeds.generate_state(1)[0])
    true = world(generator)
    draws = fitted(true.customers, one_seed)
    parameters = [getattr(draws, name)[:, None] for name in ("r", "alpha", "a", "b")]
    alive = bgnbd.probability_alive(*true.customers[bgnbd.HISTORY].to_numpy(float).T, *parameters).mean(axis=0)
    known = true.customers.assign(p_alive=alive, clv_mean=0.0)
    return [
        {"world": number, "campaign": name} | outcome(true, known, draws, given, one_seed, generator)
        for name, given in CAMPAIGNS.items()
    ]


def outcome(
    true: World,
    known: pd.DataFrame,
    draws: predict.Draws,
    given: Campaign,
    seed: int,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Return what was forecast of one campaign and what it and the rules without a model brought."""
    plan = decisions.decide(known, draws, HORIZON, given, {}, interval=INTERVAL, seed=seed, workers=1)
    assert plan.figures is not None
    size = float(given.effect.quantiles(generator.random(1))[0])
    came, chosen = realised(true, given.effect, size, generator), plan.contacts["customer_id"].astype(int).to_numpy()
    cost, rules = given.cost_per_contact, decisions.naive_rules(known, len(chosen), seed)
    by_truth = expected_by_truth(true, given.effect, size)
    profit = float(came[chosen].sum() - cost * len(chosen))
    below, equal = (plan.profit < profit).mean(), (plan.profit == profit).mean()
    return {
        "contacts": len(chosen),
        "forecast": plan.figures["profit"]["mean"],
        "lower": plan.figures["profit"]["lower"],
        "upper": plan.figures["profit"]["upper"],
        "loss_probability": plan.figures["loss_probability"],
        "profit": profit,
        "pit": float(below + generator.random() * equal),
        "by_truth": float(by_truth[chosen].sum() - cost * len(chosen)),
        "perfect": decisions.best(by_truth, cost, given.affordable(len(known)))[0],
        **{name: float(came[members].sum() - cost * len(chosen)) for name, members in rules.items()},
    }
