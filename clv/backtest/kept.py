"""Every forecast that a run ever made, scored by what came since, and what changed in value since the last one."""

from datetime import date, timedelta
from typing import Any

import pandas as pd
from duckdb import DuckDBPyConnection

from clv import tables
from clv.backtest.tables import FORECASTS
from clv.forecast.cohorts import FORECAST as AHEAD
from clv.rfm.customers import holdout
from clv.units import DAYS_PER_WEEK

HORIZON, QUARTER = "horizon", "quarter"


def keep(
    con: DuckDBPyConnection, transactions: str, earlier: pd.DataFrame | None, base: pd.Series, ahead: pd.DataFrame,
    last_day: date, horizon_weeks: float, *, run_id: str | None, refunds: str, **finance: float,
) -> pd.DataFrame:  # fmt: skip
    """Return table FORECASTS: the `earlier` ones, scored where their time is over, and those of this run.

    Made again on the same day, a forecast replaces the earlier one, so that a run made again keeps the same table.

    `base`, `ahead`: the row of everybody of table SEGMENTS, and table FORECAST. `finance`: discount_weekly and
    gross_margin, of the horizon's value; what a quarter brings is told without either.
    """
    own = _made(base, ahead, last_day, horizon_weeks).assign(run_id=run_id or "")
    rows = own if earlier is None else pd.concat([earlier[earlier["as_of"].dt.date != last_day], own])
    rows = rows.sort_values(["as_of", "kind", "starts"], ascending=[True, False, True], ignore_index=True)
    for at, row in rows[rows["ends"] <= pd.Timestamp(last_day)].iterrows():
        terms = finance if row["kind"] == HORIZON else {}
        came = _came(con, transactions, row["as_of"].date(), row["starts"].date(), row["ends"].date(), refunds, terms)
        rows.loc[at, ["actual_purchases", "actual_value"]] = came
    return tables.check(FORECASTS, rows[list(FORECASTS.columns)])


def since_last(
    con: DuckDBPyConnection, transactions: str, kept: pd.DataFrame, customers: pd.DataFrame, last_day: date, *,
    refunds: str, **finance: float,
) -> dict[str, Any] | None:  # fmt: skip
    """Return what led from the last forecast's value to today's; None where there is no earlier one as far ahead.

    Value then, less what those customers brought since, plus what new customers will bring, plus what is thought of the
    others now (another outlook, another model or other settings, and the horizon's new end) is value now.
    """
    told = kept[kept["kind"] == HORIZON].assign(days=(kept["ends"] - kept["as_of"]).dt.days).set_index("as_of")
    now = told.loc[pd.Timestamp(last_day)]
    past = told[(told.index < pd.Timestamp(last_day)) & (told["days"] == now["days"])]
    if past.empty:
        return None
    then, then_value = past.index[-1].date(), float(past["value"].iloc[-1])
    came = _came(con, transactions, then, then + timedelta(days=1), last_day, refunds, finance)[1]
    new = customers[customers["first_purchase"] > pd.Timestamp(then)]
    gained = float(new["clv_mean"].sum())
    return {
        "as_of": then.isoformat(),
        "then": then_value,
        "came": came,
        "n_new": len(new),
        "new": gained,
        "others": float(now["value"]) - gained - (then_value - came),
        "now": float(now["value"]),
    }


def _made(base: pd.Series, ahead: pd.DataFrame, last_day: date, horizon_weeks: float) -> pd.DataFrame:
    quarters = ahead[(ahead["kind"] == QUARTER) & (ahead["status"] == AHEAD)]
    quarters = quarters.rename(columns={f"revenue{end}": f"value{end}" for end in ("", "_lower", "_upper")})
    ends = last_day + timedelta(days=round(horizon_weeks * DAYS_PER_WEEK))
    horizon = {"kind": HORIZON, "starts": pd.Timestamp(last_day + timedelta(days=1)), "ends": pd.Timestamp(ends)}
    horizon |= {"purchases": base["expected_purchases"], "value": base["clv_mean"]}
    for end in ("_lower", "_upper"):
        horizon |= {f"purchases{end}": base[f"purchases{end}"], f"value{end}": base[f"clv{end}"]}
    rows = pd.concat([pd.DataFrame([horizon]), quarters], join="inner", ignore_index=True)
    known = {"as_of": pd.Timestamp(last_day), "customers": int(base["customers"])}
    # Days in the unit that they come back in from a file: made again, the table is the same to the byte.
    told = rows.assign(**known, actual_purchases=float("nan"), actual_value=float("nan"))
    return told.astype({"kind": "str"} | dict.fromkeys(("as_of", "starts", "ends"), "datetime64[us]"))


def _came(
    con: DuckDBPyConnection, transactions: str, cut: date, first: date, last: date, refunds: str,
    terms: dict[str, float],
) -> list[float]:  # fmt: skip
    """Return purchases and value from `first` to `last` of the customers known on day `cut`."""
    ends = [last] if first <= cut + timedelta(days=1) else [last, first - timedelta(days=1)]
    ask: dict[str, Any] = {"calibration_end": cut, "refunds": refunds, **terms}
    upto = [holdout(con, transactions, observation_end=end, **ask) for end in ends]
    counted = [table[["actual_purchases", "actual_value"]].sum().to_numpy() for table in upto]
    return list(map(float, counted[0] - (counted[1] if len(counted) > 1 else 0)))
