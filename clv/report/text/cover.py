"""Numbers to words: findings, warnings, chart titles, report.md.

Every number in prose comes from the key figures or a finished table; nothing here estimates anything.
"""

from collections.abc import Callable, Mapping

import pandas as pd

from clv.checks.gate import PASS
from clv.forecast import tables
from clv.report.key_figures import Figures
from clv.report.text import advice, trust
from clv.words import NBSP, amount, count, day, money, percent, weeks


def bottom_line(figures: Figures, groups: pd.DataFrame) -> str:
    """Return the report's first five sentences as a Markdown list."""
    sentences = (
        _total(figures),
        _purchases(figures),
        _where_the_value_is(figures, groups),
        advice.in_short(figures) if figures["campaign"] else _slipping(figures),
        trust.in_short(figures),
    )
    return "\n".join(f"- {sentence}" for sentence in sentences)


def _total(figures: Figures) -> str:
    """Return the total with both intervals, each by its name; without a backtest there is only the model's own."""
    total, currency, rate = figures["total_clv"], figures["currency"], figures["discount_rate_annual"]
    own = f"{_range(total, amount)}{NBSP}{currency} if the model is right"
    wider = total["with_misfit"]
    allowing = (
        f"**{_range(wider, amount)}{NBSP}{currency}**, allowing for a model as wrong as it was before; "
        if wider
        else ""
    )
    spent = figures["revenue_before"]
    before = (
        f", after a revenue of {money(spent, currency)} in as many weeks before, first orders included"
        if spent is not None
        else ""
    )
    discounting = f" (later money discounted at {percent(rate)} a year)" if rate else ""
    return (
        f"The {count(figures['n_customers'])} customers known on {day(figures['as_of'])} are expected to bring "
        f"**{money(total['mean'], currency)}** of {figures['value_is']} over the next "
        f"{weeks(figures['horizon_weeks'])}{discounting}{before}: with {percent(figures['interval'])} probability "
        f"{allowing}{own}."
    )


def _purchases(figures: Figures) -> str:
    purchases = figures["expected_purchases"]
    return (
        f"**{percent(figures['share_buying'])}** of them are expected to buy at all; together they will make about "
        f"{count(purchases['mean'])} purchases ({_range(purchases['with_misfit'] or purchases, count)})."
    )


def _where_the_value_is(figures: Figures, groups: pd.DataFrame) -> str:
    named, currency = groups[groups["grouping"] == "rfm_segment"], figures["currency"]
    best = named.loc[named["clv_mean"].idxmax()]
    limits = tables.shown_limits(best, "clv")
    return (
        f"The best tenth of the customers are expected to hold **{percent(figures['share_of_value_top_decile'])}** of "
        f"that value{_tested_tenth(figures)}; most is at stake with *{best['group']}*: {count(best['customers'])} "
        f"customers will bring "
        f"{money(best['clv_mean'], currency)} ({_range(limits, amount)}), {percent(best['share_of_value'])} of it all."
    )


def _slipping(figures: Figures) -> str:
    slipping, currency = figures["slipping"], figures["currency"]
    return (
        f"{count(slipping['customers'])} repeat customers have more likely left than not: they bought for "
        f"{money(slipping['revenue'], currency)} so far, and {money(slipping['clv_mean'], currency)} of "
        f"{figures['value_is']} is still expected from them{_tested_slipping(figures)}."
    )


def _tested_tenth(figures: Figures) -> str:
    """Return how the same claim did in the backtest, in brackets; nothing without one."""
    best = figures["backtest"]["ranking"] if figures["backtest"] else None
    if best is None or best["best_tenth"]["forecast"] is None:
        return ""
    return (
        f" (in the backtest {percent(best['best_tenth_expected'])} were expected and "
        f"{percent(best['best_tenth']['forecast'])} came; the top past spenders brought "
        f"{percent(best['best_tenth']['past_spend'])})"
    )


def _tested_slipping(figures: Figures) -> str:
    gone = figures["backtest"]["slipping"] if figures["backtest"] else {"customers": 0}
    if not gone["customers"]:
        return ""
    currency = figures["currency"]
    return (
        f" (in the backtest {money(gone['forecast'], currency)} were expected of such customers and "
        f"{money(gone['actual'], currency)} came)"
    )


def _range(limits: Mapping[str, float], written: Callable[[float], str]) -> str:
    return f"{written(limits['lower'])} to {written(limits['upper'])}".replace(" ", NBSP)


def banner(figures: Figures) -> str:
    """Return the warnings a reader must see before any number, as Markdown; empty if there are none."""
    lines = [check["sentence"] for check in figures["gate"]["checks"] if check["verdict"] != PASS]
    return "\n>\n".join(f"> **Take care.** {line}" for line in lines)


def footer(figures: Figures | None, *, run: str, run_id: str, seed: int, versions: Mapping[str, str]) -> str:
    """Return the last line of the report's page, as text: by the run id `make verify` finds what it was made from."""
    span = verdict = ""
    if figures:
        span = f"purchases from {day(figures['first_purchase'])} to {day(figures['as_of'])}; "
        verdict = f"checks {figures['gate']['verdict']}; "
    libraries = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"Run {run}, run id {run_id}; {span}seed {seed}; {verdict}{libraries}."


def cover(figures: Figures) -> str:
    """Return the line that says what the report is about."""
    return (
        f"As of **{day(figures['as_of'])}** · {count(figures['n_customers'])} customers, "
        f"{count(figures['n_repeat_customers'])} of them with repeat purchases · {count(figures['n_transactions'])} "
        f"purchases since {day(figures['first_purchase'])} worth {money(figures['revenue'], figures['currency'])} · "
        f"looking {weeks(figures['horizon_weeks'])} ahead · value is {figures['value_is']} in {figures['currency']} · "
        f"intervals hold with {percent(figures['interval'])} probability"
    )
