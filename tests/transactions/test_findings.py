"""What findings promises: each warning speaks where it must, counts rows and money, and is silent one step before."""

from collections.abc import Iterable
from functools import cache

import pytest
from helpers import COLUMNS, DAY_ZERO, TODAY, WITH_ORDERS, cleaned, day, source, with_orders

from clv import tables
from clv.errors import InputError
from clv.transactions import cleaning, connection, findings, reading
from clv.transactions.days import CLOSED_SPLIT, COARSE, CROWD, GAP, QUIET_END, SEAM
from clv.transactions.findings import (
    CUSTOMER_RULES,
    DRIFT,
    EXCESS,
    FRACTIONS,
    LONG_ORDERS,
    REPEATS,
    SAME_TOTAL,
    SEVERAL,
    THOUSANDS,
    UNUSED_FILTER,
    UNUSED_VALUE,
    ZERO_AMOUNT,
)
from clv.transactions.rules import RULES, WARN
from clv.transactions.source import SourceSettings
from clv.transactions.tables import QUALITY

HEADER = "id,date,amount\n"
# Ninety customers buy for 1.00 on each of ninety days: nobody among them is worth a question.
CALM = [(f"c{number:02d}", number, "1.00") for number in range(10, 100)]
LINES = {
    "shape": "line_items",
    "columns": {"customer_id": "id", "date": "date", "order_id": "order", "quantity": "quantity"}
    | {"unit_price": "price", "product": "product"},
}


def log(*rows: tuple[str, int, str], calm: Iterable[tuple[str, int, str]] = CALM) -> str:
    """Return a log of (customer, day, amount), the calm customers behind the others."""
    return HEADER + "".join(f"{name},{day(number)},{amount}\n" for name, number, amount in (*rows, *calm))


@cache
def database():
    """Return the database in which one log after the other is cleaned."""
    con = connection.connect()
    con.execute("SET threads = 1")  # of a few hundred rows two would only wait for each other
    return con


def inspected(path, text, **options):
    """Clean a log and return its table QUALITY by rule."""
    settings = source(path, text, **options)
    reading.read(database(), settings)
    cleaning.clean(database(), settings, today=TODAY)
    return findings.inspect(database(), settings).set_index("rule")


def warnings(path, text, **options):
    """Return what the warnings of a log found as {rule: (rows, money, first records)}."""
    quality = inspected(path, text, **options).query("severity == @WARN and rows > 0")
    return {row.Index: (row.rows, row.amount, row.records) for row in quality.itertuples()}


def test_nobody_is_worth_a_question_in_a_calm_log(tmp_path):
    assert warnings(tmp_path, log()) == {}


# --- customers ----------------------------------------------------------------------------------------------------


def test_a_customer_with_more_than_a_tenth_of_the_revenue_is_dominant(tmp_path):
    assert warnings(tmp_path, log(("ada", 1, "4"), ("ada", 9, "6.01"))) == {
        "dominant_customer": (2, 10.01, "1"),  # of 100.01; of each customer the first record
    }
    assert warnings(tmp_path, log(("ada", 1, "4"), ("ada", 9, "6.00"))) == {}


def test_a_hundredth_of_the_customers_with_more_than_half_of_the_revenue_is_a_concentration(tmp_path):
    # Among 101 customers a hundredth are two.
    base = [*CALM, *((f"d{number}", number, "1.00") for number in range(1, 10))]
    found = warnings(tmp_path, log(("ada", 1, "50"), ("bob", 2, "49.01"), calm=base))
    assert found["concentrated_revenue"] == (2, 99.01, "1, 2")
    assert "concentrated_revenue" not in warnings(tmp_path, log(("ada", 1, "50"), ("bob", 2, "49"), calm=base))


def test_of_a_hundred_customers_a_hundredth_is_one(tmp_path):
    base = [*CALM, *((f"d{number}", number, "1.00") for number in range(1, 9))]
    found = warnings(tmp_path, log(("ada", 1, "50"), ("bob", 2, "49.01"), calm=base))
    assert "concentrated_revenue" not in found
    assert found["dominant_customer"] == (2, 99.01, "1, 2")


@pytest.mark.parametrize(
    ("purchases", "found"),
    [
        pytest.param([1] * 25, (25, 0.25, "1"), id="25 on one day"),
        pytest.param([1] * 24, None, id="24 on one day"),
        pytest.param([1] * 26 + [2] * 24, (50, 0.5, "1"), id="25 a day"),
        pytest.param([1] * 40 + [2] * 8, None, id="24 a day"),
        pytest.param([*range(59), 73], (60, 0.6, "1"), id="60 of 74 days"),
        pytest.param([*range(59), 74], None, id="60 of 75 days"),
        pytest.param([*range(59)], None, id="59 of 59 days"),
    ],
)
def test_who_buys_by_the_hour_or_nearly_every_day_is_no_person(tmp_path, purchases, found):
    rows = [("bot", number, "0.01") for number in purchases]
    assert warnings(tmp_path, log(*rows)).get("inhuman_frequency") == found


def test_thirty_lines_of_a_day_are_one_basket(tmp_path):
    rows = "".join(f"ada,{day(1)},o1,1,0.01,p{number}\n" for number in range(30))
    rows += "".join(f"{name},{day(number)},o{name},1,{amount},p\n" for name, number, amount in CALM)
    assert warnings(tmp_path, "id,date,order,quantity,price,product\n" + rows, **LINES) == {}


# What a rule must see in identifiers, and what it must not, each in a log of its own; every other row is one of these.
IDENTIFIERS = {
    "looks_like_test": (
        [["test", "Test-1", "TEST2", "dummy_3", "demo.x"], ["Guest", "admin@shop", "intern", "staff 7", "NULL"]],
        ["tester", "Testa", "guestav", "international", "nonesuch", "atest", "1test", "nullus", "unknownx"],
    ),
    "spreadsheet_id": (
        [["1E5", "1.15292E+18", "1,15E+18", "9E10"]],
        ["12E5", "1e5", "1E-5", "E5", "1E", "1.15E+18x", "1E5E5"],
    ),
    "similar_id": (
        [
            ["Ada", "ADA", "aDa"],
            ["007", "7"],
            ["ada 1", "ada1"],
            ["7.0", "7"],
            ["07.00", "7"],
            ["a\u200bb", "ab"],
            ["1,000", "1000"],
        ],
        ["a-1", "a1", "70", "7", "7.5", "75", "ada", "adá", "a", "a0", "0.7"],
    ),
}
SEEN = [(rule, names) for rule, (seen, _) in IDENTIFIERS.items() for names in seen]


def of_each(names: list[str]) -> str:
    """Return a log in which each of these customers buys twice."""
    return log(*((f'"{name}"', number, "0.50") for number, name in enumerate([*names, *names])))


@pytest.mark.parametrize(("rule", "names"), SEEN)
def test_identifiers_that_are_worth_a_question_are_seen(tmp_path, rule, names):
    count = len(names)
    records = ", ".join(str(record) for record in range(1, count + 1))
    assert warnings(tmp_path, of_each(names)) == {rule: (2 * count, float(count), records)}


@pytest.mark.parametrize("rule", IDENTIFIERS)
def test_identifiers_that_only_look_a_little_like_them_are_not(tmp_path, rule):
    assert warnings(tmp_path, of_each(IDENTIFIERS[rule][1])) == {}


@pytest.mark.parametrize("name", ["\\N", "nan", "<NA>", "(not set)", "0", "0.0", "-", "n/a", "--", "?", "(null)", "-1"])
def test_a_word_for_nobody_is_no_customer(tmp_path, name):
    quality = inspected(tmp_path, log((name, 1, "2"), (name, 2, "3")))
    assert quality.loc["missing_customer_id", ["rows", "amount", "records"]].tolist() == [2, 5.0, "1, 2"]


@pytest.mark.parametrize("name", ["NA", "Nan", "00012", "10", "N", "0-0-1", "a", "é", "雪"])
def test_a_short_identifier_is_somebody(tmp_path, name):
    assert inspected(tmp_path, log((name, 1, "2"))).loc["missing_customer_id", "rows"] == 0


def test_who_is_left_out_by_name_is_left_out_as_asked_whatever_the_name(tmp_path):
    for asked in ({"exclude_ids": ["0"]}, {"exclude_pattern": "^0$"}):
        quality = inspected(tmp_path, log(("0", 1, "2")), **asked)
        assert quality.loc[["missing_customer_id", "excluded_customer", "unused_filter"], "rows"].tolist() == [0, 1, 0]


@pytest.mark.parametrize("name", ['=""c10""', "'c10", "`c10", "'c10'", "c10"])
def test_what_protects_an_identifier_from_a_spreadsheet_is_no_part_of_it(tmp_path, name):
    written = f'"{name}"' if name.startswith("=") else name
    inspected(tmp_path, HEADER + f"{written},{day(1)},5\n" + log().removeprefix(HEADER))
    row = database().execute("SELECT sum(amount) FROM transactions WHERE customer_id = 'c10'").fetchone()
    assert row == (6.0,)


@pytest.mark.parametrize(("days", "found"), [(30, True), (29, False)])
def test_a_customer_with_three_times_the_days_of_anybody_else_may_be_many(tmp_path, days, found):
    others = [(f"d{number}", 9 * number + time, "1") for number in range(60) for time in range(10)]
    rows = [("walk-in", 9 * number, "0.10") for number in range(days)]
    seen = warnings(tmp_path, log(*rows, calm=others)).get("far_more_often")
    assert seen == ((30, 3.0, "1") if found else None)
    more = [*others, *(("regular", 5 * number, "1") for number in range(11))]
    assert "far_more_often" not in warnings(tmp_path, log(*rows, calm=more))


def test_spaces_around_an_identifier_make_no_second_customer(tmp_path):
    assert warnings(tmp_path, log(("ada", 1, "1.50"), (" ada ", 2, "2"))) == {}


# --- amounts ------------------------------------------------------------------------------------------------------


def test_a_purchase_of_nothing_is_asked_about_if_it_counts(tmp_path):
    rows = log(("ada", 1, "0"), ("bob", 2, "0.00"), ("carl", 3, "0.01"))
    assert warnings(tmp_path, rows) == {"zero_amount_kept": (2, 0, "1, 2")}
    assert warnings(tmp_path, rows, zero_amounts="drop") == {}


def test_an_amount_with_a_fraction_of_a_cent_is_asked_about(tmp_path):
    assert warnings(tmp_path, log(("ada", 1, "1.234"), ("bob", 2, "1.23"), ("carl", 3, "1.230"))) == {
        "fraction_of_cent": (1, 1.234, "1"),
    }


def test_quantities_that_are_all_whole_thousands_are_asked_about(tmp_path):
    rows = [f"c{n},{day(n)},o{n},{1 + n % 3}.000,2.50,p\n" for n in range(20)]
    marks = {"thousands": {"quantity": "."}, "decimal": {"quantity": ","}}
    for text, expected in (
        (rows, {"whole_thousands": (20, 97_500, "1, 2, 3, 4, 5")}),  # 39 pieces for 2.50, taken for 39,000
        (rows[1:], {}),
        ([*rows, f"c9,{day(50)},o50,15,2.50,p\n"], {}),
    ):
        found = warnings(tmp_path, "id,date,order,quantity,price,product\n" + "".join(text), **LINES, **marks)
        assert {rule: told for rule, told in found.items() if rule == THOUSANDS.name} == expected


def test_amounts_with_four_decimals_were_not_read_with_a_wrong_sign(tmp_path):
    assert warnings(tmp_path, log(("ada", 1, "1.234"), ("bob", 2, "1.2345"))) == {}


@pytest.mark.parametrize(("yearly", "said"), [(1.3, "rise by 3"), (1.0, ""), (0.8, "fall by 2")])
def test_prices_that_rise_for_the_same_customers_are_said_and_newcomers_who_spend_more_are_none(tmp_path, yearly, said):
    """Forty customers buy every month for a year; each new one spends more than the one before."""
    bought = [(who, 7 * who + 30 * month) for who in range(40) for month in range(12)]
    text = "".join(
        f"C{who},{day(when)},{(20 + who) * yearly ** (when / 365) * (1 + (when * 7 % 11) / 100):.2f}\n"
        for who, when in bought
    )
    found = inspected(tmp_path, "id,date,amount\n" + text).loc["drifting_amounts"]
    assert (found["rows"] > 0) == bool(said)
    assert said in found["advice"]


def test_a_refund_of_more_than_was_paid_is_asked_about(tmp_path):
    rows = f"ada,{day(1)},5,o1\nada,{day(2)},-5.01,o1\n"
    rows += "".join(f"{name},{day(number)},{amount},o{name}\n" for name, number, amount in CALM)
    header = "id,date,amount,order\n"
    assert warnings(tmp_path, header + rows) == {"refund_in_excess": (1, -0.01, "1")}
    assert warnings(tmp_path, header + rows.replace("5.01", "5.00")) == {}
    assert warnings(tmp_path, header + rows, refunds="drop") == {}


# --- rows that repeat -----------------------------------------------------------------------------------------------


def test_exact_repeats_are_asked_about_where_no_order_tells_them_apart(tmp_path):
    rows = log(("ada", 1, "1.50"), ("ada", 1, "1.5"), ("ada", 1, "1.50"), ("bob", 1, "1.50"), ("ada", 2, "1.50"))
    assert warnings(tmp_path, rows) == {"repeat_kept": (2, 3.0, "2, 3")}


def test_the_same_amount_in_two_orders_of_a_day_is_no_repeat(tmp_path):
    rows = log(("ada", 1, "1.50,o1"), ("ada", 1, "1.50,o2"), calm=[(*row[:2], "1.00,x") for row in CALM])
    rows = rows.replace("amount", "amount,order", 1)
    assert warnings(tmp_path, rows) == {}
    assert warnings(tmp_path, rows, columns=COLUMNS) == {"repeat_kept": (1, 1.5, "2")}


def test_of_rows_with_orders_only_those_without_one_are_asked_about(tmp_path):
    rows = "".join(f"ada,{day(1)},1.50,{order}\n" for order in ("o1", "o1", "", ""))
    rows += "".join(f"{name},{day(number)},{amount},o{name}\n" for name, number, amount in CALM)
    quality = inspected(tmp_path, "id,date,amount,order\n" + rows)
    assert quality.loc[["duplicate", "repeat_kept"], "records"].tolist() == ["2", "4"]


def test_a_repeated_line_is_asked_about_where_its_product_is_unknown(tmp_path):
    rows = f"ada,{day(1)},o1,2,1.00,p\nada,{day(1)},o1,2,1.00,p\nada,{day(1)},o1,1,2.00,p\n"
    rows += "".join(f"{name},{day(number)},o{name},1,{amount},p\n" for name, number, amount in CALM)
    text, mapped = "id,date,order,quantity,price,product\n" + rows, LINES["columns"]
    unmapped = {ours: name for ours, name in mapped.items() if ours != "product"}
    assert warnings(tmp_path, text, **LINES | {"columns": unmapped}) == {"repeat_kept": (1, 2.0, "2")}
    # A till writes each piece as a line: two of the order's three lines are alike, so it does not stand there twice.
    assert warnings(tmp_path, text, **LINES) == {"repeat_kept": (1, 2.0, "2")}
    again = f"ada,{day(1)},o1,1,2.00,p\n"
    assert warnings(tmp_path, text + again, **LINES) == {}


# --- silence --------------------------------------------------------------------------------------------------------


def every(days: int, *, purchases: int, start: int = 0) -> list[tuple[str, int, str]]:
    """Return purchases of different customers, one every so many days."""
    return [(f"c{start + number}", start + days * number, "1.00") for number in range(purchases)]


@pytest.mark.parametrize(
    ("usual", "pause", "found"),
    [(1, 15, (1, 1.0, "31")), (1, 14, None), (2, 21, (1, 1.0, "31")), (2, 20, None)],
)
def test_a_gap_is_more_than_a_fortnight_and_ten_usual_pauses_without_a_purchase(tmp_path, usual, pause, found):
    first = every(usual, purchases=30)
    second = every(usual, purchases=30, start=first[-1][1] + pause)
    assert warnings(tmp_path, log(calm=[*first, *second])).get("silent_days") == found


def test_each_gap_counts_once_with_the_first_purchase_after_it(tmp_path):
    parts = [every(1, purchases=20, start=start) for start in (0, 50, 100)]
    parts[1].insert(0, ("ada", 50, "2.50"))
    rows = log(calm=[row for part in parts for row in part])
    assert warnings(tmp_path, rows) == {"silent_days": (2, 3.5, "21, 42")}


@pytest.mark.parametrize(("quiet", "found"), [(15, (1, 0.0, "")), (14, None)])
def test_a_stated_end_long_after_the_last_purchase_is_asked_about(tmp_path, quiet, found):
    rows, last = log(), CALM[-1][1]
    assert warnings(tmp_path, rows, observation_end=day(last + quiet)).get("silent_end") == found


# --- filters --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "found"),
    [
        ({"exclude_ids": ["c10"]}, None),
        ({"exclude_ids": ["C10", "c010", "c11", "C10"]}, (2, 0.0, "")),
        ({"exclude_pattern": "^c1"}, None),
        ({"exclude_pattern": "^C1"}, (1, 0.0, "")),
        ({"exclude_ids": ["c10"], "exclude_pattern": "^c10$"}, None),
        ({"exclude_ids": ["C10"], "exclude_pattern": "^C10$"}, (2, 0.0, "")),
    ],
)
def test_a_filter_that_meets_nobody_is_asked_about(tmp_path, options, found):
    assert warnings(tmp_path, log(), **options).get("unused_filter") == found


# --- the table ------------------------------------------------------------------------------------------------------


def orders_of_two(second, orders=10, other="7.00"):
    """Return orders of 5.00 with a second row of this amount, each by another customer, and one of another amount."""
    rows = [f"c{at},{day(at)},{money},o{at},{at}{money}\n" for at in range(orders) for money in ("5.00", second)]
    rows.append(f"eve,{day(1)},{other},o99,z\n")
    return "id,date,amount,order,sku\n" + "".join(rows)


@pytest.mark.parametrize(
    ("second", "orders", "shape", "rules"),
    [
        ("5.000", 10, "line_items", {"total_on_every_row": (10, 50.0, "2, 4, 6, 8, 10")}),
        ("5.000", 9, "line_items", {}),
        ("5.000", 10, "order_totals", {}),
        ("6.00", 10, "line_items", {}),
        ("6.00", 10, "transactions", {"several_rows": (10, 60.0, "2, 4, 6, 8, 10")}),
    ],
)
def test_rows_of_an_order_that_may_not_add_up_are_told(tmp_path, second, orders, shape, rules):
    columns = WITH_ORDERS | {"product": "sku"}
    found = warnings(tmp_path, orders_of_two(second, orders), shape=shape, columns=columns)
    assert {rule: row for rule, row in found.items() if rule in ("total_on_every_row", "several_rows")} == rules


def test_rows_of_an_order_have_one_amount_where_all_that_is_sold_has_one_price(tmp_path):
    columns = WITH_ORDERS | {"product": "sku"}
    found = warnings(tmp_path, orders_of_two("5.000", other="5.00"), shape="line_items", columns=columns)
    assert "total_on_every_row" not in found


def test_every_rule_stands_in_the_table_also_if_it_found_nothing(tmp_path):
    quality = inspected(tmp_path, log())
    assert quality.index[: len(RULES)].tolist() == [rule.name for rule in RULES]
    others = (
        *CUSTOMER_RULES,
        ZERO_AMOUNT,
        FRACTIONS,
        THOUSANDS,
        EXCESS,
        LONG_ORDERS,
        DRIFT,
        REPEATS,
        SAME_TOTAL,
        SEVERAL,
    )
    others += (GAP, CLOSED_SPLIT, QUIET_END, CROWD, COARSE, SEAM, UNUSED_FILTER, UNUSED_VALUE)
    assert quality.index[len(RULES) :].tolist() == [rule.name for rule in others]
    assert (quality["rows"] == 0).all()
    assert (quality["records"] == "").all()
    assert (quality.loc[quality["severity"] == WARN, "advice"] != "").all()


def test_the_table_says_of_each_rule_how_many_rows_what_money_and_where(tmp_path):
    rows = f",{day(1)},5\nada,{day(2)},x\n,{day(3)},7.25\n"
    quality = inspected(tmp_path, HEADER + rows + log().removeprefix(HEADER), max_rejected_share=1.0)
    missing = quality.loc["missing_customer_id"]
    assert missing[["severity", "column", "rows", "amount", "records"]].tolist() == [
        "quarantine",
        "id",
        2,
        12.25,
        "1, 3",
    ]
    assert missing["share"] == pytest.approx(2 / 93)
    assert quality.loc["unparsable_amount", ["rows", "amount", "records"]].tolist() == [1, 0.0, "2"]


def test_no_more_than_five_records_are_shown(tmp_path):
    quality = inspected(tmp_path, log(*((" ", number, "1") for number in range(1, 8))))
    assert quality.loc["missing_customer_id", ["rows", "records"]].tolist() == [7, "1, 2, 3, 4, 5"]


def test_columns_have_their_names_in_the_log(tmp_path):
    text = "Kunde;Tag;Menge;Preis;Bon;Artikel\nada;2024-01-01;1;2;o1;p\n"
    columns = dict(zip(LINES["columns"], ["Kunde", "Tag", "Bon", "Menge", "Preis", "Artikel"], strict=True))
    quality = inspected(tmp_path, text, **LINES | {"columns": columns})
    names = quality["column"]
    assert names["missing_customer_id"] == "Kunde"
    assert names["unparsable_date"] == names["silent_end"] == "Tag"
    assert names["unparsable_amount"] == "Menge × Preis"
    assert names["duplicate"] == "Bon"


def test_a_log_that_is_refused_has_its_table_too(tmp_path):
    settings = source(tmp_path, HEADER + "ada,01.02.2024,5\nbob,13.02.2024,5\n", max_rejected_share=0.1)
    con = connection.connect()
    reading.read(con, settings)
    with pytest.raises(InputError):
        cleaning.clean(con, settings, today=TODAY)
    quality = findings.inspect(con, settings).set_index("rule")
    assert quality.index.tolist() == [
        *(rule.name for rule in RULES),
        "unused_filter",
        "unused_value",
    ]  # nobody is left to look at
    assert quality.loc["unparsable_date", ["rows", "records", "advice"]].tolist() == [
        2,
        "1, 2",
        "Correct the dates or date_format. %d.%m.%Y would read 100% of them.",
    ]


def test_in_several_files_a_record_is_named_with_its_file_and_counted_within_it(tmp_path):
    (tmp_path / "a.csv").write_text(log(("ada", 1, "0")))
    (tmp_path / "b.csv").write_text(log((" ", 1, "1"), ("bob", 1, "0"), calm=[]))
    columns = {"columns": COLUMNS, "date_format": "%Y-%m-%d"}
    settings = SourceSettings(tmp_path / "*.csv", **columns)
    quality = findings.inspect(cleaned(settings), settings).set_index("rule")
    assert quality.loc["missing_customer_id", "records"] == "b.csv 1"
    assert quality.loc["zero_amount_kept", "records"] == "a.csv 1, b.csv 2"


def test_looking_at_a_log_leaves_its_tables_as_they_were(tmp_path):
    con = with_orders(tmp_path, f"ada,{DAY_ZERO},5,o1\nada,{DAY_ZERO},5,o1\n,{DAY_ZERO},1,o2\n")
    settings = source(tmp_path, (tmp_path / "log.csv").read_bytes(), columns=WITH_ORDERS)
    before = con.execute("SHOW TABLES").fetchall()
    first = findings.inspect(con, settings)
    assert con.execute("SHOW TABLES").fetchall() == before
    assert findings.inspect(con, settings).equals(first)
    assert tables.check(QUALITY, first) is not None


def test_a_customer_whom_another_filter_took_first_is_in_the_log(tmp_path):
    text = f"id,date,amount,country\nada,{day(1)},5,Spain\nbob,{day(2)},6,France\n"
    options = {"columns": COLUMNS | {"country": "country"}, "countries": ["France"]}
    assert inspected(tmp_path, text, **options, exclude_ids=["ada"])["rows"]["unused_filter"] == 0
    assert inspected(tmp_path, text, **options, exclude_pattern="^ad")["rows"]["unused_filter"] == 0


def test_where_no_amount_can_be_read_its_text_and_the_likely_money_are_said(tmp_path):
    quality = inspected(tmp_path, log(("ada", 1, "ten"), ("bob", 2, "ten"), ("eva", 3, "")))
    advice = quality.loc["unparsable_amount", "advice"]
    assert advice.endswith("There stands 'ten'; at the mean of the rows kept that would be about 3.00.")
