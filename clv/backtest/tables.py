"""What tables of forecasts held against what came must look like."""

from dataclasses import replace

import pandas as pd

from clv.forecast.tables import CUSTOMERS
from clv.rfm.tables import AMOUNTS, HISTORY, HOLDOUT, RFM, WINDOW
from clv.tables import CUSTOMER, DATE, INTEGER, NUMBER, TEXT, Column, Table, outside_unit, unordered

# What is known of a customer decides how hard the forecast is.
ONCE, BACK = "bought once", "came back"
OUTCOMES = {"purchases": "expected_purchases", "value": "clv_mean"}
_ENDS = ("lower", "upper")
LEVELS = (0.50, 0.80, 0.90, 0.94)  # of the central intervals whose coverage is told

BACKTEST = Table(
    "backtest",
    unordered("purchases_cdf_below", "purchases_cdf"),
    unordered("value_cdf_below", "value_cdf"),
    key=("origin", "customer_id"),
    origin=Column(DATE, "calibration end: the forecast saw nothing after this day"),
    customer_id=CUSTOMER,
    **{name: HISTORY[name] for name in ("frequency", "recency", "T", "monetary_value")},
    **{name: AMOUNTS[name] for name in ("paid_purchases", "first_amount")},
    revenue=RFM.columns["revenue"],
    actual_purchases=HOLDOUT.columns["actual_purchases"],
    actual_value=Column(NUMBER, "discounted amounts of those purchases, times gross margin"),
    p_alive=Column(NUMBER, "probability at the origin of still being a customer"),
    **{name: CUSTOMERS.columns[name] for name in ("expected_purchases", "purchases_lower", "purchases_upper")},
    purchases_cdf_below=Column(NUMBER, "predictive probability of fewer purchases than happened"),
    purchases_cdf=Column(NUMBER, "predictive probability of as many purchases as happened, or fewer"),
    purchases_crps=Column(NUMBER, "continuous ranked probability score of the number of purchases"),
    clv_mean=CUSTOMERS.columns["clv_mean"],
    **{f"{kind}clv_{end}": CUSTOMERS.columns[f"{kind}clv_{end}"] for kind in ("expected_", "") for end in _ENDS},
    value_cdf_below=Column(NUMBER, "predictive probability of less value than came"),
    value_cdf=Column(NUMBER, "predictive probability of as much value as came, or less"),
    value_crps=Column(NUMBER, "continuous ranked probability score of the value"),
)

_LOG_SD = "standard deviation of the logarithm of the total plus half an order, by the joint draws"
_LOG_ERROR = "logarithm of what came over what was forecast, half an order added to both"
_MISFIT = "that allows for misfit, learnt from windows that were over at the origin"
_GROUPING = "base, history (bought once or came back), rfm_segment, value_tier or cohort, at the origin"
_FORECAST = {
    "actual": Column(NUMBER, "what came: a number of purchases, or money discounted to the origin"),
    "forecast": Column(NUMBER, "what was expected"),
    "lower": Column(NUMBER, "lower limit of the total, from joint draws, if the model is right"),
    "upper": Column(NUMBER, "upper limit of the total, from joint draws, if the model is right"),
    "log_error": Column(NUMBER, _LOG_ERROR),
    "log_sd": Column(NUMBER, _LOG_SD),
}
_WITH_MISFIT = {
    "forecast_with_misfit": Column(NUMBER, f"what was expected, by a mean {_MISFIT}"),
    "lower_with_misfit": Column(NUMBER, f"lower limit of the total {_MISFIT}"),
    "upper_with_misfit": Column(NUMBER, f"upper limit of the total {_MISFIT}"),
}
_WHERE_TESTED = {name: replace(one, nullable=True) for name, one in _WITH_MISFIT.items()}
BACKTEST_GROUPS = Table(
    "backtest_groups",
    key=("grouping", "group"),
    grouping=Column(TEXT, _GROUPING),
    group=Column(TEXT, "name of the group"),
    customers=Column(INTEGER, "number of customers"),
    **{
        f"{outcome}_{name}": column
        for outcome in ("purchases", "value")
        for name, column in (_FORECAST | _WHERE_TESTED).items()
    },
)

SPEND_TEST = Table(
    "spend_test",
    outside_unit("pit_distance"),
    key=("history",),
    history=Column(TEXT, "all, or what was known at the calibration end: bought once or came back"),
    customers=Column(INTEGER, "customers who bought after the calibration end"),
    purchases=Column(INTEGER, "their purchases after it"),
    expected=Column(NUMBER, "mean amount of a purchase that the spend model expected of them"),
    actual=Column(NUMBER, "mean amount that they paid"),
    **{
        f"{level:.2f}": Column(NUMBER, f"share inside the {level:.0%} interval of what so many purchases bring")
        for level in LEVELS
    },
    pit_distance=Column(NUMBER, "distance of the PIT from uniform (Kolmogorov-Smirnov)"),
)

_EARLIER = {"earlier_windows": Column(INTEGER, "how many those are; without any a usual size of misfit is taken")}
_TOTAL = {
    "outcome": Column(TEXT, "purchases or value"),
    "customers": Column(INTEGER, "customers known at the origin"),
    **_FORECAST,
}
WINDOWS = Table(
    "windows",
    outside_unit("coverage", "pit_distance"),
    key=("horizon_weeks", "origin", "outcome"),
    **WINDOW,
    **_TOTAL,
    **{name: _WITH_MISFIT[name] for name in ("lower_with_misfit", "upper_with_misfit")},
    **_EARLIER,
    repeat_customers=Column(INTEGER, "of the customers those with a repeat purchase"),
    coverage=Column(NUMBER, "share of single customers whose outcome lay inside their realised interval"),
    pit_distance=Column(NUMBER, "distance of the randomised PIT from uniform (Kolmogorov-Smirnov)"),
    crps=Column(NUMBER, "mean continuous ranked probability score of single customers"),
    mae=Column(NUMBER, "mean absolute error of single customers' expected outcome"),
    naive_mae=Column(NUMBER, "the same if everybody goes on as before"),
    gini=Column(NUMBER, "normalised Gini coefficient of the ranking by forecast value", nullable=True),
    gini_past_spend=Column(NUMBER, "the same of the ranking by past spend", nullable=True),
)

FORECASTS = Table(
    "forecasts",
    key=("as_of", "kind", "starts", "ends"),
    as_of=Column(DATE, "last day that was known when the forecast was made"),
    kind=Column(TEXT, "horizon: as far as the run looks, value discounted and times margin; quarter: neither"),
    starts=Column(DATE, "first day that is forecast"),
    ends=Column(DATE, "last day that is forecast"),
    customers=Column(INTEGER, "customers known on as_of, whom it is about"),
    **{
        f"{name}{end}": Column(NUMBER, f"{name} {said}")
        for name in ("purchases", "value")
        for end, said in {"": "expected", "_lower": "lower limit shown", "_upper": "upper limit shown"}.items()
    },
    actual_purchases=Column(NUMBER, "purchases of these customers that came; missing until `ends`", nullable=True),
    actual_value=Column(NUMBER, "value that came, likewise", nullable=True),
    run_id=Column(TEXT, "what made it: the mark of 05, as in key_figures.json"),
)

WINDOW_GROUPS = Table(
    "window_groups",
    key=("horizon_weeks", "origin", "grouping", "group", "outcome"),
    **WINDOW,
    grouping=Column(TEXT, _GROUPING),
    group=BACKTEST_GROUPS.columns["group"],
    **_TOTAL,
    **_WITH_MISFIT,
    **_EARLIER,
)

CHOICE = Table(
    "choice",
    key=("model", "horizon_weeks", "origin"),
    model=Column(TEXT, "model of purchases, by its name in the settings"),
    **WINDOW,
    crps=Column(NUMBER, "mean continuous ranked probability score of single customers' purchases"),
    log_ratio=Column(NUMBER, "logarithm of this score over that of the default model"),
    log_ratio_error=Column(NUMBER, "its standard error, paired over customers"),
    log_error=Column(NUMBER, f"{_LOG_ERROR}; of at most 2,000 customers"),
    coverage=WINDOWS.columns["coverage"],
    seconds=Column(NUMBER, "time to compile, fit and forecast, shared out over the model's windows"),
    chosen=Column(TEXT, "the model by which the run forecasts"),
    chosen_then=Column(TEXT, "the model that windows which were over at the origin chose"),
)

TRACKING = Table(
    "tracking",
    week=Column(INTEGER, "weeks since the first purchase of all, at the end of the week"),
    period=Column(TEXT, "calibration or holdout"),
    actual=Column(NUMBER, "cumulative repeat purchases that happened"),
    expected=Column(NUMBER, "cumulative repeat purchases the model expects"),
    lower=Column(NUMBER, "lower limit of the total, from joint draws; in the holdout only", nullable=True),
    upper=Column(NUMBER, "upper limit of the total, from joint draws; in the holdout only", nullable=True),
)


def deciding(over: pd.DataFrame) -> pd.DataFrame:
    """Return the windows of the longest length of which there are two, or one."""
    number = over.groupby("horizon_weeks")["origin"].nunique()
    return over[over["horizon_weeks"] == number.index[number >= min(2, number.max())].max()] if len(over) else over
