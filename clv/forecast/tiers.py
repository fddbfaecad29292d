"""Customers by rank of value and by segment: tiers, the segment grid, moves between segments, who is slipping."""

import numpy as np
import pandas as pd

from clv import tables
from clv.forecast.tables import MIGRATION
from clv.rfm.segments import WHO, rfm_segment

# Tier -> share of the customers that stand in it or above it, best first.
TIERS = {"Top 10 %": 0.10, "Next 20 %": 0.30, "Next 30 %": 0.60, "Remaining 40 %": 1.00}

NEWCOMERS = "Not yet customers"  # where those stood who came between two days

# Below this P(alive) a customer has more likely left than not.
LIKELY_LEFT = 0.5


def slipping(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the repeat customers who have more likely left than not: P(alive) below one half."""
    return customers[(customers["frequency"] > 0) & (customers["p_alive"] < LIKELY_LEFT)]


def value_tier(clv_mean: pd.Series) -> pd.Series:
    """Return each customer's tier by rank of expected value; equal customers share a tier."""
    standing = clv_mean.rank(ascending=False, method="average", pct=True)
    names, shares = list(TIERS), list(TIERS.values())
    return pd.Series(
        np.array(names, dtype=object)[np.searchsorted(shares, standing)], index=clv_mean.index, dtype="str"
    )


def tier_certainty(customers: pd.DataFrame) -> pd.Series:
    """Return, by value tier, the mean share of draws in which its customers really belong to it; from table CUSTOMERS.

    Customers without a purchase in a draw share the places that are left.
    """
    return customers.groupby("value_tier")["value_tier_probability"].mean()


def migration(before: pd.DataFrame, now: pd.DataFrame) -> pd.DataFrame:
    """Return table MIGRATION: which segment the customers of each segment of an earlier day are in now.

    Scores rank the customers of a day against each other, so a customer may move because others did. `before` and `now`
    have customer_id and rfm_segment on each day, now with clv_mean; nobody before gives no rows.
    """
    if before.empty:
        return tables.empty(MIGRATION)
    then = now["customer_id"].map(before.set_index("customer_id")["rfm_segment"]).fillna(NEWCOMERS)
    moved = now.assign(segment_before=then.astype("str"), segment_now=now["rfm_segment"])
    found = moved.groupby(["segment_before", "segment_now"], as_index=False).agg(
        customers=("clv_mean", "size"), clv_mean=("clv_mean", "sum")
    )
    of_segment = found.groupby("segment_before")["customers"].transform("sum")
    places = {name: place for place, name in enumerate([*WHO, NEWCOMERS])}
    found = found.assign(share=found["customers"] / of_segment).sort_values(
        ["segment_before", "segment_now"], key=lambda names: names.map(places), ignore_index=True
    )
    return tables.check(MIGRATION, found[list(MIGRATION.columns)])


def in_order(groups: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Return the rows of `groups` in the order of `names`; groups nobody belongs to are absent."""
    place = {name: position for position, name in enumerate(names)}
    return groups.sort_values("group", key=lambda group: group.map(place), ignore_index=True)


def of_grouping(groups: pd.DataFrame, grouping: str) -> pd.DataFrame:
    """Return the rows of one grouping of a table of groups, segments and tiers in the order to read them."""
    rows = groups[groups["grouping"] == grouping]
    return in_order(rows, {"rfm_segment": list(WHO), "value_tier": list(TIERS)}.get(grouping, list(rows["group"])))


def segment_grid(customers: pd.DataFrame) -> pd.DataFrame:
    """Return customers, expected value and value per customer for each of the 25 cells of R and F scores."""
    cells = pd.MultiIndex.from_product([range(1, 6), range(1, 6)], names=["r_score", "f_score"])
    grid = customers.groupby(["r_score", "f_score"]).agg(customers=("clv_mean", "size"), clv=("clv_mean", "sum"))
    grid = grid.reindex(cells, fill_value=0).reset_index()
    grid["segment"] = rfm_segment(grid)
    return grid.assign(clv_per_customer=grid["clv"] / grid["customers"].where(grid["customers"] > 0))
