"""Months and quarters on one calendar: what came, then what is expected, as wrong as past forecasts were.

Quarters are three whole months, counted from the observation end both ways, so the last one that came and the first
one ahead can be held side by side. A month that lacks a few days at the observation end or at that of the horizon
counts with the others; one that is cut earlier belongs to no quarter.
"""

from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.backtest.misfit import factor_quantiles, factors, limits_with
from clv.forecast.cohorts import CUT, FORECAST, OBSERVED, SPLIT, month_edges, observed
from clv.forecast.groups import Forecast
from clv.forecast.horizon import Calendar
from clv.forecast.tables import FORECAST as TABLE
from clv.forecast.tables import MONTHLY_DRAWS, MONTHLY_ERRORS
from clv.models.base import Floats
from clv.units import tails

MONTHS_OF_QUARTER = 3
_NEARLY_OVER = pd.Timedelta(days=3)  # left of a month that counts as a whole one
# What is counted, and which outcome's past errors widen it.
_COUNTED = {"revenue": "value", "purchases": "purchases", "active": "purchases"}
_PROBABILITIES = np.arange(0.5, 100) / 100


def months_ahead(
    con: DuckDBPyConnection, transactions: str, result: Forecast, months: Calendar, observation_end: date,
    past: pd.DataFrame | None, *, interval: float, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Return table FORECAST.

    `months`: the calendar that `result` was simulated over. `past`: past forecasts, from `rolling.evidence`; None
    without a backtest.
    """
    names, edges = month_edges(observation_end, float(months.edges[-1]))
    seen = observed(con, transactions, observation_end=observation_end)
    seen = seen.assign(**{name: pd.to_datetime(seen[name], format="%Y-%m") for name in ("cohort", "month")})
    rows = _months(seen.groupby("month", as_index=False)[list(_COUNTED)].sum(), names, observation_end, edges)
    drawn = {
        "revenue": result.totals.revenue.sum(axis=1),
        "purchases": result.totals.period_purchases.sum(axis=1),
        "active": result.totals.active.sum(axis=1),
    }
    draws = len(result.total_value)
    widths = [factors(past, weeks=float(end), draws=draws, seed=seed) for end in edges[1:]]
    spans = [("month", rows.iloc[[place]]) for place in range(len(rows))]
    spans += [("quarter", part) for part in _quarters(rows, pd.Timestamp(observation_end))]
    table = pd.DataFrame([_row(kind, part, seen, drawn, widths, interval) for kind, part in spans])
    return tables.check(TABLE, table.astype({"kind": "str", "period": "str", "status": "str"})[list(TABLE.columns)])


def monthly_draws(result: Forecast) -> pd.DataFrame:
    """Return table MONTHLY_DRAWS of a forecast whose second calendar was that of the segments."""
    revenue = np.moveaxis(result.of_segments.revenue, 0, -1)  # (segments, months, draws)
    segment, month, draw = np.indices(revenue.shape).reshape(3, -1)
    group = np.sort(result.customers["rfm_segment"].unique())[segment]
    table = pd.DataFrame({"group": group, "month": month, "draw": draw, "revenue": revenue.ravel().round(2)})
    return tables.check(MONTHLY_DRAWS, table.astype({"group": "str"}))


def monthly_errors(
    groups: pd.DataFrame, months: Calendar, past: pd.DataFrame | None, *, draws: int, seed: int
) -> pd.DataFrame:
    """Return table MONTHLY_ERRORS; `groups` are the model's own rows of table SEGMENTS."""
    ask: Any = {"probabilities": _PROBABILITIES, "draws": draws, "seed": seed}
    found = [factor_quantiles(groups, past, weeks=float(end), **ask) for end in months.edges[1:]]
    return tables.check(MONTHLY_ERRORS, pd.concat(found, ignore_index=True)[list(MONTHLY_ERRORS.columns)])


def _months(seen: pd.DataFrame, names: list[str], observation_end: date, edges: Floats) -> pd.DataFrame:
    """Return every month once: what was seen of it, its place among those that are simulated (-1: none), its days."""
    ahead = pd.DataFrame({"month": pd.to_datetime(names, format="%Y-%m"), "place": range(len(names))})
    missing = {"revenue": 0.0, "purchases": 0.0, "active": 0.0, "place": -1}
    rows = seen.merge(ahead, on="month", how="outer", sort=True).fillna(missing)
    last = rows["month"] + pd.offsets.MonthEnd(0)
    horizon_end = pd.Timestamp(observation_end + timedelta(days=round(edges[-1] * 7)))
    future = rows["place"] >= 0
    status = np.where(~future, OBSERVED, np.where(last - horizon_end > _NEARLY_OVER, CUT, FORECAST))
    status[(future & (rows["month"] <= pd.Timestamp(observation_end))).to_numpy()] = SPLIT
    return rows.assign(status=status, ends=last.clip(upper=horizon_end), place=rows["place"].astype(int))


def _quarters(rows: pd.DataFrame, end: pd.Timestamp) -> list[pd.DataFrame]:
    nearly = (rows["status"] == SPLIT) & (rows["ends"] - end <= _NEARLY_OVER)
    rows = rows.mask(nearly, rows.assign(status=OBSERVED, ends=end, place=-1))
    seen, ahead = (rows[rows["status"] == status] for status in (OBSERVED, FORECAST))
    left = len(seen) % MONTHS_OF_QUARTER
    starts = [(seen, at) for at in range(left, len(seen), MONTHS_OF_QUARTER)]
    starts += [(ahead, at) for at in range(0, len(ahead) - MONTHS_OF_QUARTER + 1, MONTHS_OF_QUARTER)]
    return [part.iloc[at : at + MONTHS_OF_QUARTER] for part, at in starts]


def _row(
    kind: str, part: pd.DataFrame, by_cohort: pd.DataFrame, drawn: dict[str, Floats], widths: list[dict[str, Floats]],
    interval: float,
) -> dict[str, Any]:  # fmt: skip
    """Return a row of table FORECAST: what was seen in the months of `part`, plus what is simulated of them."""
    first, last = part.iloc[0], part.iloc[-1]
    names = [f"{month:%Y-%m}" for month in part["month"].iloc[[0, -1]]]
    row: dict[str, Any] = {
        "kind": kind,
        "period": names[0] if kind == "month" else " to ".join(names),
        "starts": first["month"],
        "ends": last["ends"],
        "status": first["status"],
    }
    new = by_cohort[by_cohort["month"].isin(part["month"]) & (by_cohort["cohort"] >= first["month"])]
    row |= {f"{name}_of_new": float(new[name].sum()) for name in ("revenue", "purchases")}
    places = part["place"].to_numpy()
    for name, outcome in _COUNTED.items():
        seen = float(part[name].sum()) if kind == "month" or name != "active" else np.nan
        future = drawn[name][:, places[places >= 0]].sum(axis=1)
        factor = widths[places[-1]].get(outcome, np.ones_like(future)) if places[-1] >= 0 else np.ones_like(future)
        shown, own = limits_with(future, factor, interval=interval), np.quantile(future, tails(interval))
        row[name] = seen + float(future.mean())
        for kind_of, limits in (("", shown), ("_if_model_right", own)):
            ends = zip(("lower", "upper"), limits, strict=True)
            row |= {f"{name}_{end}{kind_of}": seen + limit for end, limit in ends}
    return row
