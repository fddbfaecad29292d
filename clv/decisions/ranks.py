"""Which group is better, and what might each of its customers cost? Groups of one kind, with probabilities."""

import numpy as np
import pandas as pd

from clv import tables
from clv.backtest.misfit import group_draws
from clv.decisions.acquisition import Acquisition
from clv.decisions.tables import ACQUISITION, CONFIDENCE, RANKS
from clv.forecast.groups import Forecast
from clv.units import tails


def rank_groups(
    result: Forecast, groupings: list[str], past: pd.DataFrame | None, given: Acquisition | None, *,
    weeks: float, gross_margin: float, interval: float, seed: int,
) -> pd.DataFrame:  # fmt: skip
    """Return table RANKS: the groups of each of `groupings`, the best first; P(A > B) is of A and the next one.

    From joint draws, so that what moves all groups alike decides nothing. `past`: past forecasts, from
    `rolling.evidence`; None without a backtest.
    """
    parts = []
    for grouping in groupings:
        rows = result.groups[result.groups["grouping"] == grouping]
        means, drawn = group_draws(rows, result.totals.value, past, weeks=weeks, seed=seed)
        size = rows["customers"].to_numpy()
        each, draws = means.to_numpy() / size, np.column_stack(list(drawn)) / size
        order = np.argsort(-each, kind="stable")
        rows, each, draws = rows.iloc[order], each[order], draws[:, order]
        to_date = gross_margin * (rows["revenue"] / rows["customers"]).to_numpy()
        lower, upper, surely = np.quantile(draws, [*tails(interval), 1 - CONFIDENCE], axis=0)
        found = {
            "margin_to_date": to_date,
            "clv_per_customer": each,
            "lower": lower,
            "upper": upper,
            "p_above_next": np.append((draws[:, :-1] > draws[:, 1:]).mean(axis=0), np.nan),
            "highest_cost": to_date + surely,
            "p_above_cost": (to_date + draws > given.cost).mean(axis=0) if given else np.nan,
        }
        parts.append(rows[["grouping", "group", "customers"]].assign(**found))
    return tables.check(RANKS, tables.with_texts(RANKS, pd.concat(parts, ignore_index=True)))


def cohort_table(
    ranked: pd.DataFrame, cohorts: pd.DataFrame, given: Acquisition | None, *, gross_margin: float
) -> pd.DataFrame:
    """Return table ACQUISITION: margin to date plus future of every cohort against the cost; empty without one.

    `ranked`: table RANKS with the cohorts. `cohorts`: Table COHORTS.
    """
    if given is None:
        return tables.empty(ACQUISITION)
    rows = ranked[ranked["grouping"] == "cohort"].sort_values("group", ignore_index=True)
    reached = cohorts[gross_margin * cohorts["cumulative"] >= given.cost].groupby("cohort")["months_since"].min()
    future = {"mean": "clv_per_customer", "lower": "lower", "upper": "upper"}
    lifetime = {f"lifetime_{name}": rows["margin_to_date"] + rows[column] for name, column in future.items()}
    named = rows.rename(columns={"group": "cohort", "clv_per_customer": "clv_mean"}).assign(**lifetime)
    table = named.assign(payback_months=reached.reindex(rows["group"]).to_numpy(float))
    return tables.check(ACQUISITION, table[list(ACQUISITION.columns)])
