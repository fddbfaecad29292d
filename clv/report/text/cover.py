"""Numbers to words: findings, warnings, chart titles, report.md.

Every number in prose comes from the key figures or a finished table; nothing here estimates anything.
"""

from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv import tables
from clv.checks import convergence
from clv.models import bgnbd
from clv.models.sampling import LAPLACE, method_of
from clv.report import tables as report_tables
from clv.report.text import advice, trust
from clv.rfm import segments
from clv.words import NBSP, amount, count, day, money, percent, weeks

Figures = Mapping[str, Any]


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
    lines = [check["sentence"] for check in figures["gate"]["checks"] if check["verdict"] != convergence.PASS]
    return "\n>\n".join(f"> **Take care.** {line}" for line in lines)


def dependence_in_words(dependence: pd.DataFrame) -> str:
    """Return what was measured of the model's assumption that spend does not depend on frequency."""
    rows = {row.measure: row for row in dependence.itertuples()}
    parts = [f"{name} {row.value:+.2f} ({row.lower:+.2f} to {row.upper:+.2f})" for name, row in rows.items()]
    clear = any(not row.lower <= row.value <= row.upper for row in rows.values())
    meaning = (
        "Spend depends on frequency more than luck explains: values of customers with few purchases may be biased."
        if clear
        else "That is what independence looks like."
    )
    return (
        "Correlation of frequency and mean spend among repeat buyers, in brackets what independence would show: "
        f"{'; '.join(parts)}. {meaning}"
    )


def left_out(ledger: pd.DataFrame, currency: str, *, purchases: int | None = None) -> str:
    """Return what became of the rows of the log, as one Markdown paragraph."""
    lines = ledger.set_index("line")
    gone = ledger[~ledger["line"].isin(["source", "kept"])]
    kept = (
        f"Of {count(lines.loc['source', 'rows'])} rows of the log ({money(lines.loc['source', 'amount'], currency)}), "
        f"{count(lines['rows'].get('kept', 0))} were kept ({money(lines['amount'].get('kept', 0.0), currency)})."
    )
    if purchases is not None:
        kept += f" They are {count(purchases)} purchases: what a customer buys on one day counts as one."
    reasons = "; ".join(
        f"{count(row.rows)}{f' worth {money(row.amount, currency)}' if row.amount else ''} ({row.meaning})"
        for row in gone.itertuples()
        if row.rows
    )
    return f"{kept} Rows left out: {reasons}." if reasons else f"{kept} No row was left out."


def check_in_words(table: pd.DataFrame, *, interval: float) -> str:
    """Return how many bars of a predictive check lie outside their band, and how many would by luck."""
    outside = int((~table["observed"].between(table["lower"], table["upper"])).sum())
    luck = (1 - interval) * len(table)
    return (
        f"{outside} of {len(table)} observed shares lie outside their {percent(interval)} band; "
        f"about {luck:.1g} would by luck."
    )


def title_total(base: pd.Series, *, currency: str, interval: float) -> str:
    """Say what everybody together will bring; `base` is their row of table SEGMENTS."""
    limits = tables.shown_limits(base, "clv")
    return (
        f"All customers together will bring {amount(limits['lower'])} to {money(limits['upper'], currency)} with "
        f"{percent(interval)} probability"
    )


def title_concentration(concentration: pd.DataFrame) -> str:
    """Say what the best tenth holds; table CONCENTRATION."""
    tenth = np.interp(0.1, concentration["customer_share"], concentration["value_share"])
    return f"The best tenth of the customers hold {percent(float(tenth))} of the value"


def title_groups(groups: pd.DataFrame) -> str:
    best = groups.loc[groups["clv_mean"].idxmax()]
    share, size = best["share_of_value"], best["customers"] / groups["customers"].sum()
    return f"{best['group']}: {percent(size)} of the customers, {percent(share)} of the value"


def title_grid(grid: pd.DataFrame) -> str:
    best = grid.loc[grid["clv_per_customer"].idxmax()]
    return f"A customer is worth most among {best['segment']}"


def title_migration(migration: pd.DataFrame, since: str | None) -> str:
    """Say how many of the first segment's customers of the day `since` (ISO) still are in it; table MIGRATION."""
    if since is None or migration.empty:
        return "No earlier day to compare segments with"
    first = migration[migration["segment_before"] == migration["segment_before"].iloc[0]]
    share = float(first.loc[first["segment_now"] == first["segment_before"], "share"].sum())
    return f"{percent(share)} of the {first['segment_before'].iloc[0]} of {day(since)} still are"


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
    purchases = figures["backtest"]["purchases"]
    return f"{count(purchases['forecast']['mean'])} purchases were forecast, {count(purchases['actual'])} came"


def title_backtest(backtest: Figures | None, currency: str) -> str:
    """Say where the forecast was furthest off; `backtest` is from `backtest.figures`, None without one."""
    if backtest is None:
        return "No backtest in this run"
    worst = backtest["worst_tenth"]
    return (
        f"Furthest off in tenth {worst['decile']:.0f}: {money(worst['predicted'], currency)} each were forecast, "
        f"{money(worst['actual'], currency)} came"
    )


def title_windows(windows: pd.DataFrame) -> str:
    """Say in how many past windows of each length the total value lay inside the interval that the model announced."""
    rows = windows[windows["outcome"] == "value"]
    if rows.empty:
        return "No past window to test on"
    inside = rows["actual"].between(rows["lower"], rows["upper"]).groupby(rows["horizon_weeks"])
    parts = [f"{held.sum()} of {len(held)} ({weeks} weeks)" for weeks, held in inside]
    return f"Past totals inside the model's own interval: {', '.join(parts)}"


def title_customer_map(customers: pd.DataFrame) -> str:
    repeat = max(int((customers["frequency"] > 0).sum()), 1)
    return f"{percent(len(segments.slipping(customers)) / repeat)} of repeat customers have more likely left than not"


def title_will_buy(bins: pd.DataFrame, horizon_weeks: float) -> str:
    share = bins.loc[bins["likely"], "customers"].sum() / max(bins["customers"].sum(), 1)
    return f"{percent(float(share))} of all customers are more likely than not to buy within {weeks(horizon_weeks)}"


def footer(figures: Figures | None, *, run: str, run_id: str, seed: int, versions: Mapping[str, str]) -> str:
    """Return the last line of the report's page, as text: by the run id `make verify` finds what it was made from."""
    span = verdict = ""
    if figures:
        span = f"purchases from {day(figures['first_purchase'])} to {day(figures['as_of'])}; "
        verdict = f"checks {figures['gate']['verdict']}; "
    libraries = ", ".join(f"{name} {number}" for name, number in versions.items())
    return f"Run {run}, run id {run_id}; {span}seed {seed}; {verdict}{libraries}."


def markdown_report(figures: Figures, groups: pd.DataFrame, ledger: pd.DataFrame) -> str:
    """Return report.md: the report's findings as text."""
    named = segments.of_grouping(groups, "rfm_segment")
    tiers = segments.of_grouping(groups, "value_tier")
    options = {"currency": figures["currency"], "interval": figures["interval"]}
    parts = [
        f"# What our customers are worth, {day(figures['as_of'])}",
        banner(figures),
        bottom_line(figures, groups),
        "## Segments",
        _markdown_table(report_tables.groups_table(named, **options)),
        "## Value tiers",
        _markdown_table(report_tables.groups_table(tiers, **options)),
        "## What to do",
        advice.where_to_begin(figures, named),
        _what_is_done(named),
        "## What to decide",
        advice.campaign_in_words(figures),
        advice.acquisition_in_words(figures),
        "## How far to trust it",
        trust.trust_in_words(figures),
        "## What was left out",
        left_out(ledger, figures["currency"], purchases=figures["n_transactions"]),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _what_is_done(groups: pd.DataFrame) -> str:
    actions = {name: segments.ACTIONS[name] for name in groups["group"]}
    return "\n".join(f"- **{name}**, {who}: {done}." for name, (who, done) in actions.items())


def _markdown_table(table: pd.DataFrame) -> str:
    header = ["", *table.columns]
    rows = [[str(name), *map(str, row)] for name, row in zip(table.index, table.to_numpy(), strict=True)]
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cover(figures: Figures) -> str:
    """Return the line that says what the report is about."""
    return (
        f"As of **{day(figures['as_of'])}** · {count(figures['n_customers'])} customers, "
        f"{count(figures['n_repeat_customers'])} of them with repeat purchases · {count(figures['n_transactions'])} "
        f"purchases since {day(figures['first_purchase'])} worth {money(figures['revenue'], figures['currency'])} · "
        f"looking {weeks(figures['horizon_weeks'])} ahead · value is {figures['value_is']} in {figures['currency']} · "
        f"intervals hold with {percent(figures['interval'])} probability"
    )


def merged_in_words(same_day: int) -> str:
    """Return how many kept rows a day's purchase swallowed."""
    return f"{count(same_day)} rows were merged with another row of the same customer on the same day."


def base_in_words(customers: pd.DataFrame, last_day: date) -> str:
    """Return how many customers there are and how many of them came back."""
    repeat = customers["frequency"] > 0
    return (
        f"Up to {day(last_day.isoformat())} there are **{count(len(customers))}** customers with "
        f"{count(customers['purchases'].sum())} purchases; **{count(repeat.sum())}** ({percent(repeat.mean())}) "
        f"came back at least once, on average {customers.loc[repeat, 'frequency'].mean():.1f} times."
    )


def memory_in_words(needed_gib: float, memory_gib: float) -> str:
    """Return how much memory the run needs beside how much it may use."""
    return f"The hungriest of them needs about {needed_gib:.1f} GiB of memory; memory_gib allows {memory_gib:g}."


def draws_in_words(posterior: xr.DataTree, checks: list[convergence.Check]) -> str:
    """Return what to look for in `plots.plot_draws` and `gate.summary`, by the method that gave the draws.

    Where NUTS took over from importance sampling, that comes first, in the sentences of `checks`.
    """
    instead = " ".join(check.sentence for check in checks if check.name == convergence.TAKEN_OVER)
    if method_of(posterior) == LAPLACE:
        looks = (
            "These draws come from a multivariate t distribution around the posterior's mode, weighted by how well it "
            "fits there and drawn again in proportion. Look for a curve that leaves the diagonal gently: one that "
            "leaps up at the left would say that few draws carry all the weight. In the table, `ess` says how many "
            "independent draws they are worth."
        )
    else:
        looks = (
            "Left, one density per chain: chains that agree lie on top of each other. Right, the ranks of each chain "
            "among all: lines near the middle; p above α says that they cannot be told from chance."
        )
    return f"{instead} {looks}".strip()


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
