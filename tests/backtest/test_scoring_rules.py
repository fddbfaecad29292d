"""What scores promise: each worked by hand, and a forecast that is wrong scores worse."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from scipy.integrate import quad

from clv.backtest import scoring_rules
from clv.backtest.scored_draws import against


def crps(draws: np.ndarray, actual: np.ndarray) -> np.ndarray:
    return against(0.9, actual[:, None], draws.copy())[:, -1]


def test_crps_of_two_draws_by_hand():
    # Draws 0 and 2, outcome 1: E|X - y| = 1, E|X - X'| = (0 + 2 + 2 + 0) / 4 = 1, so 1 - 1/2.
    assert crps(np.array([[2, 0]]), np.array([1.0])).tolist() == [0.5]


def test_crps_of_a_single_draw_is_the_absolute_error():
    assert crps(np.array([[3.0], [3.0]]), np.array([5.0, 3.0])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("actual", [0.0, 2.7, 40.0])
def test_crps_is_the_integral_of_the_squared_distance_of_distribution_functions(actual):
    draws = np.sort(np.where(np.arange(30) < 12, 0.0, np.random.default_rng(1).gamma(2, 5, 30)))

    def squared(s: float) -> float:
        return ((draws <= s).mean() - (actual <= s)) ** 2

    corners = np.unique([*draws, actual])
    pieces = [quad(squared, low, high)[0] for low, high in pairwise(corners)]
    assert crps(draws[None, :], np.array([actual]))[0] == pytest.approx(sum(pieces), rel=1e-9)


def test_each_customer_is_scored_against_his_own_draws():
    draws = np.array([[0, 0, 1, 3], [2, 2, 2, 2]])
    lower, upper, below, at_most, _ = against(0.5, np.array([[1.0], [2.0]]), draws).T
    assert lower.tolist() == [0, 2]
    assert upper.tolist() == [1, 2]
    assert below.tolist() == [0.5, 0.0]  # draws below the outcome
    assert at_most.tolist() == [0.75, 1.0]  # draws at or below it


def test_coverage_counts_the_limits_as_inside():
    # At level .5 the limits are the 25 % and 75 % points. Below them; on the lower; inside; on the upper; above.
    below = pd.Series([0.00, 0.10, 0.40, 0.70, 0.75])
    at_most = pd.Series([0.20, 0.30, 0.60, 0.80, 0.90])
    assert scoring_rules.coverage(below, at_most, 0.5) == pytest.approx(3 / 5)


def test_coverage_agrees_with_the_limits_of_the_forecast():
    rng = np.random.default_rng(3)
    draws, actual = rng.poisson(2.0, (400, 200)), rng.poisson(2.0, 400).astype(float)
    lower, upper, below, at_most, _ = against(0.8, actual[:, None], draws).T
    inside = ((lower <= actual) & (actual <= upper)).mean()
    assert scoring_rules.coverage(pd.Series(below), pd.Series(at_most), 0.8) == inside


def test_the_randomised_pit_lies_between_its_two_limits_and_repeats():
    below, at_most = pd.Series([0.0, 0.2, 0.9]), pd.Series([0.6, 0.2, 1.0])
    found = scoring_rules.randomised_pit(below, at_most, seed=1)
    assert ((below <= found) & (found <= at_most)).all()
    assert found[1] == 0.2
    np.testing.assert_array_equal(found, scoring_rules.randomised_pit(below, at_most, seed=1))


def test_the_pit_distance_of_a_forecast_that_is_always_too_low_is_large():
    distance, p_value = scoring_rules.pit_distance(pd.Series([0.9] * 50), pd.Series([1.0] * 50), seed=1)
    assert distance > 0.9
    assert p_value < 1e-12


def test_the_slope_is_of_actual_on_predicted():
    predicted = pd.Series([1.0, 2.0, 4.0])
    assert scoring_rules.slope(predicted, 3 * predicted + 1) == pytest.approx(3)


def test_the_error_of_the_slope_is_whites_by_hand():
    # Slope of (0, 2, 1) on (-1, 0, 1) is 1/2, residuals -1/2, 1, -1/2: sqrt(2 x 1/4) / 2.
    found = scoring_rules.slope_error(pd.Series([-1.0, 0.0, 1.0]), pd.Series([0.0, 2.0, 1.0]))
    assert found == pytest.approx(np.sqrt(0.5) / 2)


def test_the_error_of_the_slope_is_how_much_slopes_scatter():
    # Outcomes scatter more where more is forecast: the usual standard error would be too small by a third.
    rng = np.random.default_rng(1)
    predicted = pd.Series(rng.gamma(1, 1, 400))
    outcomes = [predicted * (1 + rng.normal(size=400)) for _ in range(500)]
    errors = [scoring_rules.slope_error(predicted, actual) for actual in outcomes]
    scatter = np.std([scoring_rules.slope(predicted, actual) for actual in outcomes])
    assert np.mean(errors) == pytest.approx(scatter, rel=0.12)
    usual = np.std(outcomes[0] - predicted) / np.sqrt(400) / predicted.std()
    assert usual < 0.75 * scatter


# --- rankings

OUTCOMES = pd.Series([0.0, 0.0, 10.0, 30.0, 60.0])


def test_the_perfect_ranking_has_gini_one_and_the_reversed_minus_one():
    distinct = pd.Series([1.0, 2.0, 4.0, 8.0])
    assert scoring_rules.gini(distinct**2, distinct) == pytest.approx(1)  # only the order counts
    assert scoring_rules.gini(-distinct, distinct) == pytest.approx(-1)


def test_a_ranking_that_swaps_two_loses_what_lies_between_them():
    # Ranks of 1, 2, 4, 8 about their mean: -1.5, -.5, .5, 1.5, so perfect is -1.5 - 1 + 2 + 12 = 11.5.
    # With the best two swapped: -1.5 - 1 + 6 + 4 = 7.5.
    assert scoring_rules.gini(pd.Series([1, 2, 4, 3]), pd.Series([1.0, 2.0, 4.0, 8.0])) == pytest.approx(7.5 / 11.5)


def test_customers_told_apart_by_nobody_share_their_rank():
    assert scoring_rules.gini(pd.Series([7.0] * 5), OUTCOMES) == pytest.approx(0)
    # Of -1, -1, 0, 1, 1 on the ranks and -1.5, -1.5, 0, 1, 2 in hindsight: (30 + 60) / (0 x 10 + 30 + 120).
    assert scoring_rules.gini(pd.Series([1, 1, 2, 3, 3]), OUTCOMES) == pytest.approx((1.5 * 90) / (1.0 * 30 + 2 * 60))


def test_a_ranking_by_lot_has_a_gini_of_about_nothing():
    rng = np.random.default_rng(2)
    actual = pd.Series(rng.gamma(0.5, 1, 500))
    ginis = [scoring_rules.gini(pd.Series(rng.random(500)), actual) for _ in range(200)]
    assert abs(np.mean(ginis)) < 4 * np.std(ginis) / np.sqrt(200)
    assert np.std(ginis) < 0.1


def test_outcomes_that_are_all_the_same_have_no_ranking():
    assert scoring_rules.gini(pd.Series([1, 2, 3]), pd.Series([5.0, 5.0, 5.0])) is None
    assert scoring_rules.share_of_best_ranked(pd.Series([1, 2, 3]), pd.Series([0.0, 0.0, 0.0])) is None
    assert scoring_rules.share_of_best_ranked(pd.Series(dtype=float), pd.Series(dtype=float)) is None


def test_the_best_ranked_bring_what_they_brought():
    assert scoring_rules.share_of_best_ranked(OUTCOMES, OUTCOMES, share=0.2) == pytest.approx(0.6)
    assert scoring_rules.share_of_best_ranked(OUTCOMES, OUTCOMES, share=0.4) == pytest.approx(0.9)
    assert scoring_rules.share_of_best_ranked(-OUTCOMES, OUTCOMES, share=0.2) == pytest.approx(0.0)


def test_those_who_tie_for_the_last_places_share_them():
    # Two places: the best brought 10; the other place goes to one of 0, 30 and 60, on average 30.
    ranked = pd.Series([1, 2, 3, 2, 2])
    assert scoring_rules.share_of_best_ranked(ranked, OUTCOMES, share=0.4) == pytest.approx((10 + 30) / 100)
    # Everybody alike: a tenth of the customers brings a tenth.
    assert scoring_rules.share_of_best_ranked(pd.Series([1] * 5), OUTCOMES) == pytest.approx(0.1)


def test_half_a_place_counts_half():
    # A tenth of five customers is half a customer.
    assert scoring_rules.share_of_best_ranked(OUTCOMES, OUTCOMES) == pytest.approx(0.3)
