"""Bad input: every fault that a log or a params file may have, and what `make check-data` says of it.

A case is a healthy log of 60 customers with one fault; where its line does not say otherwise the fault is record 121.
Whatever comes of it is one sentence and exit code 0 or 2, and the page names every rule that found something, and only
those; results of an earlier run stay as they were to the byte. The first case of each kind goes through the whole
command, the others through cleaning alone.
"""

import contextlib
import csv
import gzip
import io
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from html import unescape
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
import yaml
from duckdb import DuckDBPyConnection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markupsafe import escape

from clv.errors import InputError
from clv.report.page import quality
from clv.run import check_data, commands
from clv.run import params as run_params
from clv.transactions import cleaning, connection, findings, reading
from clv.transactions.rules import LEAVE_OUT, QUARANTINE, WARN
from clv.transactions.source import SourceSettings

pytestmark = pytest.mark.slow  # each of its many tests takes half a second

# --- a healthy log ------------------------------------------------------------------------------------------------

# 60 customers buy every 30 days, four times, for amounts between 10 and 100: somebody on each of 120 days.
HEALTHY = [
    (
        f"C{customer:03d}",
        date(2024, 1, 1) + timedelta(days=customer * 11 % 30 + 30 * time),
        f"{10 + (customer * 37 + time * 13) % 90}.{(customer * 7 + time) % 100:02d}",
    )
    for time in range(4)
    for customer in range(60)
]
BEFORE = 120  # healthy rows that stand before the faulty ones
ORDERS = {"columns": {"customer_id": "id", "date": "date", "amount": "amount", "order_id": "order"}}
COUNTRIES = {"columns": {"customer_id": "id", "date": "date", "amount": "amount", "country": "country"}}
CURRENCIES = {"columns": {"customer_id": "id", "date": "date", "amount": "amount", "currency": "currency"}}
LINES = {
    "shape": "line_items",
    "columns": {"customer_id": "id", "date": "date", "order_id": "order", "quantity": "quantity"}
    | {"unit_price": "price", "product": "product"},
}
TYPED = {"date_format": None}  # a Parquet file knows what a date is
INSTANT = "%Y-%m-%dT%H:%M:%S"


def log(
    *faulty: str,
    header: str = "id,date,amount",
    separator: str = ",",
    customer: Callable[[str], str] = str,
    day: Callable[[date], str] = str,
    amount: Callable[[str], str] = str,
    more: Callable[[int], str] = lambda record: "",
) -> str:
    """Return a healthy CSV with the faulty rows in its middle, its columns written as the functions say."""
    rows = [
        separator.join(filter(None, (customer(name), day(when), amount(price), more(record))))
        for record, (name, when, price) in enumerate(HEALTHY, start=1)
    ]
    return "\n".join([header, *rows[:BEFORE], *faulty, *rows[BEFORE:]]) + "\n"


def orders(*faulty: str) -> str:
    """Return the healthy log with an order number in each row: O and its record."""
    return log(*faulty, header="id,date,amount,order", more=lambda record: f"O{record}")


def lines(*faulty: str) -> str:
    """Return the healthy log as orders of one line each: one of product A for the amount."""
    line = "O{0},1,{1},A".format
    return log(
        *faulty,
        header="id,date,order,quantity,price,product",
        amount=lambda _: "",
        more=lambda record: line(record, HEALTHY[record - 1][2]),
    )


def table(**columns: Any) -> pd.DataFrame:
    """Return the healthy log as typed columns, some of them replaced."""
    names, days, amounts = zip(*HEALTHY, strict=True)
    healthy = {"id": list(names), "date": pd.to_datetime(list(days)), "amount": [float(amount) for amount in amounts]}
    return pd.DataFrame(healthy | columns)


def typed(frame: pd.DataFrame) -> bytes:
    """Return a table as a Parquet file's bytes."""
    content = io.BytesIO()
    frame.to_parquet(content)
    return content.getvalue()


def every(step: int, fault: str, healthy: Callable[[Any], str] = str) -> Callable[[Any], str]:
    """Return a function that writes each `step`-th value in the format `fault`, the others as `healthy` does."""
    count = iter(range(len(HEALTHY)))
    return lambda value: fault.format(value) if next(count) % step == 0 else healthy(value)


# --- cases and verdicts -------------------------------------------------------------------------------------------

Found = tuple[int, int | str | None]  # rows, and the first record


@dataclass(frozen=True)
class Verdict:
    """What must come of a log: the begin of a refusal, the rules that find rows, and how much is kept."""

    found: Mapping[str, Found] = field(default_factory=dict)
    severity: str | None = None
    refusal: str | None = None
    kept: tuple[int, int] | None = None  # customers and purchases
    cell: str | None = None  # what stood in the first row that was left out, as rows_left_out.csv shows it
    shown: str = ""  # what the page says besides


@dataclass(frozen=True)
class Case:
    """A fault, a log that has it (a CSV's text or bytes, a table for Parquet, several files by name), the verdict."""

    fault: str
    log: str | bytes | pd.DataFrame | dict[str, str | bytes]
    verdict: Verdict
    params: Mapping[str, Any] = field(default_factory=dict)
    file: str = "log.csv"
    drawn: bool = False  # whether its page gets its pictures, which take longer than all the rest: there is hardly one
    uncleaned: bool = False  # whether cleaning alone would find nothing wrong


def accepted(customers: int = 60, purchases: int = 240, *, shown: str = "") -> Verdict:
    """Nothing is found: it only looks like a fault."""
    return Verdict(kept=(customers, purchases), shown=shown)


def quarantined(*, cell: str | None = None, kept: tuple[int, int] = (60, 240), **found: Found) -> Verdict:
    """The faulty rows leave, counted as faults."""
    return Verdict(found, QUARANTINE, kept=kept, cell=cell)


def left_out(*, cell: str | None = None, kept: tuple[int, int] = (60, 240), **found: Found) -> Verdict:
    """The rows leave as the settings ask, or because a refund took them: no faults."""
    return Verdict(found, LEAVE_OUT, kept=kept, cell=cell)


def warned(*, kept: tuple[int, int] = (60, 240), **found: Found) -> Verdict:
    """The rows stay, and the page asks a question."""
    return Verdict(found, WARN, kept=kept)


def refused(sentence: str, *, cell: str | None = None, shown: str = "", **found: Found) -> Verdict:
    """The log cannot be used."""
    return Verdict(found, refusal=sentence, cell=cell, shown=shown)


TOO_FEW = "made a repeat purchase with an amount; at least 30 are needed to learn how customers return and spend"
NOT_ITS_NAMES = "map customer_id, date and amount to the log's names under columns."

IDENTIFIERS = [
    Case("no customer", log(",2024-02-03,5.00"), quarantined(missing_customer_id=(1, 121), cell="")),
    Case("a customer of spaces", log("  ,2024-02-03,5.00"), quarantined(missing_customer_id=(1, 121), cell="  ")),
    Case("a customer of NUL", log("\0,2024-02-03,5.00"), quarantined(missing_customer_id=(1, 121), cell="\0")),
    Case("an invisible customer", log("\u200b,2024-02-03,5.00"), quarantined(missing_customer_id=(1, 121))),
    Case("a customer of hard spaces", log("\u00a0\u00a0,2024-02-03,5.00"), quarantined(missing_customer_id=(1, 121))),
    Case(
        "customers called NA and #N/A",
        log("NA,2024-02-03,5.00", "#N/A,2024-02-03,5.00"),
        quarantined(missing_customer_id=(1, 122), kept=(61, 241)),
    ),
    Case(
        "customers called null and None",
        log("null,2024-02-03,5.00", "None,2024-02-03,5.00"),
        warned(looks_like_test=(2, 121), kept=(62, 242)),
    ),
    Case(
        "customers 007 and 7",
        log("007,2024-02-03,5.00", "7,2024-02-03,5.00"),
        warned(similar_id=(2, 121), kept=(62, 242)),
    ),
    Case(
        "two customers of 19 digits whose floating-point numbers are equal",
        log("1152921504606846977,2024-02-03,5.00", "1152921504606846978,2024-02-03,5.00", ",2024-02-03,5.00"),
        quarantined(missing_customer_id=(1, 123), kept=(62, 242)),
    ),
    Case(
        "customers 1E5 and 100000",
        log("1E5,2024-02-03,5.00", "100000,2024-02-03,5.00"),
        warned(spreadsheet_id=(1, 121), kept=(62, 242)),
    ),
    Case(
        "customers 123 and 123.0",
        log("123,2024-02-03,5.00", "123.0,2024-02-03,5.00"),
        warned(similar_id=(2, 121), kept=(62, 242)),
    ),
    Case(
        "customers who differ in case",
        log("ada@example.org,2024-02-03,5.00", "Ada@Example.org,2024-02-03,5.00"),
        warned(similar_id=(2, 121), kept=(62, 242)),
    ),
    Case(
        "customers who differ in a space within",
        log("ada 1,2024-02-03,5.00", "ada1,2024-02-03,5.00"),
        warned(similar_id=(2, 121), kept=(62, 242)),
    ),
    Case(
        "one customer with spaces, NUL and an invisible character around",
        log(" C001 ,2024-02-03,5.00", "C001\0,2024-02-04,6.00", "\u200bC001\t,2024-02-05,7.00"),
        accepted(60, 243),
    ),
    Case(
        "one customer as a number and as a text",
        log("1,2024-02-03,5.00", '"1",2024-02-05,6.00'),
        accepted(61, 242),
    ),
    Case(
        "customers stored as floating-point numbers",
        table(id=[float(record % 60) for record in range(240)]),
        refused("column id holds DOUBLE, which merges long identifiers: write it as text."),
        TYPED,
    ),
    Case(
        "whole-number customers of which one is missing",
        table(id=pd.array([None, *(1 + record % 60 for record in range(1, 240))], dtype="Int64")),
        quarantined(missing_customer_id=(1, 1), kept=(60, 239)),
        TYPED,
    ),
    Case(
        "cells that a spreadsheet would calculate",
        log("=HYPERLINK(0),2024-02-03,=1+1"),
        quarantined(unparsable_amount=(1, 121), cell="'=1+1"),
    ),
    Case(
        "a test account that is named",
        log("TEST-1,2024-02-03,5.00"),
        left_out(excluded_customer=(1, 121), cell="TEST-1"),
        {"exclude_pattern": "^TEST"},
    ),
    Case(
        "a test account that nobody named",
        log("test-1,2024-02-03,5.00"),
        warned(looks_like_test=(1, 121), kept=(61, 241)),
    ),
    Case(
        "accounts to leave out that nobody has",
        log(),
        warned(unused_filter=(2, None)),
        {"exclude_ids": ["C1", "c001"]},
    ),
    Case(
        "a pattern of accounts to leave out that nobody has",
        log(),
        warned(unused_filter=(1, None)),
        {"exclude_pattern": "^TEST"},
    ),
    Case(
        "a pattern that leaves nobody",
        log(),
        refused("no usable row is left after cleaning (excluded_customer 240).", excluded_customer=(240, 1)),
        {"exclude_pattern": "^C"},
    ),
    Case(
        "a list of accounts that leaves nobody",
        log(),
        refused("no usable row is left after cleaning (excluded_customer 240).", excluded_customer=(240, 1)),
        {"exclude_ids": [f"C{customer:03d}" for customer in range(60)]},
    ),
    Case(
        "an account 007 to leave out beside a customer 7",
        log("007,2024-02-03,5.00", "7,2024-02-03,5.00"),
        left_out(excluded_customer=(1, 121), cell="007", kept=(61, 241)),
        {"exclude_ids": ["007"]},
    ),
    Case(
        "an account for guests",
        log(*(f"guest,2024-0{month}-03,5.0{month}" for month in (1, 2, 3))),
        warned(looks_like_test=(3, 121), kept=(61, 243)),
    ),
    Case(
        "a robot that buys every day",
        log(*(f"BOT,{when},0.{50 + number % 40}" for number, when in enumerate(sorted({row[1] for row in HEALTHY})))),
        warned(inhuman_frequency=(120, 121), far_more_often=(120, 121), kept=(61, 360)),
    ),
    Case(
        "an account with thirty purchases in a day",
        log(*(f"BOT,2024-02-03,1.{number}" for number in range(10, 40))),
        warned(inhuman_frequency=(30, 121), kept=(61, 241)),
    ),
    Case(
        "a wholesale customer",
        log("BIG,2024-02-03,5000000.00"),
        warned(dominant_customer=(1, 121), concentrated_revenue=(1, 121), kept=(61, 241)),
    ),
    Case(
        "a pattern that only Python understands",
        log(),
        refused("exclude_pattern '^(?!C)' is not understood (invalid perl operator: (?!)."),
        {"exclude_pattern": "^(?!C)"},
    ),
]

FILES = [
    Case("an empty file", "", refused("log.csv is empty or begins with an empty line: give a file with a header on")),
    Case("only a header", "id,date,amount\n", refused("log.csv holds no rows: give a log with transactions.")),
    Case("only a header, of a Parquet file", table()[:0], refused("log.parquet holds no rows: give a log with"), TYPED),
    Case(
        "a column that is missing",
        log(header="id,day,amount"),
        refused(f"log.csv lacks the column date (found: id, day, amount): {NOT_ITS_NAMES}"),
    ),
    Case(
        "no header",
        log().partition("\n")[2],
        refused(
            "log.csv lacks the columns amount, date, id, and its first line looks like a row of data: put a line with"
        ),
    ),
    Case(
        "columns that are written in capitals",
        log(header="ID,Date,amount"),
        refused(f"log.csv lacks the columns date, id (found: ID, Date, amount): {NOT_ITS_NAMES}"),
    ),
    Case(
        "a wrong delimiter",
        log(header="id;date;amount", separator=";"),
        refused("log.csv split by the delimiter ',' has 1 columns without amount, date, id: delimiter ';' finds them"),
        {"delimiter": ","},
    ),
    Case(
        "a delimiter in the header that the rows do not have",
        log(header="id;date;amount"),
        refused("100.0% of 240 rows cannot be used", ragged_row=(240, 1)),
    ),
    Case("a delimiter that nobody stated", log(header="id\tdate\tamount", separator="\t"), accepted()),
    Case(
        "two columns of the name that is needed",
        log(header="id,date,amount,amount", more=str),
        refused("log.csv has several columns named amount: rename all but one."),
    ),
    Case(
        "two columns of a name that nobody needs", log(header="id,date,amount,x,x", more="{0},{0}".format), accepted()
    ),
    Case("spaces around the names of columns", log(header=" id , date,amount "), accepted()),
    Case("a row that is too short", log("C001,2024-02-03"), quarantined(ragged_row=(1, 121), cell="too few fields")),
    Case(
        "a row that is too long",
        log("C001,2024-02-03,5.00,gift"),
        quarantined(ragged_row=(1, 121), cell="too many fields"),
    ),
    Case(
        "a decimal comma that splits an amount",
        log("C001,2024-02-03,5,00"),
        quarantined(ragged_row=(1, 121), cell="too many fields"),
    ),
    Case("a row with empty fields too many", log("C001,2024-02-03,5.00,,,"), accepted(60, 241)),
    Case(
        "a row of forty fields",
        log("C001,2024-02-03,5.00" + ",x" * 37),
        refused("log.csv, line 122 has 20 fields or more where the header has 3: correct the row or quote its text."),
    ),
    Case(
        "a quote that never closes",
        log('"C001,2024-02-03,5.00'),
        refused("log.csv, line 122 opens a quote that never closes, or closes one within a text: correct the row."),
    ),
    Case(
        "a quote that closes within a text",
        log('"C001"x,2024-02-03,5.00'),
        refused("log.csv, line 122 opens a quote that never closes, or closes one within a text: correct the row."),
    ),
    Case("empty lines between the rows", log("", "", "C001,2024-02-03,x"), quarantined(unparsable_amount=(1, 121))),
    Case(
        "a line end within a text",
        log(
            'C001,2024-02-03,5.00,"first\nsecond"',
            "C001,2024-02-04,x,-",
            header="id,date,amount,note",
            more=lambda record: "-",
        ),
        quarantined(unparsable_amount=(1, 122), kept=(60, 241)),
    ),
    Case("rows in which nothing stands", log(",,", " ,  ,"), left_out(empty_row=(2, 121), cell="")),
    Case(
        "nothing but rows in which nothing stands", "id,date,amount\n,,\n", refused("no usable row", empty_row=(1, 1))
    ),
    Case("rows in another order", "\n".join([*log().split("\n")[:1], *reversed(log().split("\n")[1:-1])]), accepted()),
    Case("the header once more", log("id,date,amount"), quarantined(repeated_header=(1, 121))),
    Case(
        "a line of totals at the end",
        log() + "Total,,13194.20\n",
        quarantined(unparsable_date=(1, 241), cell=""),
    ),
    Case("a mark of byte order", "\ufeff" + log(), accepted()),
    Case(
        "Latin-1 that nobody stated",
        log("Zoé,2024-02-03,5.00").encode("latin-1"),
        refused("log.csv, line 122 is not UTF-8 text: save the file in UTF-8, or state its encoding, like latin-1 or"),
    ),
    Case(
        "Latin-1 in the header that nobody stated",
        log(header="id,date,amount,Größe", more=str).encode("latin-1"),
        refused("log.csv is not utf-8 text in its first line: save it as CSV in UTF-8, or state its encoding, like"),
    ),
    Case(
        "Latin-1 that is stated",
        log("Zoé,2024-02-03,5.00").encode("latin-1"),
        accepted(61, 241),
        {"encoding": "latin-1"},
    ),
    Case(
        "Latin-1 that is stated, also in the names of columns",
        log(header="id,date,Größe").encode("latin-1"),
        accepted(),
        {"encoding": "latin-1", "columns": {"customer_id": "id", "date": "date", "amount": "Größe"}},
    ),
    Case("UTF-16 with its mark", log().encode("utf-16"), accepted()),
    Case("UTF-16 without its mark, stated", log().encode("utf-16-le"), accepted(), {"encoding": "utf-16-le"}),
    Case("UTF-16 without its mark, not stated", log().encode("utf-16-le"), accepted()),
    Case("UTF-16 without its mark, high byte first", log().encode("utf-16-be"), accepted()),
    Case(
        "no text at all",
        log().encode().replace(b"id,", b"id\0\0,", 1),
        refused("log.csv is not text in its first line: give a CSV or Parquet file, or state encoding."),
    ),
    Case("Windows' and Unix' line ends mixed", log().replace("\n", "\r\n", 100), accepted()),
    Case("line ends of old Macintoshes", log().replace("\n", "\r"), accepted()),
    Case("no line end after the last row", log().rstrip("\n"), accepted()),
    Case("NUL bytes behind the last row", log() + "\0" * 512, quarantined(ragged_row=(1, 241))),
    Case("gzip", gzip.compress(log().encode(), mtime=0), accepted(), file="log.csv.gz"),
    Case(
        "gzip that was cut off",
        gzip.compress(log().encode(), mtime=0)[:-300],
        refused("log.csv.gz ends before its end"),
        file="log.csv.gz",
    ),
    Case(
        "gzip that was cut off in its first bytes",
        gzip.compress(log().encode(), mtime=0)[:10],
        refused("log.csv.gz ends before its end"),
        file="log.csv.gz",
    ),
    Case(
        "gzip whose checksum is wrong",
        gzip.compress(log().encode(), mtime=0)[:-8] + bytes(4) + len(log()).to_bytes(4, "little"),
        refused("log.csv.gz ends before its end or is damaged: it was not packed or copied completely."),
        file="log.csv.gz",
    ),
    Case(
        "a spreadsheet called CSV",
        b"PK\x03\x04" + bytes(range(256)),
        refused("log.csv is a spreadsheet or ZIP archive: save the log as CSV or Parquet."),
    ),
    Case(
        "an old spreadsheet",
        b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(512),
        refused("log.xls is an old spreadsheet: save the log as CSV or Parquet."),
        file="log.xls",
    ),
    Case(
        "a PDF",
        b"%PDF-1.7\n" + bytes(range(256)),
        refused("log.pdf is a PDF: save the log as CSV or Parquet."),
        file="log.pdf",
    ),
    Case(
        "JSON called CSV",
        '\n [{"id": "C001", "date": "2024-02-03", "amount": 5.0}]',
        refused("log.csv looks like JSON, XML or a web page: save the log as CSV or Parquet."),
    ),
    Case(
        "lines of JSON",
        '{"id": "C001", "date": "2024-02-03", "amount": 5.0}\n' * 240,
        refused("log.json looks like JSON, XML or a web page: save the log as CSV or Parquet."),
        file="log.json",
    ),
    Case(
        "a web page that a shop calls a spreadsheet",
        "<html><table><tr><td>id</td><td>date</td><td>amount</td></tr></table></html>",
        refused("log.xls looks like JSON, XML or a web page: save the log as CSV or Parquet."),
        file="log.xls",
    ),
    Case(
        "a picture",
        b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
        refused("log.csv is not utf-8 text in its first line: save it as CSV in UTF-8, or state its encoding, like"),
    ),
    Case(
        "a CSV called Parquet",
        log(),
        refused("log.parquet cannot be read as Parquet: write the file again."),
        file="log.parquet",
    ),
    Case(
        "two files of which one lacks a column",
        {"a.csv": log(), "b.csv": log(header="id,total,date")},
        refused(
            "b.csv lacks the column amount (found: id, total, date): map customer_id, date and amount to the log's"
            " names under columns."
        ),
    ),
    Case(
        "two Parquet files of which one holds numbers for customers",
        {"a.parquet": typed(table()), "b.parquet": typed(table(id=list(range(240))))},
        refused("b.parquet has other types than a.parquet: id."),
        TYPED,
    ),
    Case(
        "faults enough to refuse, the first of them in the second of two files",
        {"a.csv": log(), "b.csv": "id,date,amount\nC001,2024-02-03,x\nC001,2024-02-04,x\n"},
        refused(
            "0.8% of 242 rows cannot be used, more than max_rejected_share 0.5%: mostly unparsable_amount (amount is"
            " missing or not a finite number) in 2 rows of column amount (first: record b.csv 1, 'x'). Correct the",
            unparsable_amount=(2, "b.csv 1"),
        ),
        {"max_rejected_share": 0.005},
    ),
    Case(
        "a fault in the second of two files",
        {"a.csv": log(), "b.csv": "id,date,amount\nC001,2024-02-03,5.00\nC001,2024-02-04,x\n"},
        quarantined(unparsable_amount=(1, "b.csv 2"), kept=(60, 241)),
    ),
    Case(
        "the same file twice",
        {"a.csv": log(), "b.csv": log()},
        warned(repeat_kept=(240, "b.csv 1")),
    ),
    Case(
        "an empty folder", {}, refused("source ", shown="logs was not found: name an existing CSV, Parquet, DuckDB or")
    ),
]

DATES = [
    Case("no date", log("C001,,5.00"), quarantined(unparsable_date=(1, 121), cell="")),
    Case("30 February", log("C001,2024-02-30,5.00"), quarantined(unparsable_date=(1, 121), cell="2024-02-30")),
    Case("29 February of a common year", log("C001,2023-02-29,5.00"), quarantined(unparsable_date=(1, 121))),
    Case("another format in one row", log("C001,03/02/2024,5.00"), quarantined(unparsable_date=(1, 121))),
    Case(
        "another format in every eleventh row",
        log(day=every(11, "{0:%d.%m.%Y}")),
        quarantined(unparsable_date=(22, 1), cell="01.01.2024", kept=(60, 218)),
    ),
    Case(
        "another format everywhere",
        log(day="{0:%d.%m.%Y}".format),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 240 rows of column date (first: record 1, '01.01.2024').",
            unparsable_date=(240, 1),
        ),
    ),
    Case(
        "another format everywhere",
        log(day="{0:%d.%m.%Y}".format),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 240 rows of column date (first: record 1, '01.01.2024')."
            " %d.%m.%Y would read 100% of them.",
            unparsable_date=(240, 1),
        ),
    ),
    Case(
        "another format in every other row",
        log(day=every(2, "{0:%d.%m.%Y}")),
        refused(
            "50.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 120 rows of column date (first: record 1, '01.01.2024')."
            " %d.%m.%Y would read 100% of them.",
            unparsable_date=(120, 1),
        ),
    ),
    Case(
        "days read as months",
        log(day="{0:%d/%m/%Y}".format),
        refused(
            "60.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 144 rows of column date (first: record 3, '23/01/2024')."
            " %d/%m/%Y would read 100% of them.",
            unparsable_date=(144, 3),
            silent_days=(11, 2),
        ),
        {"date_format": "%m/%d/%Y"},
    ),
    Case("the year 24", log("C001,0024-02-03,5.00"), quarantined(impossible_date=(1, 121), cell="0024-02-03")),
    Case("the day on which computers' time began", log("C001,1970-01-01,5.00"), quarantined(impossible_date=(1, 121))),
    Case("a date in the future", log("C001,2099-01-01,5.00"), quarantined(impossible_date=(1, 121), cell="2099-01-01")),
    Case(
        "a spreadsheet's numbers of days",
        log(day=lambda when: str((when - date(1899, 12, 30)).days)),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 240 rows of column date (first: record 1, '45292')."
            " They look like a spreadsheet's day numbers: state date_format: spreadsheet_days.",
            unparsable_date=(240, 1),
        ),
    ),
    Case("a spreadsheet's number of a day", log("C001,45325,5.00"), quarantined(unparsable_date=(1, 121))),
    Case(
        "days as whole numbers, nobody says how",
        table(date=[int(f"{row[1]:%Y%m%d}") for row in HEALTHY]),
        refused(
            "column date is a whole number: state how its dates are written as date_format, like unix_seconds, or %Y"
        ),
        TYPED,
    ),
    Case(
        "days as whole numbers like 20240131",
        table(date=[int(f"{row[1]:%Y%m%d}") for row in HEALTHY]),
        accepted(),
        {"date_format": "%Y%m%d"},
    ),
    Case(
        "days as floating-point numbers",
        table(date=[float((row[1] - date(1899, 12, 30)).days) for row in HEALTHY]),
        refused("column date holds DOUBLE: write it as a date, or as text and state date_format."),
        TYPED,
    ),
    Case(
        "dates that are true or false",
        table(date=[True] * 240),
        refused("column date holds BOOLEAN: write it as a date, or as text and state date_format."),
        TYPED,
    ),
    Case(
        "seconds since 1970",
        table(date=[(row[1] - date(1970, 1, 1)).days * 86_400 for row in HEALTHY]),
        accepted(),
        {"date_format": "unix_seconds", "timezone": "UTC"},
    ),
    Case(
        "milliseconds since 1970",
        log(day=lambda when: str((when - date(1970, 1, 1)).days * 86_400_000)),
        accepted(),
        {"date_format": "unix_milliseconds", "timezone": "UTC"},
    ),
    Case(
        "milliseconds read as seconds",
        log(day=lambda when: str((when - date(1970, 1, 1)).days * 86_400_000)),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is"
            " missing or not written as date_format says) in 240 rows of column date (first: record 1,"
            " '1704067200000'). unix_milliseconds would read 100% of them.",
            unparsable_date=(240, 1),
        ),
        {"date_format": "unix_seconds", "timezone": "UTC"},
    ),
    Case(
        "seconds read as milliseconds",
        log(day=lambda when: str((when - date(1970, 1, 1)).days * 86_400)),
        refused("100.0% of 240 rows cannot be used", impossible_date=(240, 1)),
        {"date_format": "unix_milliseconds", "timezone": "UTC"},
    ),
    Case(
        "days like 20240131 that a program took for moments of 1970",
        table(date=pd.to_datetime([int(f"{row[1]:%Y%m%d}") for row in HEALTHY])),
        refused("100.0% of 240 rows cannot be used", impossible_date=(240, 1), cell="1970-01-01 00:00:00.020240101"),
        TYPED,
    ),
    Case(
        "text dates, nobody says how",
        log(),
        refused('column date is text: state how its dates are written as date_format, like "%Y-%m-%d" for 2024-01-31.'),
        {"date_format": None},
    ),
    Case(
        "a format of which a part means nothing",
        log(),
        refused("date_format '%Y-%m-%d %Q' is not understood (Failed to parse format specifier %Y-%m-%d %Q"),
        {"date_format": "%Y-%m-%d %Q"},
    ),
    Case(
        "Greenwich's moments, nobody says whose days count",
        log(day="{0}T23:30:00Z".format),
        refused("column date holds moments with an offset: state whose days count as timezone, like Europe/Berlin."),
        {"date_format": INSTANT + "Z"},
    ),
    Case(
        "Greenwich's moments for a shop in Berlin",
        log(day="{0}T23:30:00Z".format),
        accepted(shown="between 2 January 2024 and 30 April 2024"),
        {"date_format": INSTANT + "Z", "timezone": "Europe/Berlin"},
    ),
    Case(
        "moments with an offset, nobody says whose days count",
        log(day="{0}T23:30:00-05:00".format),
        refused("column date holds moments with an offset: state whose days count as timezone, like Europe/Berlin."),
        {"date_format": INSTANT + "%z"},
    ),
    Case(
        "moments with an offset for a shop in New York",
        log(day="{0}T23:30:00-05:00".format),
        accepted(shown="between 1 January 2024 and 30 April 2024"),  # from 10 March on it is summer there
        {"date_format": INSTANT + "%z", "timezone": "America/New_York"},
    ),
    Case(
        "a moment without the offset that all others have",
        log("C001,2024-02-03T12:00:00,5.00", day="{0}T12:00:00+01:00".format),
        quarantined(unparsable_date=(1, 121)),
        {"date_format": INSTANT + "%z", "timezone": "Europe/Berlin"},
    ),
    Case(
        "typed moments, nobody says whose days count",
        table(date=pd.to_datetime([row[1] for row in HEALTHY], utc=True)),
        refused("column date holds moments with an offset: state whose days count as timezone, like Europe/Berlin."),
        TYPED,
    ),
    Case(
        "purchases in the last second of the last day",
        log(day="{0} 23:59:59".format),
        accepted(),
        {"date_format": "%Y-%m-%d %H:%M:%S", "observation_end": "2024-04-29"},
    ),
    Case(
        "rows after the end of observation",
        log(),
        left_out(set_aside=(56, 182), kept=(60, 184)),
        {"observation_end": "2024-04-01"},
    ),
    Case(
        "an end of observation before all rows",
        log(),
        refused(
            "no usable row up to observation_end 2023-12-31: 240 rows later, the first on 2024-01-01; set"
            " observation_end to a day within the data.",
            set_aside=(240, 1),
        ),
        {"observation_end": "2023-12-31"},
    ),
    Case(
        "an end of observation in the future",
        log(),
        refused("observation_end (2099-12-31) lies in the future: state the last day that the log holds."),
        {"observation_end": "2099-12-31"},
        uncleaned=True,
    ),
    Case(
        "a backtest after the data",
        log(),
        refused(
            "calibration_end (2025-01-01) must lie at least a week before the last day of observation (2024-04-29):"
            " choose an earlier day, or null for no backtest."
        ),
        {"calibration_end": "2025-01-01"},
        uncleaned=True,
    ),
    Case(
        "a backtest before anybody came back",
        log(),
        refused("Up to calibration_end (2024-01-03) only 0 of 6 customers made a repeat purchase with an amount; at"),
        {"calibration_end": "2024-01-03"},
        uncleaned=True,
    ),
    Case(
        "an end of observation a year after the last row",
        log(),
        warned(silent_end=(1, None)),
        {"observation_end": "2025-04-29"},
    ),
    Case(
        "two months of which nothing was exported",
        log(day=lambda when: str(when + timedelta(days=60) if when >= date(2024, 3, 1) else when)),
        warned(silent_days=(1, 121)),
    ),
]

AMOUNTS = [
    Case("no amount", log("C001,2024-02-03,"), quarantined(unparsable_amount=(1, 121), cell="")),
    Case(
        "amounts of ten billion, in a currency of small worth",
        log(amount=lambda text: text.replace(".", "") + "000000"),
        accepted(),
    ),
    Case(
        "an amount of eleven digits",
        log("C001,2024-02-03,2e10"),
        warned(dominant_customer=(5, 2), concentrated_revenue=(5, 2), kept=(60, 241)),
    ),
    Case("an amount in words", log("C001,2024-02-03,free"), quarantined(unparsable_amount=(1, 121), cell="free")),
    Case("an amount NaN", log("C001,2024-02-03,NaN"), quarantined(unparsable_amount=(1, 121), cell="NaN")),
    Case("an infinite amount", log("C001,2024-02-03,inf"), quarantined(unparsable_amount=(1, 121), cell="inf")),
    Case("an amount beyond all numbers", log("C001,2024-02-03,1e400"), quarantined(unparsable_amount=(1, 121))),
    Case("an amount of 14 digits", log("C001,2024-02-03,99999999999999"), quarantined(unparsable_amount=(1, 121))),
    Case("an amount of a program", log("C001,2024-02-03,1_000"), quarantined(unparsable_amount=(1, 121), cell="1_000")),
    Case("an amount with two minus", log("C001,2024-02-03,--5"), quarantined(unparsable_amount=(1, 121), cell="'--5")),
    Case(
        "a fault of a spreadsheet", log("C001,2024-02-03,#REF!"), quarantined(unparsable_amount=(1, 121), cell="#REF!")
    ),
    Case("a comma that may be either sign", log('C001,2024-02-03,"1,234"'), quarantined(unparsable_amount=(1, 121))),
    Case(
        "a point that may be either sign",
        log("C001,2024-02-03,1.234"),
        warned(fraction_of_cent=(1, 121), kept=(60, 241)),
    ),
    Case(
        "points between thousands read as decimal ones",
        log(amount=lambda text: f"{float(text) * 100:,.0f}".replace(",", ".")),
        warned(fraction_of_cent=(216, 2)),
    ),
    Case(
        "$1,004.50 where thousands are not stated",
        log('C001,2024-02-03,"$1,004.50"'),
        quarantined(unparsable_amount=(1, 121), cell="$1,004.50"),
    ),
    Case(
        "decimal commas where no sign is stated",
        log(header="id;date;amount", separator=";", amount=lambda text: text.replace(".", ",")),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_amount (amount is"
            " missing or not a finite number) in 240 rows of column amount (first: record 1, '10,00'). With decimal ','"
            " most of them can be read.",
            unparsable_amount=(240, 1),
            cell="10,00",
        ),
    ),
    Case(
        "$1,004.50 where they are",
        log('C001,2024-02-03,"$1,004.50"'),
        accepted(60, 241),
        {"thousands": ","},
    ),
    Case(
        "1.004,50 where no sign is stated",
        log('C001,2024-02-03,"1.004,50"'),
        quarantined(unparsable_amount=(1, 121), cell="1.004,50"),
    ),
    Case(
        "1.004,50 where both are",
        log(
            "C001;2024-02-03;1.004,50 €",
            header="id;date;amount",
            separator=";",
            amount=lambda text: text.replace(".", ","),
        ),
        accepted(60, 241),
        {"decimal": ",", "thousands": ".", "currency": "EUR"},
    ),
    Case(
        "a currency that is not the stated one", log("C001,2024-02-03,5 EUR"), quarantined(unparsable_amount=(1, 121))
    ),
    Case(
        "codes of another currency than stated",
        log(amount="{0} EUR".format),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_amount (amount is"
            " missing or not a finite number) in 240 rows of column amount (first: record 1, '10.00 EUR'). They name"
            " another currency than USD.",
            unparsable_amount=(240, 1),
        ),
    ),
    Case(
        "signs of another currency than stated",
        log(amount="€{0}".format),
        refused("column amount says '€' but currency is USD: correct the setting."),
    ),
    Case("signs that several currencies share", log(amount="${0}".format), accepted(), {"currency": "CAD"}),
    Case(
        "signs of two currencies",
        log("C001,2024-02-03,$5.00", amount="€{0}".format),
        refused(
            "column amount holds 2 currencies ('€' in 240 rows, '$' in 1 row; the second first in record 121):"
            " convert the amounts to one currency, or give a log for each."
        ),
        {"currency": "EUR"},
    ),
    Case(
        "a column of two currencies",
        log("C001,2024-02-03,5.00,EUR", header="id,date,amount,currency", more=lambda record: "USD"),
        refused(
            "column currency holds 2 currencies ('USD' in 240 rows, 'EUR' in 1 row; the second first in record 121)"
        ),
        CURRENCIES,
    ),
    Case(
        "a column of another currency than stated",
        log(header="id,date,amount,currency", more=lambda record: "EUR"),
        refused("column currency says 'EUR' but currency is USD: correct the setting."),
        CURRENCIES,
    ),
    Case("amounts stored as text", table(amount=[row[2] for row in HEALTHY]), accepted(), TYPED),
    Case(
        "amounts that are true or false",
        table(amount=[True] * 240),
        refused("column amount holds BOOLEAN: write amounts as numbers."),
        TYPED,
    ),
    Case(
        "typed amounts that are no numbers",
        table(amount=[float("nan"), float("inf"), *(float(row[2]) for row in HEALTHY[2:])]),
        quarantined(unparsable_amount=(2, 1), kept=(60, 238)),
        TYPED,
    ),
    Case(
        "a whole number beyond all amounts",
        table(amount=[2**62, *(10 + 97 * number % 239 for number in range(239))]),
        quarantined(unparsable_amount=(1, 1), cell=str(2**62), kept=(60, 239)),
        TYPED,
    ),
    Case("an amount of zero", log("C001,2024-02-03,0"), warned(zero_amount_kept=(1, 121), kept=(60, 241))),
    Case(
        "an amount of zero that is nothing",
        log("C001,2024-02-03,0.00"),
        left_out(zero_amount=(1, 121), cell="0.00"),
        {"zero_amounts": "drop"},
    ),
    Case(
        "only amounts of zero, which are nothing",
        log(amount=lambda _: "0"),
        refused("no usable row is left after cleaning (zero_amount 240).", zero_amount=(240, 1)),
        {"zero_amounts": "drop"},
    ),
    Case(
        "only amounts of zero",
        log(amount=lambda _: "0"),
        refused(f"Only 0 of 60 customers {TOO_FEW}", zero_amount_kept=(240, 1)),
        drawn=True,
        uncleaned=True,
    ),
    Case(
        "an amount that is a program for a browser",
        log("C001,2024-02-03,<script>alert(1)</script>"),
        refused(
            "0.4% of 241 rows cannot be used, more than max_rejected_share 0.0%: mostly unparsable_amount (amount is"
            " missing or not a finite number) in 1 row of column amount (first: record 121,"
            " '<script>alert(1)</script>'). Correct the amounts, or state decimal and thousands.",
            unparsable_amount=(1, 121),
            cell="<script>alert(1)</script>",
        ),
        {"max_rejected_share": 0},
    ),
]

REFUNDS_AND_REPEATS = [
    Case("a refund", log("C001,2024-03-15,-5.00"), left_out(refund_netted=(1, 121), cell="'-5.00")),
    Case("a refund in brackets", log("C001,2024-03-15,(5.00)"), left_out(refund_netted=(1, 121), cell="(5.00)")),
    Case(
        "a refund where they are to be dropped",
        log("C001,2024-03-15,-5.00"),
        left_out(refund_dropped=(1, 121), cell="'-5.00"),
        {"refunds": "drop"},
    ),
    Case(
        "a refund where there must be none",
        log("C001,2024-03-15,-5.00"),
        refused(
            "column amount is below zero in 1 row (first: record 121) and refunds is reject: remove them, or set"
            " refunds to net or drop."
        ),
        {"refunds": "reject"},
    ),
    Case(
        "a refund in full on the day of purchase",
        log("C001,2024-01-12,-47.07"),
        left_out(cancelled_purchase=(1, 2), refund_netted=(1, 121), cell="47.07", kept=(60, 239)),
    ),
    Case("a refund before the first purchase", log("C001,2024-01-02,-5.00"), quarantined(refund_unmatched=(1, 121))),
    Case("a refund to a stranger", log("X,2024-02-03,-5.00"), quarantined(refund_unmatched=(1, 121), cell="'-5.00")),
    Case("a refund larger than any purchase", log("C001,2024-03-15,-500.00"), quarantined(refund_unmatched=(1, 121))),
    Case(
        "a refund that names its order",
        orders("C001,2024-04-20,-47.07,O2"),
        left_out(cancelled_purchase=(1, 2), refund_netted=(1, 121), kept=(60, 239)),
        ORDERS,
    ),
    Case(
        "a refund that names the order of somebody else, where others name their own",
        orders("C001,2024-04-20,-5.00,O2", "C005,2024-04-20,-5.00,O2"),
        Verdict({"refund_netted": (1, 121), "refund_unmatched": (1, 122)}, kept=(60, 240)),
        ORDERS,
    ),
    Case(
        "refunds with numbers of their own",
        orders("C001,2024-01-15,-47.07,R1", "C002,2024-01-25,-5.00,R2"),
        left_out(cancelled_purchase=(1, 2), refund_netted=(2, 121), kept=(60, 239)),
        ORDERS,
    ),
    Case(
        "cancellations that only their number gives away",
        orders("C001,2024-01-15,47.07,CO2"),
        left_out(cancelled_purchase=(1, 2), refund_netted=(1, 121), kept=(60, 239)),
        ORDERS | {"cancellation_pattern": "^C"},
    ),
    Case(
        "refunds of purchases before the log begins, in every eighth row",
        log(customer=every(8, "X{0}"), amount=every(8, "-{0}")),
        refused(
            "12.5% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly refund_unmatched (refunds"
            " without a purchase they belong to) in 30 rows of column amount (first: record 1, '-10.00'). Was what they"
            " refund bought before the log begins? A longer log finds it. Do they name their order with a mark, as in"
            " C1234 or 1234-R1? cancellation_pattern says so.",
            refund_unmatched=(30, 1),
        ),
    ),
    Case(
        "a refund of more than its order",
        orders("C001,2024-03-15,-500.00,O2"),
        Verdict(
            {"cancelled_purchase": (1, 2), "refund_netted": (1, 121), "refund_in_excess": (1, 2)},
            kept=(60, 239),
        ),
        ORDERS,
    ),
    Case(
        "a gift of half a dollar that was refunded",
        log("C001,2024-02-03,0.50", "C001,2024-02-03,-0.50"),
        left_out(cancelled_purchase=(1, 121), refund_netted=(1, 122), cell="0.5"),
    ),
    Case(
        "only amounts below zero",
        log(amount="-{0}".format),
        refused(
            "100.0% of 240 rows cannot be used, more than max_rejected_share 10.0%: mostly refund_unmatched (refunds"
            " without a purchase they belong to) in 240 rows of column amount (first: record 1, '-10.00'). No row is a"
            " purchase: are the signs reversed, or does cancellation_pattern match every order?",
            refund_unmatched=(240, 1),
        ),
    ),
    Case(
        "a mark of cancellations that every order has",
        orders(),
        refused("100.0% of 240 rows cannot be used", refund_unmatched=(240, 1)),
        ORDERS | {"cancellation_pattern": "^O"},
    ),
    Case("two purchases on one day", log("C001,2024-01-12,5.00"), accepted(60, 240)),
    Case("a repeated row without an order", log("C001,2024-01-12,47.07"), warned(repeat_kept=(1, 121))),
    Case(
        "a repeated row of one order",
        orders("C001,2024-01-12,47.07,O2"),
        left_out(duplicate=(1, 121), cell="O2"),
        ORDERS,
    ),
    Case(
        "a file that holds everything twice",
        orders() + orders().partition("\n")[2],
        left_out(duplicate=(240, 241)),
        ORDERS,
    ),
]

CUSTOMER_BASES = [
    Case(
        "one customer",
        log(customer=lambda _: "C001"),
        refused(
            f"Only 1 of 1 customers {TOO_FEW}",
            dominant_customer=(240, 1),
            concentrated_revenue=(240, 1),
            inhuman_frequency=(240, 1),
        ),
        drawn=True,
    ),
    Case(
        "nobody who came back",
        "\n".join(log().split("\n")[:61]),
        refused(f"Only 0 of 60 customers {TOO_FEW}"),
        drawn=True,
    ),
    Case(
        "29 customers who came back",
        "\n".join(line for line in log().split("\n") if line < "C029" or line.startswith("id")),
        refused(f"Only 29 of 29 customers {TOO_FEW}"),
    ),
    Case(
        "everybody on one day",
        log(day=lambda _: "2024-01-01"),
        refused(f"Only 0 of 60 customers {TOO_FEW}"),
        drawn=True,
    ),
    Case(
        "a single price",
        log(amount=lambda _: "9.99"),
        accepted(shown="Every purchase counts 9.99"),
    ),
    Case(
        "three weeks of data",
        log(day=lambda when: str(date(2024, 1, 1) + (when - date(2024, 1, 1)) / 6)),
        refused(
            "The longest history is 2.71 weeks; at least 8 are needed to tell a pause from a farewell: give a longer"
        ),
    ),
]

COUNTRIES_OF_CUSTOMERS = [
    Case(
        "a country among others",
        log("X,2024-02-03,5.00,Spain", header="id,date,amount,country", more=lambda record: "France"),
        left_out(excluded_country=(1, 121)),
        COUNTRIES | {"countries": ["France"]},
    ),
    Case(
        "a country that nobody lives in",
        log(header="id,date,amount,country", more=lambda record: "France"),
        refused("no usable row is left after cleaning (excluded_country 240).", excluded_country=(240, 1)),
        COUNTRIES | {"countries": ["france"]},
    ),
]

LINE_ITEMS = [
    Case("lines of orders", lines("C001,2024-01-12,O2,2,5.00,B"), accepted(), LINES),
    Case("a line without its order", lines("C001,2024-02-03,,2,5.00,B"), accepted(60, 241), LINES),
    Case(
        "a line of quantity zero",
        lines("C001,2024-01-12,O2,0,5.00,B"),
        warned(zero_amount_kept=(1, 121)),
        LINES,
    ),
    Case(
        "a line that was sent back",
        lines("C001,2024-01-20,O2,-1,5.00,A"),
        left_out(refund_netted=(1, 121), cell="'-1 × 5.00"),
        LINES,
    ),
    Case(
        "a quantity in words",
        lines("C001,2024-01-12,O2,two,5.00,B"),
        quarantined(unparsable_amount=(1, 121), cell="two × 5.00"),
        LINES,
    ),
    Case(
        "no quantity",
        lines("C001,2024-01-12,O2,,5.00,B"),
        quarantined(unparsable_amount=(1, 121), cell=" × 5.00"),
        LINES,
    ),
    Case(
        "a line of a million",
        lines("C001,2024-01-12,O2,1000,1000.00,B"),
        warned(dominant_customer=(5, 2), concentrated_revenue=(5, 2)),
        LINES,
    ),
    Case(
        "a line beyond all amounts",
        lines("C001,2024-01-12,O2,999999999,999999999,B"),
        quarantined(unparsable_amount=(1, 121), cell="999999999 × 999999999"),
        LINES,
    ),
    Case("a repeated line", lines("C001,2024-01-12,O2,1,47.07,A"), left_out(duplicate=(1, 121), cell="O2"), LINES),
    Case(
        "a repeated line whose product nobody mapped",
        lines("C001,2024-01-12,O2,1,47.07,A"),
        warned(repeat_kept=(1, 121)),
        LINES | {"columns": {ours: name for ours, name in LINES["columns"].items() if ours != "product"}},
    ),
]

CASES = [*IDENTIFIERS, *FILES, *DATES, *AMOUNTS, *REFUNDS_AND_REPEATS, *COUNTRIES_OF_CUSTOMERS, *LINE_ITEMS]
CASES += [replace(case, uncleaned=True) for case in CUSTOMER_BASES]


def always_whole(cases: Sequence[Case]) -> list[Case]:
    """Return the cases that go through the whole command also in a hurry.

    These are the first of each kind of verdict, and those in which the page says what cleaning alone does not.
    """
    kinds: dict[Any, Case] = {}
    for case in cases:
        needs_page = case.uncleaned or case.verdict.shown
        kind = (case.verdict.severity, bool(case.verdict.refusal), len(case.verdict.found))
        kinds.setdefault(case.fault if needs_page else kind, case)
    return list(kinds.values())


WHOLE = always_whole(CASES)

# --- what every case promises -------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Shop:
    """A folder with a log, its params file and the results of an earlier run."""

    folder: Path
    results: Path

    @property
    def params(self) -> Path:
        """The params file."""
        return self.folder / "shop.yaml"

    @property
    def page(self) -> Path:
        """The data-quality page."""
        return self.results / "check" / "data_quality.html"

    def hand_in(self, case: Case) -> None:
        """Write the log and the params file of a case."""
        source = self.folder / case.file
        if isinstance(case.log, dict):
            source = self.folder / "logs"
            source.mkdir()
            for name, content in case.log.items():
                (source / name).write_bytes(content.encode() if isinstance(content, str) else content)
        elif isinstance(case.log, pd.DataFrame):
            source = self.folder / "log.parquet"
            case.log.to_parquet(source)
        else:
            source.write_bytes(case.log.encode() if isinstance(case.log, str) else case.log)
        self.describe(source, case.params)

    def describe(self, source: Path, params: Mapping[str, Any]) -> None:
        """Write a params file for a log of the usual columns and dates."""
        usual = {"columns": {"customer_id": "id", "date": "date", "amount": "amount"}, "date_format": "%Y-%m-%d"}
        self.params.write_text(yaml.safe_dump({"source": str(source)} | usual | params, allow_unicode=True))

    def files(self) -> dict[str, bytes]:
        """Return all results by name."""
        files = (file for file in self.results.rglob("*") if file.is_file())
        return {file.relative_to(self.results).as_posix(): file.read_bytes() for file in files}


def command(*words: str | Path) -> tuple[int, str]:
    """Call the command line; return its exit code and the one sentence it says."""
    with contextlib.redirect_stderr(io.StringIO()) as errors, contextlib.redirect_stdout(io.StringIO()) as printed:
        code = commands.main(list(map(str, words)))
    assert printed.getvalue() == ""
    said = errors.getvalue()
    assert said.count("\n") == 1 and said.endswith("\n") and "Traceback" not in said, said
    return code, said.rstrip("\n")


@pytest.fixture
def shop(tmp_path, outputs, monkeypatch):
    """A shop with the results of an earlier run, where the disk need not be waited for."""
    monkeypatch.setattr(os, "fsync", lambda _: None)
    shop = Shop(tmp_path, outputs / "shop")
    for name in EARLIER:
        (shop.results / name).parent.mkdir(parents=True, exist_ok=True)
        (shop.results / name).write_bytes(EARLIER[name])
    return shop


@pytest.fixture
def undrawn(monkeypatch):
    """A function after which pages are made without pictures."""
    picture = SimpleNamespace(_repr_mimebundle_=lambda: ({"text/plain": "a picture"}, {}))
    return lambda: [
        monkeypatch.setattr(quality, name, lambda *_, **__: picture)
        for name in ("plot_weekly_activity", "plot_order_amounts")
    ]


EARLIER = {"report.html": b"the last report", "data/customers.parquet": b"PAR1", "manifest.json": b"{}\n"}


def lines_of(page: str, heading: str) -> list[dict[str, str]]:
    """Return the table under a heading of the page, one dictionary per line."""
    section = page.partition(f'id="{heading}"')[2].partition("<h2")[0]
    header, *lines = [
        [unescape(re.sub(r"<[^>]+>", "", cell)) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", line, re.DOTALL)]
        for line in re.findall(r"<tr>(.*?)</tr>", section, re.DOTALL)
    ] or [[]]
    return [dict(zip(header, line, strict=True)) for line in lines]


def rules(page: str) -> dict[str, tuple[str, int, str]]:
    """Return the rules of which the page says that they found rows: severity, rows, first record."""
    found = [line for line in lines_of(page, "all-rules") if line["Rows"] != "0"]
    return {line["Rule"]: (line["Does"], int(line["Rows"]), line["First records"].split(", ")[0]) for line in found}


def shown(found: Mapping[str, Found]) -> dict[str, tuple[int, str]]:
    """Return what rules must find with the first record as the page shows it."""
    return {rule: (rows, "" if first is None else str(first)) for rule, (rows, first) in found.items()}


def rows_left_out(shop: Shop) -> list[dict[str, str]]:
    """Return the rows that are written for the owner of the log."""
    file = shop.results / "check" / "rows_left_out.csv"
    return list(csv.DictReader(io.StringIO(file.read_text(), newline=""))) if file.exists() else []


@pytest.fixture(scope="module")
def database():
    """A database in which one log after the other is cleaned."""
    con = connection.connect()
    con.execute("SET threads = 1")  # of a few hundred rows two would only wait for each other
    return con


def said_by_cleaning(database: DuckDBPyConnection, source: SourceSettings) -> str:
    """Read and clean a log; return the sentence it is refused with, nothing if it is not."""
    database.execute("DROP TABLE IF EXISTS ledger")
    try:
        reading.read(database, source)
        cleaning.clean(database, source)
    except InputError as refusal:
        return str(refusal)
    return ""


def found_by_cleaning(database: DuckDBPyConnection, source: SourceSettings) -> dict[str, tuple[str, int, str]]:
    """Return the rules that found rows, as `rules` does; none if the log was refused before it was judged."""
    if ("ledger",) not in database.execute("SHOW TABLES").fetchall():
        return {}
    quality = findings.inspect(database, source)
    return {
        row.rule: (row.severity, row.rows, row.records.split(", ")[0]) for row in quality.itertuples() if row.rows > 0
    }


@pytest.mark.parametrize("case", [case for case in CASES if case not in WHOLE], ids=lambda case: case.fault)
def test_cleaning_finds_a_fault_by_its_rule_in_its_record(case, shop, database):
    shop.hand_in(case)
    verdict, chosen = case.verdict, run_params.load(shop.params)
    source = check_data._source_settings(chosen, chosen.source)
    said = said_by_cleaning(database, source)
    assert said.startswith(verdict.refusal) if verdict.refusal else said == ""

    found = found_by_cleaning(database, source)
    assert {rule: (rows, first) for rule, (_, rows, first) in found.items()} == shown(verdict.found)
    assert not verdict.severity or {severity for severity, _, _ in found.values()} == {verdict.severity}
    if verdict.cell is not None:
        (cell,) = database.execute("SELECT value FROM rejected ORDER BY record LIMIT 1").fetchone()
        assert (cell or "") == verdict.cell.removeprefix("'")  # the mark that a spreadsheet needs
    if verdict.kept:
        counted = "SELECT count(DISTINCT customer_id), count(*) FROM transactions"
        assert database.execute(counted).fetchone() == verdict.kept


@pytest.mark.slow
@pytest.mark.parametrize("case", WHOLE, ids=lambda case: case.fault)
def test_a_fault_in_a_log_is_found_by_its_rule_in_its_record_and_said_in_one_sentence(case, shop, undrawn):
    if not case.drawn:
        undrawn()
    shop.hand_in(case)
    verdict = case.verdict
    code, said = command("check", shop.params)
    page = shop.page.read_text()

    sentence = verdict.refusal or f"the log can be used; see {shop.page}"
    assert said.startswith(sentence)
    assert (code, said.endswith(f" See {shop.page}.")) == ((2, True) if verdict.refusal else (0, False))
    assert not verdict.refusal or str(escape(said.removesuffix(f" See {shop.page}."))) in page
    assert "<script>alert" not in page

    found = rules(page)
    assert {rule: (rows, first) for rule, (_, rows, first) in found.items()} == shown(verdict.found)
    assert not verdict.severity or {severity for severity, _, _ in found.values()} == {verdict.severity}

    advised = lines_of(page, "what-to-look-at")
    assert len(advised) == sum(severity != LEAVE_OUT for severity, _, _ in found.values())
    assert all(line["What to do"] for line in advised)

    left = rows_left_out(shop)
    assert {row["rule"] for row in left} == {
        rule for rule, (severity, _, _) in found.items() if severity != WARN and rule != "set_aside"
    }
    for rule in {row["rule"] for row in left}:
        records = [row["record"] for row in left if row["rule"] == rule]
        rows, first = verdict.found[rule]
        assert len(records) == rows
        assert records[0] == str(first) or isinstance(case.log, dict)  # of several files the page names the one
    assert verdict.cell is None or left[0]["value"] == verdict.cell

    if verdict.kept:
        assert "{:,} customers made {:,} purchases".format(*verdict.kept) in page
    assert verdict.shown in page.replace("\u00a0", " ")
    results = shop.files()
    assert {name: results.get(name) for name in EARLIER} == EARLIER
    assert set(results) - set(EARLIER) <= {"check/data_quality.html", "check/rows_left_out.csv"}


# --- settings -----------------------------------------------------------------------------------------------------

USUAL = "source: orders.csv\ncolumns: {customer_id: id, date: date, amount: amount}\n"
SETTINGS = [
    (
        "a misspelt key",
        "disount_rate_annual: 0.1",
        "unknown key disount_rate_annual; did you mean discount_rate_annual?",
    ),
    ("a key that stands twice", "seed: 1\nseed: 2", "line 4: seed stands here a second time."),
    ("an alias", "a: &a x\nencoding: *a", "line 3: anchors and aliases (& and *) are not read."),
    ("words for a number", "horizon_weeks: a year", "horizon_weeks is 'a year', but must be a valid integer."),
    ("half a week", "horizon_weeks: 52.5", "horizon_weeks is 52.5, but must be a valid integer."),
    ("a number that YAML would take for an octal one", "seed: 012", "seed is '012', but must be a valid integer (YAML"),
    (
        "a number that YAML takes for text",
        "discount_rate_annual: 1e-1",
        "discount_rate_annual is '1e-1', but must be a",
    ),
    ("a share in percent", "max_rejected_share: 10%", "max_rejected_share is '10%', but must be a valid number."),
    ("a share above one", "max_rejected_share: 10", "max_rejected_share is 10, but must be less than or equal to 1."),
    ("a policy that there is not", "refunds: keep", "refunds is 'keep', but must be 'net', 'drop' or 'reject'."),
    ("30 February", "observation_end: 2025-02-30", "observation_end is '2025-02-30', but must be a day that exists,"),
    (
        "a backtest after the end of observation",
        "observation_end: 2024-04-01\ncalibration_end: 2024-04-01",
        "calibration_end (2024-04-01) must be before observation_end (2024-04-01).",
    ),
    (
        "a password in an address",
        "query: postgresql://bob:s3cret@host/db",
        "query looks like it holds a password or key:",
    ),
    ("a key for a password", "password: s3cret", "password looks like it holds a password or key: keep secrets in the"),
    ("a tabulator", "\tseed: 1", "line 3: found character '\\t' that cannot start any token."),
    (
        "a delimiter that ends lines",
        'delimiter: "\\n"',
        "delimiter is '\\n', but must be a character that can stand between the fields of a line.",
    ),
    (
        "a delimiter that encloses texts",
        "delimiter: '\"'",
        "delimiter is '\"', but must be a character that can stand between the fields of a line.",
    ),
    (
        "a pattern that would match everybody",
        "exclude_pattern: ''",
        "exclude_pattern is '', but must have at least 1 character.",
    ),
    (
        "a format that means nothing",
        "date_format: '%Q'",
        "date_format is '%Q', but must tell day, month and year, like %d/%m/%Y, or be unix_seconds, or",
    ),
    (
        "a format without a day",
        "date_format: '%Y-%m'",
        "date_format is '%Y-%m', but must tell day, month and year, like %d/%m/%Y, or be unix_seconds, or",
    ),
    (
        "a format without a year",
        "date_format: '%d.%m.'",
        "date_format is '%d.%m.', but must tell day, month and year, like %d/%m/%Y, or be unix_seconds, or",
    ),
    (
        "a format in a spreadsheet's letters",
        "date_format: YYYY-MM-DD",
        "date_format is 'YYYY-MM-DD', but must tell day, month and year, like %d/%m/%Y, or be unix_seconds, or",
    ),
    ("a bracket that never closes", "exclude_ids: [a", "line 4: expected ',' or ']', but got '<stream end>'."),
    ("a program", "seed: !!python/object/apply:os.getcwd []", "line 3: could not determine a constructor for the tag"),
    ("a file that is too large", "#" * 70_000, f"has {len(USUAL) + 70_001} bytes, a params file may have 65536."),
    ("brackets without end", "exclude_ids: " + "[" * 4000, "is nested too deeply; params are flat."),
    ("a delimiter of two letters", "delimiter: ';;'", "delimiter is ';;', but must have at most 1 character."),
    ("an encoding that there is not", "encoding: klingon", "encoding is 'klingon', but must be a text encoding like"),
    ("one sign for two purposes", "decimal: ','\nthousands: ','", "thousands and decimal cannot both be ','."),
    ("a sign for a currency", "currency: €", "currency is '€', but must be three capital letters like USD."),
    (
        "half a pattern",
        "exclude_pattern: '['",
        "exclude_pattern is '[', but must be a regular expression (unterminated",
    ),
    (
        "cancellations without numbers of orders",
        "cancellation_pattern: ^C",
        "cancellation_pattern can only be used where columns says which column of the log holds order_id.",
    ),
    (
        "lines without numbers of orders",
        "shape: line_items",
        "shape line_items can only be used where columns says which column of the log holds order_id.",
    ),
    (
        "countries without a column",
        "countries: [France]",
        "countries and exclude_countries can only be used where columns says which column of the log holds country.",
    ),
    (
        "seconds without a zone",
        "date_format: unix_seconds",
        "date_format unix_seconds needs a timezone, whose days count.",
    ),
    (
        "a zone that there is not",
        "timezone: Berlin",
        "timezone is 'Berlin', but must be a time zone like Europe/Berlin",
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("line", "sentence"), [case[1:] for case in SETTINGS], ids=[case[0] for case in SETTINGS])
def test_a_fault_in_a_params_file_is_said_in_one_sentence_and_nothing_is_written(line, sentence, shop):
    shop.params.write_text(USUAL + line + "\n", encoding="utf-8")
    code, said = command("check", shop.params)
    assert code == 2
    assert said.startswith(f"{shop.params}: {sentence}")
    assert "s3cret" not in said
    assert shop.files() == EARLIER


@pytest.mark.parametrize("content", [b"- 1\n", b"orders.csv\n", b"\xff\xfes\0"], ids=["a list", "a word", "UTF-16"])
def test_a_params_file_that_is_none_is_said_in_one_sentence(content, shop):
    shop.params.write_bytes(content)
    code, said = command("check", shop.params)
    assert code == 2
    assert re.fullmatch(
        r".*: (must hold lines like `horizon_weeks: 52`, found (list|str)|is not UTF-8 text .*)\.", said
    )
    assert shop.files() == EARLIER


@pytest.mark.parametrize("name", ["a.b", "a b", "lab", "-x"])
def test_a_params_file_whose_name_cannot_be_a_folder_of_results_is_refused(name, shop):
    file = shop.folder / f"{name}.yaml"
    file.write_text(USUAL)
    code, said = command("check", file)
    assert (code, said.startswith(f"{file}: ")) == (2, True)
    assert shop.files() == EARLIER


# --- the report's own way -----------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_report_refuses_a_log_in_the_same_sentence_and_leaves_the_last_report_alone(shop):
    shop.hand_in(next(case for case in CASES if case.fault == "another format in every other row"))
    _, said = command("check", shop.params)
    sentence = said.removesuffix(f" See {shop.page}.")
    assert command("report", shop.params) == (2, sentence)
    results = shop.files()
    assert {name: results[name] for name in ("report.html", "data/customers.parquet")} == {
        name: EARLIER[name] for name in ("report.html", "data/customers.parquet")
    }
    assert str(escape(sentence)) in results["failed/01.html"].decode()


# --- whatever else there may be -----------------------------------------------------------------------------------

PIECES = [b",", b";", b'"', b"\n", b"\r", b"\0", b"\xff", b"\xef\xbb\xbf", b"\x1a", b"\\", b"-", b".", b"9" * 30]
# At a place in the log so many bytes are taken away and these are put there.
EDITS = st.lists(
    st.tuples(st.integers(0, 10_000), st.integers(0, 2), st.sampled_from(PIECES) | st.binary(max_size=2)),
    min_size=1,
    max_size=5,
)
at_length = settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])


def damaged(content: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    """Return the content with the edits made."""
    for place, taken, put in edits:
        start = place % len(content)
        content = content[:start] + put + content[start + taken :]
    return content


@pytest.mark.slow
@at_length
@given(edits=EDITS)
def test_damage_to_a_log_ends_in_a_sentence(shop, undrawn, edits):
    undrawn()
    shop.hand_in(Case("damaged", damaged(log().encode(), edits), accepted()))
    assert command("check", shop.params)[0] in (0, 2)


@pytest.mark.slow
@at_length
@given(content=st.binary(max_size=400), name=st.sampled_from(["log.csv", "log.csv.gz", "log.parquet", "log.zip"]))
def test_bytes_without_meaning_end_in_a_sentence(shop, content, name):
    shop.hand_in(Case("bytes", content, refused(""), file=name))
    assert command("check", shop.params)[0] == 2


@pytest.mark.slow
@at_length
@given(edits=EDITS)
def test_damage_to_a_packed_log_ends_in_a_sentence(shop, undrawn, edits):
    undrawn()
    packed = gzip.compress(log().encode(), mtime=0)
    shop.hand_in(Case("damaged", damaged(packed, edits), accepted(), file="log.csv.gz"))
    assert command("check", shop.params)[0] in (0, 2)


@pytest.mark.slow
@at_length
@given(edits=EDITS)
def test_damage_to_a_typed_log_ends_in_a_sentence(shop, undrawn, edits):
    undrawn()
    shop.hand_in(Case("damaged", damaged(typed(table()), edits), accepted(), TYPED, "log.parquet"))
    assert command("check", shop.params)[0] in (0, 2)
