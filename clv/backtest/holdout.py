"""A forecast against what came after it: every customer, every group, naive rules beside it.

"Actual" is what happened after the origin, "forecast" what the model, fitted on what was known at the origin alone,
said would happen. The predictive distribution of each customer is its simulated draws; `scores` judges them.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from scipy.special import ndtr as norm_cdf

from clv import tables
from clv.backtest.scoring_rules import against, coverage, gini, pit_distance, share_of_best_ranked, slope, slope_error
from clv.forecast.future import (
    BLOCK_CUSTOMERS,
    Calendar,
    Draws,
    Floats,
    Groups,
    Horizon,
    Integers,
    Totals,
    blocks,
    simulate,
    yearly_horizon,
)
from clv.forecast.value import EXPECTATION_DRAWS, expectations, grouped, spend_draws, tails
from clv.models import bgnbd, gamma_gamma
from clv.rfm.segments import slipping
from clv.rfm.windows import MOST_CUSTOMERS
from clv.tables import LEVELS

# What is known of a customer decides how hard the forecast is.
ONCE, BACK = "bought once", "came back"
OUTCOMES = {"purchases": "expected_purchases", "value": "clv_mean"}
# So much of the last origin's base was there at the first: windows of the same customers are no independent tests.
SAME_CUSTOMERS = 0.9
GROUPS_BY_FREQUENCY = 6


@dataclass(frozen=True)
class Scored:
    """A forecast held against what came: tables BACKTEST and BACKTEST_GROUPS, and the joint draws of the groups."""

    customers: pd.DataFrame
    groups: pd.DataFrame
    totals: Totals

    @property
    def total(self) -> pd.Series:
        """The row of table BACKTEST_GROUPS that is about everybody."""
        return self.groups.iloc[0]


def score(
    customers: pd.DataFrame,
    holdout: pd.DataFrame,
    draws: Draws,
    horizon: Horizon,
    *,
    origin: date,
    interval: float,
    seed: int,
    workers: int,
    groupings: pd.DataFrame | None = None,
    calendar: Calendar | None = None,
) -> Scored:
    """Hold a forecast against what came.

    Parameters
    ----------
    customers
        Table CALIBRATION, summarised at `origin`.
    holdout
        Table HOLDOUT: what the same customers did within `horizon` after `origin`.
    groupings
        One column per grouping beside `history`, one row per row of `customers`.
    """
    history = customers[["customer_id", *bgnbd.HISTORY, "monetary_value", "revenue"]]
    came = holdout[["customer_id", "actual_purchases", "actual_value"]]
    known = history.merge(came, on="customer_id", how="left", validate="one_to_one")
    actual = {outcome: known[f"actual_{outcome}"].to_numpy(float) for outcome in OUTCOMES}
    groups, labels = _groups(known, groupings)
    found = np.empty((len(known), 10))

    def keep(rows: slice, purchases: Integers, value: Floats) -> None:
        counted = against(purchases, actual["purchases"][rows], interval)
        found[rows] = np.column_stack([*counted, *against(value, actual["value"][rows], interval)])

    options: dict[str, Any] = {"seed": seed, "workers": workers, "stage": "simulating the holdout"}
    totals = simulate(known, draws, horizon, keep=keep, groups=groups, calendar=calendar, **options)
    columns = [
        *(f"purchases_{name}" for name in ("lower", "upper", "cdf_below", "cdf", "crps")),
        *(f"{name}" for name in ("clv_lower", "clv_upper", "value_cdf_below", "value_cdf", "value_crps")),
    ]
    scored = pd.DataFrame(found, columns=columns, index=known.index)
    expected = expectations(known, draws, horizon, interval=interval, workers=workers)
    expected = expected[["p_alive", "expected_purchases", "clv_mean", "expected_clv_lower", "expected_clv_upper"]]
    table = pd.concat([known, scored, expected], axis=1).assign(origin=pd.Timestamp(origin))
    return Scored(table, _group_table(table, groups, labels, totals, interval), totals)


def _groups(known: pd.DataFrame, groupings: pd.DataFrame | None) -> tuple[Groups, pd.DataFrame]:
    history = pd.Series(np.where(known["frequency"] > 0, BACK, ONCE), index=known.index, dtype="str")
    named = pd.DataFrame({"history": history})
    if groupings is not None:
        named = named.join(groupings.set_axis(known.index))
    return grouped(named, list(named.columns))


def _group_table(
    table: pd.DataFrame, groups: Groups, labels: pd.DataFrame, totals: Totals, interval: float
) -> pd.DataFrame:
    """Return table BACKTEST_GROUPS."""
    total = groups.sums
    columns = {"customers": total(pd.Series(1, index=table.index)).astype("int64")}
    for outcome, predicted in OUTCOMES.items():
        draws = getattr(totals, outcome)
        lower, upper = np.quantile(draws, tails(interval), axis=0)
        columns |= {
            f"{outcome}_actual": total(table[f"actual_{outcome}"]),
            f"{outcome}_forecast": total(table[predicted]),
            f"{outcome}_lower": lower,
            f"{outcome}_upper": upper,
            f"{outcome}_log_sd": _log_sd(draws),
        }
    return tables.check(tables.BACKTEST_GROUPS, labels.assign(**columns))


def _log_sd(draws: Floats) -> Floats:
    """Return each column's standard deviation of the logarithm, from its central 68 %: far tails do not matter."""
    low, high = np.quantile(draws, norm_cdf([-1.0, 1.0]), axis=0)
    from_moments = np.sqrt(np.log1p(draws.var(axis=0) / np.maximum(draws.mean(axis=0), 1e-12) ** 2))
    known = low > 0
    return np.where(known, np.log(np.divide(high, low, out=np.ones_like(high), where=known)) / 2, from_moments)


def figures(scored: Scored, *, horizon: Horizon, interval: float, seed: int) -> dict[str, Any] | None:
    """Return the backtest's key figures, the ones the report states in words; None without a backtest."""
    table = scored.customers
    if table.empty:
        return None
    days = round(horizon.weeks * 7)
    return {
        "origin": str(table["origin"].iloc[0].date()),
        "horizon_weeks": days / 7,
        "n_customers": len(table),
        "n_repeat_customers": int((table["frequency"] > 0).sum()),
        "purchases": purchase_figures(scored, interval=interval, seed=seed),
        "value": _outcome(scored, "value", interval, seed)
        | {"expectation_interval_coverage": share_inside(table, "expected_clv_lower", "expected_clv_upper")},
        "ranking": _ranking(table),
        "slipping": _slipping(table),
        "worst_tenth": _worst_tenth(by_predicted_value(table)),
        "naive": _naive(table, horizon),
    }


def purchase_figures(scored: Scored, *, interval: float, seed: int) -> dict[str, Any] | None:
    """Return the key figures of the number of purchases alone (no spend model needed); None without a backtest."""
    return None if scored.customers.empty else _outcome(scored, "purchases", interval, seed)


def past(windows: pd.DataFrame, rolling: pd.DataFrame, *, customers: int) -> dict[str, Any]:
    """Return the key figures of the past windows: per length, how many had no posterior that passed, and of whom.

    `sample_of` is the number of `customers` of the base, where windows hold a sample of them.
    """
    planned = len(rolling[["horizon_weeks", "origin"]].drop_duplicates())
    tested = len(windows[["horizon_weeks", "origin"]].drop_duplicates())
    sample_of = customers if customers > MOST_CUSTOMERS else None
    return {"horizons": by_horizon(windows), "windows_left_out": planned - tested, "sample_of": sample_of}


def by_horizon(windows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the past windows of each length come to, shortest first.

    Parameters
    ----------
    windows
        Table WINDOWS.

    Returns
    -------
    Per length: horizon_weeks, n_windows, same_customers (nobody new came in between), and per outcome how many totals
    lay inside their own interval, the lowest and highest actual / forecast - 1, and the lowest and highest share of
    single customers inside theirs.
    """
    found = []
    for weeks, rows in windows.groupby("horizon_weeks"):
        outcomes = {}
        for outcome, those in rows.groupby("outcome"):
            error = those["actual"] / those["forecast"] - 1
            outcomes[str(outcome)] = {
                "inside": int(those["actual"].between(those["lower"], those["upper"]).sum()),
                "off": {"lowest": float(error.min()), "highest": float(error.max())},
                "coverage": {"lowest": float(those["coverage"].min()), "highest": float(those["coverage"].max())},
            }
        number = rows["origin"].nunique()
        same = rows["customers"].min() >= SAME_CUSTOMERS * rows["customers"].max()
        found.append({"horizon_weeks": int(weeks), "n_windows": number, "same_customers": bool(same), **outcomes})
    return found


def _outcome(scored: Scored, name: str, interval: float, seed: int) -> dict[str, Any]:
    table, predicted = scored.customers, OUTCOMES[name]
    actual, forecast = table[f"actual_{name}"], table[predicted]
    rows = {BACK: table["frequency"] > 0, ONCE: table["frequency"] == 0}
    return {
        **_total(scored.total, name),
        **_single(table, name, interval, seed),
        "slope": slope(forecast, actual),
        "slope_error": slope_error(forecast, actual),
        "by_history": {
            history: _total(row, name) | _single(table[rows[history]], name, interval, seed)
            for history, row in scored.groups[scored.groups["grouping"] == "history"].set_index("group").iterrows()
        },
    }


def _total(group: pd.Series, name: str) -> dict[str, Any]:
    actual, forecast, lower, upper = (float(group[f"{name}_{end}"]) for end in ("actual", "forecast", "lower", "upper"))
    return {
        "actual": actual,
        "forecast": {"mean": forecast, "lower": lower, "upper": upper},
        "log_sd": float(group[f"{name}_log_sd"]),
        "inside": lower <= actual <= upper,
        "error": forecast / actual - 1 if actual else None,
    }


def _single(table: pd.DataFrame, name: str, interval: float, seed: int) -> dict[str, Any]:
    """Return how well the outcomes of single customers were forecast."""
    below, at_most = table[f"{name}_cdf_below"], table[f"{name}_cdf"]
    miss = table[OUTCOMES[name]] - table[f"actual_{name}"]
    distance, p_value = pit_distance(below, at_most, seed=seed)
    return {
        "n_customers": len(table),
        "coverage": {f"{level:.2f}": coverage(below, at_most, level) for level in LEVELS},
        "coverage_of_interval": coverage(below, at_most, interval),
        "pit_distance": distance,
        "pit_p_value": p_value,
        "crps": float(table[f"{name}_crps"].mean()),
        "mae": float(miss.abs().mean()),
        "rmse": float(np.sqrt((miss**2).mean())),
    }


def _ranking(table: pd.DataFrame) -> dict[str, Any]:
    """Return how well the forecast found the best customers, beside past spend and beside hindsight."""
    actual = table["actual_value"]
    by = {"forecast": table["clv_mean"], "past_spend": table["revenue"], "hindsight": actual}
    return {
        "gini": {name: gini(order, actual) for name, order in by.items()},
        "best_tenth": {name: share_of_best_ranked(order, actual) for name, order in by.items()},
        "best_tenth_expected": share_of_best_ranked(table["clv_mean"], table["clv_mean"]),
    }


def _slipping(table: pd.DataFrame) -> dict[str, float]:
    """Return what the repeat customers who had more likely left than not were expected to bring, and brought."""
    gone = slipping(table)
    return {
        "customers": len(gone),
        "forecast": float(gone["clv_mean"].sum()),
        "actual": float(gone["actual_value"].sum()),
    }


def _worst_tenth(tenths: pd.DataFrame) -> dict[str, float]:
    """Return the tenth of the customers, by forecast value, in which forecast and actual lie furthest apart."""
    gap = (tenths["actual"] - tenths["predicted"]).abs()
    return tenths.loc[gap.idxmax(), ["decile", "predicted", "actual"]].to_dict()


def _naive(table: pd.DataFrame, horizon: Horizon) -> dict[str, float]:
    """Return the errors of two forecasts without a model: everybody goes on as before; nobody buys again."""
    going_on = table["frequency"] / table["T"].where(table["T"] > 0, np.inf) * horizon.weeks
    worth = going_on * table["monetary_value"] * horizon.gross_margin
    return {
        "past_rate_mae": float((going_on - table["actual_purchases"]).abs().mean()),
        "past_rate_total": float(going_on.sum()),
        "past_rate_value_mae": float((worth - table["actual_value"]).abs().mean()),
        "past_rate_value_total": float(worth.sum()),
        "nobody_mae": float(table["actual_purchases"].abs().mean()),
        "nobody_value_mae": float(table["actual_value"].abs().mean()),
    }


def share_inside(table: pd.DataFrame, lower: str, upper: str) -> float:
    return float(table["actual_value"].between(table[lower], table[upper]).mean())


def spend(calibration: pd.DataFrame, holdout: pd.DataFrame, posterior: xr.DataTree) -> pd.DataFrame:
    """Return how much those who bought after the origin spent, beside what the spend model said of so many purchases.

    Needs no purchase model: the number of purchases is taken as it came. Exact, nothing is simulated.

    Returns
    -------
    One row per customer who bought: history, purchases, expected (per purchase), actual (per purchase), cdf (predictive
    probability of as much money or less).
    """
    came = holdout.loc[holdout["actual_revenue"] > 0, ["customer_id", "actual_purchases", "actual_revenue"]]
    known = calibration.merge(came, on="customer_id", validate="one_to_one")
    names = ("frequency", "monetary_value", "actual_purchases", "actual_revenue")
    x, own, n, total = (known[name].to_numpy(float) for name in names)
    parameters = [draws[:, None] for draws in spend_draws(posterior, EXPECTATION_DRAWS)]
    expected, cdf = np.empty(len(known)), np.empty(len(known))
    for rows in blocks(0, len(known), BLOCK_CUSTOMERS):  # draws x customers of all would not fit
        expected[rows] = gamma_gamma.expected_spend(x[rows], own[rows], *parameters).mean(axis=0)
        cdf[rows] = gamma_gamma.total_cdf(total[rows], n[rows], x[rows], own[rows], *parameters).mean(axis=0)
    return pd.DataFrame(
        {
            "history": pd.Series(np.where(x > 0, BACK, ONCE), dtype="str"),
            "purchases": known["actual_purchases"],
            "expected": expected,
            "actual": total / n,
            "cdf": cdf,
        }
    )


def spend_figures(table: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """Return table SPEND_TEST, indexed by history: what `spend` comes to for each, and for all."""
    if table.empty:
        return tables.empty(tables.SPEND_TEST).set_index("history")
    groups = {"all": table, **{name: table[table["history"] == name] for name in (BACK, ONCE)}}
    found = {name: _spend_row(rows, seed) for name, rows in groups.items() if len(rows)}
    return pd.DataFrame.from_dict(found, orient="index").rename_axis("history")


def _spend_row(rows: pd.DataFrame, seed: int) -> dict[str, float]:
    return {
        "customers": len(rows),
        "purchases": rows["purchases"].sum(),
        "expected": np.average(rows["expected"], weights=rows["purchases"]),
        "actual": np.average(rows["actual"], weights=rows["purchases"]),
        **{f"{level:.2f}": coverage(rows["cdf"], rows["cdf"], level) for level in LEVELS},
        "pit_distance": pit_distance(rows["cdf"], rows["cdf"], seed=seed)[0],
    }


def by_frequency(table: pd.DataFrame) -> pd.DataFrame:
    """Return actual and predicted purchases per customer by calibration frequency 0, 1, ... 6 and more."""
    group = table["frequency"].clip(upper=GROUPS_BY_FREQUENCY)
    return _group_means(group, table["actual_purchases"], table["expected_purchases"])


def by_predicted_value(table: pd.DataFrame, *, groups: int = 10) -> pd.DataFrame:
    """Return actual and predicted value per customer by tenth of predicted value, lowest first."""
    standing = table["clv_mean"].rank(method="first").to_numpy() - 1
    group = pd.Series(1 + (standing * groups // max(len(table), 1)).astype(int), index=table.index, name="decile")
    return _group_means(group, table["actual_value"], table["clv_mean"])


def _group_means(group: pd.Series, actual: pd.Series, predicted: pd.Series) -> pd.DataFrame:
    """Return per group: customers, mean actual, mean predicted, and two standard errors of the mean actual."""
    outcome = actual.groupby(group).agg(["size", "mean", "std"])
    means = pd.DataFrame(
        {
            "customers": outcome["size"],
            "actual": outcome["mean"],
            "predicted": predicted.groupby(group).mean(),
            "actual_error": 2 * outcome["std"].fillna(0.0) / np.sqrt(outcome["size"]),
        }
    )
    return means.reset_index()


def origin_day(calibration_end: date | None) -> date:
    """Return the last day the backtest's forecast may see; without a backtest the first of all days, nobody's."""
    return calibration_end or date.min


def holdout_horizon(cut: date, last_day: date, *, discount_rate_annual: float, gross_margin: float) -> Horizon:
    """Return the horizon of the backtest: from the cut to the last day; of no length without a backtest."""
    weeks = (last_day - cut).days / 7 if cut > date.min else 0.0
    return yearly_horizon(weeks, discount_rate_annual=discount_rate_annual, gross_margin=gross_margin)


def holdout_weeks(customers: pd.DataFrame, calibration: pd.DataFrame) -> float:
    """Return the weeks between the calibration end and the observation end, 0 without a backtest."""
    return float(customers["T"].max() - calibration["T"].max()) if len(calibration) else 0.0


def tracking(
    weekly: pd.DataFrame, customers: pd.DataFrame, draws: Draws, totals: Totals, *, interval: float
) -> pd.DataFrame:
    """Return table TRACKING: cumulative repeat purchases week by week, actual against expected.

    In the calibration the expectation is that of the fitted population; in the holdout it continues from the
    actual level with the simulated futures of the same customers (calendar of weeks, one cohort).

    Parameters
    ----------
    weekly
        Table WEEKLY_PURCHASES.
    customers
        Table CALIBRATION.
    totals
        Of a simulation with `weekly_calendar`.
    """
    counts = weekly.assign(actual=weekly["repeat_purchases"].cumsum().astype(float))
    past = counts[counts["period"] == "calibration"]
    future = counts[counts["period"] == "holdout"]
    start = past["actual"].iloc[-1] if len(past) else 0.0
    paths = start + totals.period_purchases[:, 0, : len(future)].cumsum(axis=1)
    lower, upper = np.quantile(paths, tails(interval), axis=0)
    expected_past = _expected_repeat_purchases(customers, draws, len(past))
    table = pd.concat([past.assign(expected=expected_past), future.assign(expected=paths.mean(axis=0))])
    blank = np.full(len(past), np.nan)
    table = table.assign(lower=[*blank, *lower], upper=[*blank, *upper])
    # A week cut in two by the calibration end is shown once, as it stood when it was over.
    table = table.drop_duplicates("week", keep="last")
    table = table.assign(week=table["week"] + 1)  # counts are those at the end of a week
    return table[["week", "period", "actual", "expected", "lower", "upper"]].astype({"lower": float, "upper": float})


def weekly_calendar(customers: pd.DataFrame, weekly: pd.DataFrame, horizon: Horizon) -> Calendar:
    """Return the calendar that splits the holdout at the ends of the weeks of table WEEKLY_PURCHASES."""
    weeks = weekly.loc[weekly["period"] == "holdout", "week"].to_numpy()
    age = customers["T"].max() if len(customers) else 0.0
    # Week w ends with day 7 w + 6 after the first purchase of all: a seventh short of w + 1 weeks.
    ends = np.minimum(weeks + 1 - 1 / 7 - age, horizon.weeks)
    edges = np.concatenate([[0.0], ends[:-1], [horizon.weeks]]) if len(weeks) else np.array([0.0, horizon.weeks])
    return Calendar(edges, np.zeros(len(customers), np.int64), 1, np.zeros(len(customers), bool))


def _expected_repeat_purchases(customers: pd.DataFrame, draws: Draws, weeks: int) -> Floats:
    """Return the population's expected repeat purchases up to the end of each week since the first purchase of all."""
    if customers.empty:
        return np.zeros(0)
    oldest = customers["T"].max()
    starts, counts = np.unique(oldest - customers["T"].to_numpy(), return_counts=True)
    ends = np.minimum(np.arange(1, weeks + 1) - 1 / 7, oldest)
    ages = np.maximum(ends[:, None] - starts, 0.0)
    distinct, which = np.unique(ages, return_inverse=True)
    few = draws.thinned(EXPECTATION_DRAWS)
    parameters = [getattr(few, name)[:, None] for name in ("r", "alpha", "a", "b")]
    expected = bgnbd.purchase_integrals(distinct, 0.0, 0.0, 0.0, *parameters, discount=0.0)[0].mean(axis=0)
    return expected[which.reshape(ages.shape)] @ counts
