"""What backtest promises: scores worked by hand, and a verdict that passes the truth and fails planted errors."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from forecasts import (
    COLUMNS,
    DISCOUNT,
    customers,
    expected_purchases,
    fixed_draws,
    histories,
    posterior,
    share_errors,
    typed_draws,
    with_amounts,
)

from clv import tables
from clv.backtest import holdout, origin, scoring_rules, spend_test, summary
from clv.backtest import weekly as backtest_weekly
from clv.backtest.holdout import Scored
from clv.backtest.tables import BACK, BACKTEST, ONCE, WINDOW_GROUPS
from clv.forecast.future import simulate as simulate_futures
from clv.forecast.groups import grouped
from clv.forecast.horizon import Horizon, Totals
from clv.models import bgnbd
from clv.models.base import LOG_GAPS, History
from clv.models.calendar_model import seen_from
from clv.models.draws import Draws
from clv.models.registry import PURCHASE_MODELS, purchase_model
from clv.transactions.generate import Truth

ORIGIN = date(2025, 6, 30)
TRUTH = {"r": 0.8, "alpha": 8.0, "a": 0.8, "b": 4.0, "p": 5.0, "q": 4.0, "v": 24.0}


# --- by hand


def four_customers() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "customer_id": list("abcd"),
            "frequency": [0, 2, 9, 7],
            "T": [10.0, 20.0, 30.0, 0.0],
            "monetary_value": [0.0, 20.0, 10.0, 5.0],
            "actual_purchases": [0, 1, 4, 2],
            "expected_purchases": [0.5, 1.0, 3.0, 3.0],
            "actual_value": [0.0, 10.0, 40.0, 30.0],
            "clv_mean": [5.0, 10.0, 35.0, 20.0],
        }
    )


def test_naive_forecasts_are_the_past_rate_and_nobody():
    naive = summary._naive(four_customers(), Horizon(10.0))
    assert naive["past_rate_total"] == pytest.approx(0 + 1 + 3 + 0)  # 2 / 20 and 9 / 30 a week for 10 weeks
    assert naive["past_rate_mae"] == pytest.approx((0 + 0 + 1 + 2) / 4)
    assert naive["nobody_mae"] == pytest.approx(7 / 4)
    assert naive["past_rate_value_total"] == pytest.approx(0 + 20 + 30 + 0)
    assert naive["past_rate_value_mae"] == pytest.approx((0 + 10 + 10 + 30) / 4)
    assert naive["nobody_value_mae"] == pytest.approx(80 / 4)
    # Worth what a margin of a half leaves.
    assert summary._naive(four_customers(), Horizon(10.0, 0.0, 0.5))["past_rate_value_total"] == pytest.approx(25)


def test_a_rule_without_a_model_that_did_better_is_named_and_no_other():
    """7 purchases came, 7.5 were forecast; going on as before gives 4."""
    table = four_customers().assign(revenue=[5.0, 1.0, 2.0, 3.0])
    found = summary.better_without_a_model(Scored(table, pd.DataFrame(), None), Horizon(10.0))
    named = {(row["outcome"], row["rule"], row["measure"]): (row["naive"], row["forecast"]) for row in found}
    assert named == {}  # errors of purchases .75 and .625, of value 12.5 and 5
    worse = table.assign(expected_purchases=[2.0, 1.0, 4.0, 4.0], clv_mean=[80.0, 1.0, 2.0, 0.0])
    found = summary.better_without_a_model(Scored(worse, pd.DataFrame(), None), Horizon(10.0))
    named = {(row["outcome"], row["rule"], row["measure"]): (row["naive"], row["forecast"]) for row in found}
    assert named[("purchases", summary.GOING_ON, "customer")] == (0.75, 1.0)
    assert named[("value", summary.NOBODY, "customer")] == (20.0, pytest.approx((80 + 9 + 38 + 30) / 4))
    assert named[("purchases", summary.GOING_ON, "total")] == (3.0, 4.0)  # 4 and 11 of 7
    assert ("purchases", summary.NOBODY, "total") not in named
    assert ("value", summary.PAST_SPEND, "ranking") in named


def test_groups_by_frequency_end_with_six_and_more():
    table = summary.by_frequency(four_customers())
    assert table["frequency"].tolist() == [0, 2, 6]
    assert table["customers"].tolist() == [1, 1, 2]
    assert table["actual"].tolist() == [0, 1, 3]
    assert table["predicted"].tolist() == [0.5, 1, 3]
    assert table["actual_error"].iloc[2] == pytest.approx(2 * np.sqrt(2) / np.sqrt(2))  # sd of 4 and 2 is sqrt 2


def test_groups_by_value_go_from_the_lowest_to_the_highest_prediction():
    table = summary.by_predicted_value(four_customers(), groups=2)
    assert table["predicted"].tolist() == [7.5, 27.5]
    assert table["actual"].tolist() == [5, 35]


def test_without_a_backtest_there_is_nothing_to_say():
    assert origin.origin_day(None) == date.min
    assert origin.holdout_horizon(date.min, date(2025, 1, 1), discount_rate_annual=0.1, gross_margin=1.0).weeks == 0
    assert (
        origin.holdout_horizon(date(2025, 1, 1), date(2025, 1, 15), discount_rate_annual=0.1, gross_margin=1.0).weeks
        == 2
    )


def test_the_holdouts_first_week_ends_where_the_calendars_does():
    # First purchase of all on day 0, calibration end on day 17 (a Thursday if day 0 is a Monday), holdout to day 30.
    known = pd.DataFrame({"T": [17 / 7, 1.0]})
    weekly = pd.DataFrame({"week": [0, 1, 2, 2, 3, 4], "period": ["calibration"] * 3 + ["holdout"] * 3})
    calendar = backtest_weekly.weekly_calendar(known, weekly, Horizon(13 / 7))
    # Days 18 to 20, 21 to 27, 28 to 30.
    np.testing.assert_allclose(calendar.edges * 7, [0, 3, 10, 13], atol=1e-9)


def test_tracking_goes_on_from_what_was_bought():
    known = customers((3, 2.0, 17 / 7, 1.0), (0, 0.0, 1.0, 0.0))
    weekly = pd.DataFrame(
        {
            "week": [0, 1, 2, 2, 3, 4],
            "period": ["calibration"] * 3 + ["holdout"] * 3,
            "repeat_purchases": [1, 1, 1, 0, 2, 1],
        }
    )
    draws, horizon = fixed_draws(2000, **TRUTH), Horizon(13 / 7)
    calendar = backtest_weekly.weekly_calendar(known, weekly, horizon)
    totals = simulate_futures(known, draws, horizon, seed=1, calendar=calendar)
    table = backtest_weekly.tracking(weekly, known, draws, totals, interval=0.9).set_index("week")
    assert table["actual"].tolist() == [1, 2, 3, 5, 6]
    assert table["period"].tolist() == ["calibration"] * 2 + ["holdout"] * 3
    assert table["lower"].isna().tolist() == [True, True, False, False, False]
    population = [TRUTH[name] for name in ("r", "alpha", "a", "b")]
    # The second week ends with day 13: the first customer is 13 days old, the second (from day 10) three.
    new = expected_purchases([13 / 7, 3 / 7], 0, 0, 0, *population).sum()
    assert table.loc[2, "expected"] == pytest.approx(new, rel=1e-8)
    later = expected_purchases(13 / 7, *History.of(known)[:3], *population).sum()
    assert table.loc[5, "expected"] == pytest.approx(3 + later, abs=4 * np.sqrt(3 * later / 2000))


# --- a forecast made with the truth, and errors planted in it

HALF_YEAR = Horizon(26.0, DISCOUNT, 1.0)
DRAWS = fixed_draws(200, **TRUTH)
CUSTOMERS = 2500
HISTORY = ["customer_id", *COLUMNS, "revenue"]


def told(customers: int, rng: np.random.Generator) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return unrounded histories of customers up to 80 weeks old, and what truly came after them."""
    truth = Truth(alpha_weeks=TRUTH["alpha"], **{name: TRUTH[name] for name in TRUTH if name != "alpha"})
    known = histories(truth, customers, rng.uniform(1, 80, customers), HALF_YEAR.weeks, DISCOUNT, rng)
    known["revenue"] = (1 + known["frequency"]) * known["monetary_value"].where(known["frequency"] > 0, 8.0)
    came = {"future_purchases": "actual_purchases", "future_value": "actual_value"}
    return known, known[["customer_id", *came]].rename(columns=came)


@pytest.fixture(scope="module")
def shop():
    return told(CUSTOMERS, np.random.default_rng(12))


def scored(shop, draws=DRAWS, horizon=HALF_YEAR, groupings=None) -> Scored:
    known, came = shop
    options = {"origin": ORIGIN, "interval": 0.9, "seed": 3, "workers": 2, "groupings": groupings}
    return holdout.score(known[HISTORY], came, draws, horizon, **options)


@pytest.fixture(scope="module")
def calibrated(shop):
    return scored(shop)


@pytest.mark.parametrize("key", PURCHASE_MODELS)
def test_whatever_a_model_asks_of_a_history_the_table_of_customers_is_the_same(shop, key):
    known, came = shop
    few, gaps = known.head(30)[HISTORY], pd.Series(0.0, known.index[:30], name=LOG_GAPS)
    truth = {one.name: np.full(50, np.nan_to_num(one.published, nan=0.3)) for one in purchase_model(key).parameters}
    options = {"origin": ORIGIN, "interval": 0.9, "seed": 3, "workers": 1}
    customers = holdout.score(few.join(gaps), came, typed_draws(**truth, key=key), HALF_YEAR, **options).customers
    tables.check(BACKTEST, customers)


def faults(table: pd.DataFrame) -> set[str]:
    """Return which of the limits of a calibrated forecast the scored table breaks."""
    below, at_most = table["value_cdf_below"], table["value_cdf"]
    found = {
        "coverage": 0.90 <= scoring_rules.coverage(below, at_most, 0.90) <= 0.98,
        "pit of counts": scoring_rules.pit_distance(table["purchases_cdf_below"], table["purchases_cdf"], seed=1)[1]
        > 1e-3,
        "pit of value": scoring_rules.pit_distance(below, at_most, seed=1)[1] > 1e-3,
        # Of counts: the slope of value has a standard error of .1 to .3 at this size even for the truth.
        "slope": 0.85 <= scoring_rules.slope(table["expected_purchases"], table["actual_purchases"]) <= 1.15,
    }
    return {name for name, holds in found.items() if not holds}


def planted(**changed: float) -> Draws:
    return fixed_draws(len(DRAWS), **(TRUTH | changed))


def faster(factor: float) -> Horizon:
    # Purchases at a rate times `factor` are the purchases of a horizon times `factor`.
    return Horizon(HALF_YEAR.weeks * factor, DISCOUNT / factor, 1.0)


def test_the_truth_passes_every_check(calibrated):
    table = calibrated.customers
    assert faults(table) == set()
    assert table["origin"].eq(pd.Timestamp(ORIGIN)).all()
    inside = table["actual_value"].between(table["clv_lower"], table["clv_upper"]).mean()
    assert inside == pytest.approx(scoring_rules.coverage(table["value_cdf_below"], table["value_cdf"], 0.90))


@pytest.mark.slow
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
    table = scored(shop, draws, horizon).customers
    assert faults(table) & {"pit of counts", "pit of value"}, error


@pytest.mark.slow
def test_expectation_limits_cover_almost_nobody(shop):
    rng = np.random.default_rng(1)
    uncertain = {name: value * rng.lognormal(0, 0.03, len(DRAWS)) for name, value in TRUTH.items()}
    table = scored(shop, typed_draws(**uncertain)).customers
    assert table["actual_value"].between(table["clv_lower"], table["clv_upper"]).mean() > 0.9
    assert table["actual_value"].between(table["expected_clv_lower"], table["expected_clv_upper"]).mean() < 0.1


@pytest.mark.slow
def test_everybody_at_the_mean_spend_is_caught_by_crps_alone(shop, calibrated):
    # One nu for all: the same mean amount, no learning from the customer's own.
    same = planted(q=1e7, v=1e7 * TRUTH["v"] / (TRUTH["q"] - 1))
    own, alike = calibrated.customers, scored(shop, same).customers
    assert own["value_crps"].mean() < 0.98 * alike["value_crps"].mean()


def test_the_key_figures_say_what_the_table_says(shop, calibrated):
    (_, came), table = shop, calibrated.customers
    found = summary.figures(calibrated, horizon=HALF_YEAR, interval=0.9, seed=1)
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
    alone = summary.purchase_figures(calibrated, interval=0.9, seed=1)
    assert alone == found["purchases"]


def test_nobody_to_test_gives_empty_tables_and_no_figures(shop):
    known, came = shop
    nobody = holdout.score(
        known.head(0), came.head(0), DRAWS, Horizon(0.0), origin=date.min, interval=0.9, seed=1, workers=1
    )
    table = nobody.customers
    assert table.empty
    assert summary.figures(nobody, horizon=Horizon(0.0), interval=0.9, seed=1) is None
    assert summary.purchase_figures(nobody, interval=0.9, seed=1) is None
    assert nobody.total["customers"] == 0
    assert nobody.total["value_actual"] == nobody.total["purchases_upper"] == 0
    assert summary.by_predicted_value(table).empty
    assert summary.by_frequency(table).empty


# --- who seemed to have left


def test_those_who_seemed_to_have_left_are_repeat_customers_below_one_half():
    table = four_customers().assign(p_alive=[0.1, 0.4, 0.5, 0.2])  # a bought once, c is exactly one half
    assert summary._slipping(table) == {"customers": 2, "forecast": 10 + 20, "actual": 10 + 30}
    nobody = summary._slipping(table.assign(p_alive=0.9))
    assert nobody == {"customers": 0, "forecast": 0, "actual": 0}


def test_the_figures_say_what_was_expected_of_those_who_seemed_to_have_left(shop, calibrated):
    (known, came), table = shop, calibrated.customers
    found = summary.figures(calibrated, horizon=HALF_YEAR, interval=0.9, seed=1)["slipping"]
    population = [TRUTH[name] for name in ("r", "alpha", "a", "b")]
    alive = bgnbd.probability_alive(*History.of(known)[:3], *population)
    np.testing.assert_allclose(table["p_alive"], alive)
    gone = np.asarray((known["frequency"] > 0) & (alive < 0.5))
    assert 100 < gone.sum() < CUSTOMERS / 2
    assert found["customers"] == gone.sum()
    assert found["actual"] == pytest.approx(came["actual_value"][gone].sum())
    assert found["forecast"] == pytest.approx(table["clv_mean"][gone].sum())


# --- groups: what a total says of everybody it says of every part


@pytest.fixture(scope="module")
def parted(shop):
    """The same forecast with its customers named by two more groupings."""
    known, _ = shop
    names = {
        "rfm_segment": np.where(known["T"] > 40, "Loyal", "Lost"),
        "cohort": known["T"].mul(7).round().mod(5).map(str),
    }
    return scored(shop, groupings=pd.DataFrame(names, dtype="str"))


GROUPINGS = {"history": 2, "rfm_segment": 2, "cohort": 5}


@pytest.mark.parametrize("grouping", GROUPINGS)
def test_the_groups_of_every_grouping_add_up_to_everybody(parted, grouping):
    rows = parted.groups[parted.groups["grouping"] == grouping]
    assert len(rows) == GROUPINGS[grouping]
    for name in ("customers", "purchases_actual", "purchases_forecast", "value_actual", "value_forecast"):
        assert rows[name].sum() == pytest.approx(parted.total[name])
    # Within every single draw, so nothing that groups share is lost.
    draws = parted.totals.value
    np.testing.assert_allclose(draws[:, rows.index].sum(axis=1), draws[:, 0])
    # Their intervals are not those of the whole cut in pieces: errors of groups are in part their own.
    assert rows["value_upper"].sum() > parted.total["value_upper"]


def test_a_group_is_told_what_its_own_customers_brought(shop, parted):
    known, came = shop
    loyal = parted.groups.set_index("group").loc["Loyal"]
    assert loyal["customers"] == (known["T"] > 40).sum()
    assert loyal["value_actual"] == pytest.approx(came.loc[known["T"] > 40, "actual_value"].sum())
    once = parted.groups.set_index("group").loc[ONCE]
    assert once["purchases_actual"] == came.loc[known["frequency"] == 0, "actual_purchases"].sum()


def test_who_is_grouped_how_changes_no_forecast(parted, calibrated):
    pd.testing.assert_frame_equal(parted.customers, calibrated.customers)
    pd.testing.assert_series_equal(parted.total, calibrated.total)


@pytest.mark.slow
def test_groupings_belong_to_their_customers_by_place_not_by_label(shop, parted):
    known, came = shop
    other = known.set_axis(range(10, 10 + CUSTOMERS))
    names = pd.DataFrame({"rfm_segment": np.where(known["T"] > 40, "Loyal", "Lost")}, dtype="str")
    found = scored((other, came), groupings=names.set_axis(other.index)).groups.set_index("group")
    assert found.loc["Loyal", "value_actual"] == parted.groups.set_index("group").loc["Loyal", "value_actual"]


def test_spread_and_error_of_a_total_are_those_of_its_logarithm_half_an_order_added(parted):
    everybody = parted.groups.iloc[0]
    half = {"purchases": 0.5, "value": 0.5 * everybody["value_forecast"] / everybody["purchases_forecast"]}
    for name, draws in (("purchases", parted.totals.purchases), ("value", parted.totals.value)):
        low, high = np.quantile(np.log(draws + half[name]), [0.05, 0.95], axis=0)
        np.testing.assert_allclose(parted.groups[f"{name}_log_sd"], (high - low) / 3.29)
        came, said = (parted.groups[f"{name}_{which}"] + half[name] for which in ("actual", "forecast"))
        np.testing.assert_allclose(parted.groups[f"{name}_log_error"], np.log(came / said))


def test_of_a_group_in_which_nothing_came_the_error_is_finite():
    known = pd.DataFrame({name: [0.0, 0.0] for name in ("actual_purchases", "actual_value")})
    known = known.assign(expected_purchases=[2.0, 0.0], clv_mean=[60.0, 0.0])
    groups, labels = grouped(known.assign(kind=["some", "none"]), ["kind"])
    drawn = np.array([[1.0, 0.0, 1.0], [3.0, 0.0, 3.0]])
    totals = Totals(drawn, 30 * drawn, *[np.zeros((2, 1, 1))] * 3)
    table = holdout._group_table(known, groups, labels, totals, 0.9).set_index("group")
    assert table.loc["some", "purchases_log_error"] == pytest.approx(np.log(0.5 / 2.5))
    assert table.loc["some", "value_log_error"] == pytest.approx(np.log(15 / 75))  # half an order of 30
    assert table.loc["none", ["value_log_error", "value_log_sd"]].tolist() == [0, 0]


def test_one_row_per_group_and_outcome_says_what_the_columns_said(parted):
    rows = holdout.by_outcome(parted.groups)
    assert len(rows) == 2 * len(parted.groups)
    for outcome in OUTCOMES:
        one = rows[rows["outcome"] == outcome].reset_index(drop=True)
        for name in ("actual", "forecast", "lower", "log_error", "upper_with_misfit"):
            assert one[name].tolist() == pytest.approx(parted.groups[f"{outcome}_{name}"].tolist(), nan_ok=True)
        assert one["group"].tolist() == parted.groups["group"].tolist()


OUTCOMES = ("purchases", "value")


@pytest.mark.slow
def test_the_true_total_is_believed_and_that_of_a_forecast_a_third_too_high_is_not(shop, calibrated):
    def surprise(found: Scored, name: str) -> float:
        total = found.total
        return abs(np.log(total[f"{name}_actual"] / total[f"{name}_forecast"])) / total[f"{name}_log_sd"]

    high = scored(shop, horizon=faster(1.3))
    for name in OUTCOMES:
        assert surprise(calibrated, name) < 2.6 < surprise(high, name)  # one in a hundred
    assert not summary.purchase_figures(high, interval=0.9, seed=1)["inside"]


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_what_is_said_by_history_adds_up_to_what_is_said_of_all(calibrated, outcome):
    found = summary.figures(calibrated, horizon=HALF_YEAR, interval=0.9, seed=1)[outcome]
    parts = list(found["by_history"].values())
    assert list(found["by_history"]) == [ONCE, BACK]
    assert sum(part["n_customers"] for part in parts) == found["n_customers"] == CUSTOMERS
    assert sum(part["actual"] for part in parts) == pytest.approx(found["actual"])
    assert sum(part["forecast"]["mean"] for part in parts) == pytest.approx(found["forecast"]["mean"])
    once = calibrated.customers["frequency"] == 0
    assert [part["n_customers"] for part in parts] == [once.sum(), (~once).sum()]
    shares = [part["n_customers"] / CUSTOMERS for part in parts]
    for score in ("crps", "mae", "coverage_of_interval"):
        assert np.dot(shares, [part[score] for part in parts]) == pytest.approx(found[score])
    assert np.dot(shares, [part["rmse"] ** 2 for part in parts]) == pytest.approx(found["rmse"] ** 2)


def test_past_spend_and_hindsight_stand_beside_the_forecasts_ranking(shop, calibrated):
    known, came = shop
    found = summary.figures(calibrated, horizon=HALF_YEAR, interval=0.9, seed=1)["ranking"]
    assert found["gini"]["hindsight"] == pytest.approx(1)
    assert found["gini"]["past_spend"] == pytest.approx(scoring_rules.gini(known["revenue"], came["actual_value"]))
    assert found["gini"]["past_spend"] < found["gini"]["forecast"] < 1
    best = came["actual_value"].nlargest(CUSTOMERS // 10).sum() / came["actual_value"].sum()
    assert found["best_tenth"]["hindsight"] == pytest.approx(best)
    assert found["best_tenth"]["forecast"] < best
    expected = calibrated.customers["clv_mean"]
    share = expected.nlargest(CUSTOMERS // 10).sum() / expected.sum()
    assert found["best_tenth_expected"] == pytest.approx(share)


# --- past windows

NO_GROUPS = tables.empty(WINDOW_GROUPS)


def past_windows(*rows: tuple) -> pd.DataFrame:
    """Return of table WINDOWS what is summed up: weeks, origin, customers, then value's actual, limits and coverage."""
    names = ["horizon_weeks", "origin", "customers", "actual", "lower", "upper", "coverage"]
    found = pd.DataFrame(rows, columns=names).assign(outcome="value", forecast=100.0)
    found = found.assign(lower_with_misfit=found["lower"] - 5, upper_with_misfit=found["upper"] + 5)
    return found.assign(origin=pd.to_datetime(found["origin"]))


def test_windows_are_summed_up_by_length():
    windows = past_windows(
        (26, "2024-07-01", 950, 120.0, 80.0, 110.0, 0.95),
        (13, "2024-01-01", 500, 90.0, 80.0, 120.0, 0.91),
        (13, "2024-04-01", 700, 70.0, 80.0, 120.0, 0.97),
        (13, "2024-07-01", 950, 105.0, 80.0, 105.0, 0.94),  # a limit is inside
    )
    quarter, half_year = summary.by_horizon(windows)
    assert (quarter["horizon_weeks"], half_year["horizon_weeks"]) == (13, 26)
    assert (quarter["n_windows"], half_year["n_windows"]) == (3, 1)
    assert (quarter["value"]["inside"], half_year["value"]["inside"]) == (2, 0)
    windows["lower_with_misfit"] -= 5  # by ten all in all: 70 is inside, 120 above 110 + 5 is not
    wider = summary.by_horizon(windows)
    assert [row["value"]["inside_with_misfit"] for row in wider] == [3, 0]
    assert quarter["value"]["off"] == pytest.approx({"lowest": -0.3, "highest": 0.05})
    assert half_year["value"]["off"] == pytest.approx({"lowest": 0.2, "highest": 0.2})
    assert quarter["value"]["coverage"] == {"lowest": 0.91, "highest": 0.97}


@pytest.mark.parametrize(("first", "same"), [(900, True), (899, False)])
def test_windows_are_of_the_same_customers_where_nine_in_ten_were_there_from_the_first(first, same):
    windows = past_windows((13, "2024-01-01", first, 1, 0, 2, 0.9), (13, "2024-04-01", 1000, 1, 0, 2, 0.9))
    assert summary.by_horizon(windows)[0]["same_customers"] is same


def test_what_was_planned_and_not_tested_is_counted():
    windows = past_windows((13, "2024-04-01", 700, 70.0, 80.0, 120.0, 0.97))
    rolling = pd.DataFrame(
        {"horizon_weeks": [13, 13, 13, 26], "origin": ["2024-01-01", "2024-04-01", "2024-04-01", "2024-04-01"]}
    )
    assert summary.past(windows, NO_GROUPS, rolling, customers=700)["windows_left_out"] == 2
    nothing = summary.past(windows.head(0), NO_GROUPS, rolling.head(0), customers=700)
    assert nothing == {
        "horizons": [], "groupings": {"purchases": {}, "value": {}}, "windows_left_out": 0, "sample_of": None
    }  # fmt: skip


def test_groups_count_where_earlier_windows_taught_their_intervals_and_they_are_not_small():
    rows = [
        # customers, earlier windows, actual; the model's own interval is 90 to 110, the wider one 70 to 130
        (20, 1, 100.0), (400, 3, 75.0), (400, 3, 131.0), (19, 3, 200.0), (400, 0, 200.0),
    ]  # fmt: skip
    groups = pd.DataFrame(rows, columns=["customers", "earlier_windows", "actual"]).assign(
        outcome="value", grouping="cohort", lower=90.0, upper=110.0, lower_with_misfit=70.0, upper_with_misfit=130.0
    )
    assert summary.by_grouping(groups) == {
        "purchases": {}, "value": {"cohort": {"groups": 3, "inside": 2, "inside_if_right": 1}}
    }  # fmt: skip


@pytest.mark.parametrize(("customers", "sample_of"), [(50_000, None), (50_001, 50_001)])
def test_windows_of_a_large_base_hold_a_sample_of_it(customers, sample_of):
    nothing = past_windows()
    assert summary.past(nothing, NO_GROUPS, nothing, customers=customers)["sample_of"] == sample_of


# --- amounts alone


def spenders(n: int = 4000) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Tell `n` customers' amounts one level at a time: own rate, what was paid, what came after."""
    rng = np.random.default_rng(8)
    nu = rng.gamma(TRUTH["q"], 1 / TRUTH["v"], n)
    x, later = rng.poisson(1.0, n), rng.poisson(1.5, n)
    paid = [rng.gamma(TRUTH["p"], 1 / rate, size).sum() for rate, size in zip(nu, x, strict=True)]
    came = [rng.gamma(TRUTH["p"], 1 / rate, size).sum() for rate, size in zip(nu, later, strict=True)]
    names = [f"C{number}" for number in range(n)]
    known = pd.DataFrame({"customer_id": names, "frequency": x, "monetary_value": paid / np.maximum(x, 1)})
    bought = {"actual_purchases": later, "actual_paid": later, "actual_revenue": came}
    return with_amounts(known), pd.DataFrame({"customer_id": names, **bought})


SPENT = posterior(**{name: np.full((1, 40), TRUTH[name]) for name in ("p", "q", "v")})


def spent(**changed: float) -> pd.DataFrame:
    values = {name: np.full((1, 40), (TRUTH | changed)[name]) for name in ("p", "q", "v")}
    return spend_test.spend(*spenders(), posterior(**values))


def test_amounts_that_came_lie_evenly_in_what_the_spend_model_said_of_them():
    found = spent()
    known, came = spenders()
    assert len(found) == (came["actual_purchases"] > 0).sum()
    assert (found["actual"] * found["purchases"]).sum() == pytest.approx(came["actual_revenue"].sum())
    assert scoring_rules.pit_distance(found["cdf"], found["cdf"], seed=1)[1] > 1e-3
    figures = spend_test.spend_figures(found, seed=1)
    assert figures.index.tolist() == ["all", BACK, ONCE]
    for level in (0.5, 0.8, 0.9):
        for rows in figures.itertuples():
            held = figures.loc[rows.Index, f"{level:.2f}"]
            assert share_errors(held, level, int(rows.customers)) < 4
    assert figures.loc["all", "expected"] == pytest.approx(figures.loc["all", "actual"], rel=0.05)
    assert (
        known.loc[known["frequency"] == 0, "customer_id"]
        .isin(came.loc[came["actual_purchases"] > 0, "customer_id"])
        .sum()
        == figures.loc[ONCE, "customers"]
    )


@pytest.mark.parametrize("wrong", [{"v": 1.3 * TRUTH["v"]}, {"p": 1.3 * TRUTH["p"]}, {"p": 50.0, "v": 2.4}])
def test_amounts_expected_wrong_fail(wrong):
    # The last has the right mean and too little luck.
    found = spent(**wrong)
    assert scoring_rules.pit_distance(found["cdf"], found["cdf"], seed=1)[1] < 1e-6


def test_amounts_are_weighed_by_purchases():
    table = pd.DataFrame(
        {
            "history": [BACK, ONCE, BACK],
            "purchases": [1, 3, 2],
            "expected": [10.0, 20.0, 40.0],
            "actual": [16.0, 12.0, 40.0],
            "cdf": [0.5, 0.01, 0.96],
        }
    )
    found = spend_test.spend_figures(table, seed=1)
    assert found["customers"].tolist() == [3, 2, 1]
    assert found["purchases"].tolist() == [6, 3, 3]
    assert found["expected"].tolist() == pytest.approx([150 / 6, 30, 20])
    assert found["actual"].tolist() == pytest.approx([132 / 6, 32, 12])
    assert found["0.90"].tolist() == pytest.approx([1 / 3, 1 / 2, 0])
    assert found["0.94"].tolist() == pytest.approx([2 / 3, 1, 0])
    assert found.loc[ONCE, "pit_distance"] == pytest.approx(0.99)
    once = spend_test.spend_figures(table[table["history"] == ONCE], seed=1)
    assert once.index.tolist() == ["all", ONCE]  # a history that nobody has is absent


def test_free_visits_are_no_amounts():
    known, came = spenders(300)
    free = spend_test.spend(known, came.assign(actual_purchases=came["actual_purchases"] + 2), SPENT)
    pd.testing.assert_frame_equal(free, spend_test.spend(known, came, SPENT, workers=2))
    assert free["purchases"].sum() == came["actual_paid"].sum()


def test_nobody_who_bought_gives_no_amounts():
    known, came = spenders(20)
    nothing = spend_test.spend(known, came.assign(actual_paid=0), posterior(**{n: np.full((1, 4), 3.0) for n in "pqv"}))
    assert nothing.empty
    assert spend_test.spend_figures(nothing, seed=1).empty


def test_amounts_are_scored_in_blocks_and_the_blocks_do_not_show(monkeypatch):
    whole = spent()
    monkeypatch.setattr(spend_test, "BLOCK_CUSTOMERS", 7)
    pd.testing.assert_frame_equal(spent(), whole, rtol=1e-12)


def test_the_holdout_lasts_from_one_end_to_the_other():
    customers = pd.DataFrame({"first_purchase": pd.to_datetime(["2024-01-08"]), "T": [30.0]})
    assert origin.holdout_horizon(date(2024, 5, 27), seen_from(customers)).weeks == 10
