"""Rolling windows counted back from the last day: what was known of every customer at each origin, what came after it.

Windows of one length never overlap, and each has at least its own length of history before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.rfm.customers import holdout, summarise
from clv.rfm.support import GOOD_REPEAT_CUSTOMERS
from clv.rfm.tables import ROLLING
from clv.transactions.connection import quoted

# A quarter, half a year, a year: beside the run's own horizon, where that is longer.
LENGTHS_WEEKS = (13, 26, 52)
MOST_WINDOWS = 8
# A forecast's error shows in a sample of a large base as well; more would cost minutes.
MOST_CUSTOMERS = 50_000


def by_lot(customers: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Return the customers, or `MOST_CUSTOMERS` of them by chance, in their order: enough to tell of single ones."""
    if len(customers) <= MOST_CUSTOMERS:
        return customers
    chosen = np.random.default_rng(seed).choice(len(customers), MOST_CUSTOMERS, replace=False)
    return customers.iloc[np.sort(chosen)]


@dataclass(frozen=True)
class Window:
    """Weeks that are forecast from what was known at the end of the day `origin`."""

    horizon_weeks: int
    origin: date

    @property
    def end(self) -> date:
        """Last day of the window, included."""
        return self.origin + timedelta(weeks=self.horizon_weeks)


def plan(first_day: date, last_day: date, *, horizon_weeks: int) -> list[Window]:
    """Return the windows that fit between the two days (both included), shortest first, earliest first."""
    lengths = sorted({weeks for weeks in LENGTHS_WEEKS if weeks < horizon_weeks} | {horizon_weeks})
    days = (last_day - first_day).days + 1
    return [
        Window(weeks, last_day - timedelta(weeks=weeks * back))
        for weeks in lengths
        for back in range(min(days // (7 * weeks) - 1, MOST_WINDOWS), 0, -1)
    ]


def window_histories(
    con: DuckDBPyConnection, transactions: str, *, calibration_end: date | None, last_day: date, horizon_weeks: int,
    refunds: str | None = None, calendar: Mapping[str, Any] | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return table ROLLING: the customers of every window as they stood at its origin, and what they did in it.

    A window with fewer than 300 repeat customers at its origin is left out; without `calibration_end` all are.
    Of a base of more than `MOST_CUSTOMERS` every n-th customer is taken, by a hash of the identifier.
    """
    extent = f"SELECT count(DISTINCT customer_id), min(date)::DATE FROM {quoted(transactions)}"
    customers, first_day = con.execute(extent).fetchone() or (0, None)
    planned = plan(first_day, last_day, horizon_weeks=horizon_weeks) if calibration_end and first_day else []
    every = -(-customers // MOST_CUSTOMERS)
    for name, table in (("sampled", transactions), ("sampled_refunds", refunds)):
        if table:
            con.execute(
                f"CREATE OR REPLACE TEMPORARY VIEW {name} AS SELECT * FROM {quoted(table)} "
                f"WHERE md5_number_lower(customer_id) % {max(every, 1)} = 0"
            )
    found = [_history(con, window, "sampled_refunds" if refunds else None, calendar) for window in planned]
    kept = [rows for rows in found if (rows["monetary_value"] > 0).sum() >= GOOD_REPEAT_CUSTOMERS]
    return tables.check(ROLLING, pd.concat(kept, ignore_index=True) if kept else tables.empty(ROLLING))


def value_windows(
    con: DuckDBPyConnection, transactions: str, rolling: pd.DataFrame, *, discount_weekly: float, gross_margin: float,
    refunds: str | None = None,
) -> pd.DataFrame:  # fmt: skip
    """Return table ROLLING with every `actual_value` discounted to its window's origin, times gross margin."""
    terms: dict[str, Any] = {"discount_weekly": discount_weekly, "gross_margin": gross_margin, "refunds": refunds}
    parts = [tables.empty(ROLLING)] if rolling.empty else []
    for (weeks, origin), rows in rolling.groupby(["horizon_weeks", "origin"]):
        window = Window(weeks, origin.date())
        came = holdout(con, transactions, calibration_end=window.origin, observation_end=window.end, **terms)
        value = came.set_index("customer_id")["actual_value"]
        parts.append(rows.assign(actual_value=rows["customer_id"].map(value)))
    return tables.check(ROLLING, pd.concat(parts, ignore_index=True))


def _history(
    con: DuckDBPyConnection, window: Window, refunds: str | None, calendar: Mapping[str, Any] | None
) -> pd.DataFrame:
    known = summarise(con, "sampled", period_end=window.origin, refunds=refunds, calendar=calendar)
    came = holdout(con, "sampled", calibration_end=window.origin, observation_end=window.end, refunds=refunds)
    rows = known.merge(came, on="customer_id", validate="one_to_one")
    rows = rows.assign(horizon_weeks=window.horizon_weeks, origin=pd.Timestamp(window.origin))
    return rows[list(ROLLING.columns)]
