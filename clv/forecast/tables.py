"""What tables of values must look like: customers, segments, cohorts, totals."""

import pandas as pd

from clv.rfm.tables import HISTORY, HISTORY_RULES
from clv.tables import DATE, INTEGER, NUMBER, TEXT, Column, Table, below_zero, outside_unit, unordered

_TOTALS = [f"{name}_{end}" for name in ("purchases", "clv") for end in ("lower", "upper")]
_SHOWN = ["expected_purchases", "clv_mean", *_TOTALS]


def as_shown(groups: pd.DataFrame) -> pd.DataFrame:
    """Return table SEGMENTS with one set of figures for readers: under the plain names what allows for misfit, if any.

    What the model alone says keeps standing beside it, as `*_if_model_right`.
    """
    own = {f"{name}_if_model_right": groups[name] for name in _SHOWN}
    shown = {name: groups[f"{name}_with_misfit"].fillna(groups[name]) for name in _SHOWN}
    change = (shown["clv_mean"] / groups["clv_mean"]).fillna(1.0)
    shares = {name: groups[name] * change for name in ("clv_per_customer", "share_of_value")}
    return groups.assign(**own, **shown, **shares)


def limits(row: pd.Series, name: str, kind: str = "") -> dict[str, float]:
    """Return lower and upper limit of what a row, as of table SEGMENTS, says of `name`: clv, purchases and the like."""
    return {end: float(row[f"{name}_{end}{kind}"]) for end in ("lower", "upper")}


CUSTOMERS = Table(
    "customers",
    *HISTORY_RULES,
    outside_unit("p_alive", "p_purchase", "p_top_decile", "value_tier_probability"),
    unordered("clv_lower", "clv_median", "clv_upper"),
    below_zero("clv_mean"),
    key=("customer_id",),
    **HISTORY,
    p_alive=Column(
        NUMBER, "probability of still being a customer; at frequency 0 bgnbd cannot tell: 1, and empty in exports"
    ),
    p_purchase=Column(NUMBER, "probability of at least one purchase within the horizon"),
    expected_purchases=Column(NUMBER, "posterior mean number of purchases within the horizon"),
    purchases_lower=Column(NUMBER, "lower limit of the realised number of purchases"),
    purchases_upper=Column(NUMBER, "upper limit of the realised number of purchases"),
    expected_spend=Column(NUMBER, "expected amount of the next purchase, which may be nothing"),
    clv_mean=Column(NUMBER, "posterior mean value within the horizon (closed form)"),
    clv_median=Column(NUMBER, "median of the realised value; simulated, so known to a few percent"),
    clv_lower=Column(NUMBER, "lower limit of the realised value: what this customer will actually bring"),
    clv_upper=Column(NUMBER, "upper limit of the realised value; simulated, ± 15 % for a rare buyer at 1,000 draws"),
    expected_clv_lower=Column(NUMBER, "lower limit of the expected value: parameter uncertainty only"),
    expected_clv_upper=Column(NUMBER, "upper limit of the expected value: parameter uncertainty only"),
    p_top_decile=Column(
        NUMBER,
        "probability of a realised value above zero and in the top tenth; sums to less than a tenth if fewer buy",
    ),
    rfm_segment=Column(TEXT, "named segment from the R and F scores"),
    value_tier=Column(TEXT, "tier by rank of clv_mean"),
    value_tier_probability=Column(NUMBER, "share of draws in which the customer falls into that tier"),
    cohort=Column(TEXT, "month of the first purchase"),
)

_SHOWN_HERE = "allowing for misfit where a backtest tells of it"
NONE = "missing without a backtest"
_MISFIT = f"that allows for the model being as wrong as it was before; {NONE}"
_OWN = "the same if the model is right: joint draws summed within each draw, of a mean the sum over its customers"
_ADD_UP = "groups that were further off than others are moved, and still add up to everybody, who never are"
SEGMENTS = Table(
    "segments",
    outside_unit("mean_p_alive", "mean_p_alive_repeat", "mean_p_purchase", "share_of_value"),
    key=("grouping", "group"),
    grouping=Column(TEXT, "base, rfm_segment, value_tier, cohort, or by and a column that group_by names"),
    group=Column(TEXT, "name of the group"),
    customers=Column(INTEGER, "number of customers"),
    repeat_customers=Column(INTEGER, "customers with at least one repeat purchase"),
    revenue=Column(NUMBER, "money spent so far"),
    mean_p_alive=Column(NUMBER, "mean probability of still being a customer"),
    mean_p_alive_repeat=Column(NUMBER, "the same of those who came back; missing where nobody did", True),
    mean_p_purchase=Column(NUMBER, "mean probability of a purchase within the horizon"),
    expected_purchases=Column(NUMBER, f"expected purchases of the group within the horizon; {_SHOWN_HERE}"),
    purchases_lower=Column(NUMBER, f"lower limit of the total number of purchases; {_SHOWN_HERE}"),
    purchases_upper=Column(NUMBER, f"upper limit of the total number of purchases; {_SHOWN_HERE}"),
    clv_mean=Column(NUMBER, f"expected value of the group; {_SHOWN_HERE}"),
    clv_lower=Column(NUMBER, f"lower limit of the group's total; {_SHOWN_HERE}"),
    clv_upper=Column(NUMBER, f"upper limit of the group's total; {_SHOWN_HERE}"),
    clv_per_customer=Column(NUMBER, "clv_mean divided by the number of customers"),
    share_of_value=Column(NUMBER, "share of the base's expected value"),
    expected_purchases_with_misfit=Column(NUMBER, f"expected purchases {_MISFIT}; {_ADD_UP}", True),
    purchases_lower_with_misfit=Column(NUMBER, f"lower limit of the number of purchases {_MISFIT}", True),
    purchases_upper_with_misfit=Column(NUMBER, f"upper limit of the number of purchases {_MISFIT}", True),
    clv_mean_with_misfit=Column(NUMBER, f"expected value {_MISFIT}; {_ADD_UP}", True),
    clv_lower_with_misfit=Column(NUMBER, f"lower limit of the group's total {_MISFIT}", True),
    clv_upper_with_misfit=Column(NUMBER, f"upper limit of the group's total {_MISFIT}", True),
    **{f"{name}_if_model_right": Column(NUMBER, f"{name}: {_OWN}") for name in _SHOWN},
)

MIGRATION = Table(
    "migration",
    outside_unit("share"),
    below_zero("clv_mean"),
    key=("segment_before", "segment_now"),
    segment_before=Column(TEXT, "segment at the calibration end; Not yet customers: came after it"),
    segment_now=Column(TEXT, "segment at the observation end"),
    customers=Column(INTEGER, "number of customers who were in the one and are in the other"),
    share=Column(NUMBER, "their share of all who were in segment_before"),
    clv_mean=Column(NUMBER, "what they are expected to bring now"),
)

COHORTS = Table(
    "cohorts",
    outside_unit("active", "active_lower", "active_upper"),
    key=("cohort", "month"),
    cohort=Column(TEXT, "month of the first purchase"),
    month=Column(TEXT, "calendar month"),
    months_since=Column(INTEGER, "months since the cohort's first month"),
    status=Column(
        TEXT, "observed, split (observed part plus forecast rest), forecast, or cut (forecast, cut by the horizon)"
    ),
    customers=Column(INTEGER, "customers in the cohort"),
    active=Column(NUMBER, "share of the cohort with a purchase in that month (mean of the draws)"),
    active_lower=Column(NUMBER, "lower limit of that share"),
    active_upper=Column(NUMBER, "upper limit of that share"),
    revenue=Column(NUMBER, "revenue in that month (mean of the draws)"),
    revenue_lower=Column(NUMBER, "lower limit of that revenue"),
    revenue_upper=Column(NUMBER, "upper limit of that revenue"),
    cumulative=Column(NUMBER, "revenue per customer since the first purchase"),
    cumulative_lower=Column(NUMBER, "lower limit, from joint draws"),
    cumulative_upper=Column(NUMBER, "upper limit, from joint draws"),
)

TOTAL_DRAWS = Table(
    "total_draws",
    below_zero("value"),
    below_zero("purchases"),
    draw=Column(INTEGER, "number of the joint posterior draw"),
    value=Column(NUMBER, "realised value of all customers in that draw"),
    purchases=Column(NUMBER, "number of purchases of all customers in that draw"),
    value_with_misfit=Column(NUMBER, f"the value, with an error of the model like its past ones; {NONE}", True),
    purchases_with_misfit=Column(NUMBER, f"the purchases, likewise; {NONE}", True),
)

_AHEAD = {
    "revenue": "revenue, neither discounted nor times a margin",
    "purchases": "number of purchases",
    "active": "customers with a purchase; of months only",
}
FORECAST = Table(
    "forecast",
    below_zero("revenue_upper"),
    key=("kind", "period"),
    kind=Column(TEXT, "month, or quarter: three whole months counted from the observation end, both ways"),
    period=Column(TEXT, "its months, YYYY-MM"),
    starts=Column(DATE, "first day of the period"),
    ends=Column(DATE, "last day that is counted"),
    status=Column(
        TEXT, "observed, split (observed part plus expected rest), forecast, or cut by the horizon (by over three days)"
    ),
    **{
        f"{name}_of_new": Column(NUMBER, f"{name} of customers whose first purchase fell into the period; ahead 0")
        for name in ("revenue", "purchases")
    },
    **{
        f"{name}{end}": Column(NUMBER, f"{meaning}{told}", name == "active")
        for name, meaning in _AHEAD.items()
        for end, told in {
            "": ": what came, or what is expected",
            "_lower": ": lower limit, allowing for misfit where a backtest tells of it; what came is certain",
            "_upper": ": upper limit, likewise",
            "_lower_if_model_right": ": lower limit if the model is right",
            "_upper_if_model_right": ": upper limit if the model is right",
        }.items()
    },
)

MONTHLY_DRAWS = Table(
    "monthly_draws",
    below_zero("revenue"),
    key=("group", "month", "draw"),
    group=Column(TEXT, "name of the RFM segment"),
    month=Column(INTEGER, "place of the month in the horizon, 0 first"),
    draw=Column(INTEGER, "number of the joint posterior draw"),
    revenue=Column(NUMBER, "revenue of the group in that month and draw, neither discounted nor times a margin"),
)

MONTHLY_ERRORS = Table(
    "monthly_errors",
    below_zero("factor"),
    outside_unit("probability"),
    key=("group", "weeks", "probability"),
    group=Column(TEXT, "all customers, or an RFM segment"),
    weeks=Column(NUMBER, "weeks from the observation end to the end of a month of the horizon"),
    probability=Column(NUMBER, "of a smaller factor"),
    factor=Column(NUMBER, "what the group's total until then is multiplied by to allow for misfit"),
)

CONCENTRATION = Table(
    "concentration",
    outside_unit("customer_share", "value_share", "lower", "upper"),
    customer_share=Column(NUMBER, "share of the customers, best expected value first"),
    value_share=Column(NUMBER, "share of the expected value they hold"),
    lower=Column(NUMBER, "lower limit of their share of the realised total, from joint draws"),
    upper=Column(NUMBER, "upper limit of their share of the realised total, from joint draws"),
)
