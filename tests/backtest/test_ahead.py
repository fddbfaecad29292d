"""Months and quarters on one calendar: what came is counted, what is expected adds up, past errors widen it alone."""

from datetime import date
from types import SimpleNamespace

import duckdb
import numpy as np
import pandas as pd
import pytest

from clv.backtest import ahead
from clv.forecast.cohorts import month_edges
from clv.forecast.horizon import Calendar

DRAWS = 400


def months_ahead(end: date, *, weeks: float, past: pd.DataFrame | None = None) -> pd.DataFrame:
    """Return table FORECAST of a log of eight purchases by three customers; a month ahead brings about 10."""
    days = [
        "2024-01-05",
        "2024-02-05",
        "2024-03-05",
        "2024-04-05",
        "2024-04-06",
        "2024-05-05",
        "2024-06-05",
        "2024-06-20",
    ]
    log = pd.DataFrame(
        {"customer_id": ["a", "a", "b", "a", "b", "a", "b", "c"], "date": pd.to_datetime(days), "amount": 8 * [1.0]}
    )
    con = duckdb.connect()
    con.register("log", log)
    _, edges = month_edges(end, weeks)
    months = len(edges) - 1
    drawn = np.random.default_rng(1).normal(10, 1, (DRAWS, 1, months))
    totals = SimpleNamespace(revenue=drawn, period_purchases=drawn, active=drawn)
    result = SimpleNamespace(totals=totals, total_value=drawn.sum(axis=(1, 2)))
    calendar = Calendar(edges, np.zeros(3, int), 1, np.zeros(3, bool))
    return ahead.months_ahead(con, "log", result, calendar, end, past, interval=0.9, seed=1)


def test_quarters_are_whole_months_counted_from_the_observation_end_both_ways():
    table = months_ahead(date(2024, 6, 30), weeks=26)
    quarters = table[table["kind"] == "quarter"].set_index("period")
    assert quarters["status"].to_dict() == {
        "2024-01 to 2024-03": "observed", "2024-04 to 2024-06": "observed",
        "2024-07 to 2024-09": "forecast", "2024-10 to 2024-12": "forecast",
    }  # fmt: skip
    assert quarters.loc["2024-04 to 2024-06", ["revenue", "revenue_lower", "revenue_of_new"]].tolist() == [5, 5, 1]
    months = table[table["kind"] == "month"].set_index("period")
    assert months.loc[["2024-04", "2024-12"], "status"].tolist() == ["observed", "forecast"]
    assert quarters.loc["2024-10 to 2024-12", "ends"] == pd.Timestamp("2024-12-29")
    earlier = months_ahead(date(2024, 6, 30), weeks=25).set_index("period")
    assert earlier.loc["2024-12", "status"] == "cut"
    assert "2024-10 to 2024-12" not in earlier.index
    assert months.loc["2024-04", "active"] == 2  # one of them bought twice


def test_what_is_expected_of_a_quarter_is_the_sum_of_its_months_and_its_range_is_narrower_than_theirs():
    table = months_ahead(date(2024, 6, 30), weeks=26).set_index("period")
    of_months = table.loc[["2024-07", "2024-08", "2024-09"]]
    quarter = table.loc["2024-07 to 2024-09"]
    assert quarter["revenue"] == pytest.approx(of_months["revenue"].sum())
    assert quarter["revenue_lower"] > of_months["revenue_lower"].sum()
    assert np.isnan(quarter["active"])


def test_a_month_that_the_observation_end_cuts_holds_both_parts_and_belongs_to_no_quarter():
    table = months_ahead(date(2024, 6, 10), weeks=30).set_index("period")
    june = table.loc["2024-06"]
    assert june["status"] == "split"
    assert june["revenue"] == pytest.approx(11, abs=0.3)  # 1 came up to the tenth
    assert not table.index.str.contains(r"to 2024-06|2024-06 to").any()
    assert table.loc["2024-03 to 2024-05", "revenue"] == 4


def test_a_month_that_lacks_a_few_days_counts_with_what_came_of_it():
    table = months_ahead(date(2024, 6, 28), weeks=30).set_index("period")
    quarter = table.loc["2024-04 to 2024-06"]
    assert quarter[["status", "ends", "revenue"]].tolist() == ["observed", pd.Timestamp("2024-06-28"), 5]
    assert table.loc["2024-06", "status"] == "split"
    assert "2024-07 to 2024-09" in table.index
    assert "2024-04 to 2024-06" not in months_ahead(date(2024, 6, 26), weeks=30)["period"].tolist()


def test_past_errors_widen_what_is_expected_and_nothing_that_came():
    wrong = pd.DataFrame(
        {
            "grouping": "base", "group": "all customers", "outcome": ["value", "purchases"] * 4, "horizon_weeks": 13.0,
            "log_error": [0.4, 0.4, -0.4, -0.4] * 2, "log_sd": 0.05, "customers": 3,
        }
    )  # fmt: skip
    own, wider = (months_ahead(date(2024, 6, 30), weeks=26, past=past).set_index("period") for past in (None, wrong))
    kept = ["revenue_lower_if_model_right", "revenue_upper_if_model_right", "revenue"]
    pd.testing.assert_frame_equal(own[kept], wider[kept])
    assert (own["revenue_upper"] == own["revenue_upper_if_model_right"]).all()
    ahead_of = wider["status"] == "forecast"
    assert (wider["revenue_upper"] > 1.2 * wider["revenue_upper_if_model_right"])[ahead_of].all()
    assert (wider["revenue_upper"] == wider["revenue"])[wider["status"] == "observed"].all()
