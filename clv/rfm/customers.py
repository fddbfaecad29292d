"""From customer-days to one row per customer: the history at a cut, what came after it, and R, F, M scores.

Symbols: x frequency, t_x recency (weeks), T age (weeks), z-bar monetary_value; weeks are days / 7.
Every function takes a DuckDB connection and the name of a table or view that fulfils `TRANSACTIONS`: one row per
customer and day, as cleaning leaves it. So nothing is merged here again, which on a large log would cost minutes.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.errors import InputError
from clv.rfm.support import FEWEST_REPEAT_CUSTOMERS
from clv.transactions.connection import quoted

DAYS_PER_WEEK = 7
QUINTILES = 5
# Few enough purchases to follow by hand, enough to speak of a rhythm.
REGULAR = (3, 6)

# Money is summed as DECIMAL: a sum of doubles depends on the order in which threads meet the rows.
DAYS = """
    SELECT customer_id, date::DATE AS day, amount::DECIMAL(18, 6) AS amount
    FROM {transactions} WHERE date::DATE <= $until"""


def summarise(con: DuckDBPyConnection, transactions: str, *, period_end: date) -> pd.DataFrame:
    """Return one row per customer: how often, how recently, for how long, how much.

    The first purchase starts the clock and is not counted as frequency.

    Parameters
    ----------
    period_end
        Last day observed, included; later rows are ignored, and so are customers who came later.

    Returns
    -------
    Table `CALIBRATION`, sorted by customer_id: times in weeks, money in the log's currency.

    Examples
    --------
    Bought on days 0, 14 and 35, watched to day 70: frequency 2, recency 5, T 10.
    """
    rows = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))})
        SELECT customer_id,
               count(*) - 1 AS frequency,
               (max(day) - min(day)) / 7.0::DOUBLE AS recency,
               ($until::DATE - min(day)) / 7.0::DOUBLE AS T,
               coalesce((sum(amount) - arg_min(amount, day))::DOUBLE / nullif(count(*) - 1, 0), 0) AS monetary_value,
               min(day) AS first_purchase,
               count(*) AS purchases,
               sum(amount)::DOUBLE / count(*) AS mean_amount,
               sum(amount)::DOUBLE AS revenue
        FROM days GROUP BY customer_id ORDER BY customer_id""",
        {"until": period_end},
    ).df()
    return tables.check(tables.CALIBRATION, rows.astype({"customer_id": "str"}))


def holdout(
    con: DuckDBPyConnection,
    transactions: str,
    *,
    calibration_end: date,
    observation_end: date,
    discount_weekly: float,
    gross_margin: float,
) -> pd.DataFrame:
    """Return what every customer known at `calibration_end` did after it, up to `observation_end` (both included).

    Customers who did nothing are there with zeros. `actual_value` is discounted to the calibration end at
    exp(-discount_weekly * weeks) and multiplied by the gross margin; `actual_revenue` is neither.
    """
    rows = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))}),
        known AS (SELECT customer_id FROM days GROUP BY customer_id HAVING min(day) <= $cut),
        later AS (SELECT customer_id, amount,
                         amount::DOUBLE * exp(-$discount * (day - $cut::DATE) / 7.0::DOUBLE) AS value
                  FROM days WHERE day > $cut)
        SELECT customer_id, count(value) AS actual_purchases,
               $margin::DOUBLE * coalesce(sum(value::DECIMAL(38, 12)), 0)::DOUBLE AS actual_value,
               coalesce(sum(amount), 0)::DOUBLE AS actual_revenue
        FROM known LEFT JOIN later USING (customer_id) GROUP BY customer_id ORDER BY customer_id""",
        {"until": observation_end, "cut": calibration_end, "discount": discount_weekly, "margin": gross_margin},
    ).df()
    return tables.check(tables.HOLDOUT, rows.astype({"customer_id": "str"}))


def weekly_repeat_purchases(
    con: DuckDBPyConnection, transactions: str, *, calibration_end: date, observation_end: date
) -> pd.DataFrame:
    """Return table `WEEKLY_PURCHASES`: repeat purchases per week of the customers known at `calibration_end`.

    Week w holds the days 7w to 7w + 6 after the first purchase of all. Weeks without a purchase are there with zero;
    a week that `calibration_end` cuts is there twice, once for each period.
    """
    rows = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))}),
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
    return tables.check(tables.WEEKLY_PURCHASES, rows.astype({"period": "str"}))


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


def require_holdout(calibration: pd.DataFrame, *, cut: date | None, last_day: date) -> None:
    """Refuse a calibration end that leaves nothing to learn from before it or nothing to test on after it."""
    if cut is None:
        return
    if (last_day - cut).days < DAYS_PER_WEEK:
        raise InputError(
            f"calibration_end ({cut}) must lie at least a week before the last day of observation ({last_day}): "
            "choose an earlier day, or null for no backtest."
        )
    repeat = int(((calibration["frequency"] > 0) & (calibration["monetary_value"] > 0)).sum())
    if repeat < FEWEST_REPEAT_CUSTOMERS:
        raise InputError(
            f"Up to calibration_end ({cut}) only {repeat} of {len(calibration):,} customers made a repeat purchase "
            f"with an "
            f"amount; at least {FEWEST_REPEAT_CUSTOMERS} are needed: choose a later day, or null for no backtest."
        )


def score_counts(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the number of customers in each of the 25 cells of r_score and f_score."""
    counts = scored.groupby(["r_score", "f_score"]).size()
    cells = pd.MultiIndex.from_product([range(1, QUINTILES + 1)] * 2, names=["r_score", "f_score"])
    return counts.reindex(cells, fill_value=0).rename("customers").reset_index()


def weekly_activity(con: DuckDBPyConnection, transactions: str) -> pd.DataFrame:
    """Return purchases and revenue per calendar week, weeks without any included: date (Monday), purchases, revenue."""
    return con.execute(
        f"""
        WITH log AS (SELECT date_trunc('week', date)::DATE AS week, amount FROM {quoted(transactions)}),
        weeks AS (SELECT unnest(generate_series(min(week), max(week), INTERVAL 7 DAY))::DATE AS week FROM log)
        SELECT week::TIMESTAMP AS date, count(amount) AS purchases,
               coalesce(sum(amount::DECIMAL(18, 6)), 0)::DOUBLE AS revenue
        FROM weeks LEFT JOIN log USING (week) GROUP BY week ORDER BY week"""
    ).df()


def order_amounts(con: DuckDBPyConnection, transactions: str, *, at_most: int = 20_000) -> pd.Series:
    """Return the positive amounts of customer-days, or of an evenly spaced sample of them, smallest first."""
    rows = con.execute(
        f"""
        WITH numbered AS (SELECT amount, row_number() OVER () AS place FROM {quoted(transactions)} WHERE amount > 0)
        SELECT amount FROM numbered
        WHERE place % greatest(1, (SELECT count(*) FROM numbered) // $most) = 0 ORDER BY amount""",
        {"most": at_most},
    ).df()
    return rows["amount"]


def scores(customers: pd.DataFrame) -> pd.DataFrame:
    """Return `customers` with r_score, f_score and m_score from 1 to 5 (5 is best).

    R is from the time since the last purchase, T - recency; F from purchases; M from mean_amount. The score is the
    fifth of all customers who do worse, so equal customers always share a score, and a score may be nobody's.
    """
    days_silent = ((customers["T"] - customers["recency"]) * DAYS_PER_WEEK).round()
    return customers.assign(
        r_score=_quintile(-days_silent),
        f_score=_quintile(customers["purchases"]),
        m_score=_quintile(customers["mean_amount"].round(6)),
    )


def pick_examples(customers: pd.DataFrame) -> pd.DataFrame:
    """Return three customers to follow by hand: A bought once, B is a regular, C was one and fell silent.

    Deterministic: of the one-time buyers the one of median age, of the regulars those whose silence is shortest and
    longest against their own rhythm. In a log without such customers the nearest to the description are taken.
    """
    rhythm = customers["recency"] / customers["frequency"].clip(lower=1)
    ranked = customers.assign(
        silence=(customers["T"] - customers["recency"]) / rhythm.clip(lower=1 / DAYS_PER_WEEK),
        from_median_age=(customers["T"] - customers["T"].median()).abs(),
        irregular=~customers["frequency"].between(*REGULAR),
        # Everything in one early fortnight is no rhythm that could have stopped.
        short=customers["recency"] < 0.25 * customers["T"],
    )
    orders = [
        ("bought once", ["frequency", "from_median_age", "customer_id"], True),
        ("regular, still buying", ["irregular", "short", "silence", "customer_id"], True),
        ("was regular, fell silent", ["irregular", "short", "silence", "customer_id"], [True, True, False, True]),
    ]
    picked: list[pd.DataFrame] = []
    for label, (kind, keys, ascending) in zip("ABC", orders, strict=True):
        best = ranked.sort_values(keys, ascending=ascending).head(1)
        ranked = ranked.drop(index=best.index)
        picked.append(best[list(customers.columns)].assign(example=label, kind=kind))
    rows = pd.concat(picked, ignore_index=True)
    return rows[["example", "kind", *customers.columns]].astype({"example": "str", "kind": "str"})


def follow(
    con: DuckDBPyConnection, transactions: str, customer_ids: Sequence[str], *, period_end: date
) -> pd.DataFrame:
    """Return the purchases of a few customers, and what each one does to frequency, recency, T and the mean so far.

    The customers are called A, B, C ... in the order given, so their identifiers do not reach a reader. The last row
    of each is the end of the period: no purchase, only T grows.
    """
    wanted = pd.DataFrame(
        {"customer_id": list(customer_ids), "example": [chr(65 + n) for n in range(len(customer_ids))]}
    )
    days = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))})
        SELECT customer_id, day AS date, amount::DOUBLE AS amount FROM days
        WHERE list_contains($ids, customer_id)""",
        {"until": period_end, "ids": list(customer_ids)},
    ).df()
    purchases = wanted.merge(days.astype({"customer_id": "str"}), on="customer_id").sort_values(["example", "date"])
    parts = [_steps(str(label), rows, period_end) for label, rows in purchases.groupby("example")]
    return pd.concat(parts, ignore_index=True)


def _steps(label: str, purchases: pd.DataFrame, period_end: date) -> pd.DataFrame:
    dates = [*purchases["date"], pd.Timestamp(period_end)]
    number = np.arange(len(dates))
    frequency = np.append(number[:-1], number[-1] - 1)
    age = np.array([(day - dates[0]).days / DAYS_PER_WEEK for day in dates])
    repeats = np.append(0.0, np.cumsum(purchases["amount"].to_numpy()[1:]))
    mean = np.append(repeats, repeats[-1]) / np.maximum(frequency, 1)
    event = ["first purchase", *["repeat purchase"] * int(number[-1] - 1), "end of period"]
    return pd.DataFrame(
        {
            "example": label,
            "event": pd.Series(event, dtype="str"),
            "date": pd.Series(dates, dtype="datetime64[us]"),
            "amount": [*purchases["amount"], np.nan],
            "frequency": frequency,
            "recency": np.append(age[:-1], age[-2]),
            "T": age,
            "monetary_value": mean,
        }
    )


def _quintile(good: pd.Series) -> pd.Series:
    worse = good.rank(method="min").astype("int64") - 1
    return 1 + QUINTILES * worse // max(len(good), 1)
