"""Tables of the log: the ledger, what was found, the rules, what the data can say."""

import pandas as pd

from clv.report.markup import Words, worded
from clv.transactions.rules import LEAVE_OUT, QUARANTINE, WARN
from clv.words import count, percent


def ledger_table(ledger: pd.DataFrame, currency: str) -> Words:
    """Return the ledger as people read it."""
    shown = {
        "Line": ledger["line"],
        "Rows": ledger["rows"].map(count),
        f"Amount ({currency})": _amounts(ledger["amount"], ledger["line"]),
        "Meaning": ledger["meaning"],
    }
    return worded(shown)


def findings_table(quality: pd.DataFrame, currency: str) -> Words:
    """Return the rules of table QUALITY that found faults or warn, and what to do about them."""
    found = quality[(quality["rows"] > 0) & (quality["severity"] != LEAVE_OUT)]
    shown = {
        "Found": found["meaning"],
        "Done": found["severity"].map({QUARANTINE: "left out", WARN: "kept"}),
        "Column": found["column"],
        "Rows": found["rows"].map(count),
        "Share": found["share"].map(percent),
        f"Amount ({currency})": _amounts(found["amount"], found["rule"]),
        "First records": found["records"],
        "What to do": found["advice"],
    }
    return worded(shown, "What to look at in the data")


def _amounts(amounts: pd.Series, rules: pd.Series) -> pd.Series:
    return amounts.map("{:,.2f}".format).mask(rules == "unparsable_amount", "not read")


def values_table(values: pd.DataFrame, currency: str) -> Words:
    """Return rows and money by value of the columns that tell rows apart."""
    shown = {
        "Value": values["value"].replace("", "(blank)"),
        "Column": values["column"],
        "Rows": values["rows"].map(count),
        f"Amount ({currency})": values["amount"].map("{:,.2f}".format),
        "Rows left out": values["left_out"].map(count),
    }
    return worded(shown)


def rules_table(quality: pd.DataFrame) -> Words:
    """Return every rule of table QUALITY with its condition and what it found."""
    shown = {
        "Rule": quality["rule"],
        "Does": quality["severity"],
        "Rows": quality["rows"].map(count),
        "First records": quality["records"],
        "When": quality["condition"],
    }
    return worded(shown)


def quality_table(customers: pd.DataFrame) -> Words:
    """Return what decides how much these data can say."""
    repeat = customers[customers["frequency"] > 0]
    revenue = customers["revenue"]
    best = revenue.nlargest(max(1, round(0.01 * len(revenue))))
    rows = {
        "Customers": count(len(customers)),
        "With repeat purchases": f"{count(len(repeat))} ({percent(len(repeat) / len(customers))})",
        "Longest history": f"{customers['T'].max():.0f} weeks",
        "Median history": f"{customers['T'].median():.0f} weeks",
        "Repeat buyers whose repeat purchases were all free": count((repeat["monetary_value"] == 0).sum()),
        "Share of revenue from the best customer": percent(revenue.max() / revenue.sum()),
        "Share of revenue from the best 1 %": percent(best.sum() / revenue.sum()),
    }
    return Words({"": rows})
