"""What segments promises: every cell has a name, equals share a tier, every tier has its share."""

import numpy as np
import pandas as pd
import pytest

from clv.forecast import tiers as forecast_tiers
from clv.forecast.tables import MIGRATION
from clv.rfm import segments
from clv.rfm.segments import WHO


def test_every_cell_of_the_scores_has_a_segment_with_an_action():
    cells = pd.DataFrame([(r, f) for r in range(1, 6) for f in range(1, 6)], columns=["r_score", "f_score"])
    names = segments.rfm_segment(cells)
    assert set(names) == set(WHO)
    assert not names.str.contains("other", case=False).any()


@pytest.mark.parametrize(
    ("r_score", "f_score", "name"),
    [(5, 5, "Champions"), (5, 1, "New customers"), (1, 5, "Do not lose"), (1, 1, "Lost"), (3, 3, "Need attention")],
)
def test_the_corners_are_called_what_they_are(r_score, f_score, name):
    assert segments.rfm_segment(pd.DataFrame({"r_score": [r_score], "f_score": [f_score]})).tolist() == [name]


def test_tiers_hold_their_share_of_the_customers():
    clv = pd.Series(np.random.default_rng(1).permutation(200.0 + np.arange(200)))
    tiers = forecast_tiers.value_tier(clv)
    assert tiers.value_counts().to_dict() == {
        "Top 10 %": 20, "Next 20 %": 40, "Next 30 %": 60, "Remaining 40 %": 80
    }  # fmt: skip
    best = clv[tiers == "Top 10 %"].min()
    assert best > clv[tiers != "Top 10 %"].max()


def test_equal_customers_share_a_tier():
    tiers = forecast_tiers.value_tier(pd.Series([9.0] * 3 + [1.0] * 17, index=list("abcdefghijklmnopqrst")))
    assert tiers["a"] == tiers["b"] == tiers["c"] == "Top 10 %"  # places 1 to 3 of 20, on average 2
    assert set(tiers[3:]) == {"Next 30 %"}  # places 4 to 20 of 20, on average 12
    assert tiers.index.tolist() == list("abcdefghijklmnopqrst")


def test_a_cohort_is_the_month_of_the_first_purchase():
    dates = pd.Series(pd.to_datetime(["2024-01-31", "2024-02-01", "2023-12-31"]))
    assert segments.cohort(dates).tolist() == ["2024-01", "2024-02", "2023-12"]


def test_the_grid_keeps_empty_cells_and_loses_nobody():
    frame = pd.DataFrame({"r_score": [5, 5, 1], "f_score": [5, 5, 1], "clv_mean": [10.0, 30.0, 2.0]})
    grid = forecast_tiers.segment_grid(frame).set_index(["r_score", "f_score"])
    assert len(grid) == 25
    assert grid["customers"].sum() == 3
    assert grid.loc[(5, 5), ["customers", "clv", "clv_per_customer"]].tolist() == [2, 40, 20]
    assert grid.loc[(3, 1), "customers"] == 0
    assert np.isnan(grid.loc[(3, 1), "clv_per_customer"])
    assert grid.loc[(3, 1), "segment"] == "About to sleep"


def test_groups_come_in_the_order_asked_for():
    groups = pd.DataFrame({"group": ["b", "c", "a"], "customers": [2, 3, 1]})
    assert forecast_tiers.in_order(groups, ["a", "x", "b", "c"])["customers"].tolist() == [1, 2, 3]


def test_a_customer_is_grouped_by_scores_and_by_month():
    scored = pd.DataFrame(
        {"r_score": [5, 1], "f_score": [5, 1], "first_purchase": pd.to_datetime(["2024-01-31", "2023-12-01"])},
        index=["ada", "bob"],
    )
    found = segments.groupings(scored)
    assert found.columns.tolist() == ["rfm_segment", "cohort"]
    assert found.loc["ada"].tolist() == ["Champions", "2024-01"]
    assert found.loc["bob"].tolist() == ["Lost", "2023-12"]


def day(*named: tuple[str, str]) -> pd.DataFrame:
    """Return customers with their segments, each worth ten."""
    return pd.DataFrame(named, columns=["customer_id", "rfm_segment"]).assign(clv_mean=10.0)


def test_migration_counts_where_customers_went_and_who_is_new():
    before = day(("a", "Champions"), ("b", "Champions"), ("c", "Lost"), ("d", "Champions"))
    now = day(("e", "New customers"), ("d", "Champions"), ("c", "Champions"), ("b", "Lost"), ("a", "Lost"))
    found = forecast_tiers.migration(before, now)
    assert [tuple(row) for row in found.to_numpy()] == [
        ("Champions", "Champions", 1, 1 / 3, 10.0),
        ("Champions", "Lost", 2, 2 / 3, 20.0),
        ("Lost", "Champions", 1, 1.0, 10.0),
        ("Not yet customers", "New customers", 1, 1.0, 10.0),
    ]
    assert found.groupby("segment_before")["share"].sum().tolist() == pytest.approx([1, 1, 1])


def test_without_an_earlier_day_nobody_migrates():
    found = forecast_tiers.migration(day().astype({"customer_id": "str", "rfm_segment": "str"}), day(("a", "Lost")))
    assert found.empty and list(found) == list(MIGRATION.columns)


def test_a_typical_customer_is_the_median_one():
    customers = pd.DataFrame(
        {
            "rfm_segment": ["Loyal"] * 3 + ["Lost"],
            "frequency": [2, 4, 30, 0],
            "T": [50.0, 60.0, 70.0, 90.0],
            "recency": [40.0, 20.0, 69.0, 0.0],
        }
    )
    found = segments.typical(customers)
    assert found.loc["Loyal", ["purchases", "weeks_silent"]].tolist() == [5, 10]
    assert found.loc["Lost", ["purchases", "weeks_silent"]].tolist() == [1, 90]


def test_how_surely_customers_belong_to_a_tier_is_their_mean():
    customers = pd.DataFrame({"value_tier": ["a", "a", "b"], "value_tier_probability": [0.5, 1.0, 0.2]})
    assert forecast_tiers.tier_certainty(customers).to_dict() == {"a": 0.75, "b": 0.2}


def test_the_rows_of_a_grouping_come_in_the_order_to_read_them():
    groups = pd.DataFrame(
        {
            "grouping": ["base", "value_tier", "rfm_segment", "rfm_segment", "value_tier"],
            "group": ["all customers", "Next 20 %", "Lost", "Champions", "Top 10 %"],
        }
    )
    assert forecast_tiers.of_grouping(groups, "rfm_segment")["group"].tolist() == ["Champions", "Lost"]
    assert forecast_tiers.of_grouping(groups, "value_tier")["group"].tolist() == ["Top 10 %", "Next 20 %"]


def test_customers_are_told_by_the_columns_that_were_asked_for():
    customers = pd.DataFrame({"customer_id": ["ada", "bob"], "clv_mean": [1.0, 2.0]}, index=[7, 8])
    groups = pd.DataFrame({"grouping": "by Channel", "customer_id": ["ada"], "group": ["Web"]})
    assert segments.with_groups(customers, groups)["by Channel"].to_dict() == {7: "Web", 8: "(blank)"}
    assert segments.with_groups(customers, groups.head(0)).equals(customers)
