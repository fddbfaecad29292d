"""Do campaigns earn what is forecast, and more than rules without a model? decisions.json, decisions.md, decisions.png.

    python tests/studies/decisions.py [--datasets 100] [--seed 20260101] [--folder outputs/decisions]

Worlds are simulated whose truth is known: their parameters, every customer's rate, chance of leaving and amounts, and
the effect of a contact, drawn from what is believed of it. Each is fitted and decided upon as a run does it; then the
customers live their future event by event, with and without the contact, and what that brought is held against the
forecast and against as many contacts chosen without a model.
"""

import multiprocessing
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any
from unittest.mock import patch

import bench
import numpy as np
import pandas as pd
from forecasts import customers as typed_customers
from numpy.typing import NDArray
from scipy.stats import kstest

from clv.decisions import contacts, information, uplift
from clv.decisions.information import Campaign
from clv.decisions.tables import LOWEST_P_ALIVE, RANDOM, RATE, SURVIVAL, TOP_SPENDERS, WIN_BACK
from clv.decisions.uplift import Effect
from clv.forecast.horizon import yearly_horizon
from clv.models import draws as models_draws
from clv.models.base import History
from clv.models.draws import Draws
from clv.report.figures.style import MODEL, OBSERVED, PRIOR, QUIET, REFERENCE

Floats = NDArray[np.float64]
CUSTOMERS, DRAWS, INTERVAL = 6000, 200, 0.90
# Posterior draws behind an expected gain: fewer than a run's, for worlds must be many; profits are simulated with all.
GAIN_DRAWS = 20
WEEKS_SEEN = 104
CHAINS, RUN_DRAWS, TUNE = 4, 500, 500
HORIZON = yearly_horizon(52, discount_rate_annual=0.10, gross_margin=0.5)
# A shop like the default run's, its parameters uneven from world to world by about a fifth.
SHOP, UNEVEN = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 4.0, "p": 5.0, "q": 4.0, "v": 24.0}, 0.2
CAMPAIGNS = {
    "buys 0 ± 10 % more": Campaign(Effect(RATE, 0.0, 0.1, 0.5), 1.0),
    "buys 15 ± 5 % more": Campaign(Effect(RATE, 0.15, 0.05, 0.5), 2.0),
    "buys 30 ± 10 % more, with a budget": Campaign(Effect(RATE, 0.3, 0.1, 0.5), 2.0, budget=2000.0),
    "0 % of leavings undone": Campaign(Effect(SURVIVAL, 0.0, 0.0, 0.5), 1.0),
    "30 ± 10 % of leavings undone": Campaign(Effect(SURVIVAL, 0.3, 0.1, 0.5), 12.0),
    "30 ± 10 % won back": Campaign(Effect(WIN_BACK, 0.3, 0.1, 0.5), 4.0),
    "10 ± 3 % of leavings undone, few customers": Campaign(Effect(SURVIVAL, 0.1, 0.03, 0.5), 4.0),
}
# Where so little is at stake luck decides between a plan and a rule that is nearly as good: told, and not judged.
FEW = {"10 ± 3 % of leavings undone, few customers": CUSTOMERS // 2}
RULES = {TOP_SPENDERS: "top past spenders", LOWEST_P_ALIVE: "lowest P(alive)", RANDOM: "by lot"}


@dataclass(frozen=True)
class World:
    """Customers as they stand today, and the latent truth about each: what a decision may not know."""

    customers: pd.DataFrame
    rate: Floats
    leaving: Floats
    spend_rate: Floats
    alive: NDArray[np.bool_]
    truth: Mapping[str, float]

    def first(self, n: int) -> "World":
        """Return the same world with its first `n` customers alone."""
        parts = (self.customers, self.rate, self.leaving, self.spend_rate, self.alive)
        return World(*(part[:n] for part in parts), self.truth)  # type: ignore[arg-type]


def world(generator: np.random.Generator, customers: int = CUSTOMERS) -> World:
    """Tell every customer's life up to today, event by event, on whole days."""
    truth = {name: mean * np.exp(generator.normal(0, UNEVEN)) for name, mean in SHOP.items()}
    truth["q"] = max(truth["q"], 2.5)
    rate = generator.gamma(truth["r"], 1 / truth["alpha"], customers)
    leaving = generator.beta(truth["a"], truth["b"], customers)
    spend_rate = generator.gamma(truth["q"], 1 / truth["v"], customers)
    age = generator.integers(1, WEEKS_SEEN + 1, customers).astype(float)
    frequency, (last, repeats, logs) = np.zeros(customers, int), np.zeros((3, customers))
    alive, here, clock = np.ones(customers, bool), np.arange(customers), np.zeros(customers)
    while here.size:
        clock[here] += _days(generator.exponential(1, here.size) / rate[here])
        here = here[clock[here] <= age[here]]
        frequency[here] += 1
        last[here] = clock[here]
        amounts = generator.gamma(truth["p"], 1, here.size) / spend_rate[here]
        repeats[here] += amounts
        logs[here] += np.log(amounts)
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
            "first_amount": first,
            "paid_purchases": frequency,
            "log_amounts": logs,
            "revenue": first + repeats,
        }
    ).astype({"customer_id": "str"})
    return World(table, rate, leaving, spend_rate, alive, truth)


def _days(weeks: Floats) -> Floats:
    """Return times in weeks rounded up to whole days."""
    return np.ceil(7 * weeks) / 7


def realised(true: World, effect: Effect, size: float, generator: np.random.Generator) -> Floats:
    """Live every customer's future with and without the contact, with the same luck; return what it brings each."""
    n, weeks, discount = len(true.customers), HORIZON.weeks, HORIZON.discount_weekly
    responds = generator.random(n) < effect.response_share
    speed = np.where(responds & (effect.kind == RATE), 1 + size, 1.0)
    undone = np.where(responds & (effect.kind == SURVIVAL), size, 0.0)
    back = np.where(responds & (effect.kind == WIN_BACK), size, 0.0)
    without, contacted = true.alive.copy(), true.alive | (generator.random(n) < undone + back)
    fresh = generator.beta(true.truth["a"], true.truth["b"], n)
    leaving = np.where((back > 0) & ~true.alive, fresh, true.leaving)
    gain, clock, soon = np.zeros(n), np.zeros(n), np.zeros(n)
    while (without | contacted).any():
        gap = generator.exponential(1, n) / true.rate
        clock, soon = clock + _days(gap), soon + _days(gap / speed)
        amount = generator.gamma(true.truth["p"], 1, n) / true.spend_rate
        without &= clock <= weeks + 1e-9
        contacted &= soon <= weeks + 1e-9
        gain += amount * contacted * np.exp(-discount * soon)
        gain -= amount * without * np.exp(-discount * clock)
        leaves = generator.random(n) < leaving
        without &= ~leaves
        contacted &= ~leaves | (generator.random(n) < undone)
    return HORIZON.gross_margin * gain


def expected_by_truth(true: World, effect: Effect, size: float) -> Floats:
    """Return the expected gain of contacting each customer, by somebody who knows everything but luck."""

    def discounted(leaving: Floats, speed: float = 1.0) -> Floats:
        days, day = 7 * HORIZON.weeks, np.exp(-HORIZON.discount_weekly / 7)
        buys = -np.expm1(-true.rate * speed / 7)
        lasting = day * (1 - buys * leaving)
        found: Floats = buys * day * (1 - lasting**days) / (1 - lasting)
        return found

    usual, nothing = discounted(true.leaving), np.zeros(len(true.customers))
    if effect.kind == WIN_BACK:
        chances = np.random.default_rng(0).beta(true.truth["a"], true.truth["b"], 2000)
        changed, again = usual, size * np.mean([discounted(chance) for chance in chances], axis=0)
    elif effect.kind == SURVIVAL:
        changed = discounted((1 - size) * true.leaving)
        again = size * changed
    else:
        changed, again = discounted(true.leaving, 1 + size), nothing
    amount = HORIZON.gross_margin * true.truth["p"] / true.spend_rate
    return effect.response_share * amount * np.where(true.alive, changed - usual, again)


@cache
def _models() -> tuple[Any, Any]:
    """Return both models, compiled when first used and for all worlds of this process."""
    from clv.models import bgnbd_pymc, gamma_gamma_pymc, sampling

    anybody = typed_customers((1, 1.0, 3.0, 1.0), (2, 2.0, 3.0, 2.0))
    return sampling.Compiled(bgnbd_pymc.model(anybody)), sampling.Compiled(gamma_gamma_pymc.model(anybody))


def fitted(customers: pd.DataFrame, seed: int) -> Draws:
    """Return joint posterior draws as a run finds them."""
    from clv.models import sampling

    settings = sampling.Settings(CHAINS, RUN_DRAWS, TUNE, seed, workers=1, method="laplace")
    purchases, spend = _models()
    return models_draws.pair(
        sampling.sample(purchases, customers, settings),
        sampling.sample(spend, customers, settings),
        DRAWS,
    )


def judged_world(number: int, *, seed: int) -> list[dict[str, Any]]:
    """Return one row per campaign: what was forecast in a world, and what came."""
    seeds = np.random.SeedSequence([seed, number])
    generator, one_seed = np.random.default_rng(seeds), int(seeds.generate_state(1)[0])
    true = world(generator)
    draws = fitted(true.customers, one_seed)
    alive = draws.model.p_alive(History.of(true.customers), draws.theta).mean(axis=0)
    known = true.customers.assign(p_alive=alive, clv_mean=0.0, rfm_segment="all")
    return [
        {"world": number, "campaign": name} | outcome(true.first(n), known.iloc[:n], draws, given, one_seed, generator)
        for name, given in CAMPAIGNS.items()
        for n in [FEW.get(name, len(known))]
    ]


def outcome(
    true: World,
    known: pd.DataFrame,
    draws: Draws,
    given: Campaign,
    seed: int,
    generator: np.random.Generator,
) -> dict[str, float]:
    """Return what was forecast of one campaign and what it and the rules without a model brought."""
    with patch.object(uplift, "GAIN_DRAWS", GAIN_DRAWS):
        plan = contacts.decide(known, draws, HORIZON, given, {}, interval=INTERVAL, seed=seed, workers=1)
    assert plan.figures is not None
    size = float(given.effect.quantiles(generator.random(1))[0])
    came, chosen = realised(true, given.effect, size, generator), plan.contacts["customer_id"].astype(int).to_numpy()
    cost, rules = given.cost_per_contact, contacts.naive_rules(known, len(chosen), seed)
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
        "perfect": information.best(by_truth, cost, given.affordable(len(known)))[0],
        **{name: float(came[members].sum() - cost * len(chosen)) for name, members in rules.items()},
        **{f"{name}_by_truth": float(by_truth[members].sum() - cost * len(chosen)) for name, members in rules.items()},
    }


BEATEN, LUCK = 0.95, 0.001  # least share of worlds in which a plan beats a rule; least p-value of its calibration


def judged(found: pd.DataFrame) -> dict[str, Any]:
    """Return what one campaign came to over all worlds; without a contact there is nothing to judge but that."""
    acted = found[found["contacts"] > 0]
    figures: dict[str, Any] = {"worlds": len(found), "contacted_anyone": len(acted)}
    if acted.empty:
        return figures
    return figures | {
        "contacts": float(acted["contacts"].mean()),
        "forecast": float(acted["forecast"].mean()),
        "profit": float(acted["profit"].mean()),
        "inside": float(acted["profit"].between(acted["lower"], acted["upper"]).mean()),
        "loss_forecast": float(acted["loss_probability"].mean()),
        "loss": float((acted["profit"] < 0).mean()),
        "pit_p": float(kstest(acted["pit"], "uniform").pvalue),
        "of_perfect": float(acted["by_truth"].sum() / acted["perfect"].sum()),
        "beats": {rule: float((acted["profit"] > acted[rule]).mean()) for rule in RULES},
        "beats_by_truth": {rule: float((acted["by_truth"] > acted[f"{rule}_by_truth"]).mean()) for rule in RULES},
        "rule_profit": {rule: float(acted[rule].mean()) for rule in RULES},
    }


def passed(campaigns: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether no effect contacts nobody, and every other plan beats each rule and is as sure as it should be."""
    idle = [found for name, found in campaigns.items() if CAMPAIGNS[name].effect.mean == 0]
    acting = {name: found for name, found in campaigns.items() if CAMPAIGNS[name].effect.mean > 0}
    return all(found["contacted_anyone"] == 0 for found in idle) and all(
        found["contacted_anyone"] > 0
        and (name in FEW or min(found["beats"].values()) >= BEATEN)
        and found["pit_p"] > LUCK
        for name, found in acting.items()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge as many worlds as the command line asks for and write the three files; 1 if a promise does not hold."""
    parser = bench.judging(__doc__ or "", datasets="worlds", default=100, name="decisions")
    options, clock = parser.parse_args(arguments), time.perf_counter()
    rows: list[dict[str, Any]] = []
    with ProcessPoolExecutor(options.workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        each = partial(judged_world, seed=options.seed)
        for number, found in enumerate(pool.map(each, range(options.datasets)), start=1):
            rows += found
            if number % 20 == 0:
                print(f"decisions: {number} of {options.datasets} worlds", file=sys.stderr)
    outcomes = pd.DataFrame(rows)
    campaigns = {str(name): judged(found) for name, found in outcomes.groupby("campaign", sort=False)}
    figures = bench.about(options.seed, clock) | {"passed": passed(campaigns), "campaigns": campaigns}
    bench.leave(options.folder / "decisions", figures, page(figures), partial(draw, outcomes))
    return int(not figures["passed"])


COLUMNS = {
    **{"campaign": "who responds", "contacted": "worlds with contacts", "contacts": "contacts", "forecast": "forecast"},
    **{"profit": "profit that came", "inside": "inside 90 %", "loss": "losses, forecast and seen", "pit": "PIT p"},
    **{rule: f"beats {words}" for rule, words in RULES.items()},
    "without_luck": "beats all, luck left out",
    "of_perfect": "of perfect knowledge",
}


def _row(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    row: dict[str, Any] = dict.fromkeys(COLUMNS, "")
    row |= {"campaign": name, "contacted": f"{found['contacted_anyone']} of {found['worlds']}"}
    if not found["contacted_anyone"]:
        return row
    return row | {
        "contacts": f"{found['contacts']:,.0f}",
        "forecast": f"{found['forecast']:,.0f}",
        "profit": f"{found['profit']:,.0f}",
        "inside": f"{found['inside']:.1%}",
        "loss": f"{found['loss_forecast']:.1%}, {found['loss']:.1%}",
        "pit": f"{found['pit_p']:.2g}",
        **{rule: f"{share:.1%}" for rule, share in found["beats"].items()},
        "without_luck": f"{min(found['beats_by_truth'].values()):.1%}",
        "of_perfect": f"{found['of_perfect']:.1%}",
    }


def page(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown for people."""
    parts = [
        *bench.opening("decisions", "Campaigns beside what was forecast of them", figures),
        bench.filled(
            f"""Each world is {CUSTOMERS:,} customers with a truth of their own, fitted as a run fits them. Half of the
            contacted respond; how strongly is drawn from what is believed. Then the customers live the next
            {HORIZON.weeks:.0f} weeks event by event, with and without the contact. A campaign passes if it contacts
            nobody where no effect is expected, and else if its profit, luck included, is above that of as many contacts
            by each rule in at least {BEATEN:.0%} of the worlds, and lies in the forecast's distribution as often as it
            should everywhere (uniform PIT). Luck left out, profits are what somebody would expect who knew every
            customer and the effect; the last column is the part of that somebody's best profit. Where less is at
            stake, with fewer customers or a smaller effect, luck decides more often between a plan and a rule that is
            nearly as good: the last campaign, with {CUSTOMERS // 2:,} customers, says how often, and is not judged by
            it."""
        ),
        "![Where the profits that came lie in their forecasts, and by how much plans beat rules](decisions.png)",
        bench.table(map(_row, figures["campaigns"], figures["campaigns"].values()), COLUMNS),
    ]
    return "\n\n".join(parts) + "\n"


def draw(outcomes: pd.DataFrame, file: Path) -> None:
    """Draw the PIT of every acting campaign, and how much more its plan earned than each rule per contact."""
    acted = outcomes[outcomes["contacts"] > 0]
    with bench.picture(file, columns=2, size=(12, 4)) as ((left, right),):
        for name, found in acted.groupby("campaign", sort=False):
            left.plot(np.sort(found["pit"]), np.linspace(0, 1, len(found)), label=name, linewidth=1.2)
        left.plot([0, 1], [0, 1], color=REFERENCE, linestyle=":", linewidth=1)
        left.set(xlabel="place of the profit in its forecast (PIT)", ylabel="share of worlds")
        left.legend(frameon=False, fontsize=8)
        names = list(dict.fromkeys(acted["campaign"]))
        for offset, (rule, words), colour in zip(
            (-0.22, 0, 0.22), RULES.items(), (OBSERVED, MODEL, PRIOR), strict=True
        ):
            more = ((acted["profit"] - acted[rule]) / acted["contacts"]).to_numpy()
            places = acted["campaign"].map(names.index).to_numpy() + offset
            right.plot(more, places, ".", color=colour, markersize=2.5, label=f"than {words}")
        right.axvline(0, color=QUIET, linewidth=1)
        right.set_yticks(range(len(names)), names)
        right.invert_yaxis()
        right.set(xlabel="profit more per contact")
        right.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    sys.exit(main())
