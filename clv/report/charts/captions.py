"""What each chart shows, in one sentence with its numbers: read under the chart, and aloud where nobody sees it.

Every number comes from the chart's own finished table.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from clv import tables
from clv.report.figures.style import futures, if_right, possible
from clv.rfm.segments import LIKELY_LEFT, NEWCOMERS
from clv.words import amount, count, money, percent, span


def of_total(base: pd.Series, *, currency: str, interval: float) -> str:
    """Return what all customers together may bring; `base` is their row of table SEGMENTS."""
    expected = f"{money(base['clv_mean'], currency)} are expected from all customers together; the total will be"
    own = f"{_range(base)}\N{NO-BREAK SPACE}{currency} ({if_right(interval)})"
    if pd.isna(base["clv_lower_with_misfit"]):
        return f"{expected} {own}."
    wider = f"{_range(base, '_with_misfit')}\N{NO-BREAK SPACE}{currency} ({possible(interval)})"
    return f"{expected} {wider} or {own}."


def of_concentration(concentration: pd.DataFrame, *, interval: float) -> str:
    """Return what the best customers hold; `concentration` is table CONCENTRATION."""
    shares = concentration[["value_share", "lower", "upper"]].to_numpy().T
    at = concentration["customer_share"]
    tenth, lower, upper = (float(np.interp(0.1, at, share)) for share in shares)
    return (
        f"The best tenth of the customers hold {percent(tenth)} of the expected value, and {percent(lower)} to "
        f"{percent(upper)} of the realised value in {futures(interval)}; the best half hold "
        f"{percent(float(np.interp(0.5, at, shares[0])))}."
    )


def of_groups(groups: pd.DataFrame, *, currency: str, interval: float) -> str:
    """Return the first and the last group by expected value; `groups` are rows of table SEGMENTS."""
    ranked = groups.sort_values("clv_mean", ascending=False)
    best, last = ranked.iloc[0], ranked.iloc[-1]
    held = if_right(interval) if pd.isna(best["clv_lower_with_misfit"]) else possible(interval)
    limits = tables.shown_limits(best, "clv")
    return (
        f"“{best['group']}” are expected to bring most, {money(best['clv_mean'], currency)} (total "
        f"{span(limits)}; {held}), “{last['group']}” least, "
        f"{money(last['clv_mean'], currency)}."
    )


def of_segment_grid(grid: pd.DataFrame, *, currency: str) -> str:
    """Return the dearest and the fullest cell; `grid` is from `segments.segment_grid`."""
    dearest, fullest = grid.loc[grid["clv_per_customer"].idxmax()], grid.loc[grid["customers"].idxmax()]
    return (
        f"The {count(dearest['customers'])} customers in the dearest cell ({_cell(dearest)}) are expected to bring "
        f"{money(dearest['clv_per_customer'], currency)} each; most customers, {count(fullest['customers'])}, are in "
        f"the cell {_cell(fullest)}, at {money(fullest['clv_per_customer'], currency)} each."
    )


def of_migration(migration: pd.DataFrame) -> str:
    """Return how many stayed where they were, and where most of the first segment's others went; table MIGRATION."""
    known = migration[migration["segment_before"] != NEWCOMERS]
    stayed = known["segment_before"] == known["segment_now"]
    first = known[known["segment_before"] == known["segment_before"].iloc[0]]
    left = first[first["segment_now"] != first["segment_before"]].nlargest(1, "customers")
    others = "".join(
        f"; of those who left {row.segment_before}, the largest part is {row.segment_now} now ({percent(row.share)} of "
        "the row)"
        for row in left.itertuples()
    )
    return (
        f"Of {count(known['customers'].sum())} customers known at the earlier day, "
        f"{percent(known.loc[stayed, 'customers'].sum() / known['customers'].sum())} are in the segment they were "
        f"in{others}."
    )


def of_retention(whole: pd.DataFrame) -> str:
    """Return which share buys early, late and in the forecast; `whole` are whole months of table COHORTS."""
    seen, ahead = whole[whole["status"] == "observed"], whole[whole["status"] != "observed"]
    parts = [f"{percent(_buying(ahead))} buy a month in the forecast"] if len(ahead) else []
    if len(seen):
        first, last = seen["months_since"].min(), seen["months_since"].max()
        early = f"{percent(_buying(seen[seen['months_since'] == first]))} buy in month {first} after it"
        late = f"{percent(_buying(seen[seen['months_since'] == last]))} in month {last}, the last observed"
        parts = [early, *([late] if last > first else []), *parts]
    return f"Everybody buys in month 0; of {whole['cohort'].nunique()} cohorts, {'; '.join(parts)}."


def of_cumulative(cohorts: pd.DataFrame, *, currency: str, interval: float) -> str:
    """Return what a customer of the oldest cohort has brought and will bring; `cohorts` is table COHORTS."""
    oldest = cohorts[cohorts["cohort"] == cohorts["cohort"].min()].sort_values("months_since")
    seen, end = oldest[oldest["status"] == "observed"], oldest.iloc[-1]
    before = f"has brought {money(seen['cumulative'].iloc[-1], currency)} so far and " if len(seen) else ""
    return (
        f"A customer of the oldest cohort, {end['cohort']}, {before}is expected to have brought "
        f"{money(end['cumulative'], currency)} by month {end['months_since']} ({futures(interval)}: "
        f"{amount(end['cumulative_lower'])} to {amount(end['cumulative_upper'])})."
    )


def of_customer_map(bins: pd.DataFrame, *, currency: str) -> str:
    """Return who has probably left and who is worth most; `bins` is from `segments.customer_map`."""
    value, left = bins["customers"] * bins["clv_mean"], bins["p_alive"] < LIKELY_LEFT
    return (
        f"Of {count(bins['customers'].sum())} repeat customers {count(bins.loc[left, 'customers'].sum())} have more "
        f"likely left than not, and {money(value[left].sum(), currency)} is expected from them; from the others "
        f"{money(value[~left].sum(), currency)}."
    )


def of_will_buy(bins: pd.DataFrame, *, currency: str) -> str:
    """Return of how many something or next to nothing is to be expected; `bins` is from `segments.purchase_bins`."""
    customers, value = bins["customers"], bins["clv_mean"]
    likely, seldom = bins["likely"], bins["high"] <= 0.1
    return (
        f"{count(customers[likely].sum())} of {count(customers.sum())} customers are more likely than not to buy, and "
        f"{money(value[likely].sum(), currency)} is expected from them; {count(customers[seldom].sum())} have a "
        f"probability below {percent(0.1)}, and {money(value[seldom].sum(), currency)} is expected from those."
    )


def of_tracking(tracking: pd.DataFrame, *, interval: float) -> str:
    """Return where the lines end; `tracking` is table TRACKING."""
    end = tracking.iloc[-1]
    band = f" ({futures(interval)}: {count(end['lower'])} to {count(end['upper'])})" if pd.notna(end["lower"]) else ""
    return (
        f"By week {end['week']:.0f}, {count(end['actual'])} repeat purchases had come where {count(end['expected'])} "
        f"were expected{band}."
    )


def of_backtest(table: pd.DataFrame, *, currency: str) -> str:
    """Return how far the tenths were off; `table` is from `backtest.by_predicted_value`."""
    close = (table["actual"] - table["predicted"]).abs() <= table["actual_error"]
    best = table.loc[table["predicted"].idxmax()]
    return (
        f"In {close.sum()} of {len(table)} groups the forecast lies within two standard errors of what came; customers "
        f"of the highest were forecast to bring {money(best['predicted'], currency)} each and brought "
        f"{money(best['actual'], currency)}."
    )


def of_windows(rows: pd.DataFrame) -> str:
    """Return how far past windows were off; `rows` are those of one outcome of table WINDOWS."""
    share, inside = rows["actual"] / rows["forecast"], rows["actual"].between(rows["lower"], rows["upper"])
    return (
        f"What came lay between {percent(share.min())} and {percent(share.max())} of the forecast, in {inside.sum()} "
        f"of {len(rows)} windows inside the interval that holds if the model is right."
    )


def of_campaign(curve: pd.DataFrame, campaign: Mapping[str, Any], *, currency: str, interval: float) -> str:
    """Return what the chosen number of contacts earns, and half of it; table DECISIONS and the campaign's figures."""
    profits = curve.set_index("contacts")["expected_profit"]
    half = campaign["contacts"] // 2
    alone = f" The best {count(half)} of them alone would earn {money(float(profits[half]), currency)}." if half else ""
    profit = campaign["profit"]
    wider = profit["with_misfit"]
    limits, held = (wider, possible(interval)) if wider else (profit, if_right(interval))
    return (
        f"{count(campaign['contacts'])} contacts are expected to earn {money(profit['mean'], currency)}; what comes "
        f"will be {amount(limits['lower'])} to {money(limits['upper'], currency)} ({held}).{alone}"
    )


def of_effects(effects: pd.DataFrame, campaign: Mapping[str, Any], *, currency: str, interval: float) -> str:
    """Return what the plan earns at either end of what is believed of the effect; `effects` is table EFFECTS."""
    low, high = (
        money(float(np.interp(campaign[f"effect_{end}"], effects["effect"], effects["profit"])), currency)
        for end in ("lower", "upper")
    )
    return (
        f"The plan is expected to earn {low} at an effect of {percent(campaign['effect_lower'])} and {high} at one of "
        f"{percent(campaign['effect_upper'])}: between them lie {percent(interval)} of what is believed of it."
    )


def _range(row: pd.Series, suffix: str = "") -> str:
    return f"{amount(row[f'clv_lower{suffix}'])} to {amount(row[f'clv_upper{suffix}'])}"


def _cell(cell: pd.Series) -> str:
    return f"{cell['segment']}, recency {cell['r_score']}, frequency {cell['f_score']}"


def _buying(rows: pd.DataFrame) -> float:
    return float(np.average(rows["active"], weights=rows["customers"]))
