"""What parsing promises: a cell is read as the one thing that it can mean, to the last digit, or as nothing."""

from datetime import datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.errors import InputError
from clv.transactions import parsing
from clv.transactions.connection import connect
from clv.transactions.notation import STYLES, Style, read_number
from clv.transactions.source import SourceSettings

TEXT, BERLIN = "VARCHAR", "Europe/Berlin"


@pytest.fixture(scope="module")
def con():
    """A database to read cells in."""
    return connect()


def read(con, expression: str, column: str, cell: object, kind: str = TEXT) -> object:
    """Return what an expression makes of a cell of a column."""
    return con.execute(f"SELECT {expression} FROM (SELECT ?::{kind} AS {column})", [cell]).fetchone()[0]


# --- identifiers ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cell", "kind", "identifier"),
    [
        ("C001", TEXT, "C001"),
        ("007", TEXT, "007"),
        ("NA", TEXT, "NA"),
        ("1E5", TEXT, "1E5"),
        ("1.50", TEXT, "1.50"),
        ("ada lovelace", TEXT, "ada lovelace"),
        ("Zoë Ω 李", TEXT, "Zoë Ω 李"),
        (" ada\t", TEXT, "ada"),
        ("\u00a0\u3000ada\u2009", TEXT, "ada"),
        ("\ufeffada\u200b", TEXT, "ada"),
        ("\0ada\x1a\r\n", TEXT, "ada"),
        ("a\0b\u200bc", TEXT, "a\0b\u200bc"),
        ("", TEXT, None),
        (" \t\u00a0\u200b\0", TEXT, None),
        (None, TEXT, None),
        (7, "BIGINT", "7"),
        (2**63 - 1, "BIGINT", "9223372036854775807"),
        (2**63, "HUGEINT", "9223372036854775808"),
        ("e4eaaaf2-d142-11e1-b3e4-080027620cdd", "UUID", "e4eaaaf2-d142-11e1-b3e4-080027620cdd"),
    ],
)
def test_an_identifier_stays_as_it_is_written_but_for_what_surrounds_it(con, cell, kind, identifier):
    assert read(con, parsing.identifier("customer_id"), "customer_id", cell, kind) == identifier


@pytest.mark.parametrize("column", ["customer_id", "order_id", "product"])
@pytest.mark.parametrize("kind", ["DOUBLE", "FLOAT"])
def test_identifiers_that_were_stored_as_rounded_numbers_are_refused_by_their_name_in_the_log(column, kind):
    log = SourceSettings("log.parquet", columns={column: "Nummer"})
    with pytest.raises(
        InputError, match=f"^column Nummer holds {kind}, which merges long identifiers: write it as text"
    ):
        parsing.refuse_inexact_identifiers({column: kind, "amount": "DOUBLE"}, log)
    parsing.refuse_inexact_identifiers({column: "BIGINT", "amount": kind}, log)


@pytest.mark.parametrize("name", ["exclude_pattern", "cancellation_pattern"])
def test_a_pattern_that_the_database_does_not_understand_is_refused_by_its_name(con, name):
    with pytest.raises(InputError, match=rf"^{name} '\(\?<!C\)' is not understood \(.*\)\.$"):
        parsing.refuse_meaningless_patterns(con, SourceSettings("log.csv", **{name: "(?<!C)"}))
    parsing.refuse_meaningless_patterns(con, SourceSettings("log.csv", **{name: "^C"}))


# --- money ----------------------------------------------------------------------------------------------------------

POINT, COMMA, ENGLISH, GERMAN = (".", None), (",", None), (".", ","), (",", ".")
SWISS, FRENCH, ISO = (".", "'"), (",", " "), (".", " ")
ALL = (POINT, COMMA, ENGLISH, GERMAN, SWISS, FRENCH, ISO)
POINTED, WITH_COMMA = (POINT, ENGLISH, SWISS, ISO), (COMMA, GERMAN, FRENCH)

# What a text means, and in which styles; in all others it means nothing.
MONEY: dict[str, dict[Style, str]] = {
    # plain numbers
    "12": dict.fromkeys(ALL, "12"),
    "007": dict.fromkeys(ALL, "7"),
    "+12": dict.fromkeys(ALL, "12"),
    "-12": dict.fromkeys(ALL, "-12"),
    "-0": dict.fromkeys(ALL, "0"),
    "1e3": dict.fromkeys(ALL, "1000"),
    "1E-2": dict.fromkeys(ALL, "0.01"),
    "12.50": dict.fromkeys(POINTED, "12.5"),
    "12,50": dict.fromkeys(WITH_COMMA, "12.5"),
    "12.": dict.fromkeys(POINTED, "12"),
    ".5": dict.fromkeys(POINTED, "0.5"),
    "-,5": dict.fromkeys(WITH_COMMA, "-0.5"),
    "1.5e2": dict.fromkeys(POINTED, "150"),
    "\t 12.50\n": dict.fromkeys(POINTED, "12.5"),
    # six decimals are kept, the seventh decides
    "0.123456": dict.fromkeys(POINTED, "0.123456"),
    "0.1234565": dict.fromkeys(POINTED, "0.123457"),
    "0.0000004": dict.fromkeys(POINTED, "0"),
    "999999999999.999999": dict.fromkeys(POINTED, "999999999999.999999"),
    # a mark before three digits is what the settings say
    "1,234": dict.fromkeys(WITH_COMMA, "1.234") | {ENGLISH: "1234"},
    "1,2345": dict.fromkeys(WITH_COMMA, "1.2345"),
    "1.234": dict.fromkeys(POINTED, "1.234") | {GERMAN: "1234"},
    # thousands
    "1,234.50": {ENGLISH: "1234.5"},
    "1.234,50": {GERMAN: "1234.5"},
    "1'234.50": {SWISS: "1234.5"},
    "1’234.50": {SWISS: "1234.5"},
    "1 234,50": {FRENCH: "1234.5"},
    "1 234.50": {ISO: "1234.5"},
    "1\u00a0234\u202f567,50": {FRENCH: "1234567.5"},
    "1\u2009234": {FRENCH: "1234", ISO: "1234"},
    "1.234.567": {GERMAN: "1234567"},
    "1,234,567.891": {ENGLISH: "1234567.891"},
    "12,345": dict.fromkeys(WITH_COMMA, "12.345") | {ENGLISH: "12345"},
    # a minus, in its many places
    "- 12": dict.fromkeys(ALL, "-12"),
    "−12": dict.fromkeys(ALL, "-12"),
    "12-": dict.fromkeys(ALL, "-12"),
    "12 −": dict.fromkeys(ALL, "-12"),
    "(12)": dict.fromkeys(ALL, "-12"),
    "( 12 )": dict.fromkeys(ALL, "-12"),
    # the stated currency, or a sign, on one side
    "$12": dict.fromkeys(ALL, "12"),
    "12 €": dict.fromkeys(ALL, "12"),
    "£\u00a012": dict.fromkeys(ALL, "12"),
    "USD 12": dict.fromkeys(ALL, "12"),
    "12USD": dict.fromkeys(ALL, "12"),
    "-$12": dict.fromkeys(ALL, "-12"),
    "$ -12": dict.fromkeys(ALL, "-12"),
    "($12)": dict.fromkeys(ALL, "-12"),
    "$12-": dict.fromkeys(ALL, "-12"),
    "-USD 1,234.50": {ENGLISH: "-1234.5"},
    "(1.234,50 €)": {GERMAN: "-1234.5"},
    "US$ 12": dict.fromkeys(ALL, "12"),
    "-US$1,234.50": {ENGLISH: "-1234.5"},
    # groups of India, other digits, and no cents
    "1,23,456": {ENGLISH: "123456"},
    "1,23,456.50": {ENGLISH: "123456.5"},
    "１２": dict.fromkeys(ALL, "12"),
    "١٢": dict.fromkeys(ALL, "12"),
    "१२.५": dict.fromkeys(POINTED, "12.5"),
    "12,-": dict.fromkeys(WITH_COMMA, "12"),
    "12.–": dict.fromkeys(POINTED, "12"),
    "1.234,- €": {GERMAN: "1234"},
}
NOTHING = (
    # no numbers
    *("", " ", "-", "+", "()", ".", ",", "e5", "1e", "nan", "NaN", "inf", "-Infinity", "null", "free", "#REF!"),
    *("0x10", "1_000", "12%", "1/2", "=1+1", "'12", "12 pcs", "one", "TRUE", "½", "²"),
    # signs that say two things
    *("--12", "-12-", "(-12)", "(12)-", "-(12)", "-$-12", "(12", "12)", ")12(", "1.2.3", "1,2,3", "12.50,", "1..2"),
    # thousands are three digits, everywhere
    *("1,2,345", "123,45,678", "1234,567.00", "12 34", "1 234 56", ",123.00", "1'23"),
    # another currency, or one in another place
    *("EUR 12", "12 CHF", "usd 12", "R$ 12", "1$2", "$€12", "CA$ 12", "kr 12", "$", "USD"),
    # beyond what money can be
    *("1000000000000", "1e12", "-9999999999999", "1e400", "9" * 40),
)


@pytest.mark.parametrize("text", [*MONEY, *NOTHING], ids=repr)
def test_an_amount_means_what_the_stated_signs_say_and_else_nothing(con, text):
    found = {}
    for decimal, thousands in ALL:
        log = SourceSettings("log.csv", decimal=decimal, thousands=thousands)
        money = read(con, parsing.money("amount", TEXT, log), "amount", text)
        found |= {} if money is None else {(decimal, thousands): money}
    assert found == {style: Decimal(money) for style, money in MONEY.get(text, {}).items()}


def test_each_column_is_read_in_its_own_notation(con):
    log = SourceSettings(
        "log.csv", decimal={"quantity": ".", "unit_price": ","}, thousands={"unit_price": "."}, minor_units=False
    )
    assert read(con, parsing.money("quantity", TEXT, log), "quantity", "1.000") == 1
    assert read(con, parsing.money("unit_price", TEXT, log), "unit_price", "1.000,50") == Decimal("1000.5")
    assert read(con, parsing.money("amount", TEXT, log), "amount", "1.5") == Decimal("1.5")  # as if nothing were stated


def test_small_units_become_the_currency_and_pieces_stay_pieces(con):
    cents = SourceSettings("log.csv", minor_units=True)
    assert read(con, parsing.money("amount", TEXT, cents), "amount", "4951") == Decimal("49.51")
    assert read(con, parsing.money("unit_price", "BIGINT", cents), "unit_price", 4951, "BIGINT") == Decimal("49.51")
    assert read(con, parsing.money("quantity", TEXT, cents), "quantity", "3") == 3
    yen = SourceSettings("log.csv", minor_units=True, currency="JPY")
    assert read(con, parsing.money("amount", TEXT, yen), "amount", "4951") == 4951


def test_no_amount_is_no_money(con):
    assert read(con, parsing.money("amount", TEXT, SourceSettings("log.csv")), "amount", None) is None


@given(number=st.decimals(min_value=-(10**11), max_value=10**11, places=2), style=st.sampled_from(STYLES))
def test_what_a_style_writes_is_read_by_cleaning_as_by_the_first_look_at_a_log(con, number, style):
    decimal, thousands = style
    text = f"{number:,.2f}".replace(",", "t").replace(".", decimal).replace("t", thousands or "")
    log = SourceSettings("log.csv", decimal=decimal, thousands=thousands)
    assert read(con, parsing.money("amount", TEXT, log), "amount", text) == number == read_number(text, style)


@pytest.mark.parametrize(
    ("kind", "cell", "money"),
    [
        ("FLOAT", 0.1, "0.1"),
        ("FLOAT", 12345.67, "12345.67"),  # and not 12345.669922
        ("DOUBLE", 0.1, "0.1"),
        ("DOUBLE", 1e10, "10000000000"),
        ("DOUBLE", -0.005, "-0.005"),
        ("DOUBLE", float("nan"), None),
        ("DOUBLE", float("inf"), None),
        ("DOUBLE", 1e12, None),
        ("TINYINT", -5, "-5"),
        ("BIGINT", 2**62, None),
        ("HUGEINT", 10**11, "100000000000"),
        ("UBIGINT", 7, "7"),
        ("DECIMAL(4,2)", "12.34", "12.34"),
        ("DECIMAL(38,10)", "0.1234567890", "0.123457"),
        ("DECIMAL(38,0)", "1" * 38, None),
        ("DOUBLE", None, None),
    ],
)
def test_a_typed_number_is_money_to_six_decimals(con, kind, cell, money):
    expression = parsing.money("amount", kind, SourceSettings("log.parquet"))
    assert read(con, expression, "amount", cell, kind) == (None if money is None else Decimal(money))


@pytest.mark.parametrize("kind", ["BOOLEAN", "DATE", "INTERVAL", "BLOB", "DOUBLE[]"])
def test_what_is_stored_as_something_else_is_no_money(kind):
    log = SourceSettings("log.parquet", columns={"quantity": "Menge"})
    with pytest.raises(InputError) as refusal:
        parsing.money("quantity", kind, log)
    assert str(refusal.value) == f"column Menge holds {kind}: write amounts as numbers."


@pytest.mark.parametrize(
    ("text", "sign"), [("€12", "€"), ("12 €", "€"), ("-$ 12", "$"), ("12", None), ("12 USD", None), (None, None)]
)
def test_the_sign_of_a_currency_is_seen_wherever_it_stands(con, text, sign):
    assert read(con, parsing.sign("amount"), "amount", text) == sign


# --- moments --------------------------------------------------------------------------------------------------------


def at(*parts: int) -> datetime:
    """Return a moment."""
    return datetime(*parts)


def moment(con, cell, kind=TEXT, **options):
    """Return the moment that a cell of a column of this kind means."""
    expression = parsing.moment(con, kind, SourceSettings("log.csv", **options))
    return read(con, expression, "date", cell, kind)


@pytest.mark.parametrize(
    ("text", "form", "found"),
    [
        ("2024-01-31", "%Y-%m-%d", at(2024, 1, 31)),
        (" 2024-01-31 ", "%Y-%m-%d", at(2024, 1, 31)),
        ("2024-1-3", "%Y-%m-%d", at(2024, 1, 3)),
        ("29.2.2024", "%d.%m.%Y", at(2024, 2, 29)),
        ("1/31/2024 11:30 PM", "%m/%d/%Y %I:%M %p", at(2024, 1, 31, 23, 30)),
        ("31-jan-2024", "%d-%b-%Y", at(2024, 1, 31)),
        ("31/01/68", "%d/%m/%y", at(2068, 1, 31)),
        ("31/01/69", "%d/%m/%y", at(1969, 1, 31)),
        ("2024-031", "%Y-%j", at(2024, 1, 31)),
        ("2024-01-31 23:59:59.999999", "%Y-%m-%d %H:%M:%S.%f", at(2024, 1, 31, 23, 59, 59, 999_999)),
        ("2024-01-31 23:59:59.999999999", "%Y-%m-%d %H:%M:%S.%f", at(2024, 1, 31, 23, 59, 59, 999_999)),
        ("31-JAN-24 11.30.00.123456789 PM", "%d-%b-%y %I.%M.%S.%f %p", at(2024, 1, 31, 23, 30, 0, 123_456)),
        ("2024-01-31T23:59", "%Y-%m-%dT%H:%M:%S", at(2024, 1, 31, 23, 59)),  # Java leaves out seconds that are zero
        ("2024-01-31T23:59", "%Y-%m-%dT%H:%M:%S.%f", at(2024, 1, 31, 23, 59)),
        ("2024-01-31T23", "%Y-%m-%dT%H:%M:%S", None),
        ("0024-01-31", "%Y-%m-%d", at(24, 1, 31)),
        ("2024-02-30", "%Y-%m-%d", None),
        ("29.2.2023", "%d.%m.%Y", None),
        ("2024-01-31 10:00", "%Y-%m-%d", None),
        ("2024-01-31", "%Y-%m-%d %H:%M", None),
        ("2024-01-31 24:00", "%Y-%m-%d %H:%M", None),
        ("12345-01-31", "%Y-%m-%d", None),
        ("31-Mai-2024", "%d-%b-%Y", None),
        ("", "%Y-%m-%d", None),
        (None, "%Y-%m-%d", None),
    ],
)
def test_a_date_is_read_by_the_stated_format_or_not_at_all(con, text, form, found):
    assert moment(con, text, date_format=form) == found


@pytest.mark.parametrize(
    ("text", "form", "zone", "found"),
    [
        ("2024-01-31T23:30:00Z", "%Y-%m-%dT%H:%M:%SZ", BERLIN, at(2024, 2, 1, 0, 30)),
        ("2024-07-31T22:30:00Z", "%Y-%m-%dT%H:%M:%SZ", BERLIN, at(2024, 8, 1, 0, 30)),
        ("2024-02-01 04:30 UTC", "%Y-%m-%d %H:%M UTC", "America/New_York", at(2024, 1, 31, 23, 30)),
        ("2024-01-31T23:30:00-05:00", "%Y-%m-%dT%H:%M:%S%z", "UTC", at(2024, 2, 1, 4, 30)),
        ("2024-01-31T23:30:00-0500", "%Y-%m-%dT%H:%M:%S%z", "UTC", at(2024, 2, 1, 4, 30)),
        ("2024-01-31T23:30:00+01", "%Y-%m-%dT%H:%M:%S%z", "UTC", at(2024, 1, 31, 22, 30)),
        ("2024-01-31 23:30 +0530", "%Y-%m-%d %H:%M %z", "Asia/Kolkata", at(2024, 1, 31, 23, 30)),
        # An hour that the clock shows twice, and one that it leaves out.
        ("2024-10-27T00:30:00Z", "%Y-%m-%dT%H:%M:%SZ", BERLIN, at(2024, 10, 27, 2, 30)),
        ("2024-10-27T01:30:00Z", "%Y-%m-%dT%H:%M:%SZ", BERLIN, at(2024, 10, 27, 2, 30)),
        ("2024-03-31T01:30:00Z", "%Y-%m-%dT%H:%M:%SZ", BERLIN, at(2024, 3, 31, 3, 30)),
        ("2024-01-31T23:30:00", "%Y-%m-%dT%H:%M:%S%z", "UTC", None),
        ("2024-01-31T23:30:00+01:00", "%Y-%m-%dT%H:%M:%SZ", "UTC", None),
    ],
)
def test_a_moment_with_an_offset_is_what_the_clock_of_the_stated_zone_showed(con, text, form, zone, found):
    assert moment(con, text, date_format=form, timezone=zone) == found


@pytest.mark.parametrize(
    ("text", "language", "form", "found"),
    [
        ("4. Januar 2023", "de", "%d. %B %Y", at(2023, 1, 4)),
        ("4. März 2023", "de", "%d. %B %Y", at(2023, 3, 4)),
        ("4. Mai 2023", "de", "%d. %b %Y", at(2023, 5, 4)),
        ("4 août 2023", "fr", "%d %B %Y", at(2023, 8, 4)),
        ("4 févr. 2023", "fr", "%d %b %Y", at(2023, 2, 4)),
        ("4 févr. 2023", "fr", "%d %b. %Y", at(2023, 2, 4)),
        ("4 mars 2023", "fr", "%d %B %Y", at(2023, 3, 4)),
        ("4 de enero de 2023", "es", "%d de %B de %Y", at(2023, 1, 4)),
        ("4 января 2023", "ru", "%d %B %Y", at(2023, 1, 4)),
        ("4 mai 2023", "ro", "%d %B %Y", at(2023, 5, 4)),
        ("4. Foo 2023", "de", "%d. %B %Y", None),
        ("4. Januar 2023", "fr", "%d. %B %Y", None),
        ("4.1.2023", "de", "%d.%m.%Y", at(2023, 1, 4)),
    ],
)
def test_months_are_read_in_the_stated_language(con, text, language, form, found):
    assert moment(con, text, date_format=form, date_language=language) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("2024-01-31 23:30:00 EST", at(2024, 2, 1, 5, 30)),
        ("2024-07-31 23:30:00 EDT", at(2024, 8, 1, 5, 30)),
        ("2024-07-31 23:30:00 CEST", at(2024, 7, 31, 23, 30)),
        ("2024-01-31 23:30:00 GMT", at(2024, 2, 1, 0, 30)),
        ("2024-01-31 23:30:00 XYZ", None),
        ("2024-01-31 23:30:00", None),
    ],
)
def test_a_zone_may_be_abbreviated(con, text, found):
    assert moment(con, text, date_format="%Y-%m-%d %H:%M:%S %Z", timezone=BERLIN) == found


@pytest.mark.parametrize("name", ["Created (UTC)", "created_utc", "createdUTC", "date GMT"])
def test_a_column_named_utc_follows_the_stated_clock(con, name):
    column = {"columns": {"date": name}, "timezone": BERLIN}
    late = "2024-01-31 23:30:00"
    assert moment(con, late, date_format="%Y-%m-%d %H:%M:%S", **column) == at(2024, 2, 1, 0, 30)
    assert moment(con, late, "TIMESTAMP", **column) == at(2024, 2, 1, 0, 30)
    assert moment(con, "2024-01-31", date_format="%Y-%m-%d", **column) == at(2024, 1, 31)  # a day is one
    assert moment(con, late, date_format="%Y-%m-%d %H:%M:%S", columns={"date": name}) == at(2024, 1, 31, 23, 30)
    assert moment(con, late, date_format="%Y-%m-%d %H:%M:%S", columns={"date": "outcome"}, timezone=BERLIN).hour == 23


def test_microseconds_are_counted_too(con):
    assert moment(con, "1704067200000000", date_format="unix_microseconds", timezone="UTC") == at(2024, 1, 1)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2024-01-31T22:30:00Z", "%Y-%m-%dT%H:%M:%S%z"),
        ("2024-01-31 22:30:00 UTC", "%Y-%m-%d %H:%M:%S.%f UTC"),
        ("2024-01-31 22:30:00.25 UTC", "%Y-%m-%d %H:%M:%S.%f UTC"),
    ],
)
def test_a_fraction_or_an_offset_may_be_missing_where_it_is_zero(con, text, form):
    assert moment(con, text, date_format=form, timezone=BERLIN).replace(microsecond=0) == at(2024, 1, 31, 23, 30)


def test_days_as_a_spreadsheet_counts_them_are_dates(con):
    assert moment(con, "45292", date_format="spreadsheet_days") == at(2024, 1, 1)
    assert moment(con, "45292.75", date_format="spreadsheet_days") == at(2024, 1, 1, 18)
    assert moment(con, "2024-01-01", date_format="spreadsheet_days") is None


@pytest.mark.parametrize(
    ("kind", "form", "cell"),
    [
        (TEXT, "%Y-%m-%dT%H:%M:%SZ", "2024-01-31T23:30:00Z"),
        (TEXT, "%Y-%m-%dT%H:%M:%S%z", "2024-01-31T23:30:00+01:00"),
        (TEXT, "unix_seconds", "1706745600"),
        ("BIGINT", "unix_milliseconds", 1_706_745_600_000),
        ("TIMESTAMP WITH TIME ZONE", None, "2024-01-31 23:30:00+01"),
    ],
)
def test_a_moment_is_no_day_before_it_is_said_whose_days_count(con, kind, form, cell):
    with pytest.raises(InputError) as refusal:
        moment(con, cell, kind, date_format=form, columns={"date": "Zeit"})
    assert str(refusal.value) == (
        "column Zeit holds moments with an offset: state whose days count as timezone, like Europe/Berlin."
    )


@pytest.mark.parametrize("kind", [TEXT, "BIGINT"])
@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        (1_704_067_199, at(2023, 12, 31, 23, 59, 59)),
        (1_704_067_200, at(2024, 1, 1)),
        (0, at(1970, 1, 1)),
        (-86_400, at(1969, 12, 31)),
        (4_102_444_799, at(2099, 12, 31, 23, 59, 59)),
        (4_102_444_800, None),
        (10**18, None),
    ],
)
def test_time_is_counted_from_1970_to_the_year_2100(con, kind, seconds, found):
    utc = {"timezone": "UTC"}
    assert moment(con, seconds, kind, date_format="unix_seconds", **utc) == found
    assert found is None or moment(con, seconds * 1000, kind, date_format="unix_milliseconds", **utc) == found


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (" 1704067200 ", at(2024, 1, 1)),
        ("1704067200.5", at(2024, 1, 1, 0, 0, 0, 500_000)),
        ("1.7040672e9", at(2024, 1, 1)),
        ("1704067200000", None),
        ("nan", None),
        ("inf", None),
        ("2024-01-01", None),
        ("", None),
        (None, None),
    ],
)
def test_seconds_may_have_a_fraction_and_nothing_else_beside_them(con, text, found):
    assert moment(con, text, date_format="unix_seconds", timezone="UTC") == found


def test_a_day_of_seconds_is_the_day_of_the_stated_zone(con):
    last_second_in_new_york = 1_706_763_599
    new_york = {"date_format": "unix_seconds", "timezone": "America/New_York"}
    assert moment(con, last_second_in_new_york, "BIGINT", **new_york) == at(2024, 1, 31, 23, 59, 59)
    assert moment(con, last_second_in_new_york, "BIGINT", **new_york | {"timezone": BERLIN}).day == 1


@pytest.mark.parametrize(
    ("kind", "cell", "found"),
    [
        ("DATE", "2024-01-31", at(2024, 1, 31)),
        ("TIMESTAMP", "2024-01-31 23:59:59.999999", at(2024, 1, 31, 23, 59, 59, 999_999)),
        ("TIMESTAMP_S", "2024-01-31 23:59:59", at(2024, 1, 31, 23, 59, 59)),
        ("TIMESTAMP_MS", "2024-01-31 23:59:59.999", at(2024, 1, 31, 23, 59, 59, 999_000)),
        # The last nanosecond of a day is not the next day.
        ("TIMESTAMP_NS", "2024-01-31 23:59:59.999999999", at(2024, 1, 31, 23, 59, 59, 999_999)),
        ("TIMESTAMP_NS", "2024-02-01 00:00:00", at(2024, 2, 1)),
        ("DATE", "0001-01-01", at(1, 1, 1)),
        ("DATE", "9999-12-31", at(9999, 12, 31)),
        ("DATE", "5000000-01-01", None),  # a day that no moment can be
        ("DATE", None, None),
        ("INTEGER", None, None),
    ],
)
def test_a_typed_date_is_itself(con, kind, cell, found):
    form = "%Y%m%d" if kind == "INTEGER" else None
    assert moment(con, cell, kind, date_format=form) == found


def test_a_typed_instant_is_what_the_clock_of_the_stated_zone_showed(con):
    kind, instant = "TIMESTAMP WITH TIME ZONE", "2024-01-31 23:30:00+00"
    assert moment(con, instant, kind, timezone=BERLIN) == at(2024, 2, 1, 0, 30)
    assert moment(con, instant, kind, timezone="America/New_York") == at(2024, 1, 31, 18, 30)


@pytest.mark.parametrize(
    ("number", "found"), [(20240131, at(2024, 1, 31)), (20240230, None), (45322, None), (-1, None)]
)
def test_whole_numbers_may_be_days_as_they_are_written(con, number, found):
    assert moment(con, number, "INTEGER", date_format="%Y%m%d") == found


@pytest.mark.parametrize("kind", ["DOUBLE", "BOOLEAN", "TIME", "DECIMAL(18,3)"])
def test_what_is_stored_as_something_else_is_no_date(con, kind):
    with pytest.raises(InputError) as refusal:
        moment(con, None, kind, date_format="%Y-%m-%d", columns={"date": "Tag"})
    assert str(refusal.value) == (f"column Tag holds {kind}: write it as a date, or as text and state date_format.")


@pytest.mark.parametrize("form", ["%d.%m.%Y %Q", "%d.%m.%Y %"])
def test_a_format_that_means_nothing_is_refused(con, form):
    with pytest.raises(InputError, match=r"^date_format '.*' is not understood \(.*\)\.$"):
        moment(con, "31.01.2024", date_format=form)


def test_the_last_nanosecond_of_a_day_in_text_is_not_the_next_day(con):
    text, form = "2024-01-31 23:59:59.999999999", "%Y-%m-%d %H:%M:%S.%n"
    assert moment(con, text, date_format=form) == at(2024, 1, 31, 23, 59, 59, 999_999)


@pytest.mark.parametrize("text", ["+-5", "+5-", "(+5)", "-+5"])
def test_plus_and_minus_say_two_things(con, text):
    assert read(con, parsing.money("amount", "VARCHAR", SourceSettings("log.csv")), "amount", text) is None
