"""What acquisition promises: first orders as they were seen, then the future of somebody new, against the cost."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    CDNOW,
    DISCOUNT,
    changed,
    customers,
    expected_purchases,
    fixed_draws,
    futures,
    standard_errors,
    typed_draws,
)

from clv.decisions import acquisition
from clv.decisions.acquisition import Acquisition
from clv.decisions.ranks import cohort_table, rank_groups
from clv.forecast.groups import Forecast
from clv.forecast.horizon import Horizon
from clv.models.draws import Draws

YEAR = Horizon(52.0, DISCOUNT, 0.4)
PURCHASE = list(CDNOW.values())[:4]
# Of later orders of those who pay 30 first, whose shape is that of all orders.
MEAN_SPEND = CDNOW["p"] * (CDNOW["v"] + 30.0) / (CDNOW["q"] + CDNOW["p"] - 1)
OPTIONS = {"interval": 0.9, "seed": 1, "workers": 1}


def forecast(draws: int, *, firsts=(10.0, 30.0, 50.0), future: float = 8.0) -> Forecast:
    """Return a base of three customers in two cohorts who each bring `future`, in every draw."""
    rows = customers((0, 0.0, 20.0, 0.0), (2, 12.0, 30.0, 25.0), (4, 50.0, 52.0, 5.0))
    spent = np.array(firsts) + rows["frequency"] * rows["monetary_value"]
    rows = rows.assign(revenue=spent, first_amount=firsts, clv_mean=future)
    groups = pd.DataFrame(
        {
            "grouping": ["base", "cohort", "cohort"],
            "group": pd.Series(["all customers", "2025-01", "2025-02"], dtype="str"),
            "customers": [3, 2, 1],
            "revenue": [spent.sum(), spent[:2].sum(), spent[2]],
            "clv_mean": np.array([3.0, 2.0, 1.0]) * future,
        }
    )
    totals = SimpleNamespace(value=np.tile([3 * future, 2 * future, future], (draws, 1)))
    return Forecast(rows, groups, totals, totals.value[:, 0], totals.value[:, 0], totals)


def by_cohort(past: pd.DataFrame | None, months: pd.DataFrame) -> pd.DataFrame:
    """Return table ACQUISITION of 20 draws where a customer cost 18."""
    cost, margin = Acquisition(18.0), {"gross_margin": 0.4}
    ranked = rank_groups(forecast(20), ["cohort"], past, cost, weeks=26.0, interval=0.9, seed=1, **margin)
    return cohort_table(ranked, months, cost, **margin)


def posterior(n: int) -> Draws:
    rng = np.random.default_rng(0)
    return typed_draws(**{name: value * rng.lognormal(0, 0.02, n) for name, value in CDNOW.items()})


def test_first_orders_are_those_of_all_customers_rising():
    assert acquisition.first_orders(forecast(1).customers) == pytest.approx([10.0, 30.0, 50.0])


def test_who_pays_much_at_first_is_expected_to_go_on_so():
    draws = fixed_draws(400, **CDNOW)
    little, much = (
        acquisition._single_customers(np.array([first]), draws, YEAR, seed=1, workers=1).mean() - 0.4 * first
        for first in (10.0, 90.0)
    )
    v = CDNOW["v"]  # the same purchases, so what is expected of them is in proportion to v + c z_1, c = 1
    assert much / little == pytest.approx((v + 90) / (v + 10), rel=0.05)


def test_a_new_customer_brings_the_first_order_and_the_future_of_somebody_new():
    found = acquisition.acquisition_figures(
        forecast(500), fixed_draws(500, **CDNOW), YEAR, Acquisition(5.0), {}, **OPTIONS
    )
    later = expected_purchases(52.0, 0, 0, 0, *PURCHASE, discount=DISCOUNT)
    expected = 0.4 * (30.0 + later * MEAN_SPEND)
    assert found["value"]["mean"] == pytest.approx(expected, rel=1e-6)
    assert found["first_order"] == pytest.approx(30.0)
    assert found["value"]["lower"] < expected < found["value"]["upper"]  # three first orders are few


@pytest.mark.parametrize("firsts", [(30.0, 30.0), (5.0, 90.0), (0.0, 40.0)])
def test_simulated_new_customers_bring_the_expected_future(firsts):
    draws, firsts = fixed_draws(20_000, **CDNOW), np.array(firsts)
    _, values, _ = futures(acquisition._new_customers(firsts), draws, YEAR, seed=3)
    expected = acquisition.expected_future(firsts, draws.thinned(1), YEAR, np.array([52.0]))[0, 0]
    assert standard_errors(values.mean(axis=0), expected) < 4


def test_first_orders_as_the_model_makes_them_say_no_more_than_the_population():
    """Then later orders cost p v / (q - 1) on average; a few first orders of a heavy tail cannot say so."""
    p, q, v = CDNOW["p"], CDNOW["q"], CDNOW["v"]
    rng = np.random.default_rng(1)
    firsts = rng.gamma(p, size=2_000_000) / rng.gamma(q, 1 / v, 2_000_000)
    draws = fixed_draws(1, **CDNOW)
    each = expected_purchases(52.0, 0, 0, 0, *PURCHASE, discount=DISCOUNT)
    of_these = acquisition.expected_future(firsts, draws, YEAR, np.array([52.0]))[0, 0] / (0.4 * each)
    assert of_these == pytest.approx(p * v / (q - 1), rel=0.005)
    heavy = fixed_draws(1, **CDNOW | {"q": 1.01, "v": 5.0})  # 3,124 on average, 29 in the middle
    rough = acquisition.expected_future(np.full(100, 30.0), heavy, YEAR, np.array([52.0]))[0, 0] / (0.4 * each)
    assert 25 < rough < 40


def test_the_cost_is_earned_back_in_the_week_in_which_the_mean_reaches_it():
    brought = np.array([3.0, 4.0, 6.0])
    assert acquisition.payback(2.0, brought, 5.0) == 3
    assert acquisition.payback(2.0, brought, 2.0) == 0
    assert acquisition.payback(2.0, brought, 7.0) is None


def test_a_higher_cost_is_earned_less_surely():
    cheap, dear = (
        acquisition.acquisition_figures(forecast(400), posterior(400), YEAR, Acquisition(cost), {}, **OPTIONS)
        for cost in (10.0, 40.0)
    )
    assert cheap["p_above_cost"] > dear["p_above_cost"]
    assert cheap["single"]["p_above_cost"] > dear["single"]["p_above_cost"]
    assert cheap["highest_cost"] == dear["highest_cost"]


def test_the_highest_cost_is_exceeded_with_eighty_percent():
    result, draws = forecast(400), posterior(400)
    highest = acquisition.acquisition_figures(result, draws, YEAR, Acquisition(1.0), {}, **OPTIONS)["highest_cost"]
    again = acquisition.acquisition_figures(result, draws, YEAR, Acquisition(highest), {}, **OPTIONS)
    assert again["p_above_cost"] == pytest.approx(0.8, abs=0.01)


def test_misfit_makes_the_future_less_sure_and_leaves_the_mean():
    factors = {"value": np.exp(0.4 * np.random.default_rng(1).standard_normal(400))}
    own, wider = (
        acquisition.acquisition_figures(forecast(400), posterior(400), YEAR, Acquisition(10.0), given, **OPTIONS)
        for given in ({}, factors)
    )
    assert wider["highest_cost"] < own["highest_cost"]
    assert wider["value"]["mean"] == own["value"]["mean"]
    assert (own["allows_for_misfit"], wider["allows_for_misfit"]) == (False, True)


def test_past_errors_pay_nothing_back():
    """The mean of a factor exp(tau z) is above 1: a cost above the mean value would be earned back by misfit alone."""
    factors = {"value": np.exp(0.8 * np.random.default_rng(1).standard_normal(400))}
    result, draws = forecast(400), posterior(400)
    worth = acquisition.acquisition_figures(result, draws, YEAR, Acquisition(1.0), {}, **OPTIONS)["value"]["mean"]
    for cost, weeks in ((worth - 0.5, range(40, 53)), (worth + 0.01, [None])):
        found = [
            acquisition.acquisition_figures(result, draws, YEAR, Acquisition(cost), given, **OPTIONS)["payback_weeks"]
            for given in ({}, factors)
        ]
        assert found[0] == found[1]
        assert found[0] in weeks


def test_customers_still_to_come_are_added_within_each_draw():
    """One month of a hundred: 30 each at once, and the future that is left of the horizon, discounted from today."""
    given, draws = Acquisition(12.0, per_month=100, months=1), fixed_draws(400, **CDNOW)
    plan = acquisition.acquisition_figures(forecast(400, firsts=(30.0,) * 3), draws, YEAR, given, {}, **OPTIONS)["plan"]
    arrival = 15 / 7  # the middle of a month, on a day
    later = expected_purchases(52.0 - arrival, 0, 0, 0, *PURCHASE, discount=DISCOUNT)
    each = 0.4 * (30.0 + later * MEAN_SPEND) * np.exp(-DISCOUNT * arrival)
    assert plan["value"]["mean"] == pytest.approx(100 * each, rel=1e-6)
    assert plan["cost"] == pytest.approx(1200 * np.exp(-DISCOUNT * arrival))
    assert plan["value"]["lower"] < plan["value"]["mean"] < plan["value"]["upper"]
    together = plan["with_known_customers"]
    assert together["mean"] == pytest.approx(plan["value"]["mean"] + 24.0)
    assert together["lower"] == pytest.approx(plan["value"]["lower"] + 24.0)  # the base is the same in every draw


def test_customers_who_come_after_the_horizon_bring_nothing_within_it():
    short = Horizon(4.0, DISCOUNT, 0.4)
    given, draws = Acquisition(12.0, per_month=10, months=24), fixed_draws(50, **CDNOW)
    assert acquisition.acquisition_figures(forecast(50), draws, short, given, {}, **OPTIONS)["plan"]["customers"] == 10


def test_a_cohort_is_what_it_brought_and_will_bring_for_each_of_its_customers():
    months = pd.DataFrame(
        {
            "cohort": ["2025-01", "2025-01", "2025-02", "2025-02"],
            "months_since": [0, 1, 0, 1],
            "cumulative": [20.0, 50.0, 50.0, 52.0],
        }
    )
    found = by_cohort(None, months)
    # First orders 10 and 30, repeats 0 and 50: 45 each, of which .4 stay.
    assert found["margin_to_date"].tolist() == pytest.approx([18.0, 28.0])
    assert found["lifetime_mean"].tolist() == pytest.approx([26.0, 36.0])
    assert found["lifetime_lower"].tolist() == found["lifetime_upper"].tolist() == pytest.approx([26.0, 36.0])
    assert found["p_above_cost"].tolist() == [1.0, 1.0]
    assert found["payback_months"].tolist() == [1.0, 0.0]


def test_a_cohort_allows_for_what_cohorts_were_off_by_and_not_for_the_total_alone():
    """The first brought twice what was forecast of it before, the second half, everybody what was: both are moved."""
    told = [("base", "all customers", 0.0), ("cohort", "2025-01", 0.7), ("cohort", "2025-02", -0.7)]
    rows = [
        {"grouping": grouping, "group": group, "log_error": error, "origin": origin}
        for grouping, group, error in told
        for origin in pd.date_range("2024-01-01", periods=4, freq="26W")
    ]
    same = {"horizon_weeks": 26, "outcome": "value", "customers": 500, "log_sd": 0.05}
    past, months = pd.DataFrame(rows).assign(**same), pd.DataFrame({"cohort": [], "months_since": [], "cumulative": []})
    plain, found = by_cohort(None, months), by_cohort(past, months)
    assert plain["clv_mean"].tolist() == [8.0, 8.0]
    first, second = found["clv_mean"]
    assert first > 9.5 > 6 > second
    assert 2 * first + second == pytest.approx(3 * 8.0)  # everybody is never moved
    assert (found["lifetime_lower"] < found["lifetime_mean"]).all()
    assert (found["lifetime_mean"] < found["lifetime_upper"]).all()


def test_cents_are_worth_what_dollars_are():
    result, draws = forecast(100), posterior(100)
    dollars = acquisition.acquisition_figures(result, draws, YEAR, Acquisition(10.0), {}, **OPTIONS)
    cents = acquisition.acquisition_figures(
        forecast(100, firsts=(1000.0, 3000.0, 5000.0)), changed(draws, v=100 * draws.phi[:, 2]), YEAR,
        Acquisition(1000.0), {}, **OPTIONS,
    )  # fmt: skip
    assert cents["highest_cost"] == pytest.approx(100 * dollars["highest_cost"])
    assert cents["single"]["p_above_cost"] == dollars["single"]["p_above_cost"]


def test_the_number_of_workers_changes_nothing():
    given = Acquisition(10.0, per_month=20, months=2)
    one, other = (
        acquisition.acquisition_figures(
            forecast(50), posterior(50), YEAR, given, {}, **(OPTIONS | {"workers": workers})
        )
        for workers in (1, 2)
    )
    assert one == other


def test_without_a_cost_nothing_is_asked():
    nothing = acquisition.acquisition_plan(cost=None, per_month=None, months=None)
    assert acquisition.acquisition_figures(forecast(5), fixed_draws(5, **CDNOW), YEAR, nothing, {}, **OPTIONS) is None
    assert cohort_table(pd.DataFrame(), pd.DataFrame(), nothing, gross_margin=1.0).empty
    assert acquisition.acquisition_plan(cost=3.0, per_month=2, months=1) == Acquisition(3.0, 2, 1)


def test_what_a_new_customer_may_cost_is_known_without_a_plan():
    result, draws = forecast(400), posterior(400)
    found = acquisition.new_customer(result, draws, YEAR, {}, seed=1)
    asked = acquisition.acquisition_figures(result, draws, YEAR, Acquisition(1.0), {}, **OPTIONS)
    assert found["mean"] == pytest.approx(asked["value"]["mean"])
    assert found["may_cost"]["0.80"] == pytest.approx(asked["highest_cost"])
    assert found["may_cost"]["0.50"] > found["may_cost"]["0.80"] > found["may_cost"]["0.95"]
    assert len(found["quantiles"]) == 100
