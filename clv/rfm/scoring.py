"""R, F and M scores, and single customers followed through the rules that score them."""

from collections.abc import Sequence
from datetime import date

import pandas as pd
from duckdb import DuckDBPyConnection

from clv.rfm.customers import DAYS
from clv.transactions.connection import quoted
from clv.units import DAYS_PER_WEEK

QUINTILES = 5
# Few enough purchases to follow by hand, enough to speak of a rhythm.
REGULAR = (3, 6)


def score_counts(scored: pd.DataFrame) -> pd.DataFrame:
    """Return the number of customers in each of the 25 cells of r_score and f_score."""
    counts = scored.groupby(["r_score", "f_score"]).size()
    cells = pd.MultiIndex.from_product([range(1, QUINTILES + 1)] * 2, names=["r_score", "f_score"])
    return counts.reindex(cells, fill_value=0).rename("customers").reset_index()


def scores(customers: pd.DataFrame) -> pd.DataFrame:
    """Return `customers` with r_score, f_score and m_score from 1 to 5 (5 is best).

    R is from the time since the last purchase, T - recency; F from purchases; M from mean_amount. The score is the
    fifth of all customers who do worse, so equal customers always share a score, and a score may be nobody's; F is 1
    of one-time buyers alone.
    """
    days_silent = ((customers["T"] - customers["recency"]) * DAYS_PER_WEEK).round()
    return customers.assign(
        r_score=_quintile(-days_silent),
        f_score=_quintile(customers["purchases"]).clip(lower=customers["purchases"].clip(upper=2)),
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
    rows = con.execute(
        f"""
        WITH days AS ({DAYS.format(transactions=quoted(transactions))}),
        bought AS (SELECT list_position($ids, customer_id) AS place, day, amount
                   FROM days WHERE list_contains($ids, customer_id)),
        steps AS (FROM bought UNION ALL SELECT DISTINCT place, $until::DATE, NULL FROM bought)
        SELECT chr((ascii('A') + place - 1)::INTEGER) AS example,
               CASE WHEN amount IS NULL THEN 'end of period'
                    WHEN count(*) OVER so_far = 1 THEN 'first purchase' ELSE 'repeat purchase' END AS event,
               day::TIMESTAMP AS date, amount::DOUBLE AS amount, count(amount) OVER so_far - 1 AS frequency,
               (max(day) FILTER (amount IS NOT NULL) OVER so_far - min(day) OVER so_far) / 7.0::DOUBLE AS recency,
               (day - min(day) OVER so_far) / 7.0::DOUBLE AS T,
               (sum(amount) OVER so_far - first(amount) OVER so_far)::DOUBLE
                   / greatest(count(amount) OVER so_far - 1, 1) AS monetary_value
        FROM steps WINDOW so_far AS (PARTITION BY place ORDER BY day, amount IS NULL ROWS UNBOUNDED PRECEDING)
        ORDER BY place, day, amount IS NULL""",
        {"until": period_end, "ids": list(customer_ids)},
    ).df()
    return rows.astype({"example": "str", "event": "str"})


def _quintile(good: pd.Series) -> pd.Series:
    worse = good.rank(method="min").astype("int64") - 1
    return 1 + QUINTILES * worse // max(len(good), 1)
