"""What windows promise: counted back from the last day, never overlapping, blind to what comes after."""

from datetime import date, timedelta
from itertools import pairwise
from math import exp

import pandas as pd
import pytest
from helpers import day, purchases, view
from hypothesis import given
from hypothesis import strategies as st

from clv import tables
from clv.rfm import windows
from clv.rfm.tables import ROLLING
from clv.rfm.windows import MOST_WINDOWS, Window

FIRST, LAST = date(1997, 1, 1), date(1998, 6, 30)  # CDNOW's 78 weeks


def origins(weeks: int, *, horizon_weeks: int = 52) -> list[str]:
    planned = windows.plan(FIRST, LAST, horizon_weeks=horizon_weeks)
    return [f"{window.origin}" for window in planned if window.horizon_weeks == weeks]


# --- the plan


def test_cdnow_has_five_quarters_two_half_years_and_no_year():
    assert origins(13) == ["1997-04-01", "1997-07-01", "1997-09-30", "1997-12-30", "1998-03-31"]
    assert origins(26) == ["1997-07-01", "1997-12-30"]
    assert origins(52) == []


def test_a_horizon_shorter_than_a_quarter_stands_alone():
    assert {window.horizon_weeks for window in windows.plan(FIRST, LAST, horizon_weeks=8)} == {8}
    assert {window.horizon_weeks for window in windows.plan(FIRST, LAST, horizon_weeks=20)} == {13, 20}
    assert origins(20, horizon_weeks=20)[-1] == "1998-02-10"


def test_a_day_less_costs_the_window_whose_history_it_was():
    # Two quarters are 182 days: a history of one, a window of the other.
    enough = windows.plan(FIRST, FIRST + timedelta(days=181), horizon_weeks=13)
    assert enough == [Window(13, FIRST + timedelta(days=90))]
    assert windows.plan(FIRST, FIRST + timedelta(days=180), horizon_weeks=13) == []


@given(st.dates(date(2000, 1, 1), date(2020, 1, 1)), st.integers(0, 5000), st.integers(1, 200))
def test_windows_meet_end_on_the_last_day_and_have_their_length_of_history(first, days, horizon_weeks):
    last = first + timedelta(days=days)
    planned = windows.plan(first, last, horizon_weeks=horizon_weeks)
    lengths = [window.horizon_weeks for window in planned]
    assert lengths == sorted(lengths)
    assert set(lengths) <= {13, 26, 52, horizon_weeks}
    assert max(lengths, default=0) <= horizon_weeks
    for weeks in set(lengths):
        same = [window for window in planned if window.horizon_weeks == weeks]
        assert len(same) <= MOST_WINDOWS
        assert same[-1].end == last
        assert all(one.end == other.origin for one, other in pairwise(same))  # the next day is the other's first
        assert (same[0].origin - first).days + 1 >= 7 * weeks
        # Another one would have too short a history, or be one too many.
        before = same[0].origin - timedelta(weeks=weeks)
        assert len(same) == MOST_WINDOWS or (before - first).days + 1 < 7 * weeks


def test_a_long_log_is_tested_on_its_last_eight_windows():
    planned = windows.plan(date(2000, 1, 1), date(2020, 1, 1), horizon_weeks=13)
    assert len(planned) == 8
    assert planned[0].origin == date(2020, 1, 1) - timedelta(weeks=8 * 13)


# --- histories of a log of 28 weeks: one window of a quarter, from day 104 to day 195

LAST_DAY = day(195)
ORIGIN, END = 104, 195


@pytest.fixture
def few(monkeypatch):
    """Let three repeat customers be enough for a window."""
    monkeypatch.setattr(windows, "GOOD_REPEAT_CUSTOMERS", 3)


def shop(*more: pd.DataFrame, regulars: int = 3):
    """Return a log whose regulars bought on day 0 and 50, and whoever else is given."""
    known = [purchases(f"regular {n}", days=[0, 50], amounts=[5, 7]) for n in range(regulars)]
    return view(*known, *more)


def histories(con, **changed) -> pd.DataFrame:
    options = {
        "calibration_end": day(ORIGIN),
        "last_day": LAST_DAY,
        "horizon_weeks": 13,
    }
    return windows.window_histories(con, "transactions", **(options | changed))


@pytest.mark.usefixtures("few")
def test_the_origin_is_known_and_the_last_day_of_the_window_is_forecast_and_no_day_after():
    con = shop(purchases("ada", days=[0, ORIGIN, ORIGIN + 1, END, END + 1], amounts=[10, 20, 40, 80, 160]))
    found = histories(con)
    assert found["horizon_weeks"].unique().tolist() == [13]
    assert found["origin"].unique().tolist() == [pd.Timestamp(day(ORIGIN))]
    ada = found.set_index("customer_id").loc["ada"]
    assert (ada["frequency"], ada["recency"] * 7, ada["T"] * 7) == pytest.approx((1, ORIGIN, ORIGIN))
    assert (ada["monetary_value"], ada["revenue"]) == (20, 30)
    assert ada["actual_purchases"] == 2
    assert ada["actual_value"] == 120  # as paid
    valued = windows.value_windows(con, "transactions", found, discount_weekly=0.01, gross_margin=0.5)
    later = 0.5 * (40 * exp(-0.01 / 7) + 80 * exp(-0.01 * 13))
    assert valued.set_index("customer_id").loc["ada", "actual_value"] == pytest.approx(later)
    pd.testing.assert_frame_equal(valued.drop(columns="actual_value"), found.drop(columns="actual_value"))
    nothing = windows.value_windows(con, "transactions", found[:0], discount_weekly=0.01, gross_margin=0.5)
    assert nothing.empty and list(nothing) == list(found)


@pytest.mark.usefixtures("few")
def test_who_came_after_the_origin_is_not_asked_about():
    con = shop(
        purchases("at the origin", days=[ORIGIN], amounts=[5]), purchases("later", days=[ORIGIN + 1], amounts=[5])
    )
    names = histories(con)["customer_id"].tolist()
    assert "at the origin" in names
    assert "later" not in names


@pytest.mark.usefixtures("few")
def test_every_window_sees_its_own_origin():
    # Seen to day 286 there are two quarters: from day 104 and from day 195.
    con = shop(purchases("ada", days=[0, 60, 150, 250], amounts=[10, 10, 10, 10]))
    ada = histories(con, last_day=day(286)).set_index("customer_id").loc["ada"]
    assert ada["origin"].tolist() == [pd.Timestamp(day(104)), pd.Timestamp(day(195))]
    assert ada["frequency"].tolist() == [1, 2]
    assert ada["actual_purchases"].tolist() == [1, 1]


@pytest.mark.parametrize(("regulars", "rows"), [(299, 0), (300, 302)])
def test_a_window_with_fewer_than_300_repeat_customers_is_left_out(regulars, rows):
    # Neither who bought once nor who paid nothing is one.
    others = purchases("once", days=[0], amounts=[9]), purchases("free", days=[0, 9], amounts=[9, 0])
    assert len(histories(shop(*others, regulars=regulars))) == rows


@pytest.mark.usefixtures("few")
def test_without_a_calibration_end_there_is_no_window():
    found = histories(shop(), calibration_end=None)
    assert found.empty
    tables.check(ROLLING, found)
    assert len(histories(shop())) == 3  # the log would have one


def test_a_log_without_a_purchase_has_no_window():
    con = view(purchases("ada", days=[], amounts=[]))
    assert histories(con).empty


# --- a large base


@pytest.fixture
def sampled(few, monkeypatch):
    """Let 100 customers be a large base, of which every n-th is taken."""
    monkeypatch.setattr(windows, "MOST_CUSTOMERS", 100)


@pytest.mark.slow
@pytest.mark.usefixtures("sampled")
def test_of_a_large_base_every_nth_customer_is_taken_whole():
    con = shop(regulars=1000)
    found = histories(con)
    assert 60 <= len(found) <= 140  # 100 in the mean, sd 9.5
    assert (found["frequency"] == 1).all()
    assert (found["revenue"] == 12).all()


@pytest.mark.slow
@pytest.mark.usefixtures("sampled")
def test_a_customer_is_taken_at_every_origin_or_at_none():
    con = view(*(purchases(f"regular {n}", days=[0, 50, 120, 200], amounts=[5, 7, 7, 7]) for n in range(1000)))
    found = histories(con, last_day=day(286))
    assert found["origin"].nunique() == 2
    assert (found.groupby("customer_id").size() == 2).all()
    assert len(found) < 400


@pytest.mark.usefixtures("sampled")
def test_who_is_taken_does_not_depend_on_the_order_of_the_log():
    log = pd.concat([purchases(f"regular {n}", days=[0, 50], amounts=[5, 7]) for n in range(300)])
    shuffled = log.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(histories(view(log)), histories(view(shuffled)))


@pytest.mark.usefixtures("sampled")
def test_a_base_at_the_limit_is_taken_whole():
    assert len(histories(shop(regulars=100))) == 100
    assert len(histories(shop(regulars=101))) < 80
