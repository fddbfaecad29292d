"""What backtest promises: scores worked by hand, and a verdict that passes the truth and fails planted errors."""

from datetime import date
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from forecasts import DISCOUNT, fixed_draws
from scipy.integrate import quad

from clv import backtest, bgnbd, simulate
from clv.predict import Draws, Horizon, Totals
from clv.predict import simulate as simulate_futures

ORIGIN = date(2025, 6, 30)
TRUTH = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 4.0, "p": 5.0, "q": 4.0, "v": 24.0}


# --- by hand


def test_crps_of_two_draws_by_hand():
    # Draws 0 and 2, outcome 1: E|X - y| = 1, E|X - X'| = (0 + 2 + 2 + 0) / 4 = 1, so 1 - 1/2.
    assert backtest.crps(np.array([[2, 0]]), np.array([1.0])).tolist() == [0.5]


def test_crps_of_a_single_draw_is_the_absolute_error():
    assert backtest.crps(np.array([[3.0], [3.0]]), np.array([5.0, 3.0])).tolist() == [2.0, 0.0]


@pytest.mark.parametrize("actual", [0.0, 2.7, 40.0])
def test_crps_is_the_integral_of_the_squared_distance_of_distribution_functions(actual):
    draws = np.sort(np.where(np.arange(30) < 12, 0.0, np.random.default_rng(1).gamma(2, 5, 30)))

    def squared(s: float) -> float:
        return ((draws <= s).mean() - (actual <= s)) ** 2

    corners = np.unique([*draws, actual])
    pieces = [quad(squared, low, high)[0] for low, high in pairwise(corners)]
    assert backtest.crps(draws[None, :], np.array([actual]))[0] == pytest.approx(sum(pieces), rel=1e-9)


def test_each_customer_is_scored_against_his_own_draws():
    draws = np.array([[0, 0, 1, 3], [2, 2, 2, 2]])
    lower, upper, below, at_most, _ = backtest._against(draws, np.array([1.0, 2.0]), 0.5)
    assert lower.tolist() == [0, 2]
    assert upper.tolist() == [1, 2]
    assert below.tolist() == [0.5, 0.0]  # draws below the outcome
    assert at_most.tolist() == [0.75, 1.0]  # draws at or below it


def test_coverage_counts_the_limits_as_inside():
    # At level .5 the limits are the 25 % and 75 % points. Below them; on the lower; inside; on the upper; above.
    below = pd.Series([0.00, 0.10, 0.40, 0.70, 0.75])
    at_most = pd.Series([0.20, 0.30, 0.60, 0.80, 0.90])
    assert backtest.coverage(below, at_most, 0.5) == pytest.approx(3 / 5)


def test_coverage_agrees_with_the_limits_of_the_forecast():
    rng = np.random.default_rng(3)
    draws, actual = rng.poisson(2.0, (400, 200)), rng.poisson(2.0, 400).astype(float)
    lower, upper, below, at_most, _ = backtest._against(draws, actual, 0.8)
    inside = ((lower <= actual) & (actual <= upper)).mean()
    assert backtest.coverage(pd.Series(below), pd.Series(at_most), 0.8) == inside


def test_the_randomised_pit_lies_between_its_two_limits_and_repeats():
    below, at_most = pd.Series([0.0, 0.2, 0.9]), pd.Series([0.6, 0.2, 1.0])
    found = backtest.randomised_pit(below, at_most, seed=1)
    assert ((below <= found) & (found <= at_most)).all()
    assert found[1] == 0.2
    np.testing.assert_array_equal(found, backtest.randomised_pit(below, at_most, seed=1))


def test_the_pit_distance_of_a_forecast_that_is_always_too_low_is_large():
    distance, p_value = backtest.pit_distance(pd.Series([0.9] * 50), pd.Series([1.0] * 50), seed=1)
    assert distance > 0.9
    assert p_value < 1e-12


def test_the_slope_is_of_actual_on_predicted():
    predicted = pd.Series([1.0, 2.0, 4.0])
    assert backtest.slope(predicted, 3 * predicted + 1) == pytest.approx(3)


def four_customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": list("abcd"),
            "frequency": [0, 2, 9, 7],
            "T": [10.0, 20.0, 30.0, 0.0],
            "actual_purchases": [0, 1, 4, 2],
            "expected_purchases": [0.5, 1.0, 3.0, 3.0],
            "actual_value": [0.0, 10.0, 40.0, 30.0],
            "clv_mean": [5.0, 10.0, 35.0, 20.0],
        }
    )


def test_naive_forecasts_are_the_past_rate_and_nobody():
    naive = backtest._naive(four_customers(), Horizon(10.0))
    assert naive["past_rate_total"] == pytest.approx(0 + 1 + 3 + 0)  # 2 / 20 and 9 / 30 a week for 10 weeks
    assert naive["past_rate_mae"] == pytest.approx((0 + 0 + 1 + 2) / 4)
    assert naive["nobody_mae"] == pytest.approx(7 / 4)


def test_groups_by_frequency_end_with_six_and_more():
    table = backtest.by_frequency(four_customers())
    assert table["frequency"].tolist() == [0, 2, 6]
    assert table["customers"].tolist() == [1, 1, 2]
    assert table["actual"].tolist() == [0, 1, 3]
    assert table["predicted"].tolist() == [0.5, 1, 3]
    assert table["actual_error"].iloc[2] == pytest.approx(2 * np.sqrt(2) / np.sqrt(2))  # sd of 4 and 2 is sqrt 2


def test_groups_by_value_go_from_the_lowest_to_the_highest_prediction():
    table = backtest.by_predicted_value(four_customers(), groups=2)
    assert table["predicted"].tolist() == [7.5, 27.5]
    assert table["actual"].tolist() == [5, 35]


def test_without_a_backtest_there_is_nothing_to_say():
    assert backtest.origin_day(None) == date.min
    assert backtest.holdout_horizon(date.min, date(2025, 1, 1), discount_rate_annual=0.1, gross_margin=1.0).weeks == 0
    assert (
        backtest.holdout_horizon(date(2025, 1, 1), date(2025, 1, 15), discount_rate_annual=0.1, gross_margin=1.0).weeks
        == 2
    )
    nothing = pd.DataFrame({"value_cdf_below": [], "value_cdf": []})
    assert backtest.figures(nothing, None, horizon=Horizon(0.0), interval=0.9, seed=1) is None


def test_the_holdouts_first_week_ends_where_the_calendars_does():
    # First purchase of all on day 0, calibration end on day 17 (a Thursday if day 0 is a Monday), holdout to day 30.
    known = pd.DataFrame({"T": [17 / 7, 1.0]})
    weekly = pd.DataFrame({"week": [0, 1, 2, 2, 3, 4], "period": ["calibration"] * 3 + ["holdout"] * 3})
    calendar = backtest.weekly_calendar(known, weekly, Horizon(13 / 7))
    # Days 18 to 20, 21 to 27, 28 to 30.
    np.testing.assert_allclose(calendar.edges * 7, [0, 3, 10, 13], atol=1e-9)


def test_tracking_goes_on_from_what_was_bought():
    known = pd.DataFrame({"frequency": [3, 0], "recency": [2.0, 0.0], "T": [17 / 7, 1.0], "monetary_value": [1.0, 0.0]})
    weekly = pd.DataFrame(
        {
            "week": [0, 1, 2, 2, 3, 4],
            "period": ["calibration"] * 3 + ["holdout"] * 3,
            "repeat_purchases": [1, 1, 1, 0, 2, 1],
        }
    )
    draws, horizon = fixed_draws(2000, **TRUTH), Horizon(13 / 7)
    calendar = backtest.weekly_calendar(known, weekly, horizon)
    totals = simulate_futures(known, draws, horizon, seed=1, calendar=calendar)
    table = backtest.tracking(weekly, known, draws, totals, interval=0.9).set_index("week")
    assert table["actual"].tolist() == [1, 2, 3, 5, 6]
    assert table["period"].tolist() == ["calibration"] * 2 + ["holdout"] * 3
    assert table["lower"].isna().tolist() == [True, True, False, False, False]
    population = [TRUTH[name] for name in ("r", "alpha", "a", "b")]
    # The second week ends with day 13: the first customer is 13 days old, the second (from day 10) three.
    new = bgnbd.expected_purchases([13 / 7, 3 / 7], 0, 0, 0, *population).sum()
    assert table.loc[2, "expected"] == pytest.approx(new, rel=1e-8)
    later = bgnbd.expected_purchases(13 / 7, *(known[name] for name in bgnbd.HISTORY), *population).sum()
    assert table.loc[5, "expected"] == pytest.approx(3 + later, abs=4 * np.sqrt(3 * later / 2000))


# --- a forecast made with the truth, and errors planted in it

HALF_YEAR = Horizon(26.0, DISCOUNT, 1.0)
DRAWS = fixed_draws(200, **TRUTH)
CUSTOMERS = 2500


@pytest.fixture(scope="module")
def shop():
    """Return 2,500 unrounded histories and what truly came after them."""
    rng = np.random.default_rng(12)
    truth = simulate.Truth(alpha_weeks=TRUTH["alpha"], **{name: TRUTH[name] for name in TRUTH if name != "alpha"})
    known = simulate.histories(truth, CUSTOMERS, rng.uniform(1, 80, CUSTOMERS), HALF_YEAR.weeks, DISCOUNT, rng)
    came = {"future_purchases": "actual_purchases", "future_value": "actual_value"}
    return known, known[["customer_id", *came]].rename(columns=came)


def scored(shop, draws=DRAWS, horizon=HALF_YEAR) -> tuple[pd.DataFrame, Totals]:
    known, came = shop
    history = known[["customer_id", "frequency", "recency", "T", "monetary_value"]]
    options = {"origin": ORIGIN, "interval": 0.9, "seed": 3, "workers": 2}
    return backtest.score(history, came, draws, horizon, **options)


@pytest.fixture(scope="module")
def calibrated(shop):
    return scored(shop)


def faults(table: pd.DataFrame) -> set[str]:
    """Return which of the limits of a calibrated forecast the scored table breaks."""
    below, at_most = table["value_cdf_below"], table["value_cdf"]
    found = {
        "coverage": 0.90 <= backtest.coverage(below, at_most, 0.90) <= 0.98,
        "pit of counts": backtest.pit_distance(table["purchases_cdf_below"], table["purchases_cdf"], seed=1)[1] > 1e-3,
        "pit of value": backtest.pit_distance(below, at_most, seed=1)[1] > 1e-3,
        # Of counts: the slope of value has a standard error of .1 to .3 at this size even for the truth.
        "slope": 0.85 <= backtest.slope(table["expected_purchases"], table["actual_purchases"]) <= 1.15,
    }
    return {name for name, holds in found.items() if not holds}


def planted(**changed: float) -> Draws:
    return fixed_draws(len(DRAWS), **(TRUTH | changed))


def faster(factor: float) -> Horizon:
    # Purchases at a rate times `factor` are the purchases of a horizon times `factor`.
    return Horizon(HALF_YEAR.weeks * factor, DISCOUNT / factor, 1.0)


def test_the_truth_passes_every_check(calibrated):
    table, _ = calibrated
    assert faults(table) == set()
    assert table["origin"].eq(pd.Timestamp(ORIGIN)).all()
    inside = table["actual_value"].between(table["clv_lower"], table["clv_upper"]).mean()
    assert inside == pytest.approx(backtest.coverage(table["value_cdf_below"], table["value_cdf"], 0.90))


@pytest.mark.parametrize(
    ("error", "draws", "horizon"),
    [
        ("30 % too many purchases", DRAWS, faster(1.3)),
        ("30 % too few purchases", DRAWS, faster(0.7)),
        ("nobody ever leaves", planted(a=1e-9), HALF_YEAR),
        ("a is one too high", planted(a=TRUTH["a"] + 1), HALF_YEAR),
        ("amounts in cents", planted(v=100 * TRUTH["v"]), HALF_YEAR),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_planted_error_fails_a_check(shop, error, draws, horizon):
    table, _ = scored(shop, draws, horizon)
    assert faults(table) & {"pit of counts", "pit of value"}, error


def test_expectation_limits_cover_almost_nobody(shop):
    rng = np.random.default_rng(1)
    uncertain = {name: value * rng.lognormal(0, 0.03, len(DRAWS)) for name, value in TRUTH.items()}
    table, _ = scored(shop, Draws(**uncertain))
    assert backtest._inside(table, "clv_lower", "clv_upper") > 0.9
    assert backtest._inside(table, "expected_clv_lower", "expected_clv_upper") < 0.1


def test_everybody_at_the_mean_spend_is_caught_by_crps_alone(shop, calibrated):
    # One nu for all: the same mean amount, no learning from the customer's own.
    same = planted(q=1e7, v=1e7 * TRUTH["v"] / (TRUTH["q"] - 1))
    own, alike = calibrated[0], scored(shop, same)[0]
    assert own["value_crps"].mean() < 0.98 * alike["value_crps"].mean()


def test_the_key_figures_say_what_the_table_says(shop, calibrated):
    (_, came), (table, totals) = shop, calibrated
    found = backtest.figures(table, totals, horizon=HALF_YEAR, interval=0.9, seed=1)
    assert found["origin"] == "2025-06-30"
    assert found["horizon_weeks"] == 26
    for name, predicted in (("purchases", "expected_purchases"), ("value", "clv_mean")):
        part, actual = found[name], came[f"actual_{name}"]
        assert part["actual"] == pytest.approx(actual.sum())
        assert part["forecast"]["mean"] == pytest.approx(table[predicted].sum())
        assert part["error"] == pytest.approx(table[predicted].sum() / actual.sum() - 1)
        assert part["inside"] == (part["forecast"]["lower"] <= part["actual"] <= part["forecast"]["upper"])
        assert part["forecast"]["lower"] < part["forecast"]["mean"] < part["forecast"]["upper"]
        assert part["crps"] == pytest.approx(table[f"{name}_crps"].mean())
        assert part["crps"] < part["mae"]  # a distribution is worth more than its mean
    alone = backtest.purchase_figures(table, totals, interval=0.9, seed=1)
    assert alone == found["purchases"]


def test_nobody_to_test_gives_empty_tables_and_no_figures(shop):
    known, came = shop
    table, totals = backtest.score(
        known.head(0), came.head(0), DRAWS, Horizon(0.0), origin=date.min, interval=0.9, seed=1, workers=1
    )
    assert table.empty
    assert backtest.figures(table, totals, horizon=Horizon(0.0), interval=0.9, seed=1) is None
    assert backtest.by_predicted_value(table).empty
    assert backtest.by_frequency(table).empty
    assert backtest.coverage_table(table, "value").empty
