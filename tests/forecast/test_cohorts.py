"""What cohorts promises: observed months with zeros, month edges in weeks, forecasts that continue what was seen."""

from datetime import date

import numpy as np
import pytest
from helpers import cdnow, purchases, view

from clv.forecast import cohorts

END = date(2024, 3, 10)


@pytest.fixture
def seen():
    con = view(
        purchases("ada", days=[0, 5, 35, 61], amounts=[10, 5, 20, 7]),  # Jan 1, Jan 6, Feb 5, Mar 2
        purchases("bob", days=[9], amounts=[4]),  # Jan 10
        purchases("eve", days=[40], amounts=[6]),  # Feb 10
        purchases("zoe", days=[75], amounts=[99]),  # Mar 16, after the end
    )
    return cohorts.observed(con, "transactions", observation_end=END)


def test_every_cohort_has_every_month_up_to_the_end_with_zeros_filled(seen):
    rows = seen[["cohort", "month", "months_since", "customers", "active", "revenue"]].to_numpy().tolist()
    assert rows == [
        ["2024-01", "2024-01", 0, 2, 2, 19.0],
        ["2024-01", "2024-02", 1, 2, 1, 20.0],
        ["2024-01", "2024-03", 2, 2, 1, 7.0],
        ["2024-02", "2024-02", 0, 1, 1, 6.0],
        ["2024-02", "2024-03", 1, 1, 0, 0.0],
    ]


def test_all_customers_are_active_in_their_first_month_and_no_money_is_lost():
    con = cdnow()
    frame = cohorts.observed(con, "transactions", observation_end=date(1998, 6, 30))
    first = frame[frame["months_since"] == 0]
    assert (first["active"] == first["customers"]).all()
    assert first["customers"].sum() == 2_357
    assert frame["revenue"].sum() == pytest.approx(244_091.94, abs=1e-6)
    assert len(frame) == 18 + 17 + 16  # January, February, March 1997, each up to June 1998


def test_edges_start_with_the_rest_of_the_month_and_end_with_the_horizon():
    months, edges = cohorts.month_edges(date(2024, 1, 15), 10)
    assert months == ["2024-01", "2024-02", "2024-03"]
    assert edges.tolist() == [0, 16 / 7, 45 / 7, 10]


def test_edges_start_with_the_next_month_when_the_end_is_a_last_day():
    months, edges = cohorts.month_edges(date(2025, 12, 31), 52)
    assert months == [f"2026-{month:02d}" for month in range(1, 13)]
    assert edges[:3].tolist() == [0, 31 / 7, 59 / 7]
    assert edges[-1] == 52


def test_a_horizon_that_ends_with_a_month_opens_no_empty_month():
    months, edges = cohorts.month_edges(date(2024, 1, 31), 29 / 7)
    assert months == ["2024-02"]
    assert edges.tolist() == [0, 29 / 7]


def forecast(seen, months=("2024-03", "2024-04")):
    active = np.array([[[1, 0], [0, 0]], [[2, 1], [1, 1]]], dtype=float)  # 2 draws, 2 cohorts, 2 months
    revenue = np.array([[[0, 0], [0, 0]], [[8, 4], [3, 5]]], dtype=float)
    return cohorts.continue_with(
        seen, months=months, active_draws=active, revenue_draws=revenue, observation_end=END, interval=1.0
    )


def test_a_split_month_adds_the_forecast_to_what_was_seen(seen):
    row = forecast(seen).set_index(["cohort", "month"]).loc[("2024-01", "2024-03")]
    assert row["status"] == "split"
    assert (row["revenue_lower"], row["revenue"], row["revenue_upper"]) == (7, 11, 15)  # 7 seen + 0 or 8
    assert (row["active_lower"], row["active"], row["active_upper"]) == (0.5, 0.75, 1)  # draws hold the total


def test_cumulative_revenue_is_summed_within_each_draw(seen):
    row = forecast(seen).set_index(["cohort", "month"]).loc[("2024-01", "2024-04")]
    assert row["status"] == "forecast"
    assert row["months_since"] == 3
    assert (row["cumulative_lower"], row["cumulative_upper"]) == (46 / 2, 58 / 2)  # 19 + 20 + 7, and 8 + 4 more
    assert row["cumulative"] == 52 / 2


def test_what_was_seen_has_no_interval(seen):
    frame = forecast(seen)
    past = frame[frame["status"] == "observed"]
    assert past["month"].tolist() == ["2024-01", "2024-02", "2024-02"]
    for name in ("active", "revenue", "cumulative"):
        assert (past[name] == past[f"{name}_lower"]).all()
        assert (past[name] == past[f"{name}_upper"]).all()


def test_a_forecast_from_the_next_month_on_leaves_the_observed_months_alone(seen):
    frame = cohorts.continue_with(
        seen,
        months=["2024-04"],
        active_draws=np.ones((3, 2, 1)),
        revenue_draws=np.ones((3, 2, 1)),
        observation_end=date(2024, 3, 31),
        interval=0.9,
    )
    assert (frame["status"] == "split").sum() == 0
    assert (frame["status"] == "observed").sum() == len(seen)
    assert frame.groupby("cohort")["cumulative"].last().tolist() == [(46 + 1) / 2, 6 + 1]


def test_the_matrix_has_a_row_per_cohort_and_a_column_per_month_of_age(seen):
    wide = cohorts.matrix(forecast(seen), "revenue")
    assert wide.index.tolist() == ["2024-01", "2024-02"]
    assert wide.columns.tolist() == [0, 1, 2, 3]
    assert wide.loc["2024-01"].tolist() == [19, 20, 11, 2]
    assert np.isnan(wide.loc["2024-02", 3])
