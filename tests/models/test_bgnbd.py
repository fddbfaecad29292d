"""What bgnbd promises: likelihood, P(alive) and expected purchases, against published numbers, oracle and story.

oracle_values.csv was computed once with a separate reference implementation (numpy and scipy.special; expectations over
p by a trapezoid rule on logit p, discounted ones by 200 Gauss-Legendre nodes, the distribution of value as a sum of
beta-prime functions over the exact distribution of counts): ten histories under six populations, at one week's unit,
discount ln(1.1) 7/365.25 a week. Corners: a = 1, a + b = 1, a = 1e-4, x = 0, x = 5000, T = 0, t_x = T. `value_at` is
expected purchases times expected spend over 52 weeks; value_cdf_1 and _3 are the probabilities of an undiscounted value
up to that and up to three times that.
"""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    CDNOW_PURCHASES,
    DISCOUNT,
    expected_purchases,
    lives,
    oracle,
    probability_purchase,
    purchase_integrals,
    standard_errors,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.special import betaln, expit

from clv.models import bgnbd
from clv.models.base import HISTORY, distinct_histories

TABLE = oracle()
PARAMETERS = ["r", "alpha", "a", "b"]
GIVEN = [TABLE[name].to_numpy(float) for name in [*HISTORY, *PARAMETERS]]


def test_the_likelihood_is_the_oracles():
    # Two entries are 0 exactly (x = 0 at T = 0 is certain), hence the absolute part.
    np.testing.assert_allclose(bgnbd.log_likelihood(*GIVEN), TABLE["log_likelihood"], rtol=1e-9, atol=1e-12)


def test_the_probability_of_being_alive_is_the_oracles():
    np.testing.assert_allclose(bgnbd.probability_alive(*GIVEN), TABLE["p_alive"], rtol=1e-9)


def test_the_probability_of_a_purchase_is_the_oracles():
    found = probability_purchase(39.0, *GIVEN)
    np.testing.assert_allclose(1 - found, TABLE["p_no_purchase_39"], rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("weeks", [13, 39, 52, 104])
def test_expected_purchases_are_the_oracles(weeks):
    np.testing.assert_allclose(expected_purchases(weeks, *GIVEN), TABLE[f"purchases_{weeks}"], rtol=1e-9)


@pytest.mark.parametrize("weeks", [52, 104])
def test_discounted_purchases_are_the_oracles(weeks):
    found = expected_purchases(weeks, *GIVEN, discount=DISCOUNT)
    np.testing.assert_allclose(found, TABLE[f"discounted_{weeks}"], rtol=1e-9)


def test_the_fast_integrals_are_good_enough_for_money():
    # Measured: 1.0e-6 at x = 5000, a = 20, b = 100, 104 weeks; below 2e-8 for everybody with x <= 200. Over 20,000
    # draws of the priors with x up to 100: 99 % below 1e-10 at 52 weeks, the worst 4e-5 (a 24, b 6, x 100).
    plain, discounted = purchase_integrals(104.0, *GIVEN, discount=DISCOUNT)
    np.testing.assert_allclose(plain, TABLE["purchases_104"], rtol=3e-6)
    np.testing.assert_allclose(discounted, TABLE["discounted_104"], rtol=3e-6)
    ordinary = (TABLE["frequency"] <= 200).to_numpy()
    np.testing.assert_allclose(discounted[ordinary], TABLE["discounted_104"][ordinary], rtol=3e-8)


@pytest.mark.parametrize("shape", [0.3, 4.0, 60.0, 900.0])
@pytest.mark.parametrize(("rate", "a", "stay"), [(4.4, 1.0, 2.4), (0.2, 1.5, 30.0), (90.0, 3.0, 1.0)])
def test_expected_purchases_are_a_mean_over_the_chance_of_leaving(shape, rate, a, stay):
    found, _ = bgnbd.alive_integrals(52, shape, rate, a, stay, discount=0.0, nodes=bgnbd.EXACT_NODES)

    def each(p):
        return np.exp((a - 1) * np.log(p) + (stay - 1) * np.log1p(-p) - betaln(a, stay)) * -np.expm1(
            -shape * np.log1p(p * 52 / rate)
        ) / p  # fmt: skip

    brute = sum(quad(each, *ends, epsabs=0, epsrel=1e-12)[0] for ends in pairwise([0, 1e-6, 1e-4, 1e-2, 0.1, 1]))
    assert found == pytest.approx(brute, rel=1e-10)


def test_customer_0001_is_as_published():
    # Fader, Hardie & Lee's CDNOW spreadsheet: x 2, t_x 30.43, T 38.86 -> 1.226 purchases in 39 weeks.
    given_estimates = (0.243, 4.414, 0.793, 2.426)
    assert bgnbd.probability_alive(2, 30.43, 38.86, *given_estimates) == pytest.approx(0.727, abs=5e-4)
    assert expected_purchases(39, 2, 30.43, 38.86, *given_estimates) == pytest.approx(1.226, abs=5e-4)


def test_a_new_customer_buys_as_published():
    # Hardie's spreadsheet, four decimals, at the unrounded estimates (its 2F1 series is cut short beyond a year).
    weeks = [0.1429, 1.0, 3.0, 31.8571, 32.0]
    found = expected_purchases(weeks, 0, 0, 0, 0.2425945, 4.4136019, 0.7929199, 2.4258881)
    np.testing.assert_allclose(found, [0.0078, 0.0532, 0.1506, 1.0405, 1.0437], atol=6e-5)


def test_nobody_can_have_left_before_a_repeat_purchase():
    assert bgnbd.probability_alive(0, 0, 500, **CDNOW_PURCHASES) == 1.0


@pytest.mark.parametrize(("a", "b"), [(1.0, 3.0), (0.4, 0.6), (1.0, 1e-3)])
def test_nothing_happens_where_the_textbook_formula_has_a_pole(a, b):
    around = expected_purchases(52, 0, 0, 20, 0.3, 5, [a - 1e-6, a + 1e-6], b)
    assert expected_purchases(52, 0, 0, 20, 0.3, 5, a, b) == pytest.approx(around.mean(), rel=1e-9)
    assert np.ptp(around) < 1e-4


@pytest.mark.parametrize("seed", range(20))
def test_expected_purchases_equal_the_mean_over_dropout_chances(seed):
    """E[X] = P(alive) E[(1 - (1 + p h / alpha')^-r') / p], p ~ Beta(a, b + x): another integral, on logit p."""
    rng = np.random.default_rng(seed)
    r, alpha, a, b = np.exp(rng.normal([0, 2, -0.5, 0.5], [1.5, 1.5, 0.7, 0.7]))
    x, T, h = int(rng.choice([0, 1, 3, 12, 80])), 60 * rng.random(), float(rng.choice([4, 52, 260]))
    t_x = T * rng.random() if x else 0.0
    shape, rate, stay = r + x, alpha + T, b + x
    logit = np.linspace(-45 / a, 45 / stay, 40_001)
    leave = expit(logit)
    weight = np.exp(-a * np.logaddexp(0, -logit) - stay * np.logaddexp(0, logit) - betaln(a, stay))
    purchases = -np.expm1(-shape * np.log1p(leave * h / rate)) / leave
    expected = bgnbd.probability_alive(x, t_x, T, r, alpha, a, b) * np.trapezoid(weight * purchases, logit)
    assert expected_purchases(h, x, t_x, T, r, alpha, a, b) == pytest.approx(expected, rel=1e-9)


STORY = {"r": 0.9, "alpha": 6.0, "a": 0.9, "b": 2.0, "p": 2.0, "q": 4.0, "v": 30.0}


@pytest.fixture(scope="module")
def told():
    history, future = lives(200_000, age=12.0, weeks=10.0, discount=0.01, seed=42, **STORY)
    known = [history[name].to_numpy(float) for name in HISTORY] + [STORY[name] for name in PARAMETERS]
    plain, discounted = purchase_integrals(10.0, *known, discount=0.01)
    formulas = {
        "alive": bgnbd.probability_alive(*known),
        "any": probability_purchase(10.0, *known),
        "purchases": plain,
        "discounted": discounted,
    }
    return history, future.assign(any=future["purchases"] > 0), pd.DataFrame(formulas)


# Everybody in a cell keeps his own exact recency, so the width of the cell adds no bias.
@pytest.mark.parametrize(("x", "low", "high"), [(0, 0, 12), (1, 0, 4), (1, 9, 12), (2, 3, 6), (3, 10, 12), (6, 6, 11)])
@pytest.mark.parametrize("what", ["alive", "any", "purchases"])
def test_formulas_tell_the_future_of_customers_simulated_event_by_event(told, what, x, low, high):
    history, future, formulas = told
    alike = (history["frequency"] == x) & history["recency"].between(low, high)
    assert alike.sum() > 500
    if x == 0 and what == "alive":
        assert future.loc[alike, what].all()
        return
    assert standard_errors(future.loc[alike, what], formulas.loc[alike, what]) < 4


def test_the_brute_force_notices_a_chance_of_leaving_that_is_one_purchase_late(told):
    history, future, _ = told
    alike = history["frequency"] == 2
    recency, age = history.loc[alike, "recency"], history.loc[alike, "T"]
    # b + x in place of b + x - 1.
    wrong = bgnbd.probability_alive(2, recency, age, STORY["r"], STORY["alpha"], STORY["a"], STORY["b"] + 1)
    assert standard_errors(future.loc[alike, "alive"], wrong) > 8


def test_the_share_of_customers_with_a_history_is_its_likelihood(told):
    """P(x = 0) is exp(log_likelihood); for x = 1 the density integrates over t_x to the share of one-time repeaters."""
    history, _, _ = told
    parameters = [STORY[name] for name in PARAMETERS]
    for x, expected in (
        (0, np.exp(bgnbd.log_likelihood(0, 0, 12.0, *parameters))),
        (1, quad(lambda t: np.exp(bgnbd.log_likelihood(1, t, 12.0, *parameters)), 0, 12.0)[0]),
    ):
        assert standard_errors((history["frequency"] == x).to_numpy(), float(expected)) < 4


def test_parameters_in_rows_and_customers_in_columns_give_a_table():
    draws = [np.array([[value], [value * 1.1], [value * 1.2]]) for value in CDNOW_PURCHASES.values()]
    found = expected_purchases(39, [0, 2], [0, 30.43], [38.86, 38.86], *draws)
    assert found.shape == (3, 2)
    alone = expected_purchases(39, 2, 30.43, 38.86, *(value * 1.1 for value in CDNOW_PURCHASES.values()))
    assert found[1, 1] == pytest.approx(float(alone), rel=1e-13)


def test_customers_with_one_history_are_counted_once():
    ada, bob = (1, 2.0, 5.0), (0, 0.0, 5.0)
    frame = pd.DataFrame([ada, bob, ada, ada], columns=HISTORY)
    distinct = distinct_histories(frame)
    assert distinct["customers"].tolist() == [1, 3]  # sorted: bob, ada
    assert distinct[HISTORY].to_numpy().tolist() == [list(bob), list(ada)]
    weighted = distinct["customers"] @ bgnbd.log_likelihood(*(distinct[n] for n in HISTORY), **CDNOW_PURCHASES)
    each = bgnbd.log_likelihood(*(frame[n] for n in HISTORY), **CDNOW_PURCHASES)
    assert weighted == pytest.approx(each.sum(), rel=1e-14)


positive = st.floats(-4, 4).map(np.exp)
population = st.tuples(positive, positive, positive, positive)
histories = st.tuples(st.integers(0, 300), st.floats(0.01, 1), st.floats(0.5, 300)).map(
    lambda h: (h[0], h[1] * h[2] if h[0] else 0.0, h[2])
)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(history=histories, population=population, weeks=st.floats(0.1, 200))
def test_expected_purchases_keep_their_order(history, population, weeks):
    plain, discounted = (expected_purchases(weeks, *history, *population, discount=d) for d in (0, DISCOUNT))
    longer = expected_purchases(2 * weeks, *history, *population)
    r, alpha, _, _ = population
    x, _, T = history
    most = weeks * (r + x) / (alpha + T)  # nobody buys more than one who never leaves
    any_purchase = probability_purchase(weeks, *history, *population)
    assert 0 <= any_purchase <= bgnbd.probability_alive(*history, *population) <= 1
    assert any_purchase <= plain * (1 + 1e-9)
    assert plain * np.exp(-DISCOUNT * weeks) <= discounted * (1 + 1e-9)
    assert discounted * (1 - 1e-9) <= plain <= min(longer, most) * (1 + 1e-9)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(history=histories, population=population, weeks=st.floats(0.1, 200))
def test_days_and_weeks_give_the_same_customer(history, population, weeks):
    (x, t_x, T), (r, alpha, a, b) = history, population
    in_days = ((x, 7 * t_x, 7 * T), (r, 7 * alpha, a, b))
    # A density of x purchase times, each per day instead of per week.
    assert bgnbd.log_likelihood(*in_days[0], *in_days[1]) + x * np.log(7) == pytest.approx(
        float(bgnbd.log_likelihood(*history, *population)), rel=1e-9, abs=1e-9
    )
    found = expected_purchases(7 * weeks, *in_days[0], *in_days[1], discount=DISCOUNT / 7)
    assert found == pytest.approx(float(expected_purchases(weeks, *history, *population, discount=DISCOUNT)), rel=1e-9)


def test_parameters_that_are_not_numbers_give_an_answer_that_is_none_and_at_once():
    """A million terms of a series that never converges, for each draw and customer, would be a hang."""
    ages = np.linspace(1, 50, 200)
    found, _ = purchase_integrals(52.0, 0.0, 0.0, ages, np.nan, 4.0, 0.8, 2.4, discount=0.0)
    assert np.isnan(found).all()
