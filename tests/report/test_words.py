"""Numbers are written as people say them."""

import pytest

from clv import words
from clv.words import NBSP


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (69_044.06, "69,000"),
        (1_234_567, "1,230,000"),
        (999.6, "1,000"),
        (184.4, "184"),
        (34.04, "34.0"),
        (7.18, "7.18"),
        (0.384, "0.38"),
        (0.0004, "0"),
        (0, "0"),
        (-1_653.4, "-1,650"),
    ],
)
def test_amounts_have_three_digits(value, written):
    assert words.amount(value) == written


def test_money_stays_on_one_line_with_its_currency():
    assert words.money(1_653.4, "EUR") == "1,650\u00a0EUR"
    assert [words.money(value, "$") for value in (1_653.4, -1_653.4)] == ["$1,650", "-$1,650"]
    assert words.money(1_653.4, "kr") == "1,650\u00a0kr"


@pytest.mark.parametrize(
    ("share", "written"),
    [(0.6281, "63"), (0.1, "10"), (0.0996, "10"), (0.066, "6.6"), (0.0004, "0.0"), (0, "0"), (1, "100")],
)
def test_small_shares_get_a_decimal(share, written):
    assert words.percent(share) == f"{written}\u00a0%"


def test_days_are_written_out():
    assert words.day("1997-09-30").replace("\u00a0", " ") == "30 September 1997"


@pytest.mark.parametrize(("number", "written"), [(52, "52"), (39.0, "39"), (26.142857, "26.1"), (1, "1")])
def test_weeks_have_decimals_only_if_needed(number, written):
    assert words.weeks(number) == f"{written}\u00a0week{'s' if number != 1 else ''}"


def test_a_probability_counted_among_draws_is_never_certain():
    written = [words.probability(share).replace("\u00a0", " ") for share in (0.0, 0.004, 0.07, 0.5, 0.995, 1.0)]
    assert written == ["less than 1.0 %"] * 2 + ["7.0 %", "50 %"] + ["more than 99 %"] * 2


def test_two_limits_are_a_span_of_amounts():
    assert words.span({"upper": 91_480.0, "lower": -12.34}) == "-12.3 to 91,500"


@pytest.mark.parametrize(("actual", "said"), [(118.0, "18 % more"), (66.7, "33 % less"), (0.0, "100 % less")])
def test_what_came_is_more_or_less_than_was_forecast(actual, said):
    assert words.more_or_less(actual, 100.0).replace(NBSP, " ") == said
