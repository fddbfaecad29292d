"""What orders promises: a first line speaks for its order, an order is one purchase, only what is whole is a copy."""

import pytest
from helpers import COLUMNS, WITH_ORDERS, cleaned, kept, ledger, rules, source, with_orders

PRODUCTS = WITH_ORDERS | {"product": "product"}
LINES = {
    "shape": "line_items",
    "columns": {"customer_id": "id", "date": "date", "order_id": "order", "product": "product"}
    | {"quantity": "quantity", "unit_price": "price", "country": "country"},
}
HEADER = "order,id,date,product,quantity,price,country\n"


# --- what stands on the first line ----------------------------------------------------------------------------------


def test_a_line_without_customer_date_and_country_has_those_of_its_order(tmp_path):
    rows = "o1,ada,2024-01-01,p,1,10,CA\no1,,,q,2,5,\no2,bob,2024-01-02,p,1,7,US\no2,,,q,1,1,\n"
    con = cleaned(source(tmp_path, HEADER + rows, **LINES, countries=["CA"]))
    assert kept(con) == [("ada", "01-01", 20)]
    assert ledger(con)[1] == ("excluded_country", 2, 8.0)


def test_a_line_that_names_no_order_either_goes_on_with_the_order_above(tmp_path):
    rows = "o1,ada,2024-01-01,p,1,10,CA\n,,,q,2,5,\no2,bob,2024-01-02,p,1,7,US\n,,,q,1,1,\n"
    assert kept(cleaned(source(tmp_path, HEADER + rows, **LINES))) == [("ada", "01-01", 20), ("bob", "01-02", 8)]


def test_a_total_at_the_end_is_no_line_of_the_last_order(tmp_path):
    con = cleaned(source(tmp_path, HEADER + "o1,ada,2024-01-01,p,1,10,CA\n,,,,1,10,\n", **LINES))
    assert kept(con) == [("ada", "01-01", 10)]
    assert rules(con) == [[2, "missing_customer_id"]]


def test_the_order_of_lines_matters_only_where_nothing_but_the_line_above_names_the_order(tmp_path):
    rows = ["o1,ada,2024-01-01,p,1,10,CA", "o1,,,q,2,5,", "o2,bob,2024-01-02,p,1,7,US", "o2,,,q,1,1,"]
    turned = "".join(f"{row}\n" for row in reversed(rows))
    assert kept(cleaned(source(tmp_path, HEADER + turned, **LINES))) == [("ada", "01-01", 20), ("bob", "01-02", 8)]


def test_a_guest_does_not_become_who_had_the_number_before(tmp_path):
    con = with_orders(tmp_path, "ada,2023-01-01,10,1\n,2024-01-01,20,1\n")
    assert kept(con) == [("ada", "01-01", 10)]
    assert rules(con) == [[2, "missing_customer_id"]]


def test_a_total_on_the_first_line_is_the_money_of_the_order(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,30,o1\nada,2024-01-01,,o1\nada,2024-01-01,,o1\n")
    assert kept(con) == [("ada", "01-01", 30)]
    assert ledger(con)[1:] == [("further_line", 2, 0.0), ("kept", 1, 30.0)]


def test_a_total_that_every_line_repeats_counts_once_an_order(tmp_path):
    rows = "ada,2024-01-01,30,o1\nada,2024-01-01,30,o1\nada,2024-01-02,30,o2\nbob,2024-01-02,30,o2\n"
    con = with_orders(tmp_path, rows, columns=WITH_ORDERS, shape="order_totals")
    assert kept(con) == [("ada", "01-01", 30), ("ada", "01-02", 30), ("bob", "01-02", 30)]
    assert ledger(con)[1:] == [("further_line", 1, 30.0), ("kept", 3, 90.0)]


@pytest.mark.parametrize("rows", ["5,o1 7,o1 ,o1", ",o1 5,o1", ",o1"])
def test_a_price_that_is_missing_among_others_is_a_fault(tmp_path, rows):
    con = with_orders(tmp_path, "zoe,2024-01-01,1,o9\n" + "".join(f"ada,2024-01-01,{row}\n" for row in rows.split()))
    assert [rule for _, rule in rules(con)] == ["unparsable_amount"]


# --- one purchase ---------------------------------------------------------------------------------------------------


def test_an_order_paid_in_instalments_is_one_purchase_of_its_first_day(tmp_path):
    rows = "ada,2024-01-05,10,o1\nada,2024-02-04,10,o1\nada,2024-03-06,10,o1\nada,2024-03-06,7,o2\n"
    assert kept(with_orders(tmp_path, rows)) == [("ada", "01-05", 30), ("ada", "03-06", 7)]
    unmapped = cleaned(source(tmp_path, "id,date,amount,order\n" + rows, columns=COLUMNS))
    assert len(kept(unmapped)) == 3


def test_a_number_given_anew_is_another_order(tmp_path):
    year_later = with_orders(tmp_path, "ada,2023-01-05,10,1\nada,2024-01-04,12,1\n")
    assert kept(year_later) == [("ada", "01-05", 10), ("ada", "01-04", 12)]
    somebody_between = with_orders(tmp_path, "ada,2024-01-01,10,1\nbob,2024-01-02,5,1\nada,2024-01-03,12,1\n")
    assert kept(somebody_between) == [("ada", "01-01", 10), ("ada", "01-03", 12), ("bob", "01-02", 5)]


# --- copies ---------------------------------------------------------------------------------------------------------


def till(path, rows):
    lines = "".join(f"{order},ada,2024-01-01,{product},1,{price},CA\n" for order, product, price in rows)
    return cleaned(source(path, HEADER + lines, **LINES))


def test_an_order_whose_every_line_stands_there_twice_is_a_copy(tmp_path):
    con = till(tmp_path, [("o1", "p", 2), ("o1", "q", 3), ("o1", "p", 2), ("o1", "q", 3)])
    assert kept(con) == [("ada", "01-01", 5)]
    assert rules(con) == [[3, "duplicate"], [4, "duplicate"]]


def test_of_an_order_of_two_pieces_and_one_that_was_exported_twice_one_copy_stays_whole(tmp_path):
    con = till(tmp_path, [("o1", "p", 2), ("o1", "p", 2), ("o1", "q", 3)] * 2)
    assert kept(con) == [("ada", "01-01", 7)]


def test_a_till_that_writes_each_piece_as_a_line_loses_none(tmp_path):
    pieces = [("o1", "p", 2), ("o1", "p", 2), ("o1", "q", 3), ("o2", "q", 3), ("o2", "q", 3)]
    assert kept(till(tmp_path, pieces)) == [("ada", "01-01", 13)]


def test_a_refund_that_two_exports_hold_is_taken_off_once(tmp_path):
    rows = "ada,2024-01-01,50,o1\n" + "ada,2024-01-09,-20,o1\n" * 2
    assert kept(with_orders(tmp_path, rows)) == [("ada", "01-01", 30)]
