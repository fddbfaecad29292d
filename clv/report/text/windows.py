"""What past windows found, in words, and what the intervals of totals and groups allow for because of it."""

from typing import Any

import numpy as np
import pandas as pd

from clv.backtest.choice import DEFAULT, deciding
from clv.report.key_figures import Figures
from clv.words import count, percent, weeks

# So improbable a number of missed totals, were the intervals right, is a verdict on them.
_TOO_MANY_MISSES = 0.05

_ENOUGH_WINDOWS = 5  # that fell on one side of their forecasts to be worth a sentence

_NEARLY = 0.1  # below its level an interval of groups, whose errors are no independent tests, still holds

# A grouping as readers call its groups.
GROUPINGS = {"rfm_segment": "segments", "value_tier": "value tiers", "cohort": "cohorts"}


def choice_in_words(choice: pd.DataFrame, name: str) -> str:
    """Return which model of purchases is used, `name`, and why; table CHOICE, empty where no other was compared."""
    if choice.empty:
        return f"Purchases are forecast by {name}; no other model was compared with it on past windows."
    rows = deciding(choice)
    own, number = rows[rows["model"] == choice["chosen"].iloc[0]], rows["origin"].nunique()
    past = f"in {number} past window{'s' if number > 1 else ''} of {weeks(rows['horizon_weeks'].max())}"
    if choice["chosen"].iloc[0] == DEFAULT:
        return (
            f"Purchases are forecast by {name}, the default: {past} no other model forecast single customers better by "
            "more than chance explains."
        )
    better = percent(-np.expm1(own["log_ratio"].mean()))
    return (
        f"Purchases are forecast by {name}: {past} it forecast single customers {better} better than the default (by "
        "their CRPS), more than chance explains."
    )


def windows_in_words(horizons: list[dict[str, Any]], outcome: str, *, interval: float) -> str:
    """Return what past windows say of the totals of `outcome`, one sentence per length, as a Markdown list."""
    found = [f"- {_verdict(row, outcome, interval)}" for row in horizons]
    return "\n".join(found) or "No past window has enough history and repeat customers before it to be tested on."


def misfit_in_words(misfit: Figures | None, *, horizon_weeks: float) -> str:
    """Return what the intervals of totals allow for, and from which tests that was learnt."""
    if misfit is None:
        return (
            "Without a backtest nobody knows how wrong the model is here; intervals of totals hold only if it is right."
        )
    shortest, longest = misfit["shortest_weeks"], misfit["horizon_weeks"]
    lengths = weeks(longest) if shortest == longest else f"{shortest:.3g} to {weeks(longest)}, the nearer the more"
    tests = "the one test" if misfit["n_windows"] == 1 else f"the {misfit['n_windows']} tests"
    low, high = (percent(limit) for limit in misfit["tau_range"]["value"])
    further = (
        f" This report looks {weeks(horizon_weeks)} ahead, further than those tests: that is allowed for by "
        f"{misfit['growth']:.2g} times as much."
        if misfit["growth"] > 1
        else ""
    )
    return (
        f"**What the intervals allow for.** Intervals of totals allow for a model as wrong as it was in {tests} of "
        f"{lengths}: typically by {percent(misfit['tau']['value'])} in value (so few tests leave anything from {low} "
        f"to {high} possible) and {percent(misfit['tau']['purchases'])} in purchases, either way. The expected value "
        "of all customers is never moved by them: so few tests are no ground for a correction. A group that was "
        "further off than all customers, the same way again and again, is moved and widened by what that teaches; "
        "groups still add up to the whole. *If the model is right* names the interval without that allowance. "
        f"Intervals of single customers are left as they are.{further}"
    )


def intervals_of_groups(groupings: Figures, interval: float) -> list[tuple[str, str, str]]:
    """Return how often intervals of groups held in past windows, and whether that is near what they promise."""
    return [
        (
            f"Did intervals of {GROUPINGS[grouping]} hold before?",
            groups_held({grouping: found})[GROUPINGS[grouping]],
            "held" if found["inside"] >= (interval - _NEARLY) * found["groups"] else "missed",
        )
        for grouping, found in groupings.items()
        if grouping in GROUPINGS
    ]


def groups_held(groupings: Figures) -> dict[str, str]:
    """Return of each kind of groups how many lay inside the interval that allows for misfit, and the model's own."""
    return {
        name: (
            f"{percent(found['inside'] / found['groups'])} of {count(found['groups'])} contained what came (the "
            f"model's own {percent(found['inside_if_right'] / found['groups'])})"
        )
        for grouping, name in GROUPINGS.items()
        if (found := groupings.get(grouping))
    }


def of_few(inside: int, number: int, interval: float) -> str:
    """Return what so few windows can say of an interval: that it is wrong, or nothing."""
    return "missed" if _at_most(inside, number, interval) < _TOO_MANY_MISSES else "too few tests to tell"


def one_sided(test: Figures) -> str:
    """Return whether the main test and all past windows, if not too few, brought less value than forecast, or more."""
    off = [row["value"]["off"] for row in test["horizons"]]
    main = test["value"]["actual"] - test["value"]["forecast"]["mean"]
    if sum(row["n_windows"] for row in test["horizons"]) < _ENOUGH_WINDOWS:
        return ""
    if main < 0 and all(row["highest"] < 0 for row in off):
        return "less"
    return "more" if main > 0 and all(row["lowest"] > 0 for row in off) else ""


def _verdict(row: Figures, outcome: str, interval: float) -> str:
    """Return what the windows of one length say; one window is no rate, and no error is ever corrected by another."""
    found, number, level = row[outcome], row["n_windows"], percent(interval)
    ahead = f"{weeks(row['horizon_weeks'])} ahead"
    if number == 1:
        inside = {True: "inside", False: "**outside**"}
        return (
            f"{ahead}, one window: what came lay {_off(found['off']['highest'])} the forecast, "
            f"{inside[bool(found['inside_with_misfit'])]} the interval of the total that allows for errors known by "
            f"then, {inside[bool(found['inside'])]} the model's own. One window says nothing about how often."
        )
    same = "of the same customers" if row["same_customers"] else "they share customers"
    held = found["inside_with_misfit"]
    probability = _at_most(held, number, interval)
    verdict = (
        f"**Were they independent, a right {level} interval would do so badly once in {1 / probability:,.0f} times: "
        "the intervals of totals are too narrow here.**"
        if probability < _TOO_MANY_MISSES
        else f"So few windows agree with {level}, and with much less."
    )
    low, high = found["off"]["lowest"], found["off"]["highest"]
    return (
        f"{ahead}, {number} windows ({same}, so they count for fewer): the {level} interval of the total {outcome}, "
        f"allowing for errors known by then, contained what came in {held}; the model's own in {found['inside']}. "
        f"{verdict} What came lay between {_off(low)} and {_off(high)} the forecast; the intervals of single customers "
        f"contained the outcomes of {_range(found['coverage'])}."
    )


def _at_most(inside: int, number: int, interval: float) -> float:
    """Return the probability of at most `inside` hits in `number` windows if intervals hold as they say."""
    from scipy.stats import binom

    return float(binom.cdf(inside, number, interval))


def _off(error: float) -> str:
    return f"{percent(abs(error))} {'above' if error > 0 else 'below'}"


def _range(shares: Figures) -> str:
    low, high = percent(shares["lowest"]), percent(shares["highest"])
    return f"{low} of them" if low == high else f"{low} to {high} of them"
