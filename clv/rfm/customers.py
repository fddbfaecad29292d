"""From customer-days to one row per customer: the history at a cut, what came after it, and R, F, M scores.

Symbols: x frequency, t_x recency (weeks), T age (weeks), z-bar monetary_value; weeks are days / 7.
Every function takes a DuckDB connection and the name of a table or view that fulfils `TRANSACTIONS`: one row per
customer and day, as cleaning leaves it. So nothing is merged here again, which on a large log would cost minutes.
"""

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.errors import InputError
from clv.models.operational_time import Clock, clock
from clv.rfm.support import FEWEST_REPEAT_CUSTOMERS
from clv.rfm.tables import CALIBRATION, HOLDOUT, WEEKLY_PURCHASES
from clv.transactions.connection import quoted
from clv.units import DAYS_PER_WEEK

# Money is summed as DECIMAL: a sum of doubles depends on the order in which threads meet the rows.
DAYS = """
    SELECT customer_id, date::DATE AS day, amount::DECIMAL(18, 6) AS amount
    FROM {transactions} WHERE date::DATE <= $until"""

# A gap in days of the clock, which may stand still: purchases on closed days are half a day apart there.
_GAP = "greatest($clock[$until::DATE - before + 1] - $clock[$until::DATE - day + 1], 0.5)"
_ON_CLOCK = f"CASE WHEN before IS NOT NULL THEN {_GAP} END"

# A refund that comes later than so many days after its purchase is rare; those of the last days matter.
TOLD_AFTER_DAYS, LAST_DAYS = 91, 28


def known_days(transactions: str, refunds: str | None, day: str) -> str:
    """Return the query of the customer-days up to a `day` as they stood then: what was refunded later was a purchase.

    `transactions` and `refunds` fulfil their contracts; without `refunds` every day is as it stands at the end.
    """
    days = DAYS.replace("$until", day).format(transactions=quoted(transactions))
    if refunds is None:
        return days
    return f"""
        SELECT customer_id, day, sum(amount)::DECIMAL(18, 6) AS amount FROM ({days} UNION ALL
            SELECT customer_id, date::DATE, amount::DECIMAL(18, 6) FROM {quoted(refunds)}
            WHERE date::DATE <= {day} AND refunded_on::DATE > {day})
        GROUP BY customer_id, day"""


def summarise(
    con: DuckDBPyConnection, transactions: str, *, period_end: date, refunds: str | None = None,
    calendar: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return one row per customer: how often, how recently, for how long, how much.

    The first purchase starts the clock and is not counted as frequency.

    `period_end`: last day observed, included; later rows are ignored, and so are customers who came later. `refunds`:
    name of a table or view that fulfils `REFUNDS`: those dated after `period_end` did not exist then. Table
    `CALIBRATION`, sorted by customer_id: times in weeks, money in the log's currency.
    `calendar`, as the settings state it, is what `log_gaps` alone are on.

    Bought on days 0, 14 and 35, watched to day 70: frequency 2, recency 5, T 10.
    """
    known = known_days(transactions, refunds, "$until")
    values: dict[str, Any] = {"until": period_end}
    gap = "day - before"
    if seen := clock(calendar, period_end):
        values["clock"], gap = _passed(con, known, values, seen), _ON_CLOCK
    rows = con.execute(
        f"""
        WITH days AS ({known}),
        earlier AS (SELECT *, lag(day) OVER (PARTITION BY customer_id ORDER BY day) AS before FROM days),
        gaps AS (SELECT *, ({gap}) / 7.0::DOUBLE AS gap FROM earlier),
        logs AS (
            SELECT *, CASE WHEN amount > 0 THEN ln(amount)::DECIMAL(18, 10) ELSE 0 END AS logarithm,
                   ln(gap)::DECIMAL(18, 10) AS log_gap
            FROM gaps)
        SELECT customer_id,
               count(*) - 1 AS frequency,
               (max(day) - min(day)) / 7.0::DOUBLE AS recency,
               ($until::DATE - min(day)) / 7.0::DOUBLE AS T,
               coalesce((sum(amount) - arg_min(amount, day))::DOUBLE / nullif(count(*) - 1, 0), 0) AS monetary_value,
               min(day) AS first_purchase,
               count(*) AS purchases,
               sum(amount)::DOUBLE / count(*) AS mean_amount,
               sum(amount)::DOUBLE AS revenue,
               arg_min(amount, day)::DOUBLE AS first_amount,
               count(*) FILTER (amount > 0) - (arg_min(amount, day) > 0)::INTEGER AS paid_purchases,
               (sum(logarithm) - arg_min(logarithm, day))::DOUBLE AS log_amounts,
               coalesce(sum(log_gap), 0)::DOUBLE AS log_gaps
        FROM logs GROUP BY customer_id ORDER BY customer_id""",
        values,
    ).df()
    return tables.check(CALIBRATION, rows.astype({"customer_id": "str"}))


def _passed(con: DuckDBPyConnection, known: str, values: dict[str, Any], seen: Clock) -> list[float]:
    """Return how many days the last 0, 1, 2 ... are on the clock, as far back as the log goes."""
    (days,) = con.execute(f"SELECT coalesce($until - min(day), 0) FROM ({known})", values).fetchone() or (0,)
    passed, _ = seen.passed(np.arange(days + 1) / DAYS_PER_WEEK)
    return [float(one) for one in passed]


def holdout(
    con: DuckDBPyConnection, transactions: str, *, calibration_end: date, observation_end: date,
    discount_weekly: float = 0.0, gross_margin: float = 1.0, refunds: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return what every customer known at `calibration_end` did after it, up to `observation_end` (both included).

    Customers who did nothing are there with zeros. `actual_value` is discounted to the calibration end at
    exp(-discount_weekly * weeks) and multiplied by the gross margin; `actual_revenue` is neither.
    """
    rows = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))}),
        known AS (SELECT DISTINCT customer_id FROM ({known_days(transactions, refunds, "$cut")})),
        later AS (SELECT customer_id, amount,
                         amount::DOUBLE * exp(-$discount * (day - $cut::DATE) / 7.0::DOUBLE) AS value
                  FROM days WHERE day > $cut)
        SELECT customer_id, count(value) AS actual_purchases,
               $margin::DOUBLE * coalesce(sum(value::DECIMAL(38, 12)), 0)::DOUBLE AS actual_value,
               coalesce(sum(amount), 0)::DOUBLE AS actual_revenue, count(*) FILTER (amount > 0) AS actual_paid
        FROM known LEFT JOIN later USING (customer_id) GROUP BY customer_id ORDER BY customer_id""",
        {"until": observation_end, "cut": calibration_end, "discount": discount_weekly, "margin": gross_margin},
    ).df()
    return tables.check(HOLDOUT, rows.astype({"customer_id": "str"}))


def weekly_repeat_purchases(
    con: DuckDBPyConnection, transactions: str, *, calibration_end: date, observation_end: date,
    refunds: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return table `WEEKLY_PURCHASES`: repeat purchases per week of the customers known at `calibration_end`.

    Week w holds the days 7w to 7w + 6 after the first purchase of all. Weeks without a purchase are there with zero;
    a week that `calibration_end` cuts is there twice, once for each period.
    """
    rows = con.execute(
        f"""
        WITH days AS (
            {known_days(transactions, refunds, "$cut")}
            UNION ALL SELECT * FROM ({DAYS.format(transactions=quoted(transactions))}) WHERE day > $cut),
        dated AS (SELECT day, min(day) OVER (PARTITION BY customer_id) AS first_purchase FROM days),
        origin AS (SELECT min(day) AS start FROM days HAVING min(day) <= $cut),
        calendar AS (
            SELECT DISTINCT (day - start) // 7 AS week, day > $cut AS is_holdout
            FROM (SELECT start, unnest(generate_series(start, $until::DATE, INTERVAL 1 DAY))::DATE AS day FROM origin)),
        counts AS (
            SELECT (day - start) // 7 AS week, day > $cut AS is_holdout, count(*) AS repeats
            FROM dated, origin WHERE first_purchase <= $cut AND day > first_purchase GROUP BY 1, 2)
        SELECT week, CASE WHEN is_holdout THEN 'holdout' ELSE 'calibration' END AS period,
               coalesce(repeats, 0) AS repeat_purchases
        FROM calendar LEFT JOIN counts USING (week, is_holdout) ORDER BY week, is_holdout""",
        {"until": observation_end, "cut": calibration_end},
    ).df()
    return tables.check(WEEKLY_PURCHASES, rows.astype({"period": "str"}))


def require_open(
    con: DuckDBPyConnection, transactions: str, calendar: Mapping[str, Any] | None, *, last_day: date
) -> None:
    """Refuse a stated calendar that closes the shop on days on which customers bought."""
    if (stated := clock(calendar, last_day)) is None:
        return
    query = f"SELECT date::DATE AS day, count(*) AS bought FROM {quoted(transactions)} GROUP BY day ORDER BY day"
    days = con.execute(query).df()
    closed = days[stated.factors((days["day"] - pd.Timestamp(last_day)).dt.days.to_numpy()) == 0]
    if len(closed):
        raise InputError(
            f"calendar closes {len(closed)} days on which customers bought, {closed['bought'].sum():,} times in all "
            f"(first: {closed['day'].iloc[0]:%Y-%m-%d}): give these days a factor above 0, or correct the span."
        )


def last_day(con: DuckDBPyConnection, transactions: str, *, stated: date | None) -> date:
    """Return the end of observation: the stated day, or the last one in the data."""
    found = con.execute(f"SELECT max(date)::DATE FROM {quoted(transactions)}").fetchone()
    return stated or (found or (None,))[0]


def revenue_before(con: DuckDBPyConnection, transactions: str, *, last_day: date, horizon_weeks: float) -> float | None:
    """Return what was spent in as many weeks up to the end of observation as are looked ahead; None: log too short."""
    start = last_day - timedelta(days=round(horizon_weeks * DAYS_PER_WEEK))
    first, spent = con.execute(
        f"""
        SELECT min(date)::DATE, coalesce(sum(amount::DECIMAL(18, 6)) FILTER (date > $start), 0)::DOUBLE
        FROM {quoted(transactions)}""",
        {"start": start},
    ).fetchone() or (None, None)
    return spent if first is not None and first <= start else None


def may_come_back(con: DuckDBPyConnection, transactions: str, refunds: str, *, last_day: date) -> float:
    """Return the share of the last four weeks' money that may still be refunded, by what came back of earlier weeks'.

    Of purchases old enough to tell, each refund that comes so many days later is still ahead for as many of the days.
    """
    (share,) = con.execute(
        f"""
        WITH old AS (
            SELECT least(refunded_on::DATE - date::DATE, {LAST_DAYS}) AS days, amount::DECIMAL(18, 6) AS amount
            FROM {quoted(refunds)} WHERE date <= $told),
        later AS (SELECT sum(days * amount) / {LAST_DAYS} AS ahead, sum(amount) AS back FROM old),
        kept AS (SELECT sum(amount::DECIMAL(18, 6)) AS net FROM {quoted(transactions)} WHERE date <= $told)
        SELECT coalesce(ahead / nullif(coalesce(net, 0) + back, 0), 0) FROM later, kept""",
        {"told": last_day - timedelta(days=TOLD_AFTER_DAYS)},
    ).fetchone() or (0.0,)
    return float(share)


def require_holdout(calibration: pd.DataFrame, *, cut: date | None, last_day: date) -> None:
    """Refuse a calibration end that leaves nothing to learn from before it or nothing to test on after it."""
    if cut is None:
        return
    if (last_day - cut).days < DAYS_PER_WEEK:
        raise InputError(
            f"calibration_end ({cut}) must lie at least a week before the last day of observation ({last_day}): "
            "choose an earlier day, or null for no backtest."
        )
    repeat = int((calibration["monetary_value"] > 0).sum())
    if repeat < FEWEST_REPEAT_CUSTOMERS:
        raise InputError(
            f"Up to calibration_end ({cut}) only {repeat} of {len(calibration):,} customers made a repeat purchase "
            f"with an amount; at least {FEWEST_REPEAT_CUSTOMERS} are needed: choose a later day, or null for no "
            "backtest."
        )
