"""What is said of a log before anything is computed from it: verdict, what needs eyes, what it can carry."""

from collections.abc import Sequence

import pandas as pd

from clv.rfm.support import ENOUGH, Support
from clv.transactions.rules import QUARANTINE, WARN
from clv.units import PURCHASES
from clv.words import count, day, money, percent


def verdict(refusal: str | None, supports: Sequence[Support]) -> str:
    """Return whether the log can be used, as Markdown."""
    if refusal:
        return "**No**, for the reason above."
    limits = [support.sentence for support in supports if support.answer != ENOUGH]
    return f"**Yes, with care.** {plain(' '.join(limits))}" if limits else "**Yes.**"


def kept(customers: pd.DataFrame, currency: str) -> str:
    """Return what is left of the log; `customers` is table CALIBRATION of all of it."""
    first, last = customers["first_purchase"].min(), customers["first_purchase"]
    last = (last + pd.to_timedelta(customers["recency"] * 7, unit="D").dt.round("D")).max()
    worth = "" if currency == PURCHASES else f", worth {money(customers['revenue'].sum(), currency)}"
    back = customers["frequency"] > 0
    return (
        f"{count(len(customers))} customers made {count(customers['purchases'].sum())} purchases between "
        f"{day(first.date().isoformat())} and {day(last.date().isoformat())}{worth}; {count(back.sum())} of them "
        f"({percent(float(back.mean()))}) came back."
    )


def findings_in_words(quality: pd.DataFrame) -> str:
    """Return how many rules found something, as one sentence; `quality` is table QUALITY."""
    found = quality[quality["rows"] > 0]
    faults, warnings = (int((found["severity"] == severity).sum()) for severity in (QUARANTINE, WARN))
    if not len(found):
        return f"None of the {len(quality)} rules found anything."
    return (
        f"Of {len(quality)} rules {faults} found faulty rows, which were left out, and {warnings} found something that "
        "stays but may surprise. Record 1 is the first one after the header."
    )


def values_in_words(values: pd.DataFrame) -> str:
    """Return what the table of rows by value shows; `values` has columns column, value, rows, amount and left_out."""
    names = " and ".join(plain(name) for name in values["column"].unique())
    return (
        f"What each value of {names} holds, and how many of its rows left because keep_rows or drop_rows say so. Is"
        " every value that stays a purchase or a refund?"
    )


def support_in_words(found: Sequence[Support]) -> str:
    """Return what the data can carry, as a Markdown list."""
    return "\n".join(f"- {support.sentence}" for support in found)


def plain(text: str) -> str:
    """Return a sentence that may quote a log so that Markdown takes it as it stands."""
    return "".join(f"\\{letter}" if letter in "\\`*_{}[]<>()#+!|~$" else letter for letter in text)


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
