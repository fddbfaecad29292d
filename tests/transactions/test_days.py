"""What days promises: a date that lies alone moves nothing, and what all days share is said."""

import datetime

import pytest
from helpers import day
from test_findings import CALM, HEADER, database, inspected, log, warnings

from clv.transactions import cleaning, connection, findings, reading
from clv.transactions.source import SourceSettings

# A hundred and eighty purchases, two on each of ninety days.
BUSY = [*CALM, *((f"d{number:02d}", number, "1.00") for number in range(10, 100))]
LAST = 99


def last_day() -> datetime.date:
    return database().execute("SELECT max(date) FROM transactions").fetchone()[0]


def strays(quality) -> tuple[int, str]:
    return int(quality.loc["stray_date", "rows"]), quality.loc["stray_date", "records"]


# --- dates that lie alone -------------------------------------------------------------------------------------------


def test_one_date_after_a_long_silence_does_not_move_the_end_of_observation(tmp_path):
    quality = inspected(tmp_path, log(("ada", LAST + 200, "7.00"), calm=BUSY))
    assert strays(quality) == (1, "1")
    assert last_day() == day(LAST)
    rejected = database().execute('SELECT record, "column", rule, value, amount FROM rejected').fetchall()
    assert rejected == [(1, "date", "stray_date", str(day(LAST + 200)), 7.0)]


@pytest.mark.parametrize(("silence", "rows", "stray"), [(29, 1, 1), (28, 1, 0), (29, 2, 0)])
def test_a_silence_of_four_weeks_or_a_second_purchase_after_it_is_believed(tmp_path, silence, rows, stray):
    late = [("ada", LAST + silence, "7.00"), ("bob", LAST + silence, "7.00")][:rows]
    assert strays(inspected(tmp_path, log(*late, calm=BUSY)))[0] == stray


def test_of_thousands_of_rows_a_thousandth_is_few(tmp_path):
    crowd = [(f"c{number}", number % 90, "1.00") for number in range(3000)]
    late = [("ada", 200, "1"), ("bob", 260, "1"), ("carl", 261, "1"), ("dora", 262, "1")]
    assert strays(inspected(tmp_path, log(*late, calm=crowd))) == (4, "1, 2, 3, 4")
    assert strays(inspected(tmp_path, log(*late, ("eve", 263, "1"), calm=crowd)))[0] == 0


def test_a_last_purchase_is_believed_if_the_end_is_stated(tmp_path):
    rows = log(("ada", LAST + 200, "7.00"), calm=BUSY)
    assert strays(inspected(tmp_path, rows, observation_end=day(LAST + 200)))[0] == 0
    assert last_day() == day(LAST + 200)


def test_where_purchases_are_rare_a_pause_is_no_silence(tmp_path):
    rare = [(f"c{number}", 3 * number, "1.00") for number in range(110)]
    assert strays(inspected(tmp_path, log(("ada", 327 + 30, "7.00"), calm=rare)))[0] == 0
    assert strays(inspected(tmp_path, log(("ada", 327 + 31, "7.00"), calm=rare)))[0] == 1


def test_a_row_of_a_stray_date_is_counted_once_though_it_repeats(tmp_path):
    text = "id,date,amount,order\n" + f"ada,{day(300)},7,o1\n" * 2
    text += "".join(f"c{number},{day(number % 90)},1,n{number}\n" for number in range(2000))
    assert strays(inspected(tmp_path, text)) == (2, "1, 2")


def gifts(*years: int, each: int = 40) -> str:
    """Return a log of gifts, so many in each year."""
    return "".join(
        f"g{number},{datetime.date(year, 1, 2) + datetime.timedelta(9 * number)},5\n"
        for year in years
        for number in range(each)
    )


def test_a_history_may_reach_back_beyond_1990(tmp_path):
    quality = inspected(tmp_path, HEADER + gifts(*range(1978, 2005)))
    assert quality.loc[["impossible_date", "stray_date"], "rows"].tolist() == [0, 0]


def test_days_before_1990_that_lie_alone_are_no_history(tmp_path):
    quality = inspected(tmp_path, HEADER + gifts(1978, 1979, *range(2000, 2020)))
    assert quality.loc["impossible_date", ["rows", "records"]].tolist() == [80, "1, 2, 3, 4, 5"]
    assert strays(inspected(tmp_path, HEADER + gifts(1998, 1999, *range(2002, 2020))))[0] == 0


def test_a_log_that_ends_before_1990_has_numbers_for_dates(tmp_path):
    con = connection.connect()
    file = tmp_path / "log.csv"
    file.write_text(HEADER + gifts(1970, 1971))
    settings = SourceSettings(
        file, columns={"customer_id": "id", "date": "date", "amount": "amount"}, date_format="%Y-%m-%d"
    )
    reading.read(con, settings)
    with pytest.raises(Exception, match="mostly impossible_date"):
        cleaning.clean(con, settings)


@pytest.mark.parametrize(
    ("when", "rule"),
    [
        ("1970-01-01", "impossible_date"),
        ("1969-12-31", "impossible_date"),
        ("1900-01-01", "impossible_date"),
        ("0001-01-01", "impossible_date"),
        ("2000-01-01", "stray_date"),
    ],
)
def test_a_placeholder_is_no_day_however_often_it_stands(tmp_path, when, rule):
    quality = inspected(tmp_path, HEADER + f"ada,{when},1\n" * 15 + log(calm=BUSY).removeprefix(HEADER))
    assert quality.loc[rule, "rows"] == 15


# --- what days share ------------------------------------------------------------------------------------------------


def test_a_day_with_a_third_of_all_purchases_is_asked_about(tmp_path):
    crowd = [(f"x{number}", 50, "0.01") for number in range(91)]
    found = warnings(tmp_path, log(*crowd, calm=BUSY))
    assert found["crowded_day"] == (93, 2.91, "1, 2, 3, 4, 5")
    assert "crowded_day" not in warnings(tmp_path, log(*crowd[:37], calm=BUSY))


def test_a_day_with_twenty_times_the_usual_is_asked_about(tmp_path):
    crowd = [(f"x{number}", 50, "0.01") for number in range(39)]
    assert "crowded_day" in warnings(tmp_path, log(*crowd, calm=BUSY))


@pytest.mark.parametrize(("step", "found"), [(7, True), (6, False)])
def test_dates_that_are_all_on_one_day_of_the_week_are_asked_about(tmp_path, step, found):
    rows = [(f"c{number % 30}", step * (number // 3), "1") for number in range(90)]
    assert ("coarse_dates" in warnings(tmp_path, log(calm=rows))) == found


def test_dates_that_are_all_on_the_first_of_a_month_are_asked_about(tmp_path):
    rows = [f"c{number % 7},2023-{month:02d}-01,1\n" for month in range(1, 13) for number in range(month, month + 3)]
    assert warnings(tmp_path, HEADER + "".join(rows))["coarse_dates"][0] == 36


def shop(prefix: str, start: int) -> list[tuple[str, int, str]]:
    """Return thirty customers who each buy once in every month of half a year."""
    return [(f"{prefix}{number}", start + number + 30 * time, "1") for number in range(30) for time in range(6)]


def test_a_day_on_which_everybody_gets_a_new_number_is_said(tmp_path):
    renumbered = [*shop("old", 0), *shop("new", 180)]
    assert warnings(tmp_path, log(calm=renumbered))["nobody_crosses"] == (1, 1.0, "181")
    same = [*shop("c", 0), *shop("c", 180)]
    assert "nobody_crosses" not in warnings(tmp_path, log(calm=same))


@pytest.mark.parametrize(("cut", "found"), [(60, True), (139, True), (100, True), (59, False), (140, False)])
def test_a_calibration_end_in_a_closure_is_said(tmp_path, cut, found):
    before = [("ada", 1, "1")] + [(f"c{number}", number, "1") for number in range(61)]
    after = [(f"c{number}", 140 + number, "1") for number in range(60)]
    settings_text = log(calm=[*before, *after])
    inspected(tmp_path, settings_text)
    settings = SourceSettings(tmp_path / "log.csv", columns={"customer_id": "id"}, date_format="%Y-%m-%d")
    quality = findings.inspect(database(), settings, calibration_end=day(cut)).set_index("rule")
    assert quality.loc["split_in_silence", "rows"] == found
