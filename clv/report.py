"""Numbers to words: money, intervals, findings, key figures, the tables and text people read.

Every number in prose comes from `key_figures` or a finished table; nothing here estimates anything.
"""

from collections.abc import Mapping
from datetime import date
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from clv import bgnbd, gate, segments, tables
from clv.value import Forecast, monte_carlo_error, tails

Figures = Mapping[str, Any]
_THRESHOLD_SHARE_OF_ONE_TIME_BUYERS = 0.5


# --- words for numbers ---


def money(value: float, currency: str) -> str:
    """Return an amount as people say it: three significant digits, thousands separated."""
    return f"{_three_digits(value)} {currency}"


def _three_digits(value: float) -> str:
    if value == 0 or not np.isfinite(value):
        return f"{value:,.0f}"
    decimals = max(0, 2 - int(np.floor(np.log10(abs(value)))))
    scale = 10 ** max(0, int(np.floor(np.log10(abs(value)))) - 2)
    return f"{round(value / scale) * scale:,.{min(decimals, 2)}f}"


def count(value: float) -> str:
    """Return a number of things, thousands separated."""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """Return a share in whole percent, with one decimal below ten."""
    return f"{share:.0%}" if abs(share) >= 0.1 or share == 0 else f"{share:.1%}"


def day(iso: str) -> str:
    """Return a date as 30 September 1997."""
    given = date.fromisoformat(iso)
    return f"{given.day} {given:%B %Y}"


# --- key figures ---


def key_figures(
    forecast: Forecast,
    *,
    as_of: date,
    source: str,
    horizon_weeks: float,
    discount_rate_annual: float,
    gross_margin: float,
    currency: str,
    interval: float,
    checks: list[gate.Check],
    backtest: dict[str, Any] | None,
    dependence: pd.DataFrame,
    ledger: pd.DataFrame,
) -> dict[str, Any]:
    """Return the figures the report speaks of, ready for key_figures.json."""
    customers, base = forecast.customers, forecast.groups.iloc[0]
    lower, upper = tails(interval)
    one_time = customers["frequency"] == 0
    return {
        "as_of": as_of.isoformat(),
        "source": source,
        "horizon_weeks": horizon_weeks,
        "discount_rate_annual": discount_rate_annual,
        "gross_margin": gross_margin,
        "value_is": "revenue" if gross_margin == 1.0 else "margin",
        "currency": currency,
        "interval": interval,
        "n_customers": len(customers),
        "n_repeat_customers": int((~one_time).sum()),
        "n_transactions": int(customers["purchases"].sum()),
        "revenue": float(customers["revenue"].sum()),
        "first_purchase": customers["first_purchase"].min().date().isoformat(),
        "total_clv": _interval(base, "clv", forecast.total_value, lower, upper),
        "expected_purchases": {
            "mean": float(base["expected_purchases"]),
            "lower": float(base["purchases_lower"]),
            "upper": float(base["purchases_upper"]),
        },
        "share_buying": float(customers["p_purchase"].mean()),
        "share_of_value_top_decile": _share_of_best(customers["clv_mean"], 0.10),
        "share_of_value_one_time_buyers": float(
            customers.loc[one_time, "clv_mean"].sum() / customers["clv_mean"].sum()
        ),
        "dependence": {row.measure.lower(): float(row.value) for row in dependence.itertuples()},
        "ledger": {row.line: {"rows": int(row.rows), "amount": float(row.amount)} for row in ledger.itertuples()},
        "gate": {"verdict": gate.verdict(checks), "checks": gate.table(checks).to_dict("records")},
        "backtest": backtest,
    }


def _interval(base: pd.Series, name: str, draws: np.ndarray, lower: float, upper: float) -> dict[str, float]:
    return {
        "mean": float(base[f"{name}_mean"]),
        "lower": float(base[f"{name}_lower"]),
        "upper": float(base[f"{name}_upper"]),
        "lower_monte_carlo_error": monte_carlo_error(draws, lower),
        "upper_monte_carlo_error": monte_carlo_error(draws, upper),
    }


def _share_of_best(value: pd.Series, share: float) -> float:
    best = value.nlargest(max(1, round(share * len(value))))
    return float(best.sum() / value.sum())


# --- findings ---


def bottom_line(figures: Figures, groups: pd.DataFrame) -> str:
    """Return the report's first sentences as a Markdown list."""
    total, currency = figures["total_clv"], figures["currency"]
    sentences = [
        f"On {day(figures['as_of'])} the {count(figures['n_customers'])} known customers are worth "
        f"**{money(total['mean'], currency)}** of {figures['value_is']} over the next {_weeks(figures['horizon_weeks'])}"
        f"{_discounting(figures)}. With {percent(figures['interval'])} probability it will be between "
        f"{money(total['lower'], currency)} and {money(total['upper'], currency)}, if customers go on as they did.",
        f"**{percent(figures['share_buying'])}** of them are expected to buy at all; together they are expected to make "
        f"{count(figures['expected_purchases']['mean'])} purchases "
        f"({count(figures['expected_purchases']['lower'])} to {count(figures['expected_purchases']['upper'])}).",
        f"The best tenth of the customers hold **{percent(figures['share_of_value_top_decile'])}** of that value.",
        _first_to_act_on(groups, currency),
        _backtest_in_short(figures),
    ]
    return "\n".join(f"- {sentence}" for sentence in sentences if sentence)


def _weeks(weeks: float) -> str:
    return f"{weeks:g} weeks"


def _discounting(figures: Figures) -> str:
    rate = figures["discount_rate_annual"]
    return f" (later money discounted at {percent(rate)} a year)" if rate else ""


def _first_to_act_on(groups: pd.DataFrame, currency: str) -> str:
    """Name the segments of good customers who have fallen silent: what they may still bring is what can be lost."""
    at_stake = groups[(groups["grouping"] == "rfm_segment") & groups["group"].isin(segments.SLIPPING)]
    if at_stake.empty:
        return ""
    names = " and ".join(f"*{name}*" for name in at_stake["group"])
    return (
        f"Act first on {names}: {count(at_stake['customers'].sum())} customers who used to buy often and fell silent. "
        f"As things go they will bring {money(at_stake['clv_mean'].sum(), currency)}; "
        f"so far they brought {money(at_stake['revenue'].sum(), currency)}."
    )


def _backtest_in_short(figures: Figures) -> str:
    test = figures["backtest"]
    if test is None:
        return "This forecast has **not** been tested on held-out data: the run has no calibration end."
    purchases = test["purchases"]
    verdict = "inside" if purchases["inside"] else "**outside**"
    return (
        f"Tested on the {_weeks(test['horizon_weeks'])} after {day(test['origin'])}, the model forecast "
        f"{count(purchases['forecast']['mean'])} purchases ({count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); {count(purchases['actual'])} came, {verdict} the interval."
    )


def banner(figures: Figures) -> str:
    """Return the warnings a reader must see before any number, as Markdown; empty if there are none."""
    lines = [check["sentence"] for check in figures["gate"]["checks"] if check["verdict"] != gate.PASS]
    test = figures["backtest"]
    if test is not None:
        lines += [_missed(name, test, figures) for name in ("purchases", "value") if not test[name]["inside"]]
    if figures["share_of_value_one_time_buyers"] > _THRESHOLD_SHARE_OF_ONE_TIME_BUYERS:
        lines.append(
            f"{percent(figures['share_of_value_one_time_buyers'])} of the value comes from customers who bought once; "
            "for them the model knows only what is typical."
        )
    return "\n>\n".join(f"> **Take care.** {line}" for line in lines)


def _missed(name: str, test: Figures, figures: Figures) -> str:
    outcome = test[name]

    def say(value: float) -> str:
        return f"{count(value)} purchases" if name == "purchases" else money(value, figures["currency"])

    direction = "too low" if outcome["error"] < 0 else "too high"
    return (
        f"The backtest missed: for the {_weeks(test['horizon_weeks'])} after {day(test['origin'])} the forecast was "
        f"{say(outcome['forecast']['mean'])} ({percent(figures['interval'])} between "
        f"{say(outcome['forecast']['lower'])} and {say(outcome['forecast']['upper'])}), but {say(outcome['actual'])} "
        f"came: the forecast was {percent(abs(outcome['error']))} {direction} and the interval missed the outcome. "
        "Expect an error of this size in the totals of this report as well."
    )


def trust(figures: Figures) -> str:
    """Return how the model did on held-out data and what was checked, as Markdown paragraphs."""
    test = figures["backtest"]
    if test is None:
        return "There is no backtest: set `calibration_end` in the params file to hold the last months out."
    value, level = test["value"], "0.90"
    purchases = test["purchases"]
    paragraphs = [
        f"**Test on held-out data.** The model was fitted on the purchases up to {day(test['origin'])} and forecast the "
        f"following {_weeks(test['horizon_weeks'])} for the {count(test['n_customers'])} customers known then.",
        f"**Totals.** {count(purchases['actual'])} purchases came where {count(purchases['forecast']['mean'])} were "
        f"expected ({percent(figures['interval'])} interval {count(purchases['forecast']['lower'])} to "
        f"{count(purchases['forecast']['upper'])}); they were worth {money(value['actual'], figures['currency'])} where "
        f"{money(value['forecast']['mean'], figures['currency'])} were expected "
        f"({money(value['forecast']['lower'], figures['currency'])} to "
        f"{money(value['forecast']['upper'], figures['currency'])}).",
        f"**Single customers.** The {percent(float(level))} interval of the realised value contained what came for "
        f"{percent(value['coverage'][level])} of the customers. The interval of the *expected* value, which other "
        f"tools print, contained it for {percent(value['expectation_interval_coverage'])}.",
        f"**Against no model.** The mean error was {purchases['mae']:.2f} purchases per customer; assuming that "
        f"everybody goes on as before gives {test['naive']['past_rate_mae']:.2f}, and that nobody buys again "
        f"{test['naive']['nobody_mae']:.2f}.",
        f"**Ranking and spread.** For each {figures['currency']} by which two groups of customers were forecast to "
        f"differ, they differed by {value['slope']:.2f}.",
    ]
    return "\n\n".join(paragraphs)


def backtest_of_purchases(outcome: Figures | None, *, horizon_weeks: float, interval: float) -> str:
    """Return the backtest of the number of purchases in words, as Markdown."""
    if outcome is None:
        return "This run has no backtest: `calibration_end` is null."
    verdict = "lies inside" if outcome["inside"] else "lies **outside**"
    return (
        f"In the {horizon_weeks:g} weeks held out, **{count(outcome['actual'])}** purchases came. The forecast was "
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
        "Frequent buyers spend differently per purchase: totals stay nearly right, the value of one-time buyers is biased."
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
    reasons = "; ".join(f"{count(row.rows)} {row.meaning}" for row in gone.itertuples() if row.rows)
    return f"{kept} Left out: {reasons}." if reasons else f"{kept} Nothing was left out."


# --- titles that state the finding ---


def title_total(figures: Figures) -> str:
    total = figures["total_clv"]
    return (
        f"The base will most likely bring {_three_digits(total['lower'])} to "
        f"{money(total['upper'], figures['currency'])}"
    )


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
    return f"For each {figures['currency']} of forecast difference, {figures['backtest']['value']['slope']:.2f} came"


def title_customer_map(customers: pd.DataFrame) -> str:
    repeat = customers[customers["frequency"] > 0]
    slipping = repeat[repeat["p_alive"] < 0.5]
    return f"{percent(len(slipping) / max(len(repeat), 1))} of repeat customers have more likely left than not"


# --- tables for people ---


def groups_table(groups: pd.DataFrame, *, currency: str, interval: float) -> pd.DataFrame:
    """Return groups as people read them: formatted text, one row per group."""
    return pd.DataFrame(
        {
            "Customers": groups["customers"].map(count),
            f"Value ({currency})": groups["clv_mean"].map(_three_digits),
            f"{percent(interval)} interval of the total": [
                f"{_three_digits(row.clv_lower)} to {_three_digits(row.clv_upper)}" for row in groups.itertuples()
            ],
            "Share of value": groups["share_of_value"].map(percent),
            f"Per customer ({currency})": groups["clv_per_customer"].map(_three_digits),
            "Will buy": groups["mean_p_purchase"].map(percent),
            f"Spent so far ({currency})": groups["revenue"].map(_three_digits),
        }
    ).set_axis(groups["group"].rename(None), axis="index")


def actions_table(groups: pd.DataFrame, *, currency: str) -> pd.DataFrame:
    """Return, for each RFM segment that has customers: who they are, what they will bring, what to do."""
    found = groups.set_index("group")
    names = [name for name in segments.ACTIONS if name in found.index]
    return pd.DataFrame(
        {
            "Who": [segments.ACTIONS[name][0] for name in names],
            "Customers": [count(found.loc[name, "customers"]) for name in names],
            f"Per customer ({currency})": [_three_digits(found.loc[name, "clv_per_customer"]) for name in names],
            "What to do": [segments.ACTIONS[name][1] for name in names],
        },
        index=names,
    )


def ledger_table(ledger: pd.DataFrame, currency: str) -> pd.DataFrame:
    """Return the ledger as people read it."""
    return pd.DataFrame(
        {
            "Rows": ledger["rows"].map(count),
            f"Amount ({currency})": ledger["amount"].map("{:,.2f}".format),
            "Meaning": ledger["meaning"],
        }
    ).set_axis(ledger["line"].rename(None), axis="index")


def checks_table(figures: Figures) -> pd.DataFrame:
    """Return the checks of the posteriors as people read them."""
    checks = figures["gate"]["checks"]
    rows = [(f"{check['part']}: {check['name']}", check["verdict"], check["sentence"]) for check in checks]
    return pd.DataFrame(rows, columns=["", "Verdict", "Finding"]).set_index("")


def provenance(figures: Figures, *, run: str, seed: int) -> str:
    """Return where the numbers come from, as one Markdown paragraph."""
    libraries = ", ".join(f"{name} {version(name)}" for name in ("pymc", "pymc-marketing", "nutpie", "arviz"))
    return (
        f"Run *{run}*: source `{figures['source']}`, purchases from {day(figures['first_purchase'])} to "
        f"{day(figures['as_of'])}, seed {seed}; {libraries}. Checks of the posteriors: {figures['gate']['verdict']}."
    )


def markdown_report(figures: Figures, groups: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Return report.md: the report's findings as text."""
    named = groups[groups["grouping"] == "rfm_segment"]
    tiers = groups[groups["grouping"] == "value_tier"]
    options = {"currency": figures["currency"], "interval": figures["interval"]}
    parts = [
        f"# What our customers are worth, {day(figures['as_of'])}",
        banner(figures),
        bottom_line(figures, groups),
        "## Segments",
        _markdown_table(groups_table(named, **options)),
        "## Value tiers",
        _markdown_table(groups_table(tiers, **options)),
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
        f"looking {_weeks(figures['horizon_weeks'])} ahead · value is {figures['value_is']} in {figures['currency']} · "
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
        f"{count(customers['purchases'].sum())} purchases; **{count(repeat.sum())}** ({percent(repeat.mean())}) came back "
        f"at least once, on average {customers.loc[repeat, 'frequency'].mean():.1f} times."
    )


def histories_in_words(customers: pd.DataFrame) -> str:
    """Return how many distinct histories the likelihood needs."""
    distinct = len(bgnbd.distinct_histories(customers))
    return f"{count(len(customers))} customers have {count(distinct)} distinct histories."


def cut_in_words(calibration: pd.DataFrame, holdout: pd.DataFrame, cut: date, weeks: float) -> str:
    """Return what stands on each side of the backtest's cut."""
    if calibration.empty:
        return "This run has no calibration end, so there is no backtest."
    later = holdout["actual_purchases"]
    return (
        f"Up to {day(cut.isoformat())} there were {count(len(calibration))} customers with "
        f"{count(calibration['frequency'].sum())} repeat purchases. In the {weeks:g} weeks after it they made "
        f"{count(later.sum())} purchases; {percent((later > 0).mean())} of them bought."
    )


def quality_table(customers: pd.DataFrame) -> pd.DataFrame:
    """Return what decides how much these data can say."""
    repeat = customers[customers["frequency"] > 0]
    revenue = customers["revenue"]
    rows = {
        "Customers": count(len(customers)),
        "With repeat purchases": f"{count(len(repeat))} ({percent(len(repeat) / len(customers))})",
        "Longest history": f"{customers['T'].max():.0f} weeks",
        "Median history": f"{customers['T'].median():.0f} weeks",
        "Repeat buyers whose repeat purchases were all free": count((repeat["monetary_value"] == 0).sum()),
        "Share of revenue from the best customer": percent(revenue.max() / revenue.sum()),
        "Share of revenue from the best 1 %": percent(_share_of_best(revenue, 0.01)),
    }
    return pd.DataFrame({"": rows})


def readable(table: pd.DataFrame, *, decimals: int = 2) -> pd.DataFrame:
    """Return `table` as text for a page: days without a time, numbers with few decimals, nothing for what is missing."""

    def written(cell: Any) -> str:
        if pd.isna(cell):
            return ""
        if isinstance(cell, pd.Timestamp):
            return f"{cell:%Y-%m-%d}"
        return f"{cell:,.{decimals}f}" if isinstance(cell, float) else str(cell)

    return table.map(written)


def percent_or_blank(share: float) -> str:
    """Return a share in percent, nothing where there is none."""
    return "" if np.isnan(share) else percent(share)


def data_dictionary() -> pd.DataFrame:
    """Return the meaning of every column of the exported tables."""
    exported = (tables.CUSTOMERS, tables.SEGMENTS, tables.COHORTS)
    parts = [tables.dictionary(table).assign(table=table.name) for table in exported]
    return pd.concat(parts, ignore_index=True)[["table", "column", "kind", "meaning"]]
