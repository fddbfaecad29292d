"""Fitted to customers whose truth is known: parameters come back, forecasts are calibrated, errors are caught."""

import numpy as np
import pandas as pd
import pytest
from forecasts import COLUMNS, DISCOUNT, by_name, changed, histories

from clv.backtest import holdout, scoring_rules
from clv.forecast.horizon import Horizon
from clv.models import draws as models_draws
from clv.models.draws import Draws
from clv.models.registry import purchase_model
from clv.transactions.generate import Truth

pytestmark = pytest.mark.slow

TRUTH = Truth(r=0.8, alpha_weeks=8.0, a=0.8, b=4.0, p=5.0, q=4.0, v=24.0, p_first=3.0, first_ratio=0.8)
HALF_YEAR = Horizon(26.0, DISCOUNT, 1.0)
CUSTOMERS, DRAWS = 4000, 400
SPEND = ["p", "q", "v", "p_first", "first_ratio"]


@pytest.fixture(scope="module")
def shop() -> pd.DataFrame:
    """Return unrounded histories (dates rounded to days bias recovery) and their true future."""
    rng = np.random.default_rng(20260101)
    return histories(TRUTH, CUSTOMERS, rng.uniform(1, 104, CUSTOMERS), HALF_YEAR.weeks, DISCOUNT, rng)


@pytest.fixture(scope="module")
def posteriors(shop):
    from clv.models import gamma_gamma_pymc, sampling

    settings = sampling.Settings(chains=4, draws=500, tune=500, seed=1, method=sampling.LAPLACE)
    return [
        sampling.sample(sampling.Compiled(built), shop, settings)
        for built in (purchase_model("bgnbd_plain").build(shop), gamma_gamma_pymc.model(shop))
    ]


@pytest.mark.parametrize("name", ["r", "alpha", "a", "b", *SPEND])
def test_every_true_parameter_is_recovered(posteriors, name):
    group = posteriors[name in SPEND]["posterior"]
    low, high = np.quantile(group[name], [0.005, 0.995])
    assert low <= getattr(TRUTH, "alpha_weeks" if name == "alpha" else name) <= high


@pytest.fixture(scope="module")
def draws(posteriors) -> Draws:
    return models_draws.pair(*posteriors, DRAWS)


@pytest.fixture(scope="module")
def calibrated(shop, draws) -> pd.DataFrame:
    return scored(shop, draws)


def scored(shop: pd.DataFrame, draws: Draws, horizon: Horizon = HALF_YEAR) -> pd.DataFrame:
    came = shop.rename(columns={"future_purchases": "actual_purchases", "future_value": "actual_value"})
    came = came[["customer_id", "actual_purchases", "actual_value"]]
    history = shop[["customer_id", *COLUMNS]].assign(revenue=1.0)
    options = {"origin": pd.Timestamp("2025-12-31"), "interval": 0.9, "seed": 3, "workers": 2}
    return holdout.score(history, came, draws, horizon, **options).customers


def p_values(table: pd.DataFrame) -> list[float]:
    return [
        scoring_rules.pit_distance(table[f"{name}_cdf_below"], table[f"{name}_cdf"], seed=1)[1]
        for name in ("purchases", "value")
    ]


def slope(table: pd.DataFrame) -> float:
    return scoring_rules.slope(table["expected_purchases"], table["actual_purchases"])


def test_realised_values_lie_inside_their_intervals(calibrated):
    # Values are discrete at zero, so a 90 % interval holds more than 90 %.
    assert 0.90 <= scoring_rules.coverage(calibrated["value_cdf_below"], calibrated["value_cdf"], 0.90) <= 0.98
    assert 0.90 <= scoring_rules.coverage(calibrated["purchases_cdf_below"], calibrated["purchases_cdf"], 0.90) <= 0.98


def test_the_randomised_pit_is_uniform(calibrated):
    assert min(p_values(calibrated)) > 1e-3


def test_actual_purchases_follow_the_predicted_ones(calibrated):
    assert 0.85 <= slope(calibrated) <= 1.15


@pytest.mark.parametrize("factor", [1.3, 0.7])
def test_a_forecast_off_by_thirty_per_cent_fails(shop, draws, factor):
    # Purchases at a rate times `factor` are those of a horizon times `factor`.
    table = scored(shop, draws, Horizon(HALF_YEAR.weeks * factor, DISCOUNT / factor, 1.0))
    assert min(p_values(table)) < 1e-3


def test_a_forecast_in_which_nobody_ever_leaves_fails(shop, draws):
    table = scored(shop, changed(draws, a=np.full(DRAWS, 1e-9)))
    assert min(p_values(table)) < 1e-3
    assert not 0.85 <= slope(table) <= 1.15


def test_a_forecast_with_a_one_too_high_fails(shop, draws):
    assert min(p_values(scored(shop, changed(draws, a=by_name(draws)["a"] + 1)))) < 1e-3


def test_expectation_limits_passed_off_as_predictive_fail(calibrated):
    inside = calibrated["actual_value"].between(calibrated["expected_clv_lower"], calibrated["expected_clv_upper"])
    assert inside.mean() < 0.05


def test_everybody_at_the_mean_spend_scores_worse(shop, draws, calibrated):
    # nu the same for all: no learning from the customer's own amounts.
    alike = changed(draws, q=np.full(DRAWS, 1e7), v=1e7 * draws.phi[:, 2] / (draws.phi[:, 1] - 1))
    assert calibrated["value_crps"].mean() < 0.98 * scored(shop, alike)["value_crps"].mean()


def test_forgotten_first_orders_score_worse(shop, calibrated, draws):
    once = (shop["frequency"] == 0).to_numpy()  # of them it tells most
    worse = (scored(shop.assign(first_amount=0.0), draws)["value_crps"] - calibrated["value_crps"])[once]
    assert worse.mean() > 2 * worse.std() / np.sqrt(len(worse))
