"""Contract of every table: its columns, their meaning, and what must hold in every row.

`check(TABLE, frame)` returns the frame unchanged or refuses it, naming table, rule, extent and
first offender. The `meaning` of each column is also the data dictionary of the exports.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import pandas as pd
from pandas.api import types

from clv.errors import IntegrityError

TEXT, INTEGER, NUMBER, DATE = "text", "integer", "number", "date"
LEVELS = (0.50, 0.80, 0.90, 0.94)  # of the central intervals whose coverage is told

_IS_KIND: dict[str, Callable[[pd.Series], bool]] = {
    TEXT: types.is_string_dtype,
    INTEGER: types.is_integer_dtype,
    NUMBER: types.is_float_dtype,
    DATE: types.is_datetime64_any_dtype,
}


@dataclass(frozen=True)
class Column:
    """What one column holds."""

    kind: str
    meaning: str
    nullable: bool = False


@dataclass(frozen=True)
class Rule:
    """A sentence that is true of every good row, and the test that finds the bad ones."""

    broken: str
    offenders: Callable[[pd.DataFrame], pd.Series]


@dataclass(frozen=True)
class Table:
    """A table's name, columns in order, key (unique together) and rules."""

    name: str
    columns: dict[str, Column]
    key: tuple[str, ...]
    rules: tuple[Rule, ...] = ()


def check(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` if it fulfils `table`; raise `IntegrityError` naming the first thing that is wrong."""
    _check_columns(table, frame)
    for name, column in table.columns.items():
        _refuse(table, frame, f"{name} is missing", frame[name].isna() & (not column.nullable))
    if table.key:
        _refuse(table, frame, f"{', '.join(table.key)} repeats", frame.duplicated(list(table.key)))
    for rule in table.rules:
        _refuse(table, frame, rule.broken, rule.offenders(frame))
    return frame


def with_texts(table: Table, frame: pd.DataFrame) -> pd.DataFrame:
    """Return `frame` with the columns that `table` calls text as pandas' text, also where all are missing."""
    return frame.astype({name: "str" for name, column in table.columns.items() if column.kind == TEXT})


def empty(table: Table) -> pd.DataFrame:
    """Return `table` without rows."""
    kinds = {TEXT: "str", INTEGER: "int64", NUMBER: "float64", DATE: "datetime64[us]"}
    return pd.DataFrame({name: pd.Series(dtype=kinds[column.kind]) for name, column in table.columns.items()})


def dictionary(table: Table) -> pd.DataFrame:
    """Return the data dictionary of `table`: one row per column with its kind and meaning."""
    rows = [(name, column.kind, column.meaning) for name, column in table.columns.items()]
    return pd.DataFrame(rows, columns=["column", "kind", "meaning"])


def shown_limits(row: pd.Series, name: str) -> dict[str, float]:
    """Return lower and upper limit of a total as readers are shown it: allowing for misfit, if a backtest tells of it.

    `row` is one of table SEGMENTS, `name` is clv or purchases.
    """
    suffix = "" if pd.isna(row[f"{name}_lower_with_misfit"]) else "_with_misfit"
    return {end: float(row[f"{name}_{end}{suffix}"]) for end in ("lower", "upper")}


def _check_columns(table: Table, frame: pd.DataFrame) -> None:
    missing = [name for name in table.columns if name not in frame.columns]
    unknown = [str(name) for name in frame.columns if name not in table.columns]
    if missing or unknown:
        raise IntegrityError(f"{table.name}: columns missing: {missing or 'none'}; unknown: {unknown or 'none'}.")
    for name, column in table.columns.items():
        if not _IS_KIND[column.kind](frame[name]):
            raise IntegrityError(f"{table.name}: column {name} must be {column.kind}, found {frame[name].dtype}.")


def _refuse(table: Table, frame: pd.DataFrame, broken: str, offends: pd.Series) -> None:
    if not offends.any():
        return
    row = frame[offends].iloc[0]
    # Of a customer only the place: the sentence may end on a page that must not name customers.
    named = [name for name in table.key if name != "customer_id"]
    place = int(offends.to_numpy().argmax()) + 1
    first = ", ".join([f"row {place}", *(f"{name} {row[name]}" for name in named)])
    raise IntegrityError(f"{table.name}: {broken} in {int(offends.sum())} rows (first: {first}).")


def below_zero(name: str) -> Rule:
    return Rule(f"{name} is below zero", lambda frame: frame[name] < 0)


def unordered(*names: str) -> Rule:
    def offenders(frame: pd.DataFrame) -> pd.Series:
        # Closed forms and simulated limits meet up to rounding.
        gaps = [frame[low] > frame[high] + frame[high].abs() * 1e-9 + 1e-9 for low, high in pairwise(names)]
        return pd.concat(gaps, axis=1).any(axis=1)

    return Rule(f"{' <= '.join(names)} does not hold", offenders)


def outside_unit(*names: str) -> Rule:
    return Rule(
        f"{' or '.join(names)} lies outside [0, 1]",
        lambda frame: ((frame[list(names)] < -1e-12) | (frame[list(names)] > 1 + 1e-12)).any(axis=1),
    )


CUSTOMER = Column(TEXT, "customer identifier, exactly as in the log")
HISTORY = {
    "customer_id": CUSTOMER,
    "frequency": Column(INTEGER, "repeat purchases: days with a purchase after the first one (x)"),
    "recency": Column(NUMBER, "weeks from the first to the last purchase (t_x)"),
    "T": Column(NUMBER, "weeks from the first purchase to the end of the period"),
    "monetary_value": Column(NUMBER, "mean amount of the repeat purchases, 0 if there is none"),
}
HISTORY_RULES = (
    below_zero("frequency"),
    below_zero("recency"),
    below_zero("monetary_value"),
    Rule("recency exceeds T", lambda frame: frame["recency"] > frame["T"]),
    Rule("recency and frequency disagree", lambda frame: (frame["frequency"] > 0) != (frame["recency"] > 0)),
)

TRANSACTIONS = Table(
    "transactions",
    {
        "customer_id": CUSTOMER,
        "date": Column(DATE, "day of purchase"),
        "amount": Column(NUMBER, "money spent that day, net of refunds"),
    },
    key=("customer_id", "date"),
    rules=(below_zero("amount"),),
)

REJECTED = Table(
    "rejected",
    {
        "record": Column(INTEGER, "number of the record in the source, the first one after the header is 1"),
        "column": Column(TEXT, "column of the source that breaks the rule"),
        "rule": Column(TEXT, "name of the rule"),
        "value": Column(TEXT, "what stood there", nullable=True),
        "amount": Column(NUMBER, "money left out with this row", nullable=True),
    },
    key=("record",),
)

LEDGER = Table(
    "ledger",
    {
        "line": Column(TEXT, "what happened to these rows: rows in the source, kept, a rule's name, set aside"),
        "meaning": Column(TEXT, "the same in words"),
        "rows": Column(INTEGER, "number of rows"),
        "amount": Column(NUMBER, "money in these rows, after refunds were taken off their purchases"),
    },
    key=("line",),
)

QUALITY = Table(
    "quality",
    {
        "rule": Column(TEXT, "name of the rule"),
        "severity": Column(TEXT, "what it does with a row: quarantine (a fault), leave out (as asked), or warn"),
        "column": Column(TEXT, "column of the source that it looks at"),
        "meaning": Column(TEXT, "what it finds, in words"),
        "rows": Column(INTEGER, "number of rows it holds for"),
        "share": Column(NUMBER, "share of all rows of the source"),
        "amount": Column(NUMBER, "money in these rows"),
        "records": Column(TEXT, "first record numbers"),
        "condition": Column(TEXT, "the rule itself, as SQL or in words"),
        "advice": Column(TEXT, "what can be done about it"),
    },
    key=("rule",),
    rules=(below_zero("rows"),),
)

TRUTH = Table(
    "truth",
    {
        "customer_id": CUSTOMER,
        "purchase_rate_weekly": Column(NUMBER, "true purchases per week while a customer"),
        "dropout_probability": Column(NUMBER, "true probability of leaving after each repeat purchase"),
        "mean_spend": Column(NUMBER, "true mean amount of a purchase"),
        "alive": Column(INTEGER, "1 if still a customer at the end of observation"),
        "future_purchases": Column(INTEGER, "purchases made within the horizon"),
        "future_value": Column(NUMBER, "discounted value of those purchases, times gross margin"),
    },
    key=("customer_id",),
    rules=(outside_unit("dropout_probability"), below_zero("future_value")),
)

RFM = Table(
    "rfm",
    HISTORY
    | {
        "first_purchase": Column(DATE, "day of the first purchase"),
        "purchases": Column(INTEGER, "days with a purchase, the first one included"),
        "mean_amount": Column(NUMBER, "mean amount of all purchases, the first one included"),
        "revenue": Column(NUMBER, "money spent so far"),
        "r_score": Column(INTEGER, "recency score, 5 = bought most recently"),
        "f_score": Column(INTEGER, "frequency score, 5 = buys most often"),
        "m_score": Column(INTEGER, "monetary score, 5 = spends most per purchase"),
    },
    key=("customer_id",),
    rules=HISTORY_RULES,
)

CALIBRATION = Table(
    "calibration",
    {name: column for name, column in RFM.columns.items() if not name.endswith("_score")},
    key=("customer_id",),
    rules=HISTORY_RULES,
)

HOLDOUT = Table(
    "holdout",
    {
        "customer_id": CUSTOMER,
        "actual_purchases": Column(INTEGER, "days with a purchase after the calibration end"),
        "actual_value": Column(NUMBER, "discounted amounts of those purchases, times gross margin"),
        "actual_revenue": Column(NUMBER, "amounts of those purchases as they were paid"),
    },
    key=("customer_id",),
    rules=(below_zero("actual_purchases"), below_zero("actual_value"), below_zero("actual_revenue")),
)

WINDOW = {
    "horizon_weeks": Column(INTEGER, "length of the window in weeks"),
    "origin": Column(DATE, "the day before the window: the forecast saw nothing after it"),
}
ROLLING = Table(
    "rolling",
    WINDOW
    | HISTORY
    | {
        "revenue": RFM.columns["revenue"],
        "actual_purchases": Column(INTEGER, "days with a purchase within the window"),
        "actual_value": Column(NUMBER, "discounted amounts of those purchases, times gross margin"),
    },
    key=("horizon_weeks", "origin", "customer_id"),
    rules=(*HISTORY_RULES, below_zero("actual_purchases"), below_zero("actual_value")),
)

WEEKLY_PURCHASES = Table(
    "weekly_purchases",
    {
        "week": Column(INTEGER, "weeks since the first purchase of all"),
        "period": Column(TEXT, "calibration or holdout"),
        "repeat_purchases": Column(INTEGER, "repeat purchases in that week of customers known at the calibration end"),
    },
    key=("week", "period"),
)

CUSTOMERS = Table(
    "customers",
    HISTORY
    | {
        "p_alive": Column(NUMBER, "probability of still being a customer; 1 by construction at frequency 0"),
        "p_purchase": Column(NUMBER, "probability of at least one purchase within the horizon"),
        "expected_purchases": Column(NUMBER, "posterior mean number of purchases within the horizon"),
        "purchases_lower": Column(NUMBER, "lower limit of the realised number of purchases"),
        "purchases_upper": Column(NUMBER, "upper limit of the realised number of purchases"),
        "expected_spend": Column(NUMBER, "expected amount of the next purchase"),
        "clv_mean": Column(NUMBER, "posterior mean value within the horizon (closed form)"),
        "clv_median": Column(NUMBER, "median of the realised value; simulated, so known to a few percent"),
        "clv_lower": Column(NUMBER, "lower limit of the realised value: what this customer will actually bring"),
        "clv_upper": Column(
            NUMBER, "upper limit of the realised value; simulated, ± 15 % for a rare buyer at 1,000 draws"
        ),
        "expected_clv_lower": Column(NUMBER, "lower limit of the expected value: parameter uncertainty only"),
        "expected_clv_upper": Column(NUMBER, "upper limit of the expected value: parameter uncertainty only"),
        "p_top_decile": Column(
            NUMBER,
            "probability of a realised value above zero and in the top tenth; sums to less than a tenth if fewer buy",
        ),
        "rfm_segment": Column(TEXT, "named segment from the R and F scores"),
        "value_tier": Column(TEXT, "tier by rank of clv_mean"),
        "value_tier_probability": Column(NUMBER, "share of draws in which the customer falls into that tier"),
        "cohort": Column(TEXT, "month of the first purchase"),
    },
    key=("customer_id",),
    rules=(
        *HISTORY_RULES,
        outside_unit("p_alive", "p_purchase", "p_top_decile", "value_tier_probability"),
        unordered("clv_lower", "clv_median", "clv_upper"),
        unordered("purchases_lower", "purchases_upper"),
        unordered("expected_clv_lower", "expected_clv_upper"),
        below_zero("clv_mean"),
    ),
)

_TOTAL = "joint draws of realised value, summed over the group within each draw"
NONE = "missing without a backtest"
_MISFIT = f"that allows for the model being as wrong as it was before; {NONE}"
SEGMENTS = Table(
    "segments",
    {
        "grouping": Column(TEXT, "base, rfm_segment, value_tier or cohort"),
        "group": Column(TEXT, "name of the group"),
        "customers": Column(INTEGER, "number of customers"),
        "repeat_customers": Column(INTEGER, "customers with at least one repeat purchase"),
        "revenue": Column(NUMBER, "money spent so far"),
        "mean_p_alive": Column(NUMBER, "mean probability of still being a customer"),
        "mean_p_purchase": Column(NUMBER, "mean probability of a purchase within the horizon"),
        "expected_purchases": Column(NUMBER, "expected purchases of the group within the horizon"),
        "purchases_lower": Column(NUMBER, "lower limit of the total number of purchases"),
        "purchases_upper": Column(NUMBER, "upper limit of the total number of purchases"),
        "clv_mean": Column(NUMBER, "expected value of the group: the sum of clv_mean"),
        "clv_lower": Column(NUMBER, f"lower limit of the group's total: {_TOTAL}"),
        "clv_upper": Column(NUMBER, f"upper limit of the group's total: {_TOTAL}"),
        "clv_per_customer": Column(NUMBER, "clv_mean divided by the number of customers"),
        "share_of_value": Column(NUMBER, "share of the base's expected value"),
        "purchases_lower_with_misfit": Column(NUMBER, f"lower limit of the number of purchases {_MISFIT}", True),
        "purchases_upper_with_misfit": Column(NUMBER, f"upper limit of the number of purchases {_MISFIT}", True),
        "clv_lower_with_misfit": Column(NUMBER, f"lower limit of the group's total {_MISFIT}", True),
        "clv_upper_with_misfit": Column(NUMBER, f"upper limit of the group's total {_MISFIT}", True),
    },
    key=("grouping", "group"),
    rules=(
        unordered("clv_lower", "clv_upper"),
        unordered("purchases_lower", "purchases_upper"),
        unordered("clv_lower_with_misfit", "clv_upper_with_misfit"),
        unordered("purchases_lower_with_misfit", "purchases_upper_with_misfit"),
        outside_unit("mean_p_alive", "mean_p_purchase", "share_of_value"),
    ),
)

MIGRATION = Table(
    "migration",
    {
        "segment_before": Column(TEXT, "segment at the calibration end; Not yet customers: came after it"),
        "segment_now": Column(TEXT, "segment at the observation end"),
        "customers": Column(INTEGER, "number of customers who were in the one and are in the other"),
        "share": Column(NUMBER, "their share of all who were in segment_before"),
        "clv_mean": Column(NUMBER, "what they are expected to bring now"),
    },
    key=("segment_before", "segment_now"),
    rules=(outside_unit("share"), below_zero("clv_mean")),
)

COHORTS = Table(
    "cohorts",
    {
        "cohort": Column(TEXT, "month of the first purchase"),
        "month": Column(TEXT, "calendar month"),
        "months_since": Column(INTEGER, "months since the cohort's first month"),
        "status": Column(
            TEXT,
            "observed, split (observed part plus forecast rest), forecast, or cut (forecast, cut by the horizon)",
        ),
        "customers": Column(INTEGER, "customers in the cohort"),
        "active": Column(NUMBER, "share of the cohort with a purchase in that month (mean of the draws)"),
        "active_lower": Column(NUMBER, "lower limit of that share"),
        "active_upper": Column(NUMBER, "upper limit of that share"),
        "revenue": Column(NUMBER, "revenue in that month (mean of the draws)"),
        "revenue_lower": Column(NUMBER, "lower limit of that revenue"),
        "revenue_upper": Column(NUMBER, "upper limit of that revenue"),
        "cumulative": Column(NUMBER, "revenue per customer since the first purchase"),
        "cumulative_lower": Column(NUMBER, "lower limit, from joint draws"),
        "cumulative_upper": Column(NUMBER, "upper limit, from joint draws"),
    },
    key=("cohort", "month"),
    rules=(
        outside_unit("active", "active_lower", "active_upper"),
        unordered("active_lower", "active_upper"),
        unordered("revenue_lower", "revenue_upper"),
        unordered("cumulative_lower", "cumulative_upper"),
    ),
)

BACKTEST = Table(
    "backtest",
    {
        "origin": Column(DATE, "calibration end: the forecast saw nothing after this day"),
        "customer_id": CUSTOMER,
        "frequency": HISTORY["frequency"],
        "recency": HISTORY["recency"],
        "T": HISTORY["T"],
        "monetary_value": HISTORY["monetary_value"],
        "revenue": RFM.columns["revenue"],
        "actual_purchases": HOLDOUT.columns["actual_purchases"],
        "actual_value": HOLDOUT.columns["actual_value"],
        "p_alive": Column(NUMBER, "probability at the origin of still being a customer"),
        "expected_purchases": Column(NUMBER, "posterior mean number of purchases"),
        "purchases_lower": Column(NUMBER, "lower limit of the realised number of purchases"),
        "purchases_upper": Column(NUMBER, "upper limit of the realised number of purchases"),
        "purchases_cdf_below": Column(NUMBER, "predictive probability of fewer purchases than happened"),
        "purchases_cdf": Column(NUMBER, "predictive probability of as many purchases as happened, or fewer"),
        "purchases_crps": Column(NUMBER, "continuous ranked probability score of the number of purchases"),
        "clv_mean": Column(NUMBER, "posterior mean value"),
        "expected_clv_lower": CUSTOMERS.columns["expected_clv_lower"],
        "expected_clv_upper": CUSTOMERS.columns["expected_clv_upper"],
        "clv_lower": Column(NUMBER, "lower limit of the realised value"),
        "clv_upper": Column(NUMBER, "upper limit of the realised value"),
        "value_cdf_below": Column(NUMBER, "predictive probability of less value than came"),
        "value_cdf": Column(NUMBER, "predictive probability of as much value as came, or less"),
        "value_crps": Column(NUMBER, "continuous ranked probability score of the value"),
    },
    key=("origin", "customer_id"),
    rules=(
        unordered("purchases_lower", "purchases_upper"),
        unordered("clv_lower", "clv_upper"),
        unordered("purchases_cdf_below", "purchases_cdf"),
        unordered("value_cdf_below", "value_cdf"),
    ),
)

_LOG_SD = "standard deviation of the logarithm of the total, by the joint draws"
BACKTEST_GROUPS = Table(
    "backtest_groups",
    {
        "grouping": Column(TEXT, "base, history (bought once or came back), rfm_segment or cohort, at the origin"),
        "group": Column(TEXT, "name of the group"),
        "customers": Column(INTEGER, "number of customers"),
        "purchases_actual": Column(NUMBER, "purchases that came"),
        "purchases_forecast": Column(NUMBER, "purchases that were expected"),
        "purchases_lower": Column(NUMBER, "lower limit of the total number of purchases, from joint draws"),
        "purchases_upper": Column(NUMBER, "upper limit of the total number of purchases, from joint draws"),
        "purchases_log_sd": Column(NUMBER, _LOG_SD),
        "value_actual": Column(NUMBER, "value that came, discounted to the origin"),
        "value_forecast": Column(NUMBER, "value that was expected"),
        "value_lower": Column(NUMBER, "lower limit of the total value, from joint draws"),
        "value_upper": Column(NUMBER, "upper limit of the total value, from joint draws"),
        "value_log_sd": Column(NUMBER, _LOG_SD),
    },
    key=("grouping", "group"),
    rules=(unordered("purchases_lower", "purchases_upper"), unordered("value_lower", "value_upper")),
)

SPEND_TEST = Table(
    "spend_test",
    {
        "history": Column(TEXT, "all, or what was known at the calibration end: bought once or came back"),
        "customers": Column(INTEGER, "customers who bought after the calibration end"),
        "purchases": Column(INTEGER, "their purchases after it"),
        "expected": Column(NUMBER, "mean amount of a purchase that the spend model expected of them"),
        "actual": Column(NUMBER, "mean amount that they paid"),
        **{
            f"{level:.2f}": Column(NUMBER, f"share inside the {level:.0%} interval of what so many purchases bring")
            for level in LEVELS
        },
        "pit_distance": Column(NUMBER, "distance of the PIT from uniform (Kolmogorov-Smirnov)"),
    },
    key=("history",),
    rules=(outside_unit("pit_distance"),),
)

WINDOWS = Table(
    "windows",
    WINDOW
    | {
        "outcome": Column(TEXT, "purchases or value"),
        "customers": Column(INTEGER, "customers known at the origin"),
        "repeat_customers": Column(INTEGER, "of them those with a repeat purchase"),
        "actual": Column(NUMBER, "what came: a number of purchases, or money discounted to the origin"),
        "forecast": Column(NUMBER, "what was expected"),
        "lower": Column(NUMBER, "lower limit of the total, from joint draws"),
        "upper": Column(NUMBER, "upper limit of the total, from joint draws"),
        "log_sd": Column(NUMBER, _LOG_SD),
        "coverage": Column(NUMBER, "share of single customers whose outcome lay inside their realised interval"),
        "pit_distance": Column(NUMBER, "distance of the randomised PIT from uniform (Kolmogorov-Smirnov)"),
        "crps": Column(NUMBER, "mean continuous ranked probability score of single customers"),
        "mae": Column(NUMBER, "mean absolute error of single customers' expected outcome"),
        "naive_mae": Column(NUMBER, "the same if everybody goes on as before"),
        "gini": Column(NUMBER, "normalised Gini coefficient of the ranking by forecast value", nullable=True),
        "gini_past_spend": Column(NUMBER, "the same of the ranking by past spend", nullable=True),
    },
    key=("horizon_weeks", "origin", "outcome"),
    rules=(unordered("lower", "upper"), outside_unit("coverage", "pit_distance")),
)

TRACKING = Table(
    "tracking",
    {
        "week": Column(INTEGER, "weeks since the first purchase of all, at the end of the week"),
        "period": Column(TEXT, "calibration or holdout"),
        "actual": Column(NUMBER, "cumulative repeat purchases that happened"),
        "expected": Column(NUMBER, "cumulative repeat purchases the model expects"),
        "lower": Column(NUMBER, "lower limit of the total, from joint draws; in the holdout only", nullable=True),
        "upper": Column(NUMBER, "upper limit of the total, from joint draws; in the holdout only", nullable=True),
    },
    key=("week",),
)

TOTAL_DRAWS = Table(
    "total_draws",
    {
        "draw": Column(INTEGER, "number of the joint posterior draw"),
        "value": Column(NUMBER, "realised value of all customers in that draw"),
        "purchases": Column(NUMBER, "number of purchases of all customers in that draw"),
        "value_with_misfit": Column(NUMBER, f"the value, with an error of the model like its past ones; {NONE}", True),
        "purchases_with_misfit": Column(NUMBER, f"the purchases, likewise; {NONE}", True),
    },
    key=("draw",),
    rules=(below_zero("value"), below_zero("purchases")),
)

CONCENTRATION = Table(
    "concentration",
    {
        "customer_share": Column(NUMBER, "share of the customers, best expected value first"),
        "value_share": Column(NUMBER, "share of the expected value they hold"),
        "lower": Column(NUMBER, "lower limit of their share of the realised total, from joint draws"),
        "upper": Column(NUMBER, "upper limit of their share of the realised total, from joint draws"),
    },
    key=("customer_share",),
    rules=(outside_unit("customer_share", "value_share", "lower", "upper"), unordered("lower", "upper")),
)

_WITH_MISFIT = f"allowing for the model being as wrong as it was before; {NONE}"
DECISIONS = Table(
    "decisions",
    {
        "contacts": Column(INTEGER, "number of customers contacted, those with the largest expected gain first"),
        "cost": Column(NUMBER, "what contacting them costs"),
        "expected_gain": Column(NUMBER, "value they are expected to bring more than without the contact (closed form)"),
        "expected_profit": Column(NUMBER, "expected gain less the cost"),
        "profit_lower": Column(NUMBER, "lower limit of the realised profit, from joint draws"),
        "profit_upper": Column(NUMBER, "upper limit of the realised profit, from joint draws"),
        "loss_probability": Column(NUMBER, "probability that the realised profit is negative"),
        "profit_lower_with_misfit": Column(NUMBER, f"lower limit, {_WITH_MISFIT}", True),
        "profit_upper_with_misfit": Column(NUMBER, f"upper limit, {_WITH_MISFIT}", True),
        "loss_probability_with_misfit": Column(NUMBER, f"the same probability, {_WITH_MISFIT}", True),
    },
    key=("contacts",),
    rules=(
        below_zero("cost"),
        unordered("profit_lower", "profit_upper"),
        unordered("profit_lower_with_misfit", "profit_upper_with_misfit"),
        outside_unit("loss_probability", "loss_probability_with_misfit"),
    ),
)

EFFECTS = Table(
    "effects",
    {
        "effect": Column(NUMBER, "effect of a contact on who responds: rise of the purchase rate, or leavings undone"),
        "profit": Column(NUMBER, "expected profit of the plan if that is the effect"),
        "best_profit": Column(NUMBER, "expected profit of the best plan for that effect"),
        "best_contacts": Column(INTEGER, "number of customers the best plan contacts"),
    },
    key=("effect",),
    rules=(unordered("profit", "best_profit"), below_zero("best_profit"), below_zero("best_contacts")),
)

CONTACTS = Table(
    "contacts",
    {
        "place": Column(INTEGER, "place in the order of contact, 1 first"),
        "customer_id": CUSTOMER,
        "expected_gain": Column(NUMBER, "value the customer is expected to bring more than without the contact"),
        "expected_net_gain": Column(NUMBER, "expected gain less the cost of the contact"),
        "p_alive": CUSTOMERS.columns["p_alive"],
        "clv_mean": CUSTOMERS.columns["clv_mean"],
    },
    key=("customer_id",),
    rules=(below_zero("expected_net_gain"), outside_unit("p_alive")),
)

WATCH_LIST = Table(
    "watch_list",
    {
        "value_rank": Column(INTEGER, "place among all customers by clv_mean, 1 the highest"),
        "customer_id": CUSTOMER,
        "frequency": HISTORY["frequency"],
        "weeks_silent": Column(NUMBER, "weeks since the last purchase"),
        "p_alive": CUSTOMERS.columns["p_alive"],
        "clv_mean": CUSTOMERS.columns["clv_mean"],
        "silence_is_a_sign_from": Column(
            DATE, "first day on which, without a purchase until then, the customer has more likely left than not"
        ),
    },
    key=("customer_id",),
    rules=(below_zero("weeks_silent"), outside_unit("p_alive")),
)

_PER_CUSTOMER = "per customer: margin to date, as it was paid, plus the value still to come"
ACQUISITION = Table(
    "acquisition",
    {
        "cohort": Column(TEXT, "month of the first purchase"),
        "customers": Column(INTEGER, "customers in the cohort"),
        "margin_to_date": Column(NUMBER, "revenue to date times gross margin, per customer, not discounted"),
        "clv_mean": Column(NUMBER, "expected value still to come within the horizon, per customer"),
        "lifetime_mean": Column(NUMBER, f"expected value {_PER_CUSTOMER}"),
        "lifetime_lower": Column(NUMBER, f"lower limit {_PER_CUSTOMER}; with misfit where there is a backtest"),
        "lifetime_upper": Column(NUMBER, f"upper limit {_PER_CUSTOMER}; with misfit where there is a backtest"),
        "p_above_cost": Column(NUMBER, "probability that this exceeds acquisition_cost"),
        "highest_cost": Column(NUMBER, "acquisition cost that this exceeds with 80 % probability"),
        "payback_months": Column(
            NUMBER,
            "months until the margin, to date or expected, has reached acquisition_cost; missing: not so far",
            True,
        ),
    },
    key=("cohort",),
    rules=(unordered("lifetime_lower", "lifetime_upper"), outside_unit("p_above_cost")),
)
