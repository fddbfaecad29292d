"""Tables of how wrong forecasts were and what was checked."""

from typing import Any

import numpy as np
import pandas as pd

from clv.forecast.tiers import of_grouping
from clv.models.registry import purchase_model
from clv.report.labels import currency_of, interval_of
from clv.report.markup import Words, ranges, worded
from clv.report.text.trust import beyond_luck
from clv.words import NBSP, amount, count, percent

_LUCK = {-1: "too few held: amounts vary more than the model says", 0: "yes", 1: "more held than promised"}


def rolling_table(rolling: pd.DataFrame) -> Words:
    """Return the windows of table ROLLING as people read them."""
    counted = rolling.assign(customers=1, repeat=rolling["frequency"] > 0)
    names = ["customers", "repeat", "actual_purchases"]
    windows = counted.groupby(["horizon_weeks", "origin"], as_index=False)[names].sum()
    shown = {
        "Ahead": [f"{weeks}{NBSP}weeks" for weeks in windows["horizon_weeks"]],
        "Forecast from": windows["origin"].dt.strftime("%Y-%m-%d"),
        "Customers known": windows["customers"].map(count),
        "With repeat purchases": windows["repeat"].map(count),
        "Purchases in the window": windows["actual_purchases"].map(count),
    }
    return worded(shown)


def windows_table(windows: pd.DataFrame, outcome: str) -> Words:
    """Return the past windows of table WINDOWS as people read them: purchases or value forecast and what came."""
    rows = windows[windows["outcome"] == outcome]
    unit = "Purchases" if outcome == "purchases" else f"Value ({currency_of(windows)})"
    written, level = count if outcome == "purchases" else amount, percent(interval_of(windows))
    names = [f"from {row.origin:%d %b %Y}, {row.horizon_weeks} weeks".replace(" ", NBSP) for row in rows.itertuples()]
    wider = ranges(rows["lower_with_misfit"], rows["upper_with_misfit"], written)
    shown = {
        "Window": names,
        "Customers": rows["customers"].map(count),
        f"{unit} forecast": rows["forecast"].map(written),
        f"Total: {level}, allowing for errors known by then": wider,
        f"Total: {level} if the model is right": ranges(rows["lower"], rows["upper"], written),
        "Came": rows["actual"].map(written),
        "Off": (rows["actual"] / rows["forecast"] - 1).map(_signed),
        "Single customers inside": rows["coverage"].map(percent),
    }
    return worded(shown)


def choice_table(choice: pd.DataFrame) -> Words:
    """Return how each model of purchases forecast past windows; table CHOICE."""
    if choice.empty:
        return Words()
    rows = choice.assign(off=np.exp(choice["log_error"]) - 1, better=100 * (1 - np.exp(choice["log_ratio"])))
    names = {key: purchase_model(key).name for key in rows["model"].unique()}
    window = rows["horizon_weeks"].astype(str) + f"{NBSP}weeks from " + rows["origin"].dt.strftime("%Y-%m-%d")
    shown = {
        "Model": rows["model"].map(names),
        "Window": window,
        "Single customers: CRPS": rows["crps"].map("{:.3f}".format),
        "Better than the default (%)": rows["better"].map("{:+.1f}".format),
        "Total off": rows["off"].map(_signed),
        "Single customers inside": rows["coverage"].map(percent),
        "Seconds": rows["seconds"].map("{:.0f}".format),
        "Chosen then": (rows["model"] == rows["chosen_then"]).map({True: "yes", False: ""}),
    }
    return worded(shown)


def tested_segments_table(groups: pd.DataFrame) -> Words:
    """Return what segments were forecast to bring and brought; `groups` is table BACKTEST_GROUPS."""
    rows = of_grouping(groups, "rfm_segment")
    lower, upper = rows["value_lower_with_misfit"], rows["value_upper_with_misfit"]
    inside = rows["value_actual"].between(lower, upper)
    level = percent(interval_of(groups))
    shown = {
        "Segment": rows["group"],
        "Customers": rows["customers"].map(count),
        f"Value forecast ({currency_of(groups)})": rows["value_forecast_with_misfit"].map(amount),
        f"{level} range": ranges(lower, upper),
        "Came": rows["value_actual"].map(amount),
        "Inside": inside.map({True: "yes", False: "no"}),
    }
    return worded(shown, "Segments in the backtest", by=1)


def history_table(outcome: dict[str, Any] | None) -> Words:
    """Return the scores of single customers by what was known of them; `outcome` as in `backtest.figures`."""
    if outcome is None:
        return Words()
    rows = {
        history: {
            "Customers": count(row["n_customers"]),
            **{f"{percent(float(level))} held": percent(share) for level, share in row["coverage"].items()},
            "PIT distance": f"{row['pit_distance']:.3f}",
            "CRPS": f"{row['crps']:.3f}",
            "Mean absolute error": f"{row['mae']:.3f}",
            "Root mean square error": f"{row['rmse']:.3f}",
        }
        for history, row in {"all": outcome, **outcome["by_history"]}.items()
    }
    return Words(rows).T.rename_axis("History")


def spend_table(spend: pd.DataFrame, currency: str) -> Words:
    """Return the backtest of the amounts as people read it; `spend` is from `backtest.spend_figures`."""
    levels = [name for name in spend.columns if name.startswith("0.")]
    luck = [beyond_luck(share, 0.9, n) for share, n in zip(spend["0.90"], spend["customers"], strict=True)]
    shown = {
        "Customers": spend["customers"].map(count),
        "Purchases": spend["purchases"].map(count),
        f"Expected per purchase ({currency})": spend["expected"].map("{:,.2f}".format),
        f"Came ({currency})": spend["actual"].map("{:,.2f}".format),
        **{f"{percent(float(level))} held": spend[level].map(percent) for level in levels},
        "PIT distance": spend["pit_distance"].map("{:.3f}".format),
        "Within luck": [_LUCK[beyond] for beyond in luck],
    }
    return Words(shown)


def checks_table(checks: pd.DataFrame | list[dict[str, Any]]) -> Words:
    """Return the checks of the posteriors, one row each."""
    found = pd.DataFrame(checks)
    shown = {
        "Part": found["part"],
        "Check": found["name"],
        "Found": found["figure"].map("{:.4g}".format),
        "Limit": found["limit"],
        "Verdict": found["verdict"],
    }
    return worded(shown)


def answers_table(answers: list[tuple[str, str, str]]) -> Words:
    """Return `trust.answers` as people read them, the verdict first: a phone shows no more."""
    table = Words(answers, columns=["Question", "What the tests say", "Verdict"]).set_index("Question")
    return table[["Verdict", "What the tests say"]].captioned("What the tests say")


def _signed(share: float) -> str:
    return f"{share * 100:+.0f}{NBSP}%"
