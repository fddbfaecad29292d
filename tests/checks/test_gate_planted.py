"""Failures planted into good fits of CDNOW, and the check of the gate that catches each."""

from dataclasses import replace
from datetime import date
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import cdnow
from scipy.optimize import minimize
from scipy.special import gammaincinv

from clv.checks import posterior as checks_posterior
from clv.checks.gate import FAIL, PASS, WARN, Check
from clv.checks.posterior import DECIDES, PURCHASE_RATIOS
from clv.models import sampling
from clv.models.base import HISTORY, Built, History, distinct_histories
from clv.models.bgnbd import BGNBD, PlainBGNBD
from clv.models.draws import flat
from clv.models.priors import PURCHASES
from clv.models.registry import model_of
from clv.models.sampling import Compiled, Settings
from clv.rfm import customers as rfm_customers

pytestmark = pytest.mark.slow  # compiles and fits both models

SETTINGS = Settings(chains=4, draws=500, tune=500, seed=1, method="laplace")


def build(home: str, customers: pd.DataFrame) -> Built:
    """Return a model, loaded when it is needed: PyMC takes longer to load than most tests run."""
    return import_module(f"clv.models.{home}_pymc").model(customers)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return rfm_customers.summarise(cdnow(), "transactions", period_end=date(1997, 9, 30))


@pytest.fixture(scope="module")
def purchases(customers) -> xr.DataTree:
    return sampling.sample(Compiled(build("bgnbd", customers)), customers, SETTINGS)


@pytest.fixture(scope="module")
def spend(customers) -> xr.DataTree:
    return sampling.sample(Compiled(build("gamma_gamma", customers)), customers, SETTINGS)


def changed(posterior: xr.DataTree, **values) -> xr.DataTree:
    """Return a posterior with some parameters or statistics replaced."""
    copy = posterior.copy(deep=True)
    for name, value in values.items():
        group = "posterior" if name in copy["posterior"] else "sample_stats"
        copy[group][name] = copy[group][name] * 0 + value
    return copy


def of_purchases(posterior: xr.DataTree, customers: pd.DataFrame) -> dict[str, Check]:
    checks = checks_posterior.judge_purchases({"bgnbd": posterior}, {"bgnbd": customers}, SETTINGS, horizon_weeks=52)
    return {check.name: check for check in checks}


def of_spend(posterior: xr.DataTree, customers: pd.DataFrame) -> dict[str, Check]:
    checks = checks_posterior.judge_spend({"gamma_gamma": posterior}, {"gamma_gamma": customers}, SETTINGS)
    return {check.name: check for check in checks}


def faults(checks: dict[str, Check], verdict: str = FAIL) -> set[str]:
    return {name for name, check in checks.items() if check.verdict == verdict}


def test_cdnow_itself_passes(customers, purchases, spend):
    assert faults(of_purchases(purchases, customers)) | faults(of_spend(spend, customers)) == set()
    assert faults(of_purchases(purchases, customers), WARN) == set()
    assert of_purchases(purchases, customers)["repeat purchases"].figure == pytest.approx(1, abs=0.05)


def test_all_nan_fails(customers, purchases):
    assert faults(of_purchases(changed(purchases, r=np.nan), customers)) == {"shape"}


def test_swapped_dropout_parameters_are_no_model_of_these_data(customers, purchases):
    a, b = purchases["posterior"]["a"].to_numpy(), purchases["posterior"]["b"].to_numpy()
    assert faults(of_purchases(changed(purchases, a=b, b=a), customers)) == {"repeat purchases"}


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_stale_posterior_of_another_base_is_no_model_of_these_data(customers, purchases, factor):
    stale = changed(purchases, alpha=purchases["posterior"]["alpha"].to_numpy() * factor)
    assert "repeat purchases" in faults(of_purchases(stale, customers))


def test_a_posterior_a_tenth_off_is_warned_about(customers, purchases):
    off = changed(purchases, alpha=purchases["posterior"]["alpha"].to_numpy() * 0.7)
    assert faults(of_purchases(off, customers), WARN) == {"repeat purchases"}


def test_a_small_base_is_excused_by_its_luck(customers, purchases):
    few = customers.iloc[::17]
    check = of_purchases(purchases, few)["repeat purchases"]
    assert not PURCHASE_RATIOS[0][0] <= check.figure <= PURCHASE_RATIOS[0][1]
    assert check.verdict == PASS


def test_spend_on_the_scale_of_cents_fails(customers, spend):
    cents = changed(spend, v=spend["posterior"]["v"].to_numpy() * 100)
    assert faults(of_spend(cents, customers)) == {"mean spend"}


def test_a_mean_spend_that_may_be_infinite_is_warned_about_and_one_that_likely_is_fails(customers, spend):
    """Each customer of whom an amount is known has a mean all the same, and half of the draws are enough to use."""
    q = spend["posterior"]["q"].to_numpy().copy()
    q.ravel()[:100] = 0.9
    rare = of_spend(changed(spend, q=q), customers)
    assert (faults(rare), faults(rare, WARN)) == (set(), {"infinite mean spend"})
    q.ravel()[:-100] = 0.9
    assert "infinite mean spend" in faults(of_spend(changed(spend, q=q), customers))


def test_a_heavy_tail_is_warned_about_where_most_customers_are_as_they_were(customers, spend):
    """q = 1.2: the mean of such a population is four times that of CDNOW's, half of its customers spend the same."""
    q = np.full_like(spend["posterior"]["q"], 1.2)
    v, old = (spend["posterior"][name].to_numpy() for name in ("v", "q"))
    same_median = v * gammaincinv(q, 0.5) / gammaincinv(old, 0.5)
    heavy = of_spend(changed(spend, q=q, v=same_median), customers)
    assert faults(heavy) == set()
    assert faults(heavy, WARN) == {"mean spend"}
    assert heavy["mean spend"].figure > 2


def total(posterior: xr.DataTree, customers: pd.DataFrame, weeks: float) -> np.ndarray:
    """Return the purchases expected of all customers under every draw, in the order of `draws.flat`."""
    theta = flat(posterior, ["r", "alpha", "a", "b"], 2000)
    return np.concatenate(
        [expected(model_of(posterior), theta[at : at + 250], customers, weeks) for at in range(0, 2000, 250)]
    )


def expected(model, theta: np.ndarray, customers: pd.DataFrame, weeks: float) -> np.ndarray:
    history = History.of(customers)
    return (model.if_alive(weeks, history, theta, discount=0.0)[0] * model.p_alive(history, theta)).sum(axis=-1)


def test_a_prior_that_decides_is_warned_about_in_money(customers, purchases, spend):
    """Eight customers say little of what they will buy; the whole base says enough."""
    few = customers[customers["frequency"] > 0].head(8)
    alone = sampling.sample(Compiled(build("bgnbd", few)), few, SETTINGS)
    asked = {"currency": "USD", "horizon_weeks": 52}
    of_few, _ = checks_posterior.judge_priors(alone, spend, total(alone, few, 52), **asked)
    some = customers.iloc[::10]
    of_all, of_spend = checks_posterior.judge_priors(purchases, spend, total(purchases, some, 52), **asked)
    assert (of_few.verdict, of_all.verdict, of_spend.verdict) == (WARN, PASS, PASS)
    assert "USD" in of_few.sentence and of_few.figure > DECIDES > of_all.figure


def equally_loyal(n: int, seed: int) -> pd.DataFrame:
    """Return histories of customers who all leave with a chance of 15 % after a purchase, told event by event."""
    rng = np.random.default_rng(seed)
    ages, rates, rows = rng.uniform(10, 52, n), rng.gamma(1.0, 0.1, n), []
    for age, rate in zip(ages, rates, strict=True):
        times = rng.exponential(1 / rate, 200).cumsum()[: rng.geometric(0.15)]
        seen = times[times <= age]
        rows.append((len(seen), seen[-1] if len(seen) else 0.0, age))
    return pd.DataFrame(rows, columns=HISTORY)


def test_where_customers_are_equally_loyal_the_prior_moves_five_years_half_as_far_as_a_narrow_one(spend, monkeypatch):
    """Maximum likelihood goes to a + b without end. The prior there was (LogNormal(1, 1)) held customers to differ."""
    base, model = equally_loyal(600, seed=4), PlainBGNBD()
    kappa = 1e4

    def theta(point: np.ndarray) -> np.ndarray:
        r, alpha, stay = np.exp(point)
        return np.array([r, alpha, kappa / (1 + stay), kappa * stay / (1 + stay)])

    found = minimize(
        lambda point: -model.log_likelihood(History.of(base), theta(point)).sum(), [0.0, 2.0, 1.7], method="Nelder-Mead"
    )
    likeliest = expected(model, theta(found.x), base, 260)
    narrow = [replace(one, median=np.e, sigma=1.0) if one.name == "kappa_dropout" else one for one in PURCHASES]
    fits = {}
    for name, priors in {"now": PURCHASES, "before": tuple(narrow)}.items():
        monkeypatch.setattr("clv.models.bgnbd_pymc.OnDistinctHistories.priors", priors)
        posterior = sampling.sample(Compiled(model.build(base)), base, SETTINGS)
        fits[name] = posterior, total(posterior, base, 260)
    (posterior, now), (_, before) = fits["now"], fits["before"]
    assert now.mean() - likeliest < 0.5 * (before.mean() - likeliest)
    check, _ = checks_posterior.judge_priors(posterior, spend, now, currency="USD", horizon_weeks=260)
    assert check.verdict == WARN and "lower: so much the data leave open" in check.sentence


def test_log_prior_and_likelihood_add_up_to_the_density(customers, purchases):
    """Their difference at any two draws is the likelihood's, computed by other code."""
    few = dict(chain=0, draw=slice(0, 1000, 100))
    draws, statistics = (purchases[group].to_dataset().isel(few) for group in ("posterior", "sample_stats"))
    histories = distinct_histories(customers)
    history, weights = History.of(histories), histories["customers"].to_numpy(float)
    theta = np.stack([draws[name].to_numpy() for name in ("r", "alpha", "a", "b")], axis=-1)
    likelihood = BGNBD().log_likelihood(history, theta) @ weights
    rest = (statistics["logp"] - statistics["log_prior"]).to_numpy() - likelihood
    assert np.ptp(rest) < 1e-8
    assert np.ptp(statistics["logp"].to_numpy() - likelihood) > 0.1  # the prior is not constant
