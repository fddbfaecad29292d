"""The figures a report speaks of, gathered once: the content of key_figures.json."""

from collections.abc import Mapping
from pathlib import PurePath
from typing import Any

import numpy as np
import pandas as pd

from clv.checks import gate
from clv.forecast import tiers
from clv.forecast.cohorts import FORECAST, OBSERVED
from clv.forecast.groups import Forecast, monte_carlo_error
from clv.forecast.tables import limits
from clv.units import PURCHASES, tails

SCHEMA_VERSION = "2"
Figures = Mapping[str, Any]  # the content of key_figures.json, or a part of it


def collect_key_figures(
    forecast: Forecast,
    groups: pd.DataFrame,
    dependence: pd.DataFrame,
    ledger: pd.DataFrame,
    ahead: pd.DataFrame,
    windows: pd.DataFrame,
    watch_list: pd.DataFrame,
    checks: list[gate.Check],
    *,
    stated: Mapping[str, Any],
    truth: pd.DataFrame | None,
    **found: Any,
) -> dict[str, Any]:
    """Return the figures the report speaks of, ready for key_figures.json, from tables SEGMENTS, FORECAST and others.

    `stated` is what a reader must know of the run, `found` figures that are ready: backtest, misfit, campaign,
    acquisition, new_customer, and from the functions of `rfm` with these names revenue_before and may_come_back.
    `truth` is table TRUTH of generated customers.
    """
    customers, base = forecast.customers, groups.iloc[0]
    kind = "revenue" if stated["gross_margin"] == 1.0 else "margin"
    one_time = customers["frequency"] == 0
    slipping, ends = tiers.slipping(customers), dict(zip(("lower", "upper"), tails(stated["interval"]), strict=True))
    return {
        "schema_version": SCHEMA_VERSION,
        **stated,
        "source": PurePath(stated["source"]).name,  # the report carries it to who may not know where the log lies
        "value_is": PURCHASES if stated["currency"] == PURCHASES else kind,
        "n_customers": len(customers),
        "n_repeat_customers": int((~one_time).sum()),
        "n_transactions": int(customers["purchases"].sum()),
        "revenue": float(customers["revenue"].sum()),
        "first_purchase": customers["first_purchase"].min().date().isoformat(),
        "total_clv": _limits(base, "clv", base["clv_mean"])
        | {f"{end}_monte_carlo_error": monte_carlo_error(forecast.total_value, tail) for end, tail in ends.items()},
        "expected_purchases": _limits(base, "purchases", base["expected_purchases"]),
        "next_quarter": _next_quarter(ahead),
        "latest_windows": _latest(windows),
        "watch": {"customers": len(watch_list), "clv_mean": float(watch_list["clv_mean"].sum())},
        "share_buying": float(customers["p_purchase"].mean()),
        "share_of_value_top_decile": float(tiers.of_grouping(groups, "value_tier")["share_of_value"].iloc[0]),
        "share_of_value_one_time_buyers": float(customers["clv_mean"][one_time].sum() / customers["clv_mean"].sum()),
        "slipping": {"customers": len(slipping), **slipping[["revenue", "clv_mean"]].sum().to_dict()},
        "dependence": {row.measure.lower(): float(row.value) for row in dependence.itertuples()},
        "ledger": {row.line: {"rows": int(row.rows), "amount": float(row.amount)} for row in ledger.itertuples()},
        "gate": {"verdict": gate.verdict(checks), "checks": gate.table(checks).to_dict("records")},
        "truth": truth if truth is None else truth_of(truth, customers),
        **found,
    }


def truth_of(truth: pd.DataFrame, customers: pd.DataFrame) -> dict[str, Any]:
    """Return what generated customers will really bring, together and by segment."""
    value = customers["customer_id"].map(truth.set_index("customer_id")["future_value"])
    return {"value": float(value.sum()), "segments": value.groupby(customers["rfm_segment"]).sum().to_dict()}


def _limits(base: pd.Series, name: str, mean: float) -> dict[str, Any]:
    """Return a mean, its limits as shown, those that allow for misfit (None without a backtest), the model's own."""
    found = {kind: limits(base, name, f"_{kind}") for kind in ("with_misfit", "if_model_right")}
    known = {kind: None if np.isnan(ends["lower"]) else ends for kind, ends in found.items()}
    return {"mean": float(mean), **limits(base, name), **known}


def _next_quarter(ahead: pd.DataFrame) -> dict[str, Any] | None:
    """Return the first whole quarter ahead beside the last one seen and its own of a year before; None without one."""
    quarters = ahead[ahead["kind"] == "quarter"]
    expected, seen = (quarters[quarters["status"] == status] for status in (FORECAST, OBSERVED))
    if expected.empty:
        return None
    row, last = expected.iloc[0], seen.tail(1)
    year_before = seen[seen["starts"] == row["starts"] - pd.DateOffset(years=1)]
    return {
        **{end: row[end].date().isoformat() for end in ("starts", "ends")},
        "revenue": float(row["revenue"]),
        **limits(row, "revenue"),
        "last_revenue": float(last["revenue"].sum()),
        "last_revenue_of_new": float(last["revenue_of_new"].sum()),
        "year_before": float(year_before["revenue"].iloc[0]) if len(year_before) else None,
    }


def _latest(windows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return of the latest past window of each length what was forecast, and what came."""
    last = windows[windows["outcome"] == "value"].sort_values("origin").groupby("horizon_weeks").tail(1)
    return [
        {
            "horizon_weeks": int(row.horizon_weeks),
            "origin": row.origin.date().isoformat(),
            "forecast": float(row.forecast),
            "actual": float(row.actual),
            "inside": bool(row.lower_with_misfit <= row.actual <= row.upper_with_misfit),
        }
        for row in last.sort_values("horizon_weeks").itertuples()
    ]
