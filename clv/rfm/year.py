"""What a log's own months say of its year, where nobody stated what its months are like.

Repeat purchases of a month are held against those that as many customers, as long after their first purchase, make in
a month like any other: many who come in December buy again in January, and that is no season. How many repeat purchases
a customer makes by months since the first one, and how months differ, are told apart by turns, each given the other;
once for the whole log, so past windows know what is usual at which age, never what came in a month.
"""

from collections.abc import Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.models.base import Floats
from clv.models.learnt_year import MONTHS, learnt
from clv.rfm.tables import MONTHLY_PURCHASES
from clv.transactions.connection import quoted

NOTHING_STATED: dict[str, Any] = {"months": None, "spans": [], "uncertainty": 0.0}
_TURNS = 10


def monthly_purchases(con: DuckDBPyConnection, transactions: str, *, last_day: date) -> pd.DataFrame:
    """Return table MONTHLY_PURCHASES up to the last whole month; months without a purchase are there with zero."""
    rows = con.execute(
        f"""
        WITH bought AS (
            SELECT date_trunc('month', date) AS month,
                   min(date_trunc('month', date)) OVER (PARTITION BY customer_id) AS cohort,
                   row_number() OVER (PARTITION BY customer_id ORDER BY date) > 1 AS again
            FROM {quoted(transactions)} WHERE date::DATE < date_trunc('month', $until::DATE + 1))
        SELECT cohort, month, count(*) FILTER (again) AS purchases, count(*) FILTER (NOT again) AS customers
        FROM bought GROUP BY ALL""",
        {"until": last_day},
    ).df()
    if rows.empty:
        return tables.empty(MONTHLY_PURCHASES)
    cohort, month = (pd.PeriodIndex(rows[name], freq="M") for name in ("cohort", "month"))
    months = pd.period_range(cohort.min(), pd.Timestamp(last_day) + pd.Timedelta(days=1), freq="M")[:-1]
    places = months.get_indexer(cohort), months.get_indexer(month)
    came, customers = np.zeros((len(months), len(months))), np.zeros(len(months))
    came[places] = rows["purchases"]
    np.add.at(customers, places[0], rows["customers"].to_numpy(float))
    found = {
        "month": months.astype(str),
        "repeat_purchases": came.sum(axis=0).astype("int64"),
        "if_alike": _if_alike(came, customers, months),
    }
    return tables.check(MONTHLY_PURCHASES, pd.DataFrame(found).astype({"month": "str"}))


def _if_alike(came: Floats, customers: Floats, months: pd.PeriodIndex) -> Floats:
    """Return the repeat purchases of each month, were all months alike; `came` is (cohorts, months)."""
    age = np.arange(len(months)) - np.arange(len(months))[:, None]
    old = age >= 0
    by_age, of_year = age[old], months.month.to_numpy() - 1
    exposed = customers[:, None] * months.days_in_month.to_numpy()
    index, expected = np.ones(MONTHS), np.zeros_like(came)
    for _ in range(_TURNS):
        seen = np.bincount(by_age, (exposed * index[of_year])[old])
        profile = np.divide(np.bincount(by_age, came[old]), seen, out=np.zeros_like(seen), where=seen > 0)
        expected[old] = exposed[old] * profile[by_age]
        usual = np.bincount(of_year, expected.sum(axis=0), MONTHS)
        index = np.divide(np.bincount(of_year, came.sum(axis=0), MONTHS), usual, out=np.ones(MONTHS), where=usual > 0)
    return expected.sum(axis=0)


def with_history(calendar: Mapping[str, Any] | None, months: pd.DataFrame) -> Mapping[str, Any] | None:
    """Return the calendar of a run: if nobody stated its months, with the history that they are learnt from.

    `months` is table MONTHLY_PURCHASES. Where it shows no year, what was stated stands alone: None, if nothing was.
    """
    history = months[list(MONTHLY_PURCHASES.columns)].to_numpy().tolist()
    if (calendar and calendar["months"]) or len(set(learnt(history, date.max)[0])) == 1:
        return calendar
    return {**(calendar or NOTHING_STATED), "history": history}
