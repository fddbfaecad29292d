"""Failures planted into good fits of CDNOW, and the check of the gate that catches each."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from helpers import cdnow

from clv.checks import posterior as checks_posterior
from clv.checks.gate import FAIL, PASS, WARN, Check
from clv.checks.posterior import PURCHASES_WARN, SENSITIVE
from clv.models import bgnbd, bgnbd_pymc, gamma_gamma_pymc, sampling
from clv.models.base import HISTORY, distinct_histories
from clv.models.sampling import Compiled, Settings
from clv.rfm import customers as rfm_customers

pytestmark = pytest.mark.slow  # compiles and fits both models
SETTINGS = Settings(chains=4, draws=1000, tune=1000, seed=1, method="laplace")


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return rfm_customers.summarise(cdnow(), "transactions", period_end=date(1997, 9, 30))


@pytest.fixture(scope="module")
def purchases(customers) -> xr.DataTree:
    return sampling.sample(Compiled(bgnbd_pymc.model(customers)), customers, SETTINGS)


@pytest.fixture(scope="module")
def spend(customers) -> xr.DataTree:
    return sampling.sample(Compiled(gamma_gamma_pymc.model(customers)), customers, SETTINGS)


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
    assert not PURCHASES_WARN[0] <= check.figure <= PURCHASES_WARN[1]
    assert check.verdict == PASS


def test_spend_on_the_scale_of_cents_fails(customers, spend):
    cents = changed(spend, v=spend["posterior"]["v"].to_numpy() * 100)
    assert faults(of_spend(cents, customers)) == {"mean spend"}


def test_a_mean_spend_that_may_be_infinite_fails(customers, spend):
    q = spend["posterior"]["q"].to_numpy().copy()
    q.ravel()[:100] = 0.9
    assert faults(of_spend(changed(spend, q=q), customers)) == {"infinite mean spend"}


def test_a_prior_that_decides_is_warned_about(customers, purchases):
    """Eight customers say little: the prior moves the forecast, and the data hardly do."""
    few = customers[customers["frequency"] > 0].head(8)
    alone = sampling.sample(Compiled(bgnbd_pymc.model(few)), few, SETTINGS)
    check = of_purchases(alone, few)["prior sensitivity"]
    assert check.verdict == WARN
    assert check.figure > SENSITIVE


def test_log_prior_and_likelihood_add_up_to_the_density(customers, purchases):
    """Their difference at any two draws is the likelihood's, computed by other code."""
    few = dict(chain=0, draw=slice(0, 1000, 100))
    draws, statistics = (purchases[group].to_dataset().isel(few) for group in ("posterior", "sample_stats"))
    histories = distinct_histories(customers)
    history = [histories[name].to_numpy(float) for name in HISTORY]
    likelihood = [
        bgnbd.log_likelihood(*history, *(float(draws[name][i]) for name in ("r", "alpha", "a", "b")))
        @ histories["customers"].to_numpy(float)
        for i in range(draws.sizes["draw"])
    ]
    rest = (statistics["logp"] - statistics["log_prior"]).to_numpy() - likelihood
    assert np.ptp(rest) < 1e-8
    assert np.ptp(statistics["logp"].to_numpy() - likelihood) > 0.1  # the prior is not constant
