"""What notation promises: every format that reads the dates, every style that reads the numbers, no guess between."""

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv.transactions.currencies import CODES, code_of, minor_units, split_off, words_of
from clv.transactions.notation import (
    DAY_FORMATS,
    STYLES,
    formats_that_read,
    number_styles,
    read_dates,
    read_number,
    unknown_zone,
)
from clv.transactions.parsing import money
from clv.transactions.source import SourceSettings

WRITTEN = [form for form in DAY_FORMATS if form.startswith("%") and "%H" not in form]
POINT, COMMA, ENGLISH, GERMAN = (".", None), (",", None), (".", ","), (",", ".")


def formats(values):
    """Return the formats in which values are dates, none if they are no dates."""
    found = read_dates(values)
    return found.formats if found else ()


# -- dates -------------------------------------------------------------------------------------------------------------


def test_days_and_months_are_never_guessed():
    assert formats(["1/5/2024 8:26", "12/11/2024 17:03"]) == ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")


def test_one_day_after_the_twelfth_settles_it():
    assert formats(["1/5/2024", "13/5/2024"]) == ("%d/%m/%Y",)
    assert formats(["1/5/2024", "5/13/2024"]) == ("%m/%d/%Y",)


def test_two_digits_for_day_month_and_year_may_mean_three_things():
    assert formats(["01-02-03"]) == ("%d-%m-%y", "%m-%d-%y", "%y-%m-%d")


def test_a_reading_that_spreads_days_over_decades_is_none():
    days = [(f"{1 + number % 28:02}", f"{1 + number % 12:02}") for number in range(60)]
    assert formats([f"{day}-{month}-24" for day, month in days]) == ("%d-%m-%y",)
    assert formats([f"24-{month}-{day}" for day, month in days]) == ("%y-%m-%d",)


@pytest.mark.parametrize(
    ("texts", "languages", "form"),
    [
        (["4. Januar 2023", "5. März 2023", "6. Mai 2023"], ("de",), "%d. %B %Y"),
        (["4 janv. 2023", "5 févr. 2023", "6 août 2023"], ("fr",), "%d %B %Y"),
        (["4 de enero de 2023", "5 de mayo de 2023"], ("es",), "%d de %B de %Y"),
        (["4 Jan 2023", "5 May 2023"], (), "%d %b %Y"),
        (["4 quarta 2023", "5 terza 2023"], (), None),
    ],
)
def test_months_are_known_in_the_languages_that_name_them_so(texts, languages, form):
    found = read_dates(texts)
    assert (found.languages if found else (), found.formats[0] if found else None) == (languages, form)


def test_one_language_is_enough_if_only_it_has_the_month():
    found = read_dates(["1 mart 2023", "3 mart 2023"])
    assert found and found.languages == ("tr",)


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("2023-01-04 18:20:11 EST", "%Y-%m-%d %H:%M:%S %Z"),
        ("2023-01-04 10:20:11 GMT+0200", "%Y-%m-%d %H:%M:%S GMT%z"),
        ("2023-01-04 10:20:11 GMT", "%Y-%m-%d %H:%M:%S %Z"),
        ("Wed, 04 Jan 2023", "%a, %d %b %Y"),
        ("20230104182011", "%Y%m%d%H%M%S"),
        ("1672574400000000", "unix_microseconds"),
    ],
)
def test_dates_of_programs_are_known(text, form):
    assert formats([text]) == (form,)


def test_may_alone_does_not_say_whether_months_are_written_out():
    assert formats(["1 May 2024", "2 May 2024"]) == ("%d %b %Y", "%d %B %Y")
    assert formats(["1 May 2024", "2 June 2024"]) == ("%d %B %Y",)


def test_a_tenth_of_the_values_may_be_written_otherwise():
    days = [f"2024-01-{number}" for number in range(10, 29)]
    found = read_dates(["unknown", *days])
    assert (found.formats, found.unread, len(found.days)) == (("%Y-%m-%d",), 1, 19)
    assert read_dates(["unknown", "n/a", "?", *days]) is None


def test_typed_dates_need_no_format():
    for first in (date(2024, 1, 3), datetime(2024, 1, 3, 23)):
        found = read_dates([first, first + timedelta(1)])
        assert (found.days, found.formats) == ((date(2024, 1, 3), date(2024, 1, 4)), ())
        assert not found.offset
    assert read_dates([date(2024, 1, 3), "2024-01-04"]) is None
    assert read_dates([]) is None


def test_whole_numbers_may_be_days_or_instants():
    assert formats([20240131, 20240201]) == ("%Y%m%d",)
    assert formats([1704067200, 1704153600]) == ("unix_seconds",)
    assert formats(["1704067200000"]) == ("unix_milliseconds",)
    assert read_dates([18501231]) is None
    assert read_dates([1704067200.0]) is None


@pytest.mark.parametrize(
    "value",
    [
        "2024-01-31T08:26:00Z",
        "2024-01-31 08:26:00 UTC",
        "2024-01-31 08:26:00+01",
        "2024-01-31T08:26:00.123+01:00",
        1704067200,
        datetime(2024, 1, 31, 23, tzinfo=timezone(timedelta(hours=-5))),
    ],
)
def test_an_instant_has_an_offset(value):
    assert read_dates([value]).offset
    assert not read_dates(["2024-01-31 08:26:00"]).offset


MOMENTS = (
    datetime(2024, 1, 13, 8, 26, 5, 120000),
    datetime(2023, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 9, 1, 0, 1),
)
CLOCKS = (" %H:%M", " %H:%M:%S", "T%H:%M:%S", "T%H:%M:%S.%f", " %I:%M %p", " %I:%M:%S%p", ", %H:%M:%S")
ZONES = ("", "Z", " UTC", "+01:00", " -0530", "+00")
ENDINGS = [clock + zone for clock in CLOCKS for zone in ZONES if "%p" not in clock or zone != "+00"]


@pytest.mark.parametrize("clock", ["", *ENDINGS])
def test_python_and_duckdb_read_every_format_alike(clock):
    con = duckdb.connect()
    for form in WRITTEN if clock in ("", CLOCKS[0]) else WRITTEN[:2]:
        texts = [moment.strftime(form + clock) for moment in MOMENTS]
        told = formats(texts)
        assert told
        for found in told:
            read = con.execute("SELECT epoch_us(try_strptime(unnest(?), ?))", [texts, found]).fetchall()
            padded = [text + "00" if clock.endswith("+00") else text for text in texts]  # for Python's %z
            known = [datetime.strptime(text, found) for text in padded]
            instants = [moment if moment.tzinfo else moment.replace(tzinfo=UTC) for moment in known]
            assert [row[0] for row in read] == [round(moment.timestamp() * 1e6) for moment in instants], (texts, found)


def test_days_and_hours_of_one_digit_are_read_by_both():
    (form,) = formats(["1/13/2024 8:26", "1/5/2024 17:03"])
    query = "SELECT try_strptime('1/5/2024 8:26', ?)"
    assert duckdb.execute(query, [form]).fetchall() == [(datetime(2024, 1, 5, 8, 26),)]


@given(
    form=st.sampled_from(WRITTEN),
    days=st.lists(st.dates(date(2022, 1, 1), date(2024, 12, 31)), min_size=1, max_size=30),
)
def test_the_true_format_is_always_among_those_found(form, days):
    texts = [day.strftime(form) for day in days]
    assert form in formats(texts)
    assert (form, 1.0) in formats_that_read(texts)


# -- formats for what a stated format did not read ---------------------------------------------------------------------


def test_formats_come_with_the_share_that_they_read_the_best_first():
    texts = ["13/05/2024", "14/05/2024", "05/06/2024", "n/a"]
    assert formats_that_read(texts) == [("%d/%m/%Y", 0.75), ("%m/%d/%Y", 0.25)]


def test_times_without_seconds_among_others_are_whole_minutes():
    texts = ["2024-01-31T10:20:11"] * 19 + ["2024-02-01T10:20"]
    found = read_dates(texts)
    assert found is not None
    assert (found.formats, found.unread, found.days[-1]) == (("%Y-%m-%dT%H:%M:%S",), 0, date(2024, 2, 1))


def test_days_with_and_without_a_time_have_a_format_each():
    assert formats_that_read(["2024-01-31 08:26", "2024-01-31", "2024-02-01"]) == [
        ("%Y-%m-%d", 2 / 3),
        ("%Y-%m-%d %H:%M", 1 / 3),
    ]


def test_of_equal_formats_the_one_that_sees_fewer_years_is_the_better():
    assert [form for form, _ in formats_that_read(["24-01-13", "24-02-28"])] == ["%y-%m-%d", "%d-%m-%y"]


def test_a_text_counts_once_and_no_more_than_a_thousand_count():
    assert formats_that_read(["31.1.2024", " 31.1.2024 ", "n/a"]) == [("%d.%m.%Y", 0.5)]
    assert formats_that_read([*(f"x{number}" for number in range(1000)), "31.1.2024"]) == []


def test_nothing_reads_what_is_no_date():
    assert formats_that_read([]) == formats_that_read(["", "n/a", "31.31.2024"]) == []


# -- numbers -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "style"),
    [
        (["12.50", "1234.5", "+3", ".5"], POINT),
        (["1.234,50", "12,5"], GERMAN),
        (["12,5", "7"], COMMA),
        (["1,234.50", "12.5"], ENGLISH),
        (["1,234,567", "12"], ENGLISH),
        (["1'234.50", "12.50"], (".", "'")),
        (["1’234.50", "12.50"], (".", "'")),
        (["1 234,50", "12,50"], (",", " ")),
        (["1\u202f234,50", "12,50"], (",", " ")),
        (["0.125", "0.5"], POINT),
        ([12.5, 3], POINT),
        ([Decimal("12.50")], POINT),
        (["1234", "12"], POINT),
        (["1.234,50 €", "€12,5", "EUR 7"], GERMAN),
    ],
)
def test_decimal_and_thousands_signs_are_seen(values, style):
    assert number_styles(values) == (style,)
    assert None not in [read_number(value, style) for value in values]


@pytest.mark.parametrize(("text", "styles"), [("1,234", (COMMA, ENGLISH)), ("1.234", (POINT, GERMAN))])
def test_one_mark_before_three_digits_is_never_guessed(text, styles):
    assert number_styles([text, "56"]) == styles


@given(number=st.decimals(-(10**9), 10**9, places=2), style=st.sampled_from(STYLES))
def test_a_number_written_in_a_style_is_read_by_it(number, style):
    decimal, thousands = style
    text = f"{number:,}".replace(",", "t").replace(".", decimal).replace("t", thousands or "")
    assert read_number(text, style) == number
    assert number in [read_number(text, other) for other in number_styles([text])]


@pytest.mark.parametrize("text", ["(12.50)", "12.50-", "-12.50", "€ -12.50", "- €12.50", "−12.50", "-1.25e1"])
def test_a_minus_is_seen_however_it_is_written(text):
    assert read_number(text, POINT) == Decimal("-12.50")


@pytest.mark.parametrize("value", [None, True, float("nan"), "", "-", "n/a", "1,234.5", "1.2.3", "12 pieces", "5 XTS"])
def test_what_is_no_number_is_not_read(value):
    assert read_number(value, POINT) is None


def test_thousands_are_three_digits_after_at_most_three():
    assert [read_number(text, ENGLISH) for text in ("1,234,567", "1234,567", "0,123", "1,23")] == [
        1234567,
        None,
        None,
        None,
    ]


@pytest.mark.parametrize(
    ("text", "sign"),
    [
        *[
            ("£12.50", "£"),
            ("12,50 EUR", "EUR"),
            ("($5)", "$"),
            ("12", ""),
            ("n/a", ""),
            ("5 XTS", ""),
            ("€ 5 net", ""),
        ],
        *[
            ("US$741.91", "US$"),
            ("R$ 5", "R$"),
            ("741,91 kr", "kr"),
            ("5 zł", "zł"),
            ("Rs. 741.91", "Rs."),
            ("Rs5", "Rs"),
        ],
        *[
            ("REFUND 5", ""),
            ("R 5", "R"),
            ("1$234", ""),
            ("$", "$"),
            ("Fr. 12.-", "Fr."),
            ("CA$5", "CA$"),
            ("٥ $", "$"),
        ],
    ],
)
def test_a_currency_is_one_only_if_it_stands_alone_beside_the_number(text, sign):
    assert split_off(text)[0] == sign


@pytest.mark.parametrize(
    ("word", "code"),
    [
        *[("€", "EUR"), ("US$", "USD"), ("R$", "BRL"), ("zł", "PLN"), ("Kč", "CZK"), ("SEK", "SEK"), ("R", "ZAR")],
        *[("$", ""), ("kr", ""), ("Rs.", ""), ("¥", ""), ("XTS", "")],
    ],
)
def test_a_word_names_a_currency_if_no_other_is_written_so(word, code):
    assert code_of(word) == code


def test_every_currency_is_known_by_its_code_and_counts_its_smallest_units():
    assert all(code in words_of(code) for code in CODES)
    assert {"kr", "SEK"} <= set(words_of("SEK")) and "US$" not in words_of("CAD")
    assert [minor_units(code) for code in ("EUR", "JPY", "KWD")] == [100, 1, 1000]


@pytest.mark.parametrize(
    ("text", "style", "number"),
    [
        ("741,-", COMMA, 741),
        ("1.741,--", GERMAN, 1741),
        ("741.–", POINT, 741),
        ("-741,-", COMMA, -741),
        ("741,-", POINT, None),
        ("1,23,456.50", ENGLISH, Decimal("123456.5")),
        ("12,34,567", ENGLISH, 1234567),
        ("1,2,345", ENGLISH, None),
        ("1,23,456", POINT, None),
        ("１２．５０", POINT, Decimal("12.5")),
        ("￥１，２３４", ENGLISH, 1234),
        ("١٢٫٥", COMMA, Decimal("12.5")),
        ("١٬٢٣٤٫٥", POINT, Decimal("1234.5")),
        ("Rs. 1,23,456", ENGLISH, 123456),
        ("US$ 12", POINT, 12),
    ],
)
def test_numbers_are_read_as_the_world_writes_them(text, style, number):
    assert read_number(text, style) == number
    log = SourceSettings("log.csv", decimal=style[0], thousands=style[1], currency="INR" if "Rs" in text else "USD")
    assert duckdb.connect().execute(
        f"SELECT {money('amount', 'VARCHAR', log)} FROM (SELECT ? AS amount)", [text]
    ).fetchone() == (number,)


@pytest.mark.parametrize(
    ("texts", "zone"),
    [
        (["2024-01-05 10:22:01 IST", "2024-01-06 09:00:00 IST"], "IST"),
        (["2024-01-05 10:22 EST", "2024-01-06 09:00 EDT"], ""),
        (["01/05/2024 10:22 AM", "01/06/2024 09:00 PM"], ""),
        (["2024-01-05", "2024-01-06"], ""),
    ],
)
def test_an_abbreviation_that_several_zones_share_is_named(texts, zone):
    assert unknown_zone(texts) == zone


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (["2024-01-05 10:11:12 UTC", "2024-02-25 10:11:12 UTC", "2024-01-05 10:11:12.345678 UTC"], "%H:%M:%S.%f UTC"),
        (["05-JAN-24 10.11.12.123456789 AM", "25-FEB-24 09.01.00.000000000 PM"], "%I.%M.%S.%f %p"),
        (["2024-01-05T10:11:12Z", "2024-02-25T10:11:12Z", "2024-01-05T10:11:12+02:00"], "%H:%M:%S%z"),
        (["05-03-2024 10.15.00 PM", "25-03-2024 01.15.00 AM"], "%I.%M.%S %p"),
        (["March 5, 2024 at 3:04PM", "March 25, 2024 at 11:04AM"], "%I:%M%p"),
    ],
)
def test_moments_of_one_column_that_programs_write_in_two_ways_have_one_format(texts, form):
    dates = read_dates(texts)
    assert (dates.unread, [each.endswith(form) for each in dates.formats]) == (0, [True])
