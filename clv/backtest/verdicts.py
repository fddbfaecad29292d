"""Checks of the gate that need an outcome: the backtest, spend against frequency, one-time buyers."""

from typing import Any

import numpy as np
import pandas as pd

from clv.backtest.tables import ONCE
from clv.checks.gate import PASS, WARN, Check
from clv.units import PURCHASES
from clv.words import count, day, money, more_or_less, percent, priced, weeks

INDEPENDENCE_WARN = 0.10  # by so much one-time buyers' spend may differ from what they are valued at
ONE_TIME_BUYERS_WARN = 0.5  # share of the value from customers who bought once
REFUTED = "which does not bear that out"  # so says a sentence of a suspicion that what came later withdraws
FEW_RETURNED = 50  # fewer one-time buyers who came back say nothing of what such customers pay


def judge_independence(
    customers: pd.DataFrame, dependence: pd.DataFrame, returned: pd.DataFrame, *, currency: str
) -> Check:
    """Return whether spend depends on frequency, and what that costs where it matters: in the value of one-time buyers.

    What later orders cost is learnt from those who came back. If one-time buyers are like them, what is expected of
    their next orders stands in the same ratio to their first ones: what is more is too much.

    `customers`: with frequency, first_amount, expected_spend and clv_mean. `dependence`: from `checks.dependence`.
    `returned`: from `backtest.spend_figures`, what those who came back after the cut paid; empty without a backtest.
    """
    paid_first = customers[customers["first_amount"] > 0]
    once, back = paid_first[paid_first["frequency"] == 0], paid_first[paid_first["frequency"] > 0]
    related = bool((~dependence["value"].between(dependence["lower"], dependence["upper"])).any())
    spearman = dependence.set_index("measure").loc["Spearman", "value"]
    sentence = "Customers who buy more often spend neither more nor less per purchase than luck explains."
    if related:
        more = "more" if spearman > 0 else "less"
        sentence = f"Customers who buy more often spend {more} per purchase, which the model takes for luck."
    limit = f"<= {INDEPENDENCE_WARN:.0%}, or within two standard errors"
    if once.empty or back.empty:
        return Check("data", "independence", 0.0, limit, WARN if related else PASS, sentence)
    spent, valued, value = once["first_amount"].mean(), once["expected_spend"].mean(), once["clv_mean"].sum()
    usual = back["expected_spend"].mean() / back["first_amount"].mean()
    excess = valued / spent / usual - 1
    of_first = [(part["first_amount"].std() / np.sqrt(len(part)), part["first_amount"].mean()) for part in (once, back)]
    error = np.hypot(*(standard_error / mean for standard_error, mean in of_first))
    wrong = abs(excess) > INDEPENDENCE_WARN and abs(excess) > 2 * error
    paid = (
        f"they spent {priced(f'{spent:,.2f}', currency)} on their purchase, and {valued:,.2f} is expected of each of "
        "their next ones."
    )
    if wrong:
        wrongly = money(value * abs(1 - 1 / (1 + excess)), currency)
        sentence += (
            f" What one-time buyers are expected to bring, {money(value, currency)}, may be {wrongly} too "
            f"{'high' if excess > 0 else 'low'}: {paid}"
        )
    else:
        sentence += f" Of one-time buyers: {paid}"
    told, refuted = _returned(returned, currency, float(excess) if wrong else 0.0)
    grade = WARN if related or (wrong and not refuted) else PASS
    return Check("data", "independence", float(excess), limit, grade, sentence + told)


def _returned(returned: pd.DataFrame, currency: str, suspected: float) -> tuple[str, bool]:
    """Say what one-time buyers who came back really paid, and whether that refutes a suspected excess."""
    if ONCE not in returned.index or returned.loc[ONCE, "customers"] < FEW_RETURNED:
        return "", False
    paid = returned.loc[ONCE]
    excess = paid["expected"] / paid["actual"] - 1
    shown = abs(excess) > INDEPENDENCE_WARN and excess * suspected > 0
    verdict = (", which bears that out" if shown else f", {REFUTED}") if suspected else ""
    return (
        f" In the backtest {count(paid['customers'])} of them came back and paid "
        f"{priced(format(paid['actual'], ',.2f'), currency)} "
        f"per purchase, where {paid['expected']:,.2f} were expected{verdict}.",
        bool(suspected) and not shown,
    )


def judge_backtest(tested: dict[str, Any] | None, *, currency: str, interval: float) -> list[Check]:
    """Return whether the totals of the backtest at the calibration end lay inside their own intervals; none without.

    `tested` is from `backtest.figures`.
    """
    if tested is None:
        return []
    units = {"purchases": (PURCHASES, ""), "value": (currency, " of value (discounted)")}
    missed = {name: tested[name] for name in units if not tested[name]["inside"]}
    outcomes = " and ".join(_came(found, *units[name]) for name, found in missed.items())
    after = f"in the {weeks(tested['horizon_weeks'])} after {day(tested['origin'])}"
    level = percent(interval)
    sentence = (
        f"The backtest missed: {after}, {outcomes}, outside the model's own {level} interval. {_wide_enough(missed)}."
        if missed
        else f"I{after[1:]} purchases and value came inside their {level} intervals."
    )
    worst = max((abs(found["error"]) for found in missed.values() if found["error"] is not None), default=0.0)
    return [Check("backtest", "backtest", worst, f"inside {level} interval", WARN if missed else PASS, sentence)]


def _wide_enough(missed: dict[str, Any]) -> str:
    """Say whether an interval that allows for misfit, by what was known at its origin, would have held."""
    limits = [(found["with_misfit"], found["actual"]) for found in missed.values()]
    held = all(wider["lower"] <= actual <= wider["upper"] for wider, actual in limits)
    would = "would have contained them" if held else "would not have contained them either"
    return f"Intervals that allow for errors known on that day, as this report's totals do, {would}"


def _came(found: dict[str, Any], unit: str, what: str) -> str:
    forecast, actual = found["forecast"]["mean"], found["actual"]
    off = f" ({more_or_less(actual, forecast)})" if forecast > 0 else ""
    return f"{priced(count(actual), unit)}{what} came where {count(forecast)} were forecast{off}"


def judge_one_time_buyers(customers: pd.DataFrame) -> Check:
    """Return whether most of the value is that of customers of whom the model knows next to nothing."""
    once = customers["frequency"] == 0
    share = float(customers.loc[once, "clv_mean"].sum() / customers["clv_mean"].sum())
    grade = WARN if share > ONE_TIME_BUYERS_WARN else PASS
    sentence = f"{percent(share)} of the value comes from customers who bought once: of them the model knows little."
    return Check("data", "one-time buyers", share, f"<= {ONE_TIME_BUYERS_WARN:.0%}", grade, sentence)
