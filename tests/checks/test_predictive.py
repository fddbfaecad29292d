"""Checks of a model against its data: a right model is inside its band, a wrong one is not."""

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from forecasts import CDNOW_PURCHASES, CDNOW_SPEND, expected_purchases, fixed_draws, histories, parameters_in, posterior

from clv.checks import predictive
from clv.models import bgnbd
from clv.models.registry import purchase_model
from clv.transactions.generate import Truth

TRUTH = Truth(r=0.8, alpha_weeks=8.0, a=0.8, b=4.0, p=5.0, q=4.0, v=24.0)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return histories(TRUTH, 4000, np.linspace(10, 90, 4000), 52.0, 0.0, np.random.default_rng(5))


def draws(**parameters: float) -> xr.Dataset:
    return parameters_in({name: ("draw", np.full(100, float(value))) for name, value in parameters.items()})


RIGHT = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 4.0}


def inside(table: pd.DataFrame) -> float:
    return table["observed"].between(table["lower"], table["upper"]).mean()


def test_the_true_model_reproduces_the_frequencies(customers):
    table = predictive.frequency_check(customers, draws(**RIGHT), interval=0.98, seed=1)
    assert table["frequency"].tolist()[-1] == "10+"
    assert table["observed"].sum() == pytest.approx(1)
    assert inside(table) >= 10 / 11


def test_a_wrong_model_does_not(customers):
    table = predictive.frequency_check(customers, draws(**RIGHT | {"alpha": 12.0}), interval=0.98, seed=1)
    assert inside(table) < 0.7


def test_simulated_frequencies_have_the_expected_mean():
    rng = np.random.default_rng(3)
    x = predictive.simulate_frequency(
        purchase_model("bgnbd"), np.full(200_000, 39.0), np.array([*CDNOW_PURCHASES.values()]), rng
    )
    expected = expected_purchases(39.0, 0, 0, 0, **CDNOW_PURCHASES)
    assert abs(x.mean() - expected) < 4 * x.std() / np.sqrt(x.size)


def test_the_true_spend_model_reproduces_the_amounts_and_a_wrong_one_does_not(customers):
    right = predictive.spend_check(customers, draws(p=5.0, q=4.0, v=24.0), interval=0.98, seed=1)
    assert inside(right) >= 0.9
    wrong = predictive.spend_check(customers, draws(p=5.0, q=4.0, v=36.0), interval=0.98, seed=1)
    assert inside(wrong) < 0.6
    assert (right["width"] > 0).all()


def test_the_planes_show_the_formulas():
    posterior = fixed_draws(3, **CDNOW_PURCHASES, **CDNOW_SPEND)
    alive = predictive.alive_plane(posterior, T=40.0, most_purchases=3)
    row = alive.iloc[-1]
    assert (row["frequency"], row["recency_weeks"]) == (3, 40.0)
    assert row["value"] == pytest.approx(bgnbd.probability_alive(3, 40.0, 40.0, **CDNOW_PURCHASES))
    expected = predictive.expected_plane(posterior, T=40.0, most_purchases=3, horizon_weeks=52).iloc[-1]
    assert expected["value"] == pytest.approx(expected_purchases(52.0, 3, 40.0, 40.0, **CDNOW_PURCHASES))


def test_shrinkage_pulls_towards_the_population(customers):
    pulled, mean = predictive.shrinkage(customers.assign(first_amount=0.0), draws(p=5.0, q=4.0, v=24.0))
    assert mean == pytest.approx(5 * 24 / 3)
    between = (pulled["expected_spend"] - mean) * (pulled["monetary_value"] - mean)
    assert (between >= -1e-9).all()
    assert ((pulled["expected_spend"] - mean).abs() <= (pulled["monetary_value"] - mean).abs() + 1e-9).all()


def test_independent_spend_lies_within_what_independence_shows(customers):
    table = predictive.dependence(customers, draws(p=5.0, q=4.0, v=24.0), interval=0.98, seed=1)
    assert table["measure"].tolist() == ["Pearson", "Spearman"]
    assert table["value"].between(table["lower"], table["upper"]).all()
    spearman = table.iloc[1]
    assert (spearman["lower"] + spearman["upper"]) / 2 > 0.02  # not zero: a bare comparison with zero would be wrong


def test_dependent_spend_does_not(customers):
    dearer = customers.assign(monetary_value=customers["monetary_value"] * (1 + customers["frequency"]) ** 0.3)
    table = predictive.dependence(dearer, draws(p=5.0, q=4.0, v=24.0), interval=0.98, seed=1)
    assert (table["value"] > table["upper"]).all()


def test_estimates_that_nobody_published_are_no_references():
    fitted = draws(**CDNOW_SPEND)
    assert predictive.references("cdnow", {}, fitted)["parameter"].tolist() == ["p", "q", "v"]


def test_references_are_the_truth_the_published_estimates_or_nothing():
    truth, fitted = {"r": 0.8, "alpha": 8.0}, draws(**CDNOW_PURCHASES)
    assert predictive.references("generate", truth, fitted)["value"].tolist() == [0.8, 8.0]
    published = predictive.references("cdnow", truth, fitted)
    assert published["value"].tolist() == [*CDNOW_PURCHASES.values()]
    assert set(published["name"]) == {"published estimate"}
    assert predictive.references("cdnow", truth, fitted, published=False).empty
    assert predictive.references("data/orders.csv", truth, fitted).empty


def test_prior_and_posterior_stand_in_one_long_table():
    fitted = posterior(**{name: np.ones((2, 5)) for name in CDNOW_PURCHASES})
    table = predictive.prior_and_posterior(draws(**CDNOW_PURCHASES), fitted)
    assert table.groupby("source").size().to_dict() == {"posterior": 40, "prior": 400}
    assert table.groupby("parameter")["unit"].first()["alpha"] == "weeks"
