"""Monthly acquisition cohorts: what was observed, and the simulated months that continue it.

A cohort is the month of the first purchase, written YYYY-MM. Months are calendar months, as readers count them, while
the models count weeks; `month_edges` is where the two meet.
"""

from collections.abc import Sequence
from datetime import date, timedelta

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection
from numpy.typing import NDArray

from clv import tables
from clv.forecast.horizon import Calendar, Horizon, Totals
from clv.forecast.tables import COHORTS
from clv.transactions.connection import quoted
from clv.units import DAYS_PER_WEEK, tails

OBSERVED, SPLIT, FORECAST, CUT = "observed", "split", "forecast", "cut"


def observed(con: DuckDBPyConnection, transactions: str, *, observation_end: date) -> pd.DataFrame:
    """Return one row per cohort and calendar month up to the month of `observation_end`, zeros included.

    Columns cohort, month, months_since, customers (in the cohort), active (distinct customers with a purchase in the
    month), purchases, revenue; sorted by cohort and month. Later rows and customers are ignored.
    """
    rows = con.execute(
        f"""
        WITH days AS (
            SELECT customer_id, date::DATE AS day, amount::DECIMAL(18, 6) AS amount
            FROM {quoted(transactions)} WHERE date::DATE <= $until),
        customers AS (SELECT customer_id, date_trunc('month', min(day))::DATE AS cohort FROM days GROUP BY customer_id),
        cohorts AS (SELECT cohort, count(*) AS customers FROM customers GROUP BY cohort),
        calendar AS (
            SELECT cohort, customers,
                   unnest(generate_series(cohort, date_trunc('month', $until::DATE), INTERVAL 1 MONTH))::DATE AS month
            FROM cohorts),
        activity AS (
            SELECT cohort, date_trunc('month', day)::DATE AS month,
                   count(DISTINCT customer_id) AS active, count(*) AS purchases, sum(amount) AS revenue
            FROM days JOIN customers USING (customer_id) GROUP BY 1, 2)
        SELECT strftime(cohort, '%Y-%m') AS cohort, strftime(month, '%Y-%m') AS month,
               date_diff('month', cohort, month) AS months_since, customers,
               coalesce(active, 0) AS active, coalesce(purchases, 0) AS purchases,
               coalesce(revenue, 0)::DOUBLE AS revenue
        FROM calendar LEFT JOIN activity USING (cohort, month) ORDER BY cohort, month""",
        {"until": observation_end},
    ).df()
    return rows.astype({"cohort": "str", "month": "str"})


def month_edges(observation_end: date, horizon_weeks: float) -> tuple[list[str], NDArray[np.float64]]:
    """Return the calendar months the horizon touches, and their edges in weeks after the end of `observation_end`.

    The first month is what is left of the month of `observation_end`, unless that was its last day; the last one is
    cut by the horizon. There is one edge more than months: the first is 0, the last is the horizon.
    """
    today = observation_end + timedelta(days=1)
    start, months, edges = today, [], [0.0]
    while edges[-1] < horizon_weeks:
        months.append(f"{start:%Y-%m}")
        start = (start.replace(day=1) + timedelta(days=31)).replace(day=1)
        edges.append(min((start - today).days / DAYS_PER_WEEK, float(horizon_weeks)))
    return months, np.array(edges)


def continue_with(
    observed_frame: pd.DataFrame, *, months: Sequence[str], active_draws: NDArray[np.float64],
    revenue_draws: NDArray[np.float64], observation_end: date, interval: float, last_is_cut: bool = False,
) -> pd.DataFrame:  # fmt: skip
    """Return table `COHORTS`: the observed months of every cohort, then the simulated ones with their limits.

    `observed_frame`: what `observed` returns. `months`: simulated months, from `month_edges`. `active_draws`,
    `revenue_draws`: shape (draws, cohorts in sorted order, months): customers with a purchase in that month, and
    revenue, not discounted. Where `months[0]` is the month of `observation_end`, its active customers already include
    those seen before the end of observation (a customer counts once), but its revenue is only what comes after it.
    `interval`: probability between lower and upper limit; the limits of `cumulative` come from sums within each draw.
    `last_is_cut`: whether the horizon ends within the last month, which then holds less than a month.
    """
    cohorts = observed_frame[["cohort", "customers"]].drop_duplicates().sort_values("cohort", ignore_index=True)
    last_month = f"{observation_end:%Y-%m}"
    is_split = bool(months) and months[0] == last_month
    past = observed_frame[observed_frame["month"] < last_month] if is_split else observed_frame
    begun = _revenue_of(observed_frame, cohorts, last_month) if is_split else np.zeros(len(cohorts))

    customers = cohorts["customers"].to_numpy(dtype=float)[:, None]
    revenue = np.array(revenue_draws, dtype=float)
    revenue[:, :, : len(months[:1])] += begun[:, None]
    before = past.groupby("cohort")["revenue"].sum().reindex(cohorts["cohort"], fill_value=0.0).to_numpy()[:, None]
    future = {
        "active": active_draws / customers,
        "revenue": revenue,
        "cumulative": (before + np.cumsum(revenue, axis=2)) / customers,
    }
    ahead = _simulated_rows(cohorts, months, future, is_split, interval)
    ahead.loc[last_is_cut & (ahead["month"] == months[-1]), "status"] = CUT
    rows = pd.concat([_observed_rows(past), ahead])
    rows = rows.sort_values(["cohort", "month"], ignore_index=True)[list(COHORTS.columns)]
    return tables.check(COHORTS, rows)


def calendar(customers: pd.DataFrame, observation_end: date, horizon: Horizon, *, grouping: str = "cohort") -> Calendar:
    """Return the calendar months of the horizon per cohort, or per group of another column, for `future.simulate`.

    Customers seen in the month that the observation end cuts are marked, so that nobody counts twice as active.
    """
    _, edges = month_edges(observation_end, horizon.weeks)
    codes, names = pd.factorize(customers[grouping], sort=True)
    last = customers["first_purchase"] + pd.to_timedelta((customers["recency"] * DAYS_PER_WEEK).round(), unit="D")
    seen = (last.dt.strftime("%Y-%m") == f"{observation_end:%Y-%m}").to_numpy() & _is_split(observation_end)
    return Calendar(edges, codes.astype(np.int64), len(names), seen)


def forecast_cohorts(
    con: DuckDBPyConnection, transactions: str, totals: Totals, months: Calendar, observation_end: date,
    horizon: Horizon, *, interval: float,
) -> pd.DataFrame:  # fmt: skip
    """Return table `COHORTS`: the observed months of the log, continued by the totals simulated over `calendar`."""
    active = totals.active.copy()
    active[:, :, 0] += np.bincount(months.cohorts, weights=months.seen, minlength=months.count)
    names, edges = month_edges(observation_end, horizon.weeks)
    end = observation_end + timedelta(days=round(edges[-1] * DAYS_PER_WEEK))
    return continue_with(
        observed(con, transactions, observation_end=observation_end),
        months=names,
        last_is_cut=_is_split(end),
        active_draws=active,
        revenue_draws=totals.revenue,
        observation_end=observation_end,
        interval=interval,
    )


def _is_split(day: date) -> bool:
    """Return whether the month of `day` is not over with it."""
    return (day + timedelta(days=1)).month == day.month


def matrix(cohorts: pd.DataFrame, value: str) -> pd.DataFrame:
    """Return one column of table `COHORTS` as a matrix: a row per cohort, a column per month since its first."""
    return cohorts.pivot(index="cohort", columns="months_since", values=value).sort_index()


def _observed_rows(past: pd.DataFrame) -> pd.DataFrame:
    """Return the observed months as shares and money; what was seen has no interval."""
    rows = past.assign(
        status=OBSERVED,
        active=past["active"] / past["customers"],
        cumulative=past.groupby("cohort")["revenue"].cumsum() / past["customers"],
    )
    limits = {f"{name}_{end}": rows[name] for name in ("active", "revenue", "cumulative") for end in ("lower", "upper")}
    return rows.assign(**limits).astype({"status": "str"})


def _simulated_rows(
    cohorts: pd.DataFrame, months: Sequence[str], draws: dict[str, NDArray[np.float64]], is_split: bool, interval: float
) -> pd.DataFrame:
    """Return one row per cohort and simulated month: the mean over draws and its limits."""
    grid = cohorts.merge(pd.DataFrame({"month": pd.Series(list(months), dtype="str")}), how="cross")
    status = np.where(is_split & (grid["month"] == next(iter(months), "")), SPLIT, FORECAST)
    columns = {
        "status": pd.Series(status, dtype="str"),
        "months_since": _months(grid["month"]) - _months(grid["cohort"]),
    }
    for name, values in draws.items():
        lower, upper = np.quantile(values, tails(interval), axis=0)
        columns |= {name: values.mean(axis=0).ravel(), f"{name}_lower": lower.ravel(), f"{name}_upper": upper.ravel()}
    return grid.assign(**columns)


def _revenue_of(observed_frame: pd.DataFrame, cohorts: pd.DataFrame, month: str) -> NDArray[np.float64]:
    rows = observed_frame[observed_frame["month"] == month].set_index("cohort")["revenue"]
    return rows.reindex(cohorts["cohort"], fill_value=0.0).to_numpy()


def _months(names: pd.Series) -> pd.Series:
    return names.str[:4].astype("int64") * 12 + names.str[5:].astype("int64")
