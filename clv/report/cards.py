"""What is read at a glance: the report's headline figures, and a card per segment."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from clv.checks.gate import PASS
from clv.forecast import tables
from clv.report.labels import currency_of, interval_of
from clv.rfm import segments
from clv.rfm.segments import ACTIONS
from clv.words import NBSP, amount, count, day, money, more_or_less, percent, span, weeks


def headline(figures: Mapping[str, Any]) -> HTML:
    """Return the four figures that a reader takes along: the value, how sure it is, the last test, the checks."""
    total, currency = figures["total_clv"], figures["currency"]
    limits = total["with_misfit"] or total
    held = "allowing for past errors" if total["with_misfit"] else "if the model is right"
    checks = figures["gate"]["checks"]
    warned = sum(check["verdict"] != PASS for check in checks)
    sure = f"with {percent(figures['interval'])} probability, {held}"
    tiles = (
        (money(total["mean"], currency), f"expected over {weeks(figures['horizon_weeks'])}"),
        (span(limits), sure),
        _last_test(figures["backtest"]),
        (_warnings(warned), f"in {count(len(checks))} checks of data, model and test"),
    )
    parts = (f"<div><dt>{escape(words)}</dt><dd>{escape(figure)}</dd></div>" for figure, words in tiles)
    return HTML(f'<dl class="headline">{"".join(parts)}</dl>')


def _last_test(test: Mapping[str, Any] | None) -> tuple[str, str]:
    if test is None:
        return "not tested", "against what came"
    forecast, actual = test["value"]["forecast"]["mean"], test["value"]["actual"]
    off = more_or_less(actual, forecast) if forecast else "more"
    return off, f"value came than was forecast for the {weeks(test['horizon_weeks'])} after {day(test['origin'])}"


def _warnings(number: int) -> str:
    return "1 warning" if number == 1 else f"{count(number)} warnings"


def segment_cards(groups: pd.DataFrame, customers: pd.DataFrame, campaign: Mapping[str, Any] | None) -> HTML:
    """Return a card for every segment that somebody is in.

    Parameters
    ----------
    groups, customers
        The segments' rows of table SEGMENTS, in the order of the cards, and table CUSTOMERS.
    campaign
        The key figures of the campaign; None without one.
    """
    currency, interval = currency_of(groups), interval_of(groups)
    typical, everybody = segments.typical(customers), groups["customers"].sum()
    planned = {row["segment"]: row for row in campaign["segments"]} if campaign else {}
    cards = []
    for _, row in groups.iterrows():
        name = row["group"]
        who, done = ACTIONS[name]
        facts = {
            "Customers": f"{count(row['customers'])} ({percent(row['customers'] / everybody)})",
            "Typically": _behaviour(typical.loc[name]),
            "Expected value": f"{money(row['clv_mean'], currency)} ({percent(row['share_of_value'])} of all)",
            f"Total, {percent(interval)}": _total(row, currency),
            "Per customer": money(row["clv_per_customer"], currency),
            "Still customers": _still(row),
            "Will buy": percent(row["mean_p_purchase"]),
            "Usually done": done,
        }
        if campaign:
            facts["In the campaign"] = _contacts(planned.get(name), currency)
        cards.append(_card(name, who, facts))
    return HTML(f'<div class="cards">{"".join(cards)}</div>')


def _card(name: str, who: str, facts: Mapping[str, str]) -> str:
    lines = "".join(f"<dt>{escape(term)}</dt><dd>{escape(fact)}</dd>" for term, fact in facts.items())
    return f'<div class="card"><h3>{escape(name)}</h3><p>{escape(who)}</p><dl>{lines}</dl></div>'


def _behaviour(typical: pd.Series) -> str:
    silent = f"{weeks(round(typical['weeks_silent']))} ago".replace(" ", NBSP)
    return (
        f"bought once, {silent}"
        if typical["purchases"] == 1
        else f"bought {typical['purchases']:.0f} times, last {silent}"
    )


def _still(row: pd.Series) -> str:
    """Return the mean P(alive) of those who came back: of the others one purchase says little."""
    if not row["repeat_customers"]:
        return "cannot be told after one purchase"
    known = row["mean_p_alive_repeat"]
    everybody = row["repeat_customers"] == row["customers"]
    return percent(known) if everybody else f"{percent(known)} of the {count(row['repeat_customers'])} who came back"


def _total(row: pd.Series, currency: str) -> str:
    """Return the total that allows for past errors; without a backtest there is only the model's own."""
    limits, own = tables.shown_limits(row, "clv"), pd.isna(row["clv_lower_with_misfit"])
    return f"{amount(limits['lower'])} to {money(limits['upper'], currency)}{' if the model is right' if own else ''}"


def _contacts(planned: Mapping[str, Any] | None, currency: str) -> str:
    if planned is None:
        return "contact nobody"
    gain = money(planned["expected_net_gain"], currency)
    return f"contact {count(planned['contacts'])}: {gain} after the cost"
