"""What hints promises: a sentence on what would read the cells at fault, true when it is tried, and else none."""

import re
from itertools import batched

import duckdb
import pytest
from helpers import cleaned, kept, rules, source

from clv.transactions.refusals import hint
from clv.transactions.rules import RULES
from clv.transactions.source import SourceSettings

RULE = {rule.name: rule for rule in RULES}


def hinted(rule: str, texts: list[str | None], **settings) -> str:
    """Return the hint for cells that a rule took."""
    con = duckdb.connect()
    con.execute("CREATE TABLE rejected (rule VARCHAR, value VARCHAR)")
    for some in batched(texts, 5000):
        con.execute("INSERT INTO rejected SELECT ?, unnest(?)", [rule, list(some)])
    return hint(con, RULE[rule], SourceSettings("log.csv", **settings))


# --- dates --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "sentence"),
    [
        (["31/01/2024", "01/02/2024"], "%d/%m/%Y would read 100% of them."),
        (["1/31/2024", "2/1/2024"], "%m/%d/%Y would read 100% of them."),
        (["31.01.24", "30.01.23"], "%d.%m.%y or %y.%m.%d would read 100% of them."),
        (["31-Jan-2024"], "%d-%b-%Y would read 100% of them."),
        (["2024-01-31 23:59:59"], "%Y-%m-%d %H:%M:%S would read 100% of them."),
        (["2024-01-31T23:59:59+01:00"], "%Y-%m-%dT%H:%M:%S%z would read 100% of them."),
        (["1706659200", "1706745600"], "unix_seconds would read 100% of them."),
        (["31/01/2024", "30/01/2024", "soon", "x", ""], "%d/%m/%Y would read 50% of them."),
        (["01/02/2024", "03/04/2024"], "%d/%m/%Y or %m/%d/%Y would read 100% of them."),
    ],
)
def test_the_format_that_reads_most_of_the_dates_is_named_with_its_share(texts, sentence):
    texts = [text or None for text in texts]
    assert hinted("unparsable_date", texts) == sentence


@pytest.mark.parametrize(
    "texts",
    [["soon", "later"], ["31/01/2024", "soon", "x"], ["2024-02-30"], [None], [], ["1", "2"]],
    ids=["words", "a third", "no day of the calendar", "nothing", "no cell", "numbers"],
)
def test_a_format_that_would_read_less_than_half_is_not_named(texts):
    assert hinted("unparsable_date", texts) == ""


@pytest.mark.parametrize(
    ("texts", "is_seen"),
    [(["45292", "45303.75"], True), (["45292", "soon"], True), (["45292", "soon", "x"], False), (["19999"], False)],
)
def test_a_spreadsheets_numbers_of_days_are_seen(texts, is_seen):
    sentence = "They look like a spreadsheet's day numbers: state date_format: spreadsheet_days."
    assert hinted("unparsable_date", texts) == (sentence if is_seen else "")


# --- amounts ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "settings", "sentence"),
    [
        (["1,50", "12,00"], {}, "With decimal ',' most of them can be read."),
        (["1.50", "12.00"], {"decimal": ","}, "With decimal '.' most of them can be read."),
        (["1,234.50"], {}, "With decimal '.' with thousands ',' most of them can be read."),
        (["1.234,50 €", "-2.000,00 €"], {}, "With decimal ',' with thousands '.' most of them can be read."),
        (["1'234.50"], {}, "With decimal '.' with thousands \"'\" most of them can be read."),
        (["1 234,50", "(2 000,00)"], {}, "With decimal ',' with thousands ' ' most of them can be read."),
        (["1,234.50", "free"], {}, "With decimal '.' with thousands ',' most of them can be read."),
        (["1,234"], {}, "With decimal ',' or decimal '.' with thousands ',' most of them can be read."),
        (["5 EUR", "6 EUR"], {}, "They name another currency than USD."),
        (["Rs. 5", "US$ 6"], {"currency": "EUR"}, "They name another currency than EUR."),
        (["EUR 1.234,50", "free"], {"currency": "GBP"}, "They name another currency than GBP."),
    ],
)
def test_what_would_read_most_of_the_amounts_is_named(texts, settings, sentence):
    assert hinted("unparsable_amount", texts, **settings) == sentence


@pytest.mark.parametrize(
    "texts",
    [["free", "much"], ["1,50", "free", "much"], ["1.2.3"], ["1e400"], ["1000000000000"], [None], [], ["5 USD x"]],
    ids=["words", "a third", "points", "beyond all numbers", "too large", "nothing", "no cell", "the stated currency"],
)
def test_of_amounts_that_no_sign_would_mend_nothing_is_said(texts):
    assert hinted("unparsable_amount", texts) == ""


# --- the others ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", sorted(set(RULE) - {"unparsable_date", "unparsable_amount"}))
def test_of_other_rules_there_is_nothing_to_say(rule):
    assert hinted(rule, ["31/01/2024", "1,50"]) == ""


def test_cells_of_other_rules_are_not_looked_at(tmp_path):
    log = source(tmp_path, "id,date,amount\nada,2024-01-01,1\nada,soon,2\n,31/01/2024,3\n")
    con = cleaned(log)
    assert rules(con) == [[2, "unparsable_date"], [3, "missing_customer_id"]]
    assert hint(con, RULE["unparsable_date"], log) == ""


def test_a_text_that_stands_in_a_million_rows_counts_once():
    assert hinted("unparsable_date", ["31/01/2024"] * 10_000 + ["soon", "x", "y"]) == ""
    assert hinted("unparsable_amount", ["1,50"] * 10_000 + ["soon", "x", "y"]) == ""


@pytest.mark.parametrize(
    "date", ["31/01/2024", "1/31/2024", "31.01.2024", "31-Jan-2024", "2024-01-31 23:59:59", "20240131", "Jan 31, 2024"]
)
def test_with_the_format_that_is_named_the_dates_are_read(tmp_path, date):
    text = f'id,date,amount\nzoe,2024-05-05 05h05,1\nada,"{date}",2\n'
    log = source(tmp_path, text, date_format="%Y-%m-%d %Hh%M")
    named = re.fullmatch(r"(.*) would read 100% of them\.", hint(cleaned(log), RULE["unparsable_date"], log))
    assert kept(cleaned(source(tmp_path, text, date_format=named[1]))) == [("ada", "01-31", 2)]


@pytest.mark.parametrize("amount", ["1234,5", "1.234,50", "1,234.50", "1 234,5", "1'234.50", "1.234,50 €", "+1.234,5"])
def test_with_the_signs_that_are_named_the_amounts_are_read(tmp_path, amount):
    text = f'id,date,amount\nzoe,2024-01-01,7\nada,2024-01-02,"{amount}"\n'
    log = source(tmp_path, text, currency="EUR")
    sentence = hint(cleaned(log), RULE["unparsable_amount"], log)
    named = re.fullmatch(r"With decimal (.)(.)\1(?: with thousands (.)(.)\3)? most of them can be read\.", sentence)
    log = source(tmp_path, text, currency="EUR", decimal=named[2], thousands=named[4])
    assert kept(cleaned(log)) == [("ada", "01-02", 1234.5), ("zoe", "01-01", 7)]


def test_of_many_different_dates_not_only_the_first_in_the_alphabet_are_tried():
    hours = [
        f"{d:02}/{m:02}/2024 {h:02}:{n:02}"
        for d in range(1, 29)
        for m in range(1, 13)
        for h in (8, 9)
        for n in range(60)
    ]
    assert hinted("unparsable_date", hours) == "%d/%m/%Y %H:%M would read 100% of them."
