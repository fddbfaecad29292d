"""A backtest in figures: totals, single customers, ranking, groups; what a rule without a model says."""

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from clv.backtest.misfit import FEWEST_CUSTOMERS
from clv.backtest.scoring_rules import coverage, gini, pit_distance, share_of_best_ranked, slope, slope_error
from clv.backtest.tables import BACK, LEVELS, ONCE, OUTCOMES
from clv.forecast.horizon import Horizon
from clv.forecast.tables import limits
from clv.forecast.tiers import slipping
from clv.rfm.windows import MOST_CUSTOMERS

if TYPE_CHECKING:
    from clv.backtest.holdout import Scored

# So much of the last origin's base was there at the first: windows of the same customers are no independent tests.
SAME_CUSTOMERS = 0.9
GROUPS_BY_FREQUENCY = 6
GOING_ON, NOBODY, PAST_SPEND = "everybody going on as before", "nobody buying again", "past spend"


def figures(scored: "Scored", *, horizon: Horizon, interval: float, seed: int) -> dict[str, Any] | None:
    """Return the backtest's key figures, the ones the report states in words; None without a backtest."""
    table = scored.customers
    if table.empty:
        return None
    days, expected = round(horizon.weeks * 7), (table["expected_clv_lower"], table["expected_clv_upper"])
    return {
        "origin": str(table["origin"].iloc[0].date()),
        "horizon_weeks": days / 7,
        "n_customers": len(table),
        "n_repeat_customers": int((table["frequency"] > 0).sum()),
        "purchases": purchase_figures(scored, interval=interval, seed=seed),
        "value": _outcome(scored, "value", interval, seed)
        | {"expectation_interval_coverage": float(table["actual_value"].between(*expected).mean())},
        "ranking": ranking(table),
        "slipping": _slipping(table),
        "worst_tenth": worst_tenth(by_predicted_value(table)),
        "naive": _naive(table, horizon),
        "better_without_a_model": better_without_a_model(scored, horizon),
    }


def purchase_figures(scored: "Scored", *, interval: float, seed: int) -> dict[str, Any] | None:
    """Return the key figures of the number of purchases alone (no spend model needed); None without a backtest."""
    return None if scored.customers.empty else _outcome(scored, "purchases", interval, seed)


def past(
    windows: pd.DataFrame, window_groups: pd.DataFrame, rolling: pd.DataFrame, *, customers: int
) -> dict[str, Any]:
    """Return the key figures of the past windows: per length, how many had no posterior that passed, and of whom.

    `sample_of` is the number of `customers` of the base, where windows hold a sample of them.
    """
    planned = len(rolling[["horizon_weeks", "origin"]].drop_duplicates())
    tested = len(windows[["horizon_weeks", "origin"]].drop_duplicates())
    return {
        "horizons": by_horizon(windows),
        "groupings": by_grouping(window_groups),
        "windows_left_out": planned - tested,
        "sample_of": customers if customers > MOST_CUSTOMERS else None,
    }


def by_grouping(window_groups: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return how often the intervals of groups held in past windows that had earlier ones to learn from.

    `window_groups` is table WINDOW_GROUPS; groups of fewer than 20 customers are left out. Per outcome and grouping:
    groups (their number over all windows), inside (the interval that allows for misfit), inside_if_right (the model's
    own).
    """
    rows = window_groups[(window_groups["earlier_windows"] > 0) & (window_groups["customers"] >= FEWEST_CUSTOMERS)]
    found: dict[str, dict[str, Any]] = {outcome: {} for outcome in OUTCOMES}
    for (outcome, grouping), those in rows.groupby(["outcome", "grouping"]):
        inside = {"inside": _inside(those, "_with_misfit"), "inside_if_right": _inside(those)}
        found[str(outcome)][str(grouping)] = {"groups": len(those), **inside}
    return found


def _inside(rows: pd.DataFrame, kind: str = "") -> int:
    return int(rows["actual"].between(rows[f"lower{kind}"], rows[f"upper{kind}"]).sum())


def by_horizon(windows: pd.DataFrame) -> list[dict[str, Any]]:
    """Return what the past windows of each length come to, shortest first.

    Per length: horizon_weeks, n_windows, same_customers (nobody new came in between), and per outcome how many totals
    lay inside the model's own interval and inside the one that allows for misfit, the lowest and highest actual /
    forecast - 1, and the lowest and highest share of single customers inside theirs.
    """
    found = []
    for weeks, rows in windows.groupby("horizon_weeks"):
        outcomes = {}
        for outcome, those in rows.groupby("outcome"):
            error = those["actual"] / those["forecast"] - 1
            outcomes[str(outcome)] = {
                "inside": _inside(those),
                "inside_with_misfit": _inside(those, "_with_misfit"),
                "off": {"lowest": float(error.min()), "highest": float(error.max())},
                "coverage": {"lowest": float(those["coverage"].min()), "highest": float(those["coverage"].max())},
            }
        number = rows["origin"].nunique()
        same = rows["customers"].min() >= SAME_CUSTOMERS * rows["customers"].max()
        found.append({"horizon_weeks": int(weeks), "n_windows": number, "same_customers": bool(same), **outcomes})
    return found


def _outcome(scored: "Scored", name: str, interval: float, seed: int) -> dict[str, Any]:
    table, predicted = scored.customers, OUTCOMES[name]
    actual, forecast = table[f"actual_{name}"], table[predicted]
    rows = {BACK: table["frequency"] > 0, ONCE: table["frequency"] == 0}
    return {
        **_total(scored.total, name),
        **single(table, name, interval, seed),
        "slope": slope(forecast, actual),
        "slope_error": slope_error(forecast, actual),
        "by_history": {
            history: _total(row, name) | single(table[rows[history]], name, interval, seed)
            for history, row in scored.groups[scored.groups["grouping"] == "history"].set_index("group").iterrows()
        },
    }


def _total(group: pd.Series, name: str) -> dict[str, Any]:
    actual, forecast, log_sd = (float(group[f"{name}_{what}"]) for what in ("actual", "forecast", "log_sd"))
    own, wider = limits(group, name), limits(group, name, "_with_misfit")
    return {
        "actual": actual,
        "forecast": {"mean": forecast, **own},
        "with_misfit": None if np.isnan(wider["lower"]) else wider,
        "log_sd": log_sd,
        "inside": own["lower"] <= actual <= own["upper"],
        "error": forecast / actual - 1 if actual else None,
    }


def single(table: pd.DataFrame, name: str, interval: float, seed: int) -> dict[str, Any]:
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


def ranking(table: pd.DataFrame) -> dict[str, Any]:
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
    return {"customers": len(gone), "forecast": gone["clv_mean"].sum(), "actual": gone["actual_value"].sum()}


def worst_tenth(tenths: pd.DataFrame) -> dict[str, float]:
    """Return the tenth of the customers, by forecast value, in which forecast and actual lie furthest apart."""
    gap = (tenths["actual"] - tenths["predicted"]).abs()
    return tenths.loc[gap.idxmax(), ["decile", "predicted", "actual"]].to_dict()


def _naive(table: pd.DataFrame, horizon: Horizon) -> dict[str, float]:
    """Return the errors of two forecasts without a model: everybody goes on as before; nobody buys again."""
    found: dict[str, float] = {}
    for outcome, going_on in going_on_as_before(table, horizon).items():
        actual, of = table[f"actual_{outcome}"], "_value" if outcome == "value" else ""
        found[f"past_rate{of}_mae"] = float((going_on - actual).abs().mean())
        found |= {f"past_rate{of}_total": float(going_on.sum()), f"nobody{of}_mae": float(actual.abs().mean())}
    return found


def going_on_as_before(table: pd.DataFrame, horizon: Horizon) -> dict[str, pd.Series]:
    """Return what every customer brings who buys at the rate, and for the amounts, of the past."""
    purchases = table["frequency"] / table["T"].where(table["T"] > 0, np.inf) * horizon.weeks
    return {"purchases": purchases, "value": purchases * table["monetary_value"] * horizon.gross_margin}


def better_without_a_model(scored: "Scored", horizon: Horizon) -> list[dict[str, Any]]:
    """Return the rules without a model that did better than the forecast, by outcome and measure; lower is better.

    Columns outcome, rule, measure ("customer": mean absolute error of single customers; "total": error of the sum;
    "ranking": 1 - normalised Gini of value), naive and forecast (the two errors).
    """
    table, rules = scored.customers, going_on_as_before(scored.customers, horizon)
    tried = [
        (outcome, rule, measure, missed, own[measure])
        for outcome, predicted in OUTCOMES.items()
        for actual in [table[f"actual_{outcome}"]]
        for own in [_errors(table[predicted], actual)]
        for rule, naive in ((GOING_ON, rules[outcome]), (NOBODY, 0 * actual))
        for measure, missed in _errors(naive, actual).items()
    ]
    gini_of = ranking(table)["gini"]
    if gini_of["forecast"] is not None:
        tried.append(("value", PAST_SPEND, "ranking", 1 - gini_of["past_spend"], 1 - gini_of["forecast"]))
    names = ("outcome", "rule", "measure", "naive", "forecast")
    return [dict(zip(names, row, strict=True)) for row in tried if row[3] < row[4]]


def _errors(forecast: pd.Series, actual: pd.Series) -> dict[str, float]:
    return {"customer": float((forecast - actual).abs().mean()), "total": float(abs(forecast.sum() - actual.sum()))}


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
    means = {
        "customers": outcome["size"],
        "actual": outcome["mean"],
        "predicted": predicted.groupby(group).mean(),
        "actual_error": 2 * outcome["std"].fillna(0.0) / np.sqrt(outcome["size"]),
    }
    return pd.DataFrame(means).reset_index()
