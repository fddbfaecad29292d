"""What gamma_gamma promises: likelihood and expected spend, against the oracle, the story and cases by hand."""

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW_SPEND, lives, oracle, published_likelihood, standard_errors
from scipy.integrate import quad
from scipy.special import gammaln
from scipy.stats import gamma

from clv.models import gamma_gamma
from clv.models.gamma_gamma import NOTHING_PAID, Amounts

TABLE = oracle()
SPEND = [TABLE[name].to_numpy() for name in ("p", "q", "v")]


def repeats(x, z_mean) -> Amounts:
    """Return the amounts of customers whose first order had none."""
    return Amounts(np.asarray(x, dtype=float), np.multiply(x, z_mean, dtype=float), 0.0)


def published(p, q, v) -> np.ndarray:
    """Return phi with first orders like the others: where there are none, nothing depends on them."""
    return np.stack(np.broadcast_arrays(p, q, v, p, 1.0), axis=-1).astype(float)


def test_expected_spend_is_the_oracles():
    every = gamma_gamma.expected_spend(repeats(TABLE["frequency"], TABLE["monetary_value"]), published(*SPEND))
    np.testing.assert_allclose(every.diagonal(), TABLE["expected_spend"], rtol=1e-9)


def test_the_likelihood_of_amounts_is_that_of_their_mean_and_of_how_they_are_shared_out():
    """Given their sum, amounts are Dirichlet(p, ..., p) whatever q and v: what is left is the published likelihood."""
    repeat = (TABLE["frequency"] > 0).to_numpy()
    x, z_mean = (TABLE[name][repeat].to_numpy(float) for name in ("frequency", "monetary_value"))
    p, q, v = (value[repeat] for value in SPEND)
    np.testing.assert_allclose(
        published_likelihood(x, z_mean, p, q, v), TABLE["spend_log_likelihood"][repeat], rtol=1e-9
    )
    logs = x * np.log(z_mean) - 0.1 * x
    shared = gammaln(p * x) - x * gammaln(p) + (p - 1) * logs - (p * x - 1) * np.log(x * z_mean) - np.log(x)
    found = gamma_gamma.log_likelihood(repeats(x, z_mean), logs, published(p, q, v)).diagonal()
    np.testing.assert_allclose(found - shared, published_likelihood(x, z_mean, p, q, v), rtol=1e-8)


def told(first: float, later: list[float], p: float, q: float, v: float, p_first: float, ratio: float) -> float:
    """Return the density of a customer's amounts as the story tells it, averaged over nu by brute force."""

    def along(log_nu: float) -> float:
        nu = np.exp(log_nu)
        of_first = gamma.pdf(first, p_first, scale=p * ratio / (p_first * nu)) if first else 1.0
        return of_first * np.prod(gamma.pdf(later, p, scale=1 / nu)) * gamma.pdf(nu, q, scale=1 / v) * nu

    return sum(quad(along, low, low + 1, epsrel=1e-11)[0] for low in range(-14, 6))


@pytest.mark.parametrize("first", [0.0, 35.0])
@pytest.mark.parametrize("later", [[], [20.0], [12.0, 30.0, 22.5]])
def test_the_likelihood_of_single_amounts_is_the_story_averaged_over_nu(first, later):
    parameters = (3.4, 4.4, 33.7, 4.2, 0.96)
    amounts, log_sum = Amounts(len(later), sum(later), first), float(np.log(later).sum())
    found = gamma_gamma.log_likelihood(amounts, log_sum, np.array(parameters))
    assert found == pytest.approx(np.log(told(first, later, *parameters)), abs=1e-8)
    if first:  # negative control: a first order taken for one like the others
        assert abs(gamma_gamma.log_likelihood(amounts, log_sum, published(3.4, 4.4, 33.7)) - found) > 1e-3


def test_a_first_order_says_as_much_as_its_shape_and_size_allow():
    """Told purchase by purchase: who paid so much first pays so much later, one-time buyers included."""
    p, q, v, p_first, ratio, size = 3.0, 5.0, 40.0, 1.5, 0.7, 400_000
    rng = np.random.default_rng(8)
    nu = rng.gamma(q, 1 / v, size)
    first, later = rng.gamma(p_first, size=size) * p * ratio / (p_first * nu), rng.gamma(p, size=size) / nu
    assert first.mean() / later.mean() == pytest.approx(ratio, rel=0.02)
    for low, high in ((5, 8), (60, 100)):
        alike = (first > low) & (first < high)
        known, phi = Amounts(np.zeros(alike.sum()), 0.0, first[alike]), np.array([p, q, v, p_first, ratio])
        assert standard_errors(later[alike], gamma_gamma.expected_spend(known, phi)) < 4
        # Neither a first order forgotten nor one taken for a later one would pass.
        assert standard_errors(later[alike], gamma_gamma.expected_spend(NOTHING_PAID, phi)) > 4
        assert standard_errors(later[alike], gamma_gamma.expected_spend(known, published(p, q, v))) > 4


def test_visits_without_an_amount_make_the_next_one_cheaper_and_teach_nothing_of_the_others():
    """Four visits of ada's, one of them free: she pays 30 when she pays, at three visits in four."""
    ada = Amounts.of(
        pd.DataFrame({"frequency": [4], "monetary_value": [22.5], "paid_purchases": [3], "first_amount": [0.0]})
    )
    assert (ada.n, ada.total) == (3, 90)
    phi = np.append(published(3.0, 5.0, 40.0), 0.75)
    paid = gamma_gamma.expected_spend(ada, phi)
    assert paid == pytest.approx(3 * (40 + 90) / (9 + 5 - 1))  # p (v + S) / (p n + q - 1)
    assert gamma_gamma.expected_per_visit(ada, phi) == pytest.approx(0.75 * paid)
    assert paid == gamma_gamma.expected_spend(repeats([3], [30.0]), phi)  # as if she had come three times


def test_expected_spend_is_as_published():
    # Hardie's spreadsheet for CDNOW, two decimals, at the unrounded estimates.
    x, z_mean = [2, 1, 0, 7, 2], [22.35, 11.77, 0, 73.74, 25.55]
    found = gamma_gamma.expected_spend(repeats(x, z_mean), published(6.24880175, 3.74458868, 15.44775089))
    np.testing.assert_allclose(found, [24.65, 18.91, 35.17, 71.46, 27.28], atol=2e-2)


@pytest.mark.parametrize(("x", "low", "high"), [(1, 20, 22), (1, 80, 120), (2, 10, 14), (4, 60, 90)])
def test_formulas_tell_the_next_amounts_of_customers_simulated_one_by_one(x, low, high):
    truth = {"r": 2.0, "alpha": 6.0, "a": 0.5, "b": 9.0, "p": 3.0, "q": 5.0, "v": 40.0}
    history, future = lives(200_000, age=12.0, weeks=6.0, discount=0.0, seed=7, **truth)
    alike = (history["frequency"] == x) & history["monetary_value"].between(low, high) & (future["purchases"] > 0)
    assert alike.sum() > 300
    # Spend does not depend on how many purchases followed, so per purchase the expectation stays.
    found = future["value"][alike] / future["purchases"][alike]
    spend = [truth[name] for name in ("p", "q", "v")]
    expected = gamma_gamma.expected_spend(repeats(x, history["monetary_value"][alike]), published(*spend))
    assert standard_errors(found, expected) < 4
    assert standard_errors(found, history["monetary_value"][alike].to_numpy()) > 4  # the own mean alone is wrong


def test_many_purchases_are_believed_and_none_gives_the_population_mean():
    p, q, v = CDNOW_SPEND.values()
    assert gamma_gamma.expected_spend(repeats(0, 0), published(p, q, v)) == pytest.approx(p * v / (q - 1), rel=1e-14)
    assert gamma_gamma.expected_spend(repeats(1_000_000, 12.5), published(p, q, v)) == pytest.approx(12.5, rel=1e-5)


def test_a_mean_that_does_not_exist_is_infinite():
    assert gamma_gamma.expected_spend(repeats(0, 0), published(2.0, 1.0, 5.0)) == np.inf
    assert gamma_gamma.expected_spend(repeats(0, 0), published(2.0, 0.8, 5.0)) == np.inf
    assert np.isfinite(gamma_gamma.expected_spend(repeats(1, 10), published(2.0, 0.8, 5.0)))


def test_cents_are_a_hundred_times_dollars():
    p, q, v = CDNOW_SPEND.values()
    x, dollars = np.array([1, 3, 20]), np.array([11.77, 40.0, 2.5])
    in_dollars = gamma_gamma.expected_spend(repeats(x, dollars), published(p, q, v))
    spend_in_cents = gamma_gamma.expected_spend(repeats(x, 100 * dollars), published(p, q, 100 * v))
    np.testing.assert_allclose(spend_in_cents, 100 * in_dollars, rtol=1e-13)
    logs, cents = x * np.log(dollars), x * np.log(100)
    likelihood = gamma_gamma.log_likelihood(repeats(x, dollars), logs, published(p, q, v))
    in_cents = gamma_gamma.log_likelihood(repeats(x, 100 * dollars), logs + cents, published(p, q, 100 * v))
    np.testing.assert_allclose(in_cents + cents, likelihood, rtol=1e-12)


def shop() -> pd.DataFrame:
    return pd.DataFrame({"frequency": [0, 1, 3, 2], "monetary_value": [0.0, 4.0, 0.0, 9.0]})


def test_the_model_learns_from_repeat_buyers_who_paid_something():
    assert gamma_gamma.usable(shop()).index.tolist() == [1, 3]


def test_the_typical_order_is_the_geometric_mean():
    assert gamma_gamma.typical_order_value(shop()) == pytest.approx(6.0)  # sqrt(4 x 9)


def test_the_sum_of_the_next_amounts_is_distributed_as_told_amount_by_amount():
    p, q, v, x, n, size = 3.0, 5.0, 40.0, 2, 3, 400_000
    rng = np.random.default_rng(4)
    nu = rng.gamma(q, 1 / v, size)
    own, total = rng.gamma(p, size=(x, size)).mean(axis=0) / nu, rng.gamma(p, size=(n, size)).sum(axis=0) / nu
    alike = (own > 38) & (own < 42)
    assert alike.sum() > 5_000
    for limit in (60.0, 110.0, 180.0):
        below = (total[alike] <= limit).astype(float)
        assert standard_errors(below, gamma_gamma.total_cdf(limit, n, repeats(x, own[alike]), published(p, q, v))) < 4
        # Neither a history forgotten nor three purchases taken for one would pass.
        assert standard_errors(below, gamma_gamma.total_cdf(limit, n, repeats(0, 0), published(p, q, v))) > 4
        assert standard_errors(below, gamma_gamma.total_cdf(limit, 1, repeats(x, own[alike]), published(p, q, v))) > 4


def test_a_sum_of_amounts_lies_between_nothing_and_everything():
    p, q, v = CDNOW_SPEND.values()
    found = gamma_gamma.total_cdf([0, 30, 60, 1e12], 2, repeats(1, 20.0), published(p, q, v))
    assert found[0] == 0
    assert found[-1] == pytest.approx(1)
    assert (np.diff(found) > 0).all()
    in_cents = gamma_gamma.total_cdf([0, 3000, 6000, 1e14], 2, repeats(1, 2000.0), published(p, q, 100 * v))
    np.testing.assert_allclose(in_cents, found, rtol=1e-12)


def test_the_mean_of_the_distribution_is_the_expected_spend():
    p, q, v = 3.0, 5.0, 40.0
    above = quad(lambda total: 1 - gamma_gamma.total_cdf(total, 3, repeats(2, 25.0), published(p, q, v)), 0, np.inf)[0]
    assert above == pytest.approx(3 * gamma_gamma.expected_spend(repeats(2, 25.0), published(p, q, v)), rel=1e-6)


def histories(*amounts: list[float]) -> pd.DataFrame:
    """Return customers of these repeat amounts, whose first order was 1."""
    return pd.DataFrame(
        {
            "frequency": [float(len(each)) for each in amounts],
            "monetary_value": [float(np.mean(each)) if each else 0.0 for each in amounts],
            "paid_purchases": [float(sum(one > 0 for one in each)) for each in amounts],
            "first_amount": 1.0,
            "log_amounts": [float(np.log([one for one in each if one > 0]).sum()) for each in amounts],
        }
    )


def test_one_price_is_seen_where_every_paid_repeat_costs_it():
    assert gamma_gamma.one_price(histories([9.99, 9.99], [9.99], [9.99, 0.0], [])) == pytest.approx(9.99)
    assert gamma_gamma.one_price(histories([9.99, 9.99], [12.99])) is None
    assert gamma_gamma.one_price(histories([5.0, 15.0], [10.0])) is None  # equal means, different amounts
    assert gamma_gamma.one_price(histories([], [])) is None


def test_at_one_price_the_next_purchase_costs_it_whatever_the_first_order_cost():
    customers = histories([9.99, 9.99], [], [9.99] * 300)
    phi = np.array([[gamma_gamma.of_one_price(9.99)[one.name] for one in gamma_gamma.PARAMETERS]])
    amounts = Amounts.of(customers)
    np.testing.assert_allclose(gamma_gamma.expected_spend(amounts, phi), 9.99, rtol=1e-6)
    assert gamma_gamma.total_cdf(3 * 9.99 * 1.002, 3, amounts, phi).min() > 0.999
    assert gamma_gamma.total_cdf(3 * 9.99 * 0.998, 3, amounts, phi).max() < 0.001
