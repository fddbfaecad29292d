"""Numbers to words: findings, warnings, chart titles, report.md.

Every number in prose comes from the key figures or a finished table; nothing here estimates anything.
"""

from collections.abc import Callable, Mapping
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from clv import bgnbd, gate, page_tables, segments
from clv.words import amount, count, day, money, percent, weeks

Figures = Mapping[str, Any]
_THRESHOLD_SHARE_OF_ONE_TIME_BUYERS = 0.5


def bottom_line(figures: Figures, groups: pd.DataFrame) -> str:
    """Return the report's first sentences as a Markdown list."""
    total, currency = figures["total_clv"], figures["currency"]
    sentences = [
        f"On {day(figures['as_of'])} the {count(figures['n_customers'])} known customers are worth "
        f"**{money(total['mean'], currency)}** of {figures['value_is']} over the next {weeks(figures['horizon_weeks'])}"
        f"{_discounting(figures)}. With {percent(figures['interval'])} probability it will be between "
        f"{money(total['lower'], currency)} and {money(total['upper'], currency)}, if customers go on as they did.",
        f"**{percent(figures['share_buying'])}** of them are expected to buy at all; together they will make about "
        f"{count(figures['expected_purchases']['mean'])} purchases "
        f"({count(figures['expected_purchases']['lower'])} to {count(figures['expected_purchases']['upper'])}).",
        f"The best tenth of the customers hold **{percent(figures['share_of_value_top_decile'])}** of that value.",
        _where_most_is_at_stake(groups, currency),
        _backtest_in_short(figures),
    ]
    return "\n".join(f"- {sentence}" for sentence in sentences if sentence)


def _discounting(figures: Figures) -> str:
    rate = figures["discount_rate_annual"]
    return f" (later money discounted at {percent(rate)} a year)" if rate else ""


def _where_most_is_at_stake(groups: pd.DataFrame, currency: str) -> str:
    """Name the most valuable segment, and the good customers who have fallen silent."""
    named = groups[groups["grouping"] == "rfm_segment"]
    best = named.loc[named["clv_mean"].idxmax()]
    sentence = (
        f"Most is at stake with *{best['group']}*: {count(best['customers'])} customers will bring "
        f"{money(best['clv_mean'], currency)}, {percent(best['share_of_value'])} of the value."
    )
    silent = named[named["group"].isin(segments.SLIPPING)]
    if silent.empty:
        return sentence
    names = " and ".join(f"*{name}*" for name in silent["group"])
    return (
        f"{sentence} {names} are {count(silent['customers'].sum())} customers who used to buy often and fell silent: "
        f"they brought {money(silent['revenue'].sum(), currency)} so far and, as things go, will bring "
        f"{money(silent['clv_mean'].sum(), currency)} more."
    )


def _backtest_in_short(figures: Figures) -> str:
    test = figures["backtest"]
    if test is None:
        return "This forecast has **not** been tested on held-out data: the run has no calibration end."
    purchases = test["purchases"]
    verdict = "inside" if purchases["inside"] else "**outside**"
    return (
        f"Tested on the {weeks(test['horizon_weeks'])} after {day(test['origin'])}, the model forecast "
        f"{count(purchases['forecast']['mean'])} purchases ({count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); {count(purchases['actual'])} came, {verdict} the interval."
    )


def banner(figures: Figures) -> str:
    """Return the warnings a reader must see before any number, as Markdown; empty if there are none."""
    lines = [check["sentence"] for check in figures["gate"]["checks"] if check["verdict"] != gate.PASS]
    lines += _missed(figures)
    if figures["share_of_value_one_time_buyers"] > _THRESHOLD_SHARE_OF_ONE_TIME_BUYERS:
        lines.append(
            f"{percent(figures['share_of_value_one_time_buyers'])} of the value comes from customers who bought once; "
            "for them the model knows only what is typical."
        )
    return "\n>\n".join(f"> **Take care.** {line}" for line in lines)


def _missed(figures: Figures) -> list[str]:
    """Say what the backtest's intervals did not contain."""
    test, currency = figures["backtest"], figures["currency"]
    if test is None:
        return []
    purchases, value = test["purchases"], test["value"]
    missed = []
    if not purchases["inside"]:
        missed.append(_forecast_and_actual(purchases, lambda number: count(number), " purchases"))
    if not value["inside"]:
        missed.append(_forecast_and_actual(value, lambda number: amount(number), f" {currency} of value"))
    if not missed:
        return []
    return [
        f"The backtest missed. For the {weeks(test['horizon_weeks'])} after {day(test['origin'])} "
        f"{' and '.join(missed)}. The {percent(figures['interval'])} interval did not contain the "
        "outcome; expect errors of this size in the totals of this report as well."
    ]


def _forecast_and_actual(outcome: Figures, say: Callable[[float], str], what: str) -> str:
    forecast = outcome["forecast"]
    direction = "too low" if outcome["error"] < 0 else "too high"
    return (
        f"{say(forecast['mean'])} ({say(forecast['lower'])} to {say(forecast['upper'])}){what} were forecast and "
        f"{say(outcome['actual'])} came (forecast {percent(abs(outcome['error']))} {direction})"
    )


def trust(figures: Figures) -> str:
    """Return how the model did on held-out data and what was checked, as Markdown paragraphs."""
    test = figures["backtest"]
    if test is None:
        return "There is no backtest: set `calibration_end` in the params file to hold the last months out."
    value, level = test["value"], "0.90"
    purchases = test["purchases"]
    paragraphs = [
        f"**Test on held-out data.** The model was fitted on the purchases up to {day(test['origin'])} "
        f"and forecast the following {weeks(test['horizon_weeks'])} for the "
        f"{count(test['n_customers'])} customers known then.",
        f"**Totals.** {count(purchases['actual'])} purchases came where {count(purchases['forecast']['mean'])} were "
        f"expected ({percent(figures['interval'])} interval {count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); they were worth {money(value['actual'], figures['currency'])} "
        f"where {money(value['forecast']['mean'], figures['currency'])} were expected "
        f"({money(value['forecast']['lower'], figures['currency'])} to "
        f"{money(value['forecast']['upper'], figures['currency'])}).",
        f"**Single customers.** The {percent(float(level))} interval of the realised value contained what came for "
        f"{percent(value['coverage'][level])} of the customers. The interval of the *expected* value, which other "
        f"tools print, contained it for {percent(value['expectation_interval_coverage'])}.",
        f"**Against no model.** The mean error was {purchases['mae']:.2f} purchases per customer; assuming that "
        f"everybody goes on as before gives {test['naive']['past_rate_mae']:.2f}, and that nobody buys again "
        f"{test['naive']['nobody_mae']:.2f}.",
        f"**The best.** The tenth of the customers with the highest forecast was expected to bring "
        f"{money(test['best_tenth']['predicted'], figures['currency'])} each and brought "
        f"{money(test['best_tenth']['actual'], figures['currency'])}.",
    ]
    return "\n\n".join(paragraphs)


def backtest_of_purchases(outcome: Figures | None, *, horizon_weeks: float, interval: float) -> str:
    """Return the backtest of the number of purchases in words, as Markdown."""
    if outcome is None:
        return "This run has no backtest: `calibration_end` is null."
    verdict = "lies inside" if outcome["inside"] else "lies **outside**"
    return (
        f"In the {weeks(horizon_weeks)} held out, **{count(outcome['actual'])}** purchases came. The forecast was "
        f"**{count(outcome['forecast']['mean'])}** ({percent(interval)} interval of the realised total: "
        f"{count(outcome['forecast']['lower'])} to {count(outcome['forecast']['upper'])}); what came {verdict} the "
        f"interval. The {percent(0.9)} interval of the single customer's count contained what came for "
        f"{percent(outcome['coverage']['0.90'])} of the customers; the mean error was {outcome['mae']:.2f} purchases, "
        f"the CRPS {outcome['crps']:.3f}."
    )


def dependence_in_words(dependence: pd.DataFrame) -> str:
    """Return what was measured of the model's assumption that spend does not depend on frequency."""
    rows = {row.measure: row for row in dependence.itertuples()}
    parts = [f"{name} {row.value:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})" for name, row in rows.items()]
    clear = any(row.lower > 0 or row.upper < 0 for row in rows.values())
    meaning = (
        "Frequent buyers spend differently per purchase: totals stay nearly right, one-time buyers do not."
        if clear
        else "No dependence can be told from chance."
    )
    return f"Correlation of frequency and mean spend among repeat buyers: {'; '.join(parts)}, 90 % limits. {meaning}"


def left_out(ledger: pd.DataFrame, currency: str) -> str:
    """Return what became of the rows of the log, as one Markdown paragraph."""
    lines = ledger.set_index("line")
    gone = ledger[~ledger["line"].isin(["source", "kept"])]
    kept = (
        f"Of {count(lines.loc['source', 'rows'])} rows of the log ({money(lines.loc['source', 'amount'], currency)}), "
        f"{count(lines.loc['kept', 'rows'])} were kept ({money(lines.loc['kept', 'amount'], currency)})."
    )
    reasons = "; ".join(f"{count(row.rows)} ({row.meaning})" for row in gone.itertuples() if row.rows)
    return f"{kept} Rows left out: {reasons}." if reasons else f"{kept} Nothing was left out."


# --- titles that state the finding ---


def title_total(figures: Figures) -> str:
    total = figures["total_clv"]
    return f"The base will most likely bring {amount(total['lower'])} to {money(total['upper'], figures['currency'])}"


def title_concentration(figures: Figures) -> str:
    return f"The best tenth of the customers hold {percent(figures['share_of_value_top_decile'])} of the value"


def title_groups(groups: pd.DataFrame) -> str:
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"


def title_grid(grid: pd.DataFrame) -> str:
    best = grid.loc[grid["clv_per_customer"].idxmax()]
    return f"A customer is worth most among {best['segment']}"


def title_retention(cohorts: pd.DataFrame) -> str:
    seen = cohorts[(cohorts["status"] == "observed") & (cohorts["months_since"] == 1)]
    share = np.average(seen["active"], weights=seen["customers"]) if len(seen) else 0.0
    return f"{percent(float(share))} of new customers buy again in the month after their first"


def title_cumulative(cohorts: pd.DataFrame, currency: str) -> str:
    last = cohorts[cohorts["months_since"] == cohorts["months_since"].max()].iloc[0]
    return f"The oldest cohort will have brought {money(last['cumulative'], currency)} per customer"


def title_tracking(figures: Figures) -> str:
    if figures["backtest"] is None:
        return "No backtest in this run"
    error = figures["backtest"]["purchases"]["error"]
    return f"Forecast of held-out purchases was {percent(abs(error))} too {'low' if error < 0 else 'high'}"


def title_backtest(figures: Figures) -> str:
    if figures["backtest"] is None:
        return "No backtest in this run"
    best = figures["backtest"]["best_tenth"]
    return f"The best tenth: {amount(best['predicted'])} forecast, {money(best['actual'], figures['currency'])} came"


def title_customer_map(customers: pd.DataFrame) -> str:
    repeat = customers[customers["frequency"] > 0]
    slipping = repeat[repeat["p_alive"] < 0.5]
    return f"{percent(len(slipping) / max(len(repeat), 1))} of repeat customers have more likely left than not"


# --- the text report ---


def provenance(figures: Figures, *, run: str, seed: int) -> str:
    """Return where the numbers come from, as one Markdown paragraph."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pymc", "pymc-marketing", "nutpie", "arviz"))
    return (
        f"Run *{run}*: source `{figures['source']}`, purchases from {day(figures['first_purchase'])} to "
        f"{day(figures['as_of'])}, seed {seed}; {libraries}. Checks of the posteriors: {figures['gate']['verdict']}."
    )


def markdown_report(figures: Figures, groups: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Return report.md: the report's findings as text."""
    named = segments.in_order(groups[groups["grouping"] == "rfm_segment"], list(segments.ACTIONS))
    tiers = segments.in_order(groups[groups["grouping"] == "value_tier"], list(segments.TIERS))
    options = {"currency": figures["currency"], "interval": figures["interval"]}
    parts = [
        f"# What our customers are worth, {day(figures['as_of'])}",
        banner(figures),
        bottom_line(figures, groups),
        "## Segments",
        _markdown_table(page_tables.groups_table(named, **options)),
        "## Value tiers",
        _markdown_table(page_tables.groups_table(tiers, **options)),
        "## How far to trust it",
        trust(figures),
        "## What was left out",
        left_out(ledger, figures["currency"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _markdown_table(table: pd.DataFrame) -> str:
    header = ["", *table.columns]
    rows = [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


# --- sentences of the notebooks ---


def cover(figures: Figures) -> str:
    """Return the line that says what the report is about."""
    return (
        f"As of **{day(figures['as_of'])}** · {count(figures['n_customers'])} customers, "
        f"{count(figures['n_repeat_customers'])} of them with repeat purchases · {count(figures['n_transactions'])} "
        f"purchases since {day(figures['first_purchase'])} worth {money(figures['revenue'], figures['currency'])} · "
        f"looking {weeks(figures['horizon_weeks'])} ahead · value is {figures['value_is']} in {figures['currency']} · "
        f"intervals hold with {percent(figures['interval'])} probability"
    )


def kept_in_words(same_day: int, repeats: int) -> str:
    """Return what was kept that a reader might ask about."""
    return (
        f"{count(same_day)} rows were merged with another purchase of the same customer on the same day; "
        f"{count(repeats)} kept rows repeat another one in customer, day and amount."
    )


def base_in_words(customers: pd.DataFrame, last_day: date) -> str:
    """Return how many customers there are and how many of them came back."""
    repeat = customers["frequency"] > 0
    return (
        f"Up to {day(last_day.isoformat())} there are **{count(len(customers))}** customers with "
        f"{count(customers['purchases'].sum())} purchases; **{count(repeat.sum())}** ({percent(repeat.mean())}) "
        f"came back at least once, on average {customers.loc[repeat, 'frequency'].mean():.1f} times."
    )


def histories_in_words(customers: pd.DataFrame) -> str:
    """Return how many distinct histories the likelihood needs."""
    distinct = len(bgnbd.distinct_histories(customers))
    return f"{count(len(customers))} customers have {count(distinct)} distinct histories."


def cut_in_words(calibration: pd.DataFrame, holdout: pd.DataFrame, cut: date, horizon_weeks: float) -> str:
    """Return what stands on each side of the backtest's cut."""
    if calibration.empty:
        return "This run has no calibration end, so there is no backtest."
    later = holdout["actual_purchases"]
    return (
        f"Up to {day(cut.isoformat())} there were {count(len(calibration))} customers with "
        f"{count(calibration['frequency'].sum())} repeat purchases. In the {weeks(horizon_weeks)} after it they made "
        f"{count(later.sum())} purchases; {percent((later > 0).mean())} of them bought."
    )
