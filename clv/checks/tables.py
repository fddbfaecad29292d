"""Contracts of what 03 and 04 write about their posteriors: the checks, by the model that was asked."""

from clv.tables import NUMBER, TEXT, Column, Table

_COLUMNS = {
    "part": Column(TEXT, "the posterior that was asked"),
    "name": Column(TEXT, "the check, by which a run may accept it"),
    "figure": Column(NUMBER, "what was found"),
    "limit": Column(TEXT, "what it was held against"),
    "verdict": Column(TEXT, "PASS, WARN or FAIL"),
    "sentence": Column(TEXT, "the finding in words"),
}

CHECKS_PURCHASES = Table("checks_purchases", key=("part", "name"), **_COLUMNS)
DEPENDENCE = Table(
    "dependence",
    measure=Column(TEXT, "the correlation of frequency and mean spend among repeat buyers"),
    value=Column(NUMBER, "what it is"),
    lower=Column(NUMBER, "lower limit of what independence would show"),
    upper=Column(NUMBER, "upper limit"),
)
CHECKS_SPEND = Table("checks_spend", key=("part", "name"), **_COLUMNS)
