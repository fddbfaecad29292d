"""Named groups of customers: RFM segments from the scores, cohorts from the first purchase."""

import numpy as np
import pandas as pd

_CHAMPIONS, _LOYAL, _RISING = "Champions", "Loyal", "Potential loyalists"
_NEW, _PROMISING, _ATTENTION = "New customers", "Promising", "Need attention"
_SLEEPY, _AT_RISK, _DO_NOT_LOSE = "About to sleep", "At risk", "Do not lose"
_HIBERNATING, _LOST = "Hibernating", "Lost"

# Row: recency score 5 (bought last) to 1; column: frequency score 1 (once) to 5. Every cell has a name.
SEGMENT_MAP = {
    5: (_NEW, _RISING, _RISING, _CHAMPIONS, _CHAMPIONS),
    4: (_PROMISING, _RISING, _RISING, _LOYAL, _CHAMPIONS),
    3: (_SLEEPY, _SLEEPY, _ATTENTION, _LOYAL, _LOYAL),
    2: (_HIBERNATING, _HIBERNATING, _AT_RISK, _AT_RISK, _DO_NOT_LOSE),
    1: (_LOST, _LOST, _AT_RISK, _DO_NOT_LOSE, _DO_NOT_LOSE),
}

# Segment -> who they are, in the order in which a reader wants them. Scores rank customers against each other, so the
# words do too; what to do about them follows from a run's figures, never from the name.
WHO = {
    _CHAMPIONS: "among the most recent and most frequent buyers",
    _LOYAL: "more frequent than most, recent enough",
    _RISING: "more recent than most, middling frequency",
    _NEW: "bought once, just now",
    _PROMISING: "bought once, lately",
    _ATTENTION: "middling in both",
    _AT_RISK: "more frequent than some, silent longer than most",
    _DO_NOT_LOSE: "among the most frequent, silent for long",
    _SLEEPY: "seldom, getting long ago",
    _HIBERNATING: "seldom, longer ago than most",
    _LOST: "seldom, longest ago",
}


def with_groups(customers: pd.DataFrame, groups: pd.DataFrame) -> pd.DataFrame:
    """Return `customers` with a column for each grouping of table CUSTOMER_GROUPS."""
    named = groups.pivot(index="customer_id", columns="grouping", values="group")
    return customers.join(named, on="customer_id").fillna(dict.fromkeys(named.columns, "(blank)"))


def rfm_segment(customers: pd.DataFrame) -> pd.Series:
    """Return each customer's segment name from r_score and f_score (1 to 5)."""
    names = np.array([SEGMENT_MAP[r] for r in range(1, 6)], dtype=object)
    found = names[customers["r_score"].to_numpy() - 1, customers["f_score"].to_numpy() - 1]
    return pd.Series(found, index=customers.index, dtype="str")


def cohort(first_purchase: pd.Series) -> pd.Series:
    """Return each customer's acquisition cohort, the month of the first purchase, as YYYY-MM."""
    return first_purchase.dt.strftime("%Y-%m").astype("str")


def groupings(customers: pd.DataFrame) -> pd.DataFrame:
    """Return each customer's segment and cohort, from r_score, f_score and first_purchase."""
    return pd.DataFrame({"rfm_segment": rfm_segment(customers), "cohort": cohort(customers["first_purchase"])})


def typical(customers: pd.DataFrame) -> pd.DataFrame:
    """Return what a typical customer of each segment did, from table CUSTOMERS.

    Columns purchases and weeks_silent (medians), indexed by rfm_segment.
    """
    behaviour = {"purchases": customers["frequency"] + 1, "weeks_silent": customers["T"] - customers["recency"]}
    return pd.DataFrame(behaviour).groupby(customers["rfm_segment"]).median()
