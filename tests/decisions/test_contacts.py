"""What decisions promise: the plan that earns most, its chances, and what better knowledge of the effect is worth."""

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW, DISCOUNT, changed, customers, typed_draws

from clv import tables
from clv.decisions import contacts as decisions_contacts
from clv.decisions import information, uplift
from clv.decisions.information import NODES, Campaign, Gains
from clv.decisions.tables import CONTACTS, DECISIONS, RATE, SURVIVAL
from clv.decisions.uplift import Effect
from clv.forecast.blocks import CHUNK_CUSTOMERS
from clv.forecast.horizon import Horizon
from clv.models import bgnbd
from clv.models.base import HISTORY
from clv.models.draws import Draws

SHOP = CDNOW | {"r": 0.8, "alpha": 8.0, "b": 4.0}
YEAR = Horizon(52.0, DISCOUNT, 0.4)
KINDS = customers(
    *[(0, 0.0, 20.0, 0.0), (3, 12.0, 30.0, 25.0), (12, 50.0, 52.0, 8.0)],
    *[(6, 20.0, 30.0, 20.0), (1, 1.0, 52.0, 90.0), (20, 78.0, 80.0, 60.0)],
)
OPTIONS = {"interval": 0.9, "seed": 1, "workers": 1}


def base(n: int = 60) -> pd.DataFrame:
    """Return `n` customers of six kinds, with the columns a decision reads."""
    rows = pd.concat([KINDS] * (n // len(KINDS)), ignore_index=True)
    alive = bgnbd.probability_alive(*rows[HISTORY].to_numpy(float).T, *list(SHOP.values())[:4])
    spent = rows["frequency"] * rows["monetary_value"] + 20.0
    identifiers = pd.Series([f"C{number}" for number in range(len(rows))], dtype="str")
    named = pd.Series(np.where(rows["frequency"] > 5, "Loyal", "Lost"), dtype="str")
    return rows.assign(customer_id=identifiers, p_alive=alive, clv_mean=spent, revenue=spent, rfm_segment=named)


def posterior(n: int = 40) -> Draws:
    rng = np.random.default_rng(0)
    return typed_draws(**{name: value * rng.lognormal(0, 0.05, n) for name, value in SHOP.items()})


def given(cost: float = 1.0, *, kind: str = RATE, mean: float = 0.3, sd: float = 0.1, budget: float | None = None):
    return Campaign(Effect(kind, mean, sd, 0.5), cost, budget)


def decided(
    campaign: Campaign | None, rows: pd.DataFrame | None = None, draws: Draws | None = None, factors=None, **other
):
    rows, draws = base() if rows is None else rows, draws or posterior()
    return decisions_contacts.decide(rows, draws, YEAR, campaign, factors or {}, **(OPTIONS | other))


def typed(*slopes: float, effect: Effect) -> Gains:
    """Return customers who gain `slope` times the effect, between no effect and 1."""
    nodes = 2 ** ((1 + np.polynomial.chebyshev.chebpts1(NODES)) / 2) - 1
    return Gains(effect, np.outer(slopes, nodes), 0.0, 1.0)


def test_two_customers_worked_by_hand():
    """Ada gains 10 e, Bob 4 e; e is .2 or .6 for an equal share of the belief, a contact costs 2.

    Expected gains are 4 and 1.6, so Ada alone is contacted, for a profit of 2. At e = .2 she gains 2: nothing is won
    or lost, and nobody else would be worth it. At e = .6 she brings 4 net and Bob .4, so who knows it earns .4 more:
    the value of perfect information is half of that.
    """

    class TwoPoints(Effect):
        def points(self, n: int) -> np.ndarray:
            return np.array([0.2, 0.6])

    effect = TwoPoints(RATE, 0.4, 0.2)
    gains, campaign, chosen = typed(10.0, 4.0, effect=effect), Campaign(effect, 2.0), np.array([0])
    assert gains.believed() == pytest.approx([4.0, 1.6])
    assert information.best(gains.believed(), 2.0, most=2) == (pytest.approx(2.0), 1)
    assert information.profit_at(gains, chosen, campaign, np.array([0.1, 0.6])) == pytest.approx([-1.0, 4.0])
    assert information.best(np.array([6.0, 2.4]), 2.0, most=2) == (pytest.approx(4.4), 2)
    assert information.value_of_information(gains, chosen, campaign, most=2) == pytest.approx(0.2)
    assert information.break_even(gains, chosen, campaign) == pytest.approx(0.2, abs=2e-3)


def test_perfect_information_is_worth_nothing_where_the_effect_is_known():
    assert decided(given(sd=0.0)).figures["value_of_information"] == 0
    assert decided(given(sd=0.0, kind=SURVIVAL)).figures["value_of_information"] == 0


@pytest.mark.parametrize("cost", [0.1, 1.0, 3.0, 8.0, 30.0])
@pytest.mark.parametrize("budget", [None, 25.0])
def test_perfect_information_is_never_worth_less_than_nothing(cost, budget):
    found = decided(given(cost, sd=0.25, budget=budget))
    assert found.figures["value_of_information"] >= 0


def test_information_matters_most_where_the_decision_hangs_on_it():
    clear, close = (decided(given(cost, sd=0.25)).figures["value_of_information"] for cost in (0.01, 4.0))
    assert close > clear


@pytest.mark.parametrize(
    "campaign",
    [
        given(mean=0.0, sd=0.0),
        given(mean=0.0, sd=0.2),
        given(mean=0.0, sd=0.0, kind=SURVIVAL),
        given(mean=-0.2),
        given(cost=1e6),
    ],
)
def test_nobody_is_contacted_where_no_gain_exceeds_the_cost(campaign):
    found = decided(campaign)
    assert found.contacts.empty
    assert found.figures["contacts"] == found.figures["cost"] == found.figures["profit"]["mean"] == 0
    assert found.figures["loss_probability"] == 0
    assert not found.profit.any()


def test_the_plan_contacts_everybody_whose_gain_exceeds_the_cost_and_nobody_else():
    found, campaign = decided(given(2.0)), given(2.0)
    gains = information.expected_gains(base(), posterior(), YEAR, campaign.effect).believed()
    assert set(found.contacts["customer_id"]) == set(base()["customer_id"][gains > 2.0])
    assert found.figures["profit"]["mean"] == pytest.approx(np.maximum(gains - 2.0, 0).sum())
    assert found.contacts["expected_gain"].is_monotonic_decreasing


@pytest.mark.parametrize(("budget", "contacts"), [(25.0, 12), (0.3 * 100 / 15, 1), (1.0, 0)])
def test_a_budget_binds(budget, contacts):
    found, free = decided(given(2.0, budget=budget)), decided(given(2.0))
    assert found.figures["contacts"] == contacts
    assert found.contacts["customer_id"].tolist() == free.contacts["customer_id"].tolist()[:contacts]


def test_a_tenth_goes_thirty_times_into_three():
    assert given(0.1, budget=3.0).affordable(1000) == 30


def test_no_other_number_or_choice_of_contacts_is_expected_to_earn_more():
    found = decided(given(2.0))
    assert found.curve["expected_profit"].max() <= found.figures["profit"]["mean"] + 1e-9
    assert all(rule["regret"] >= 0 for rule in found.figures["rules"].values())


def test_simulated_profits_have_the_mean_that_was_calculated():
    found = decided(given(2.0), draws=posterior(4000))
    error = found.profit.std() / np.sqrt(found.profit.size)
    assert abs(found.profit.mean() - found.figures["profit"]["mean"]) < 4 * error
    row = found.curve.set_index("contacts").loc[found.figures["contacts"]]
    assert row["loss_probability"] == (found.profit < 0).mean()
    assert row["profit_lower"] == pytest.approx(np.quantile(found.profit, 0.05))


def test_gains_between_the_nodes_are_those_of_the_closed_form():
    effect = Effect(SURVIVAL, 0.15, 0.08)
    gains = information.expected_gains(base(6), posterior(), YEAR, effect)
    for size in (0.02, 0.11, 0.24):
        exact = uplift.expected_gains(base(6), posterior(), YEAR, effect, np.array([size]))[:, 0]
        np.testing.assert_allclose(gains.at_nodes @ gains.weights(np.array([size]))[:, 0], exact, rtol=1e-3)


def test_misfit_widens_the_profit_and_moves_no_mean():
    factors = {"value": np.exp(0.5 * np.random.default_rng(2).standard_normal(2000))}
    found = decided(given(2.0, sd=0.0), draws=posterior(2000), factors=factors).figures
    own, wider = found["profit"], found["profit"]["with_misfit"]
    assert wider["lower"] < own["lower"] < own["mean"] < own["upper"] < wider["upper"]
    assert own["mean"] == decided(given(2.0, sd=0.0), draws=posterior(2000)).figures["profit"]["mean"]
    assert decided(given(2.0)).figures["profit"]["with_misfit"] is None


def test_cents_decide_as_dollars_do():
    rows, draws = base(), posterior()
    cents = rows.assign(monetary_value=100 * rows["monetary_value"], revenue=100 * rows["revenue"])
    in_cents = changed(draws, v=100 * draws.phi[:, 2])
    one = decided(given(2.0, budget=60.0))
    other = decided(given(200.0, budget=6000.0), cents, in_cents)
    assert other.contacts["customer_id"].tolist() == one.contacts["customer_id"].tolist()
    np.testing.assert_allclose(other.profit, 100 * one.profit, rtol=1e-9)
    assert other.figures["value_of_information"] == pytest.approx(100 * one.figures["value_of_information"])
    assert other.figures["break_even_effect"] == one.figures["break_even_effect"]


def test_the_number_of_workers_changes_nothing():
    rows = base(CHUNK_CUSTOMERS + 12)
    one, other = (decided(given(2.0), rows, posterior(10), workers=workers) for workers in (1, 3))
    pd.testing.assert_frame_equal(one.curve, other.curve)
    pd.testing.assert_frame_equal(one.contacts, other.contacts)
    assert one.figures == other.figures


def test_without_a_campaign_there_is_nothing_to_decide():
    nothing = dict.fromkeys(("cost_per_contact", "budget", "effect", "effect_mean", "effect_sd", "response_share"))
    found = decided(decisions_contacts.campaign(**nothing))
    assert found.figures is None
    assert found.curve.empty and found.contacts.empty


def test_settings_become_a_campaign():
    settings = {"cost_per_contact": 2.0, "budget": None, "effect": RATE, "effect_mean": 0.3, "effect_sd": 0.1}
    assert decisions_contacts.campaign(**settings, response_share=0.5) == given(2.0)


def test_the_curve_starts_with_nobody_and_ends_with_everybody():
    curve = decided(given(2.0)).curve
    assert curve["contacts"].iloc[[0, -1]].tolist() == [0, 60]
    assert curve["cost"].iloc[-1] == 120
    tables.check(DECISIONS, curve)


def test_contacts_are_counted_by_segment_the_largest_net_gain_first():
    contacts = pd.DataFrame(
        {
            "customer_id": ["a", "b", "c"],
            "expected_gain": [5.0, 4.0, 8.0],
            "expected_net_gain": [3.0, 2.0, 6.0],
        }
    )
    customers = pd.DataFrame({"customer_id": ["d", "c", "b", "a"], "rfm_segment": ["Lost", "Loyal", "Lost", "Lost"]})
    assert decisions_contacts.by_segment(contacts, customers) == [
        {"segment": "Loyal", "contacts": 1, "expected_gain": 8.0, "expected_net_gain": 6.0},
        {"segment": "Lost", "contacts": 2, "expected_gain": 9.0, "expected_net_gain": 5.0},
    ]
    assert decisions_contacts.by_segment(tables.empty(CONTACTS), customers) == []


def test_a_plan_says_what_it_does_to_each_segment():
    plan = decided(given(0.2))
    parts = plan.figures["segments"]
    assert sum(part["contacts"] for part in parts) == len(plan.contacts)
    assert sum(part["expected_gain"] for part in parts) == pytest.approx(plan.figures["expected_gain"])
    assert {part["segment"] for part in parts} <= {"Loyal", "Lost"}
