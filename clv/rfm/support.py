"""Enough data? What a base of customers can carry: nothing, a rough look, or the full report.

The half-width of a total's interval is about 1.9 / sqrt(repeat customers): measured on CDNOW samples of 37 to 946.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from clv.errors import InputError

# Fewer tell the spend of customers apart by no more than chance.
FEWEST_REPEAT_CUSTOMERS = 30
EXPLORATORY_REPEAT_CUSTOMERS = 100
GOOD_REPEAT_CUSTOMERS = 300
FEWEST_WEEKS = 8
# So many times the longest history: beyond it a forecast extends what nobody has seen.
FURTHEST_HORIZON = 2.0
ENOUGH, ROUGH, TOO_LITTLE = "enough", "rough", "too little"


@dataclass(frozen=True)
class Support:
    """One question asked of a base: the figure, the limit it was held against, the answer, and a sentence."""

    name: str
    figure: float
    limit: str
    answer: str
    sentence: str


def judge(customers: pd.DataFrame, *, horizon_weeks: float) -> list[Support]:
    """Return what the histories of `customers` (frequency, monetary_value, T) can carry, each question once."""
    paid = customers.loc[customers["monetary_value"] > 0, "monetary_value"]
    return [_repeat_customers(len(paid), len(customers)), _prices(paid), *_weeks(customers, horizon_weeks)]


def require_support(customers: pd.DataFrame, *, horizon_weeks: float) -> list[Support]:
    """Return `judge`, or refuse a base from which the models could learn nothing."""
    found = judge(customers, horizon_weeks=horizon_weeks)
    refused = [support.sentence for support in found if support.answer == TOO_LITTLE]
    if refused:
        raise InputError(refused[0])
    return found


def _repeat_customers(repeat: int, customers: int) -> Support:
    alone = f"the luck of so many alone leaves totals unsure by ± {190 / np.sqrt(max(repeat, 1)):.0f} %"
    found = f"{repeat:,} of {customers:,} customers made a repeat purchase with an amount"
    answer = TOO_LITTLE if repeat < FEWEST_REPEAT_CUSTOMERS else ROUGH if repeat < GOOD_REPEAT_CUSTOMERS else ENOUGH
    sentence = f"{found}: {alone}{', those of small segments by more' if answer == ROUGH else ''}."
    if answer == TOO_LITTLE:
        sentence = (
            f"Only {found}; at least {FEWEST_REPEAT_CUSTOMERS} are needed to learn how customers return and spend: "
            "give a longer log. Counts, revenue and RFM scores can be had, a forecast cannot."
        )
    elif repeat < EXPLORATORY_REPEAT_CUSTOMERS:
        sentence = f"Exploratory: only {found}. {alone.capitalize()}; do not act on single segments."
    return Support("repeat customers", repeat, f">= {GOOD_REPEAT_CUSTOMERS}", answer, sentence)


def _prices(paid: pd.Series) -> Support:
    prices = paid.round(6).nunique()
    sentence = "Customers spend different amounts."
    if prices == 1:
        sentence = f"Every purchase counts {paid.iloc[0]:,.2f}: the forecast is one of purchases, times that."
    return Support("distinct mean amounts", prices, "none", ENOUGH, sentence)


def _weeks(customers: pd.DataFrame, horizon_weeks: float) -> list[Support]:
    longest = float(customers["T"].max()) if len(customers) else 0.0
    span = f"The longest history is {longest:.3g} weeks"
    short = longest < FEWEST_WEEKS
    length = Support(
        "weeks of history", longest, f">= {FEWEST_WEEKS}", TOO_LITTLE if short else ENOUGH,
        f"{span}; at least {FEWEST_WEEKS} are needed to tell a pause from a farewell: give a longer log." if short
        else f"{span}.",
    )  # fmt: skip
    far = horizon_weeks > FURTHEST_HORIZON * longest
    reach = Support(
        "horizon / history", horizon_weeks / max(longest, 1e-9), f"<= {FURTHEST_HORIZON:g}", ROUGH if far else ENOUGH,
        f"{span} and the forecast looks {horizon_weeks:.3g} ahead: most of it extends what nobody has seen yet; "
        f"these data carry about {FURTHEST_HORIZON * longest:.0f} weeks." if far
        else f"The forecast looks {horizon_weeks:.3g} weeks ahead.",
    )  # fmt: skip
    return [length, reach]
