"""What rfm promises: histories at a cut, holdouts, weekly counts, scores, three customers by hand."""

from datetime import date

import numpy as np
import pandas as pd
import pytest
from helpers import cdnow, day, purchases, view

from clv import tables
from clv.errors import InputError
from clv.rfm import customers, scoring
from clv.rfm.tables import RFM

CUT, END = date(1997, 9, 30), date(1998, 6, 30)


@pytest.fixture(scope="module")
def music_shop():
    return cdnow()


@pytest.fixture(scope="module")
def calibration(music_shop):
    return customers.summarise(music_shop, "transactions", period_end=CUT)


def test_the_first_purchase_starts_the_clock_and_the_others_count():
    con = view(purchases("ada", days=[0, 14, 35], amounts=[8, 15, 25]))
    row = customers.summarise(con, "transactions", period_end=day(70)).iloc[0]
    assert (row["frequency"], row["recency"], row["T"]) == (2, 5, 10)
    assert row["monetary_value"] == 20  # day 14 (15) and day 35 (25)
    assert (row["purchases"], row["revenue"], row["mean_amount"]) == (3, 48, 16)
    assert row["first_purchase"] == pd.Timestamp(day(0))


def test_the_first_order_and_the_amounts_above_zero_stand_apart():
    ada = purchases("ada", days=[0, 14, 35, 50], amounts=[8, 15, 0, 25])
    con = view(ada, purchases("bob", days=[3, 9], amounts=[0, 5]), purchases("cyd", days=[4], amounts=[7]))
    found = customers.summarise(con, "transactions", period_end=day(70)).set_index("customer_id")
    assert found["first_amount"].tolist() == [8, 0, 7]
    assert found["paid_purchases"].tolist() == [2, 1, 0]
    np.testing.assert_allclose(found["log_amounts"], [np.log(15 * 25), np.log(5), 0], atol=1e-9)


def test_gaps_between_purchases_count_by_their_logarithms():
    ada = purchases("ada", days=[0, 14, 35, 42], amounts=[8, 15, 1, 25])
    con = view(ada, purchases("bob", days=[3], amounts=[5]))
    found = customers.summarise(con, "transactions", period_end=day(41)).set_index("customer_id")
    np.testing.assert_allclose(found["log_gaps"], [np.log(2 * 3), 0], atol=1e-9)  # the last gap ends after the cut


def test_the_order_of_the_rows_does_not_show_in_any_sum():
    """A sum of doubles depends on it: 2,000 purchases of one customer, told in two orders."""
    amounts = np.random.default_rng(1).lognormal(3, 2, 2000).round(2)
    log = purchases("ada", days=list(range(2000)), amounts=list(amounts))
    one, other = (
        customers.summarise(view(rows), "transactions", period_end=day(2000))
        for rows in (log, log.sample(frac=1, random_state=1))
    )
    pd.testing.assert_frame_equal(one, other, check_exact=True)
    shuffled = np.random.default_rng(2).permutation(np.log(amounts[1:]))
    assert float(shuffled.cumsum()[-1]) != float(np.log(amounts[1:]).cumsum()[-1])  # as it would with doubles


def test_the_last_day_of_the_period_belongs_to_it_and_the_next_does_not():
    con = view(purchases("ada", days=[0, 7, 8], amounts=[1, 2, 3]), purchases("bob", days=[8], amounts=[5]))
    frame = customers.summarise(con, "transactions", period_end=day(7))
    assert frame["customer_id"].tolist() == ["ada"]
    assert frame[["frequency", "recency", "T"]].iloc[0].tolist() == [1, 1, 1]


def test_one_time_buyer_of_the_last_day_has_age_zero():
    con = view(purchases("ada", days=[7], amounts=[1]))
    row = customers.summarise(con, "transactions", period_end=day(7)).iloc[0]
    assert (row["frequency"], row["recency"], row["T"], row["monetary_value"]) == (0, 0, 0, 0)


def test_cdnow_calibration_is_the_published_one(calibration):
    """Fader, Hardie & Lee (2005): 2,357 customers of the sample, watched to 1997-09-30."""
    assert len(calibration) == 2_357
    assert calibration["frequency"].sum() == 2_457
    assert (calibration["frequency"] == 0).sum() == 1_411
    assert calibration["T"].max() == pytest.approx(38.857, abs=5e-4)
    first = calibration.set_index("customer_id").loc["0001"]
    assert first["frequency"] == 2
    assert first["recency"] == pytest.approx(30.43, abs=5e-3)
    assert first["T"] == pytest.approx(38.86, abs=5e-3)


def test_cdnow_holdout_has_1882_purchases(music_shop):
    frame = customers.holdout(
        music_shop, "transactions", calibration_end=CUT, observation_end=END, discount_weekly=0.0, gross_margin=1.0
    )
    assert len(frame) == 2_357
    assert frame["actual_purchases"].sum() == 1_882
    assert frame["actual_value"].sum() == pytest.approx(70_976.39, abs=1e-6)


def test_calibration_and_holdout_share_no_purchase_and_lose_none(music_shop, calibration):
    everything = customers.summarise(music_shop, "transactions", period_end=END)
    later = customers.holdout(
        music_shop, "transactions", calibration_end=CUT, observation_end=END, discount_weekly=0.0, gross_margin=1.0
    )
    assert calibration["purchases"].sum() + later["actual_purchases"].sum() == everything["purchases"].sum()
    assert calibration["revenue"].sum() + later["actual_value"].sum() == pytest.approx(everything["revenue"].sum())


def test_holdout_value_is_discounted_from_the_calibration_end_and_times_margin():
    con = view(
        purchases("ada", days=[0, 10, 24, 40], amounts=[9, 9, 10, 100]),
        purchases("bob", days=[3], amounts=[5]),
        purchases("eve", days=[11, 12], amounts=[5, 5]),
    )
    frame = customers.holdout(
        con, "transactions", calibration_end=day(10), observation_end=day(30), discount_weekly=0.01, gross_margin=0.5
    )
    assert frame["customer_id"].tolist() == ["ada", "bob"]  # eve was not known
    assert frame["actual_purchases"].tolist() == [1, 0]
    assert frame["actual_value"].tolist() == pytest.approx([0.5 * 10 * np.exp(-0.01 * 2), 0], abs=1e-11)
    assert frame["actual_revenue"].tolist() == [10, 0]  # as it was paid


def test_weekly_repeat_purchases_of_cdnow_add_up_to_both_periods(music_shop):
    frame = customers.weekly_repeat_purchases(music_shop, "transactions", calibration_end=CUT, observation_end=END)
    sums = frame.groupby("period")["repeat_purchases"].sum()
    assert sums.to_dict() == {"calibration": 2_457, "holdout": 1_882}
    assert frame["week"].tolist() == list(range(78))  # 39 whole weeks and 39 whole weeks


def test_a_week_cut_by_the_calibration_end_is_split_and_empty_weeks_are_zero():
    con = view(
        purchases("ada", days=[0, 8, 10, 22], amounts=[1, 1, 1, 1]), purchases("eve", days=[10, 11], amounts=[1, 1])
    )
    frame = customers.weekly_repeat_purchases(con, "transactions", calibration_end=day(9), observation_end=day(22))
    assert frame.to_numpy().tolist() == [
        [0, "calibration", 0],
        [1, "calibration", 1],
        [1, "holdout", 1],
        [2, "holdout", 0],
        [3, "holdout", 1],
    ]


def test_scores_are_best_for_the_recent_the_frequent_and_the_generous():
    con = view(*(purchases(f"c{n}", days=[0, *range(1, n + 1)], amounts=[n + 1.0] * (n + 1)) for n in range(5)))
    frame = scoring.scores(customers.summarise(con, "transactions", period_end=day(10)))
    assert frame["r_score"].tolist() == [1, 2, 3, 4, 5]
    assert frame["f_score"].tolist() == [1, 2, 3, 4, 5]
    assert frame["m_score"].tolist() == [1, 2, 3, 4, 5]
    tables.check(RFM, frame)


@pytest.mark.parametrize("least", [1, 2])
def test_only_who_bought_once_has_the_lowest_frequency(least):
    con = view(*(purchases(f"c{n}", days=range(least + (n > 8)), amounts=[1.0] * (least + (n > 8))) for n in range(10)))
    frame = scoring.scores(customers.summarise(con, "transactions", period_end=day(10)))
    assert set(frame.loc[frame["purchases"] == least, "f_score"]) == {least}


def test_equal_customers_share_a_score_even_if_a_score_stays_empty(calibration):
    frame = scoring.scores(calibration)
    assert (frame.groupby("purchases")["f_score"].nunique() == 1).all()
    assert (frame.loc[frame["frequency"] == 0, "f_score"] == 1).all()
    assert sorted(frame["f_score"].unique()) == [1, 3, 4, 5]  # 60 % bought once, so nobody has 2
    silent_days = ((frame["T"] - frame["recency"]) * 7).round()
    assert (frame.groupby(silent_days)["r_score"].nunique() == 1).all()


def test_the_examples_are_a_one_time_buyer_a_regular_and_a_lapsed_regular(calibration):
    chosen = scoring.pick_examples(calibration).set_index("example")
    assert chosen.loc["A", "frequency"] == 0
    assert 3 <= chosen.loc["B", "frequency"] <= 6
    assert 3 <= chosen.loc["C", "frequency"] <= 6
    silence = chosen["T"] - chosen["recency"]
    assert silence["B"] < 1
    assert silence["C"] > 4 * chosen.loc["C", "recency"] / chosen.loc["C", "frequency"]


def test_the_choice_of_examples_does_not_depend_on_row_order(calibration):
    shuffled = calibration.sample(frac=1, random_state=1)
    assert (
        scoring.pick_examples(shuffled)["customer_id"].tolist()
        == scoring.pick_examples(calibration)["customer_id"].tolist()
    )


def test_following_a_customer_ends_at_the_summary_and_hides_the_identifier(music_shop, calibration):
    chosen = scoring.pick_examples(calibration)
    steps = scoring.follow(music_shop, "transactions", chosen["customer_id"].tolist(), period_end=CUT)
    last = steps.groupby("example").tail(1)
    assert last["event"].tolist() == ["end of period"] * 3
    for name in ("frequency", "recency", "T", "monetary_value"):
        assert last[name].tolist() == pytest.approx(chosen[name].tolist())
    assert "customer_id" not in steps.columns
    assert steps["example"].unique().tolist() == ["A", "B", "C"]


def test_following_ada_shows_what_each_purchase_does():
    con = view(purchases("ada", days=[0, 14, 35], amounts=[8, 15, 25]))
    steps = scoring.follow(con, "transactions", ["ada"], period_end=day(70))
    assert steps["event"].tolist() == ["first purchase", "repeat purchase", "repeat purchase", "end of period"]
    assert steps["frequency"].tolist() == [0, 1, 2, 2]
    assert steps["recency"].tolist() == [0, 2, 5, 5]
    assert steps["T"].tolist() == [0, 2, 5, 10]
    assert steps["monetary_value"].tolist() == [0, 15, 20, 20]


def test_a_calibration_end_must_leave_something_on_both_sides():
    calibration = customers.summarise(cdnow(), "transactions", period_end=date(1997, 1, 8))
    with pytest.raises(InputError, match="at least a week before the last day of observation"):
        customers.require_holdout(calibration, cut=date(1998, 6, 28), last_day=date(1998, 6, 30))
    with pytest.raises(InputError, match=r"Up to calibration_end \(1997-01-08\) only \d+ of \d+ customers"):
        customers.require_holdout(calibration, cut=date(1997, 1, 8), last_day=date(1998, 6, 30))
    customers.require_holdout(calibration, cut=None, last_day=date(1998, 6, 30))


def test_what_was_spent_in_as_many_weeks_before_is_summed_up_to_the_last_day():
    con = view(purchases("ada", days=[0, 14, 35, 70], amounts=[8, 15, 25, 32]))

    def spent(weeks: float) -> float | None:
        return customers.revenue_before(con, "transactions", last_day=day(70), horizon_weeks=weeks)

    assert spent(5) == 32  # day 35 is the last one before
    assert spent(5.2) == 57
    assert spent(10) == 72
    assert spent(11) is None  # nobody knows what was spent before the log begins


def refunded(con, *rows: tuple[str, int, int, float]) -> str:
    """Make the table of refunds: customer, day of purchase, day of the refund, money; return its name."""
    columns = ["customer_id", "date", "refunded_on", "amount"]
    frame = pd.DataFrame([(who, day(on), day(back), money) for who, on, back, money in rows], columns=columns)
    con.register("refunds", frame)
    return "refunds"


def test_a_refund_dated_after_the_cut_did_not_exist_before_it():
    """Ada gave back half of day 14 on day 20 and all of day 16 on day 40; Bob's only purchase came back on day 50."""
    con = view(purchases("ada", days=[0, 14, 35], amounts=[8, 15, 25]))
    names = {"refunds": refunded(con, ("ada", 14, 20, 15.0), ("ada", 16, 40, 12.0), ("bob", 10, 50, 7.0))}
    at = {
        end: customers.summarise(con, "transactions", period_end=day(end), **names).set_index("customer_id")
        for end in (17, 30, 45, 70)
    }
    assert at[17].loc["ada", ["frequency", "revenue"]].tolist() == [2, 8 + 30 + 12]
    assert at[30].loc["ada", ["frequency", "revenue"]].tolist() == [2, 8 + 15 + 12]
    assert at[45].loc["ada", ["frequency", "revenue"]].tolist() == [2, 8 + 15 + 25]
    assert [list(at[end].index) for end in (30, 45, 70)] == [["ada", "bob"], ["ada", "bob"], ["ada"]]
    plain = customers.summarise(con, "transactions", period_end=day(70))
    pd.testing.assert_frame_equal(at[70].reset_index(), plain)
    came = customers.holdout(con, "transactions", calibration_end=day(30), observation_end=day(70), **names)
    assert came[["customer_id", "actual_purchases", "actual_value"]].to_numpy().tolist() == [
        ["ada", 1, 25],
        ["bob", 0, 0],
    ]


def test_what_may_still_come_back_is_learnt_from_older_purchases():
    """A third of the money comes back after 14 days: of the last four weeks half of that is still ahead."""
    con = view(*(purchases(f"c{n}", days=[n], amounts=[20.0]) for n in range(100)))
    name = refunded(con, *((f"c{n}", n, n + 14, 10.0) for n in range(100)))
    assert customers.may_come_back(con, "transactions", name, last_day=day(250)) == pytest.approx(1 / 6)
    assert customers.may_come_back(con, "transactions", name, last_day=day(50)) == 0  # nothing is old enough to tell


def test_weeks_are_counted_from_the_first_purchase_that_was_known_at_the_cut():
    """Bob's only purchase was the first of all, and came back after the cut: until then the weeks began with it."""
    con = view(purchases("ada", days=[7, 21, 40], amounts=[8, 15, 25]))
    name = refunded(con, ("bob", 0, 35, 7.0))
    days = {"calibration_end": day(30), "observation_end": day(41)}
    found = customers.weekly_repeat_purchases(con, "transactions", refunds=name, **days)
    assert found.loc[found["repeat_purchases"] > 0, ["week", "period"]].to_numpy().tolist() == [
        [3, "calibration"],
        [5, "holdout"],
    ]
    plain = customers.weekly_repeat_purchases(con, "transactions", **days)
    assert plain.loc[plain["repeat_purchases"] > 0, "week"].tolist() == [2, 4]
