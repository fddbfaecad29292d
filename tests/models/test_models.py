"""What the PyMC models promise: the numpy likelihood, upstream's posterior and methods, priors without a unit."""

import warnings

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    CDNOW_PURCHASES,
    CDNOW_SPEND,
    customers,
    expected_purchases,
    lives,
    posterior,
    probability_purchase,
)
from scipy.special import logit
from scipy.stats import beta

from clv.models import bgnbd, gamma_gamma
from clv.models.base import HISTORY, History
from clv.models.gamma_gamma import Amounts
from clv.models.registry import purchase_model

pytestmark = pytest.mark.slow  # importing pymc_marketing alone takes eight seconds

STORY = {"r": 0.6, "alpha": 6.0, "a": 0.8, "b": 3.0, "p": 5.0, "q": 4.0, "v": 24.0}
PLAIN = purchase_model("bgnbd_plain")  # as upstream's, and as the lives of these shops are told
POINTS = [(0.24, 4.4, 0.79, 2.4), (1.3, 11.0, 0.05, 0.9), (4.0, 0.7, 3.0, 20.0)]
SPENDS = [(6.2, 3.7, 15.4, 8.0, 0.9), (1.1, 1.5, 80.0, 0.6, 1.7), (30.0, 9.0, 2.0, 30.0, 1.0)]


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    """Return 400 customers on a coarse grid of days and cents, so that many share a history and many their amounts.

    Every fifth had no amount at the first visit, and some none later.
    """
    history, _ = lives(400, age=1.0, weeks=0.0, discount=0.0, seed=1, **(STORY | {"alpha": STORY["alpha"] / 40}))
    mean = history["monetary_value"].round()
    paid = (history["frequency"] - (history["frequency"] > 5)).where(mean > 0, 0)
    each = (history["frequency"] * mean / paid).where(paid > 0, 1.0)
    return history.assign(
        customer_id=[f"C{i}" for i in range(400)],
        T=40 + np.arange(400) % 3,
        recency=np.ceil(20 * history["recency"]) * 2,
        monetary_value=mean,
        first_amount=np.where(np.arange(400) % 5 > 0, 10.0 + np.arange(400) % 7, 0.0),
        paid_purchases=paid,
        log_amounts=paid * (np.log(each) - 0.1),  # their geometric mean is a tenth below the mean
    )


@pytest.fixture(scope="module")
def repeat_buyers(shop):
    return gamma_gamma.usable(shop)


def times(shop: pd.DataFrame, factor: float) -> pd.DataFrame:
    """Return the same customers in another currency."""
    logs = shop["log_amounts"] + shop["paid_purchases"] * np.log(factor)
    money = {name: factor * shop[name] for name in ("monetary_value", "first_amount")}
    return shop.assign(log_amounts=logs, **money)


def purchase_point(model, r: float, alpha: float, a: float, b: float) -> dict[str, np.ndarray]:
    """Return the sampler's point at these parameters; all but phi are sampled as logarithms, phi as its logit."""
    kappa, periods = a + b, model.model_config["periods_per_year"]
    (phi,) = [value.name for value in model.model.value_vars if value.name.startswith("phi_dropout")]
    return {
        "r_log__": np.log(r),
        "yearly_rate_log__": np.log(r / alpha * periods),
        phi: logit(a / kappa) if phi != "phi_dropout" else np.asarray(a / kappa),
        "kappa_dropout_log__": np.log(kappa),
    }


def spend_point(model, p: float, q: float, v: float, p_first: float, ratio: float) -> dict[str, np.ndarray]:
    typical = float(model.model["typical_order_value"].get_value())
    values = {"p": p, "q": q, "relative_spend": p * v / q / typical, "relative_shape": p_first / p}
    return {f"{name}_log__": np.log(value) for name, value in (values | {"first_ratio": ratio}).items()}


def likelihood(model, at):
    """Return the model's likelihood alone, without priors, as a function of its parameters."""
    compiled = model.model.compile_logp(vars=model.model.potentials or model.model.observed_RVs, jacobian=False)
    return np.array([float(compiled(point)) for point in at])


@pytest.mark.parametrize("purchases", [PLAIN, purchase_model("bgnbd")])
def test_the_model_computes_the_numpy_likelihood(shop, purchases):
    model = purchases.build(shop)
    assert len(model.data) < 0.7 * len(shop)  # histories are shared, or the test says nothing
    found = likelihood(model, [purchase_point(model, *point) for point in POINTS])
    exact = purchases.log_likelihood(History.of(shop), np.array(POINTS)).sum(axis=1)
    np.testing.assert_allclose(found, exact, rtol=1e-10)
    plain = [bgnbd.log_likelihood(*(shop[name] for name in HISTORY), *point).sum() for point in POINTS]
    assert np.allclose(exact, plain, rtol=1e-10) == (purchases is PLAIN)


def test_the_spend_model_computes_the_numpy_likelihood_up_to_the_unit(shop):
    from clv.models import gamma_gamma_pymc

    model = gamma_gamma_pymc.model(shop)
    sums = {name: values.size for name, values in model.data_for(shop).items()}
    assert sums["sum_total"] < 0.9 * len(shop) > 10 * sums["pair_n"]  # amounts are shared, or the test says nothing
    found = likelihood(model, [spend_point(model, *point) for point in SPENDS])
    exact = gamma_gamma.log_likelihood(Amounts.of(shop), shop["log_amounts"], np.array(SPENDS)).sum(axis=1)
    amounts = shop["paid_purchases"].sum() + (shop["first_amount"] > 0).sum()
    typical = float(model.model["typical_order_value"].get_value())
    np.testing.assert_allclose(found - exact, amounts * np.log(typical), rtol=1e-9)


def test_the_order_of_the_customers_does_not_show(shop):
    from clv.models import gamma_gamma_pymc

    model, shuffled = gamma_gamma_pymc.model(shop, typical=20.0), shop.sample(frac=1, random_state=1)
    for name, values in model.data_for(shop).items():
        np.testing.assert_array_equal(model.data_for(shuffled)[name], values, err_msg=name)


def test_the_share_of_visits_with_an_amount_is_drawn_where_some_had_none(shop):
    from clv.models import gamma_gamma_pymc

    model, rng = gamma_gamma_pymc.model(shop), np.random.default_rng(1)
    (share,) = model.exact_draws(shop, (4, 5000), rng).values()
    visits, paid = shop["frequency"].sum(), shop["paid_purchases"].sum()
    assert share.shape == (4, 5000)
    assert share.mean() == pytest.approx((paid + 1) / (visits + 2), abs=1e-3)
    assert share.std() == pytest.approx(beta(paid + 1, visits - paid + 1).std(), rel=0.05)
    assert model.exact_draws(shop.assign(paid_purchases=shop["frequency"]), (4, 5000), rng) == {}


def test_weighted_histories_have_the_posterior_of_upstreams_rows(shop):
    from pymc_marketing.clv import BetaGeoModel

    upstream = BetaGeoModel()
    upstream.build_model(shop)
    rows = [
        {"r_log__": np.log(r), "alpha_log__": np.log(alpha), "phi_dropout_interval__": logit(a / (a + b)),
         "kappa_dropout_interval__": np.log(a + b - 1)}
        for r, alpha, a, b in (POINTS[0], POINTS[2], (0.5, 3.0, 0.9, 1.4))
    ]  # fmt: skip
    model = PLAIN.build(shop)
    ours = [purchase_point(model, *point) for point in (POINTS[0], POINTS[2], (0.5, 3.0, 0.9, 1.4))]
    gap = likelihood(upstream, rows) - likelihood(model, ours)
    np.testing.assert_allclose(gap, gap[0], atol=1e-7)


def reported(model, point: dict[str, np.ndarray]) -> dict[str, float]:
    """Return the value of every named parameter at the sampler's point."""
    variables = model.model.free_RVs + model.model.deterministics
    compute = model.model.compile_fn(
        model.model.replace_rvs_by_values(variables), inputs=model.model.value_vars, on_unused_input="ignore"
    )
    return dict(zip([variable.name for variable in variables], map(float, compute(point)), strict=True))


def constant_gap(one, two, points) -> np.ndarray:
    """Return the differences of two log posteriors (priors and Jacobian included) at the same unconstrained points."""
    first, second = (model.model.compile_logp() for model in (one, two))
    return np.array([float(first(point)) - float(second(point)) for point in points])


def test_days_and_weeks_have_one_posterior(shop):

    in_days = shop.assign(recency=7 * shop["recency"], T=7 * shop["T"])
    weeks, days = PLAIN.build(shop), PLAIN.build(in_days, periods_per_year=365.25)
    points = [purchase_point(weeks, *point) for point in POINTS]
    np.testing.assert_allclose(constant_gap(weeks, days, points), shop["frequency"].sum() * np.log(7), rtol=1e-9)
    alpha_weeks, alpha_days = (reported(model, points[0])["alpha"] for model in (weeks, days))
    assert alpha_weeks == pytest.approx(POINTS[0][1], rel=1e-12)
    assert alpha_days == pytest.approx(7 * alpha_weeks, rel=1e-12)


def test_cents_and_dollars_have_one_posterior(shop):
    from clv.models import gamma_gamma_pymc

    dollars, cents = gamma_gamma_pymc.model(shop), gamma_gamma_pymc.model(times(shop, 100))
    points = [spend_point(dollars, *point) for point in SPENDS]
    np.testing.assert_allclose(constant_gap(dollars, cents, points), 0, atol=1e-7)


# --- what a pymc-marketing user expects to work


@pytest.fixture(scope="module")
def typed():
    rng = np.random.default_rng(1)
    values = {**CDNOW_PURCHASES, **CDNOW_SPEND}
    return {name: value * rng.lognormal(0, 0.05, (2, 5)) for name, value in values.items()}


KNOWN = customers((0, 0.0, 20.0, 0.0), (2, 30.43, 38.86, 22.35), (26, 30.86, 31.0, 35.0))
KNOWN["customer_id"] = list("abc")


def test_upstreams_predictions_work_on_our_purchase_model(shop, typed):
    from clv.models import bgnbd_pymc

    model = PLAIN.build(shop)
    model.idata = posterior(**{name: typed[name] for name in bgnbd_pymc.PARAMETERS})
    parameters = [typed[name][..., None] for name in bgnbd_pymc.PARAMETERS]
    history = [KNOWN[name].to_numpy(float) for name in HISTORY]
    np.testing.assert_allclose(
        model.expected_purchases(KNOWN, future_t=39).values,
        expected_purchases(39, *history, *parameters),
        rtol=1e-7,
    )
    np.testing.assert_allclose(
        model.expected_probability_alive(KNOWN).values, bgnbd.probability_alive(*history, *parameters), rtol=1e-10
    )
    # Upstream's formula for no purchase is wrong for x = 0, so only for the others.
    np.testing.assert_allclose(
        1 - model.expected_probability_no_purchase(39, KNOWN).values[..., 1:],
        probability_purchase(39, *history, *parameters)[..., 1:],
        rtol=1e-8,
    )
    new = model.expected_purchases_new_customer(KNOWN, t=39).values
    np.testing.assert_allclose(new, expected_purchases(39, 0, [0, 0, 0], 0, *parameters), rtol=1e-7)


def test_upstreams_predictions_work_on_our_spend_model(shop, typed):
    from clv.models import gamma_gamma_pymc

    model = gamma_gamma_pymc.model(shop)
    values = [typed[name] for name in ("p", "q", "v")]
    model.idata = posterior(**dict(zip(("p", "q", "v"), values, strict=True)))
    phi = np.stack([*values, values[0], np.ones((2, 5))], axis=-1)
    np.testing.assert_allclose(  # upstream knows no first orders; these had no amount
        model.expected_customer_spend(KNOWN).values, gamma_gamma.expected_spend(Amounts.of(KNOWN), phi), rtol=1e-10
    )
    assert model.expected_new_customer_spend().shape == (2, 5)


def test_a_compiled_model_can_be_given_other_customers(shop):

    model = PLAIN.build(shop)
    for name, values in model.data_for(shop.iloc[:100]).items():
        model.model[name].set_value(values)
    found = likelihood(model, [purchase_point(model, *POINTS[0])])
    history = [shop[name].iloc[:100] for name in HISTORY]
    assert found[0] == pytest.approx(bgnbd.log_likelihood(*history, *POINTS[0]).sum(), rel=1e-10)


def test_a_customer_who_came_on_the_last_day_is_no_reason_to_warn(shop):

    newest = shop.assign(T=np.where(shop.index == shop.index[shop["frequency"] == 0][0], 0.0, shop["T"]))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a notebook that warns has failed
        PLAIN.build(newest)


@pytest.mark.parametrize("value", [-6.0, -0.5, 1.5, 6.0])
def test_the_sampler_meets_no_walls(shop, value):
    """Every direction it may move in is a whole line: a bounded one gives divergences where data are few."""
    from clv.models import gamma_gamma_pymc

    for model in (PLAIN.build(shop), gamma_gamma_pymc.model(shop)):
        density = model.model.compile_logp()
        for moved in model.model.value_vars:
            point = {variable.name: value * (variable is moved) for variable in model.model.value_vars}
            assert np.isfinite(density({name: np.asarray(float(at)) for name, at in point.items()})), moved.name


@pytest.mark.slow
def test_a_stated_typical_order_reaches_the_prior_and_the_refit(repeat_buyers):
    from clv.models import gamma_gamma_pymc

    model = gamma_gamma_pymc.model(repeat_buyers, typical=7.0)
    assert model.model["typical_order_value"].get_value() == 7.0
    assert model.data_for(repeat_buyers)["typical_order_value"] == 7.0


@pytest.mark.parametrize("module", ["bgnbd_pymc", "gamma_gamma_pymc"])
def test_no_hill_of_rounding_errors_stands_above_the_mode(shop, module):
    """NUTS found such hills, 34 logarithms out, and broke down on them."""
    from importlib import import_module

    from clv.models import sampling

    density = sampling.Compiled(import_module(f"clv.models.{module}").model(shop)).density
    rng, size = np.random.default_rng(1), density.start.size
    near = density.at(density.start + rng.normal(0, 1, (2000, size)), {})[0].max()
    for distance in (10, 25, 50):
        assert density.at(rng.normal(0, distance, (20_000, size)), {})[0].max() < near + 20
