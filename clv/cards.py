"""A card per segment: who its customers are, what they did, what they will bring, and what to do."""

from collections.abc import Mapping
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML

from clv import segments
from clv.words import NBSP, amount, count, money, percent, weeks


def segment_cards(
    groups: pd.DataFrame,
    customers: pd.DataFrame,
    campaign: Mapping[str, Any] | None,
    *,
    currency: str,
    interval: float,
) -> HTML:
    """Return a card for every segment that somebody is in.

    Parameters
    ----------
    groups, customers
        The segments' rows of table SEGMENTS, in the order of the cards, and table CUSTOMERS.
    campaign
        The key figures of the campaign; None without one.
    """
    typical, everybody = segments.typical(customers), groups["customers"].sum()
    planned = {row["segment"]: row for row in campaign["segments"]} if campaign else {}
    cards = []
    for row in groups.itertuples():
        who, done = segments.ACTIONS[row.group]
        facts = {
            "Customers": f"{count(row.customers)} ({percent(row.customers / everybody)})",
            "Typically": _behaviour(typical.loc[row.group]),
            "Expected value": f"{money(row.clv_mean, currency)} ({percent(row.share_of_value)} of all)",
            f"Total, {percent(interval)}": _total(row, currency),
            "Per customer": money(row.clv_per_customer, currency),
            "Still customers": percent(row.mean_p_alive),
            "Will buy": percent(row.mean_p_purchase),
            "Usually done": done,
        }
        if campaign:
            facts["In the campaign"] = _contacts(planned.get(row.group), currency)
        cards.append(_card(row.group, who, facts))
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


def _total(row: Any, currency: str) -> str:
    """Return the total that allows for past errors; without a backtest there is only the model's own."""
    tested = pd.notna(row.clv_lower_with_misfit)
    low, high = (row.clv_lower_with_misfit, row.clv_upper_with_misfit) if tested else (row.clv_lower, row.clv_upper)
    return f"{amount(low)} to {money(high, currency)}" + ("" if tested else " if the model is right")


def _contacts(planned: Mapping[str, Any] | None, currency: str) -> str:
    if planned is None:
        return "contact nobody"
    gain = money(planned["expected_net_gain"], currency)
    return f"contact {count(planned['contacts'])}: {gain} after the cost"
