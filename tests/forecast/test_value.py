"""What value promises: means from closed forms, three kinds of interval, ranks by draw, totals from joint draws."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    CDNOW,
    CDNOW_PURCHASES,
    CDNOW_SPEND,
    DISCOUNT,
    customers,
    expected_purchases,
    fixed_draws,
    futures,
    lives,
    posterior,
    standard_errors,
    typed_draws,
)

from clv.forecast import closed_forms, tiers
from clv.forecast import groups as forecast_groups
from clv.forecast import ranking as forecast_ranking
from clv.forecast import value as forecast_value
from clv.forecast.horizon import Horizon
from clv.forecast.ranking import Ranking
from clv.forecast.tiers import TIERS
from clv.models import bgnbd, gamma_gamma
from clv.models import draws as models_draws
from clv.models.draws import Draws
from clv.models.gamma_gamma import Amounts
from clv.rfm import windows as rfm_windows

YEAR = Horizon(52.0, DISCOUNT, 0.5)
STORY = {"r": 0.9, "alpha": 6.0, "a": 0.9, "b": 3.0, "p": 3.0, "q": 5.0, "v": 40.0}


def posterior_draws(n: int, spread: float = 0.1) -> Draws:
    rng = np.random.default_rng(0)
    return typed_draws(**{name: value * rng.lognormal(0, spread, n) for name, value in CDNOW.items()})


def shop(n: int = 600) -> pd.DataFrame:
    """Return a generated customer base with the columns that `forecast` needs."""
    history, _ = lives(n, age=40.0, weeks=1.0, discount=0.0, seed=11, **STORY)
    frame = history.assign(
        customer_id=[f"C{i:04d}" for i in range(n)],
        revenue=history["frequency"] * history["monetary_value"],
        cohort=np.where(np.arange(n) % 3 == 0, "2024-01", "2024-02"),
    )
    frame = frame.join(closed_forms.expectations(frame, DRAWS, YEAR, interval=0.9))
    return frame.assign(value_tier=tiers.value_tier(frame["clv_mean"]))


DRAWS = fixed_draws(500, **STORY)


@pytest.fixture(scope="module")
def base():
    return shop()


@pytest.fixture(scope="module")
def forecast(base):
    return forecast_value.forecast_values(
        base, DRAWS, YEAR, interval=0.9, seed=1, workers=2, groupings=["value_tier", "cohort"]
    )


# --- expectations


@pytest.mark.slow
def test_expected_value_is_the_mean_of_lives_told_event_by_event():
    history, future = lives(60_000, age=12.0, weeks=20.0, discount=0.02, seed=5, **STORY)
    table = closed_forms.expectations(history, fixed_draws(1, **STORY), Horizon(20.0, 0.02), interval=0.9)
    for alike in (
        history["frequency"] == 0,
        history["frequency"] == 1,
        (history["frequency"] == 2) & (history["monetary_value"] > 40),
        (history["frequency"] >= 4) & (history["recency"] > 9),
    ):
        assert standard_errors(future["value"][alike], table["clv_mean"][alike]) < 4
        assert standard_errors(future["purchases"][alike], table["expected_purchases"][alike]) < 4
        assert standard_errors(future["purchases"][alike] > 0, table["p_purchase"][alike]) < 4
    assert standard_errors(future["value"], 1.3 * table["clv_mean"]) > 4


def test_expectations_are_means_over_the_draws_of_each_closed_form():
    draws = posterior_draws(30)
    one = customers((2, 30.43, 38.86, 22.35))
    row = closed_forms.expectations(one, draws, YEAR, interval=0.8).iloc[0]
    purchase = draws.theta.T
    discounted = expected_purchases(52, 2, 30.43, 38.86, *purchase, discount=DISCOUNT)
    amount = gamma_gamma.expected_spend(Amounts.of(one), draws.phi)[:, 0]
    each = 0.5 * discounted * amount
    assert row["clv_mean"] == pytest.approx(each.mean(), rel=1e-8)
    assert row["expected_clv_lower"] == pytest.approx(np.quantile(each, 0.1), rel=1e-8)
    assert row["expected_clv_upper"] == pytest.approx(np.quantile(each, 0.9), rel=1e-8)
    assert row["expected_spend"] == pytest.approx(amount.mean(), rel=1e-12)
    assert row["p_alive"] == pytest.approx(bgnbd.probability_alive(2, 30.43, 38.86, *purchase).mean(), rel=1e-12)


def test_expectations_stay_with_their_customers_in_any_order_and_beyond_one_block():
    many = customers(*[(i % 5, 3.0 * (i % 5), 20.0 + i % 7, 4.0 * (i % 5) * (1 + i % 3)) for i in range(5000)])
    draws = posterior_draws(3)
    table = closed_forms.expectations(many, draws, YEAR, interval=0.9)
    assert table.index.equals(many.index)
    for i in (0, 7, 2047, 2048, 4999):
        alone = closed_forms.expectations(many.loc[[i]], draws, YEAR, interval=0.9)
        np.testing.assert_allclose(table.loc[[i]], alone, rtol=1e-12)
    shuffled = closed_forms.expectations(many.sample(frac=1, random_state=1), draws, YEAR, interval=0.9)
    pd.testing.assert_frame_equal(shuffled.loc[many.index], table)


def test_a_known_posterior_leaves_no_uncertainty_about_the_expectation():
    row = closed_forms.expectations(
        customers((2, 30.0, 39.0, 20.0)), fixed_draws(50, **CDNOW), YEAR, interval=0.9
    ).iloc[0]
    assert row["expected_clv_lower"] == pytest.approx(row["expected_clv_upper"], rel=1e-12)


# --- joint draws


def chains(names: list[str], n_chains: int, n_draws: int):
    """Return a posterior whose every value says chain + draw / 10,000."""
    number = np.arange(n_chains)[:, None] + np.arange(n_draws)[None, :] / 10_000
    return posterior(**{name: number.copy() for name in names})


def test_thinning_takes_every_chain_about_equally():
    draws = models_draws.pair(chains([*CDNOW_PURCHASES], 4, 1000), chains([*CDNOW_SPEND], 4, 1000), 1000)
    taken = np.bincount(np.floor(draws.theta[:, 0]).astype(int), minlength=4)
    assert taken.sum() == 1000
    assert taken.min() >= 240
    assert taken.max() <= 260


def test_pairing_keeps_the_parameters_of_one_draw_together():
    draws = models_draws.pair(chains([*CDNOW_PURCHASES], 2, 50), chains([*CDNOW_SPEND], 2, 50), 40)
    assert len(draws) == 40
    for of_one_model in (draws.theta.T, draws.phi.T[:4]):  # the others are 1
        for column in of_one_model:
            np.testing.assert_array_equal(column, of_one_model[0])


def test_pairing_takes_every_chain_from_its_first_draw_to_its_last():
    numbers = np.arange(100.0).reshape(2, 50)
    tree = posterior(**{name: numbers for name in CDNOW_PURCHASES})
    assert sorted(models_draws.pair(tree, None, 100).theta[:, 0]) == list(numbers.ravel())
    some = models_draws.pair(tree, None, 20).theta[:, 0]
    assert (some < 50).sum() == 10
    assert some.min() < 5 and some.max() >= 95


def test_purchases_can_be_forecast_without_a_spend_model():
    draws = models_draws.pair(chains([*CDNOW_PURCHASES], 2, 50), None, 40)
    assert np.isfinite(draws.phi).all() and not draws.pays


def test_nothing_is_spent_where_there_is_no_spend_model_and_purchases_are_the_same(base):
    counts, _, totals = futures(base, replace(DRAWS, pays=False), YEAR, seed=1)
    np.testing.assert_array_equal(counts, futures(base, DRAWS, YEAR, seed=1)[0])
    assert counts.any() and not totals.value.any() and not totals.revenue.any()


def spend_posterior(*infinite: int):
    """Return a spend posterior of two chains of 50 draws with p, q - 5 and v the draw's number; some have q = 1."""
    number = np.arange(100.0).reshape(2, 50)
    q = number + 5
    q.ravel()[list(infinite)] = 1.0
    return posterior(p=number, q=q, v=number)


def test_spend_draws_that_have_a_mean_are_taken_as_they_are():
    for n in (30, 100, 1000):
        found = models_draws.spend_draws(spend_posterior(), n)
        np.testing.assert_array_equal(found[:, :3], models_draws.flat(spend_posterior(), ["p", "q", "v"], n))
    assert sorted(found[:, 0]) == list(range(100))


def test_spend_draws_without_a_mean_are_left_out_and_others_take_their_places():
    p, q, v = models_draws.spend_draws(spend_posterior(0, 63), 100).T[:3]
    assert p.size == 100  # still as many as there are of purchases
    assert (q > 1).all()
    assert set(p) == set(range(100)) - {0, 63}  # and nobody else is lost
    np.testing.assert_array_equal(q, p + 5)  # draws are not torn apart
    np.testing.assert_array_equal(v, p)
    # Negative control: they are among the draws that there are.
    assert (models_draws.flat(spend_posterior(0, 63), ["q"], 100) == 1).sum() == 2


def test_the_share_of_paid_visits_is_one_where_it_was_not_drawn():
    assert (models_draws.spend_draws(spend_posterior(), 10)[:, 5] == 1).all()
    number = np.linspace(0.5, 0.9, 100).reshape(2, 50)
    drawn = posterior(p=number, q=number + 5, v=number, paid_share=number)
    found = models_draws.spend_draws(drawn, 10)
    np.testing.assert_array_equal(found[:, 5], found[:, 0])  # of the same draw
    drawn["posterior"]["paid_share"] *= np.nan  # an origin whose visits were all paid, among others
    assert (models_draws.spend_draws(drawn, 10)[:, 5] == 1).all()


# --- realised values


def test_realised_limits_are_order_statistics():
    ranked = np.arange(1000.0)
    shuffled = np.random.default_rng(1).permutation(ranked)[None, :]
    lower, middle, upper = (limit[0] for limit in forecast_groups.realised_limits(shuffled, 0.9))
    assert (lower, middle, upper) == (49, 499, 949)  # the 50th, 500th and 950th of a thousand
    assert all(limit[0] in (3, 8) for limit in forecast_groups.realised_limits(np.array([[8, 3]]), 0.5))


def test_the_limits_of_the_forecast_are_those_of_its_futures(base, forecast):
    counts, worth, _ = futures(base, DRAWS, YEAR, seed=1)
    for name, draws in (("purchases", counts), ("clv", worth)):
        lower, _, upper = forecast_groups.realised_limits(draws, 0.9)
        np.testing.assert_array_equal(forecast.customers[f"{name}_lower"], lower)
        np.testing.assert_array_equal(forecast.customers[f"{name}_upper"], upper)
    np.testing.assert_array_equal(forecast.customers["clv_median"], forecast_groups.realised_limits(worth, 0.9)[1])
    np.testing.assert_allclose(forecast.total_value, worth.sum(axis=0), rtol=1e-12)
    np.testing.assert_array_equal(forecast.total_purchases, counts.sum(axis=0))


def test_a_total_is_narrower_than_the_sum_of_its_customers_limits(forecast):
    row = forecast.groups.iloc[0]
    assert row["clv_lower"] > 2 * forecast.customers["clv_lower"].sum()
    assert row["clv_upper"] < 0.5 * forecast.customers["clv_upper"].sum()


def test_the_mean_of_the_totals_is_the_sum_of_the_closed_forms(base, forecast):
    assert standard_errors(forecast.total_value, base["clv_mean"].sum()) < 4
    assert standard_errors(forecast.total_purchases, base["expected_purchases"].sum()) < 4
    groups = forecast.groups.set_index(["grouping", "group"])
    assert groups.loc[("base", "all customers"), "clv_mean"] == pytest.approx(base["clv_mean"].sum())
    for grouping in ("value_tier", "cohort"):
        parts = groups.loc[grouping]
        for column in ("customers", "repeat_customers", "revenue", "expected_purchases", "clv_mean"):
            assert parts[column].sum() == pytest.approx(groups.loc["base", column].iloc[0])
        assert parts["share_of_value"].sum() == pytest.approx(1)


def test_group_limits_are_quantiles_of_the_groups_joint_total(base, forecast):
    _, worth, _ = futures(base, DRAWS, YEAR, seed=1)
    found = forecast.groups.set_index("group").loc["2024-02"]
    total = worth[(base["cohort"] == "2024-02").to_numpy()].sum(axis=0)
    np.testing.assert_allclose([found["clv_lower"], found["clv_upper"]], np.quantile(total, [0.05, 0.95]), rtol=1e-12)


def test_the_number_of_workers_does_not_change_the_forecast(base, forecast):
    alone = forecast_value.forecast_values(
        base, DRAWS, YEAR, interval=0.9, seed=1, workers=1, groupings=["value_tier", "cohort"]
    )
    pd.testing.assert_frame_equal(alone.customers, forecast.customers)
    pd.testing.assert_frame_equal(alone.groups, forecast.groups)


# --- ranks within a draw


@pytest.mark.parametrize("share", [0.02, 0.1, 0.3, 0.6])
def test_the_threshold_of_a_rank_is_the_quantile_of_the_whole_matrix(base, share):
    _, worth, _ = futures(base, DRAWS, YEAR, seed=1)
    ranking = Ranking(len(DRAWS), scale=float(base["clv_mean"].mean()))
    for rows in (slice(0, 250), slice(250, None)):
        ranking.keep.put(rows, ranking.keep.of(None, None, worth[rows]))
    exact = np.sort(worth, axis=0)[::-1][round(share * len(base)) - 1]  # the last one inside the share
    found = ranking.threshold(share)
    enough = exact > 0
    np.testing.assert_allclose(found[enough], exact[enough], rtol=0.003)
    assert (found[~enough] == 0).all()
    np.testing.assert_allclose(ranking.share_without_value(), (worth == 0).mean(axis=0), rtol=1e-12)


def test_a_tenth_of_the_customers_stands_in_the_top_tenth(forecast):
    assert forecast.customers["p_top_decile"].sum() == pytest.approx(60, rel=0.01)


def test_a_sample_of_the_customers_tells_who_is_among_the_best(base, forecast, monkeypatch):
    monkeypatch.setattr(rfm_windows, "MOST_CUSTOMERS", 400)
    sampled = forecast_value.forecast_values(base, DRAWS, YEAR, interval=0.9, seed=1, workers=2, groupings=[])
    for column in ("p_top_decile", "value_tier_probability"):
        off = (sampled.customers[column] - forecast.customers[column]).abs()
        assert 0 < off.mean() < 0.015
    assert sampled.customers["p_top_decile"].sum() == pytest.approx(60, rel=0.1)
    pd.testing.assert_series_equal(sampled.customers["clv_median"], forecast.customers["clv_median"])


def test_with_fewer_buyers_than_a_tenth_only_buyers_stand_in_it():
    sleepers = customers(*[(1, 1.0, 300.0, 20.0)] * 500)
    draws = fixed_draws(300, **STORY)
    frame = sleepers.join(closed_forms.expectations(sleepers, draws, YEAR, interval=0.9)).assign(revenue=20.0)
    frame["value_tier"] = tiers.value_tier(frame["clv_mean"])
    found = forecast_value.forecast_values(frame, draws, YEAR, interval=0.9, seed=3, workers=1, groupings=[])
    counts, _, _ = futures(sleepers, draws, YEAR, seed=3)
    assert (counts > 0).mean() < 0.05
    assert found.customers["p_top_decile"].sum() == pytest.approx((counts > 0).mean() * 500)


def memberships(base: pd.DataFrame) -> pd.DataFrame:
    """Return every customer's probability of every tier, by asking once for each tier."""
    columns = {}
    for tier in TIERS:
        asked = base.assign(value_tier=tier)
        found = forecast_value.forecast_values(asked, DRAWS, YEAR, interval=0.9, seed=1, workers=2, groupings=[])
        columns[tier] = found.customers["value_tier_probability"]
    return pd.DataFrame(columns)


def test_tier_probabilities_add_up_over_tiers_and_over_customers(base):
    table = memberships(base)
    np.testing.assert_allclose(table.sum(axis=1), 1.0, rtol=1e-12)
    # Tiers hold 10, 20, 30 and 40 % of 600 customers; a bin of the ranking is .3 % wide.
    np.testing.assert_allclose(table.sum(axis=0), [60, 120, 180, 240], atol=1.5)


def test_customers_without_value_share_the_places_left():
    """Half the draw's customers bring nothing: they hold the last 10 % of "Next 30 %" and all of the rest."""
    places = forecast_ranking.places_without_value(np.array([0.5, 1.0, 0.0, 0.95]))
    np.testing.assert_allclose(places[:, 0], [0, 0, 0.2, 0.8])
    np.testing.assert_allclose(places[:, 1], [0.1, 0.2, 0.3, 0.4])
    np.testing.assert_allclose(places[:, 2], 0)
    np.testing.assert_allclose(places[:, 3], np.array([0.05, 0.2, 0.3, 0.4]) / 0.95)


def test_the_monte_carlo_error_of_a_quantile_is_that_of_repeated_simulation():
    rng = np.random.default_rng(4)
    repeated = np.quantile(rng.normal(size=(2000, 1000)), 0.95, axis=1).std()
    found = np.mean([forecast_groups.monte_carlo_error(rng.normal(size=1000), 0.95) for _ in range(200)])
    assert found == pytest.approx(repeated, rel=0.15)


# --- who holds the value


def test_value_ranks_are_twentieths_best_first():
    ranks = forecast_groups.value_rank(pd.Series(np.arange(40.0)))
    assert ranks.iloc[[39, 38, 37, 1, 0]].tolist() == ["01", "01", "02", "20", "20"]
    assert ranks.value_counts().eq(2).all()


def test_concentration_rises_from_nobody_to_everybody(base):
    ranked = base.assign(value_rank=forecast_groups.value_rank(base["clv_mean"]))
    result = forecast_value.forecast_values(
        ranked, DRAWS, YEAR, interval=0.9, seed=1, workers=2, groupings=["value_rank", "cohort"]
    )
    curve = forecast_groups.concentration(result, interval=0.9)
    assert curve.iloc[0].tolist() == [0, 0, 0, 0]
    np.testing.assert_allclose(curve.iloc[-1], 1.0)
    np.testing.assert_allclose(curve["customer_share"], np.arange(21) / 20)
    best = base["clv_mean"].nlargest(60).sum() / base["clv_mean"].sum()
    assert curve["value_share"].iloc[2] == pytest.approx(best)
    _, worth, _ = futures(base, DRAWS, YEAR, seed=1)
    held = worth[base["clv_mean"].rank(ascending=False, method="first") <= 60].sum(axis=0) / worth.sum(axis=0)
    np.testing.assert_allclose(curve.loc[2, ["lower", "upper"]].astype(float), np.quantile(held, [0.05, 0.95]))


def test_total_draws_are_the_joint_totals(forecast):
    table = forecast_groups.total_draws(forecast)
    np.testing.assert_array_equal(table["value"], forecast.total_value)
    np.testing.assert_array_equal(table["purchases"], forecast.total_purchases)
    assert table["draw"].tolist() == list(range(len(DRAWS)))
