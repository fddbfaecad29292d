"""What refunds promises: every refund meets its purchase, and the money moves with it."""

from datetime import date

import pytest
from helpers import cleaned, kept, ledger, rules, source, with_orders

from clv.errors import InputError
from clv.transactions import cleaning
from clv.transactions.tables import REFUNDS, REJECTED


def test_a_refund_is_taken_off_the_order_it_names(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-05,80,o2\nada,2024-01-09,-20,o1\n")
    assert kept(con) == [("ada", "01-01", 30), ("ada", "01-05", 80)]
    frame = cleaning.frame(con, REJECTED)
    assert frame.to_numpy().tolist() == [[3, "amount", "refund_netted", "-20", 0.0]]
    assert ledger(con) == [("source", 3, 110.0), ("refund_netted", 1, 0.0), ("kept", 2, 110.0)]


def test_a_purchase_refunded_in_full_is_no_purchase(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-05,80,o2\nada,2024-01-09,-80,o2\n")
    assert kept(con) == [("ada", "01-01", 50)]
    assert rules(con) == [[2, "cancelled_purchase"], [3, "refund_netted"]]


def test_a_refund_larger_than_its_order_leaves_with_it(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nbob,2024-01-01,9,o2\nada,2024-01-09,-60,o1\n")
    assert kept(con) == [("bob", "01-01", 9)]
    assert ledger(con)[1:] == [("refund_netted", 1, 0.0), ("cancelled_purchase", 1, -10.0), ("kept", 1, 9.0)]


def test_a_refund_is_taken_off_the_largest_row_of_an_order_first(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,10,o1\nada,2024-01-02,50,o1\nada,2024-01-09,-55,o1\n")
    assert kept(con) == [("ada", "01-01", 5)]
    assert rules(con) == [[2, "cancelled_purchase"], [3, "refund_netted"]]


def test_an_order_refunded_in_full_takes_its_free_gift_with_it(tmp_path):
    con = with_orders(
        tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-01,0,o1\nada,2024-01-05,1,o2\nada,2024-01-09,-50,o1\n"
    )
    assert kept(con) == [("ada", "01-05", 1)]


def test_another_customers_refund_does_not_touch_the_order(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nbob,2024-01-09,-20,o1\n")
    assert kept(con) == [("ada", "01-01", 50)]
    assert rules(con) == [[2, "refund_unmatched"]]
    assert ledger(con) == [("source", 2, 30.0), ("refund_unmatched", 1, -20.0), ("kept", 1, 50.0)]


def test_a_refund_without_order_meets_the_latest_purchase_that_is_large_enough(tmp_path):
    text = (
        "id,date,amount\nada,2024-01-01,50\nada,2024-01-03,40\nada,2024-01-05,5\nada,2024-01-09,-20\n"
        "ada,2024-01-11,90\nbob,2024-01-09,8\nbob,2024-01-08,-8\n"
    )
    con = cleaned(source(tmp_path, text))
    assert kept(con) == [
        ("ada", "01-01", 50),
        ("ada", "01-03", 20),
        ("ada", "01-05", 5),
        ("ada", "01-11", 90),
        ("bob", "01-09", 8),
    ]
    assert rules(con) == [[4, "refund_netted"], [7, "refund_unmatched"]]  # bob's refund came before his purchase


def test_two_equal_purchases_returned_on_one_day_are_both_cancelled(tmp_path):
    con = cleaned(
        source(tmp_path, "id,date,amount\nada,2024-01-01,7\n" + "bob,2024-01-01,20\n" * 2 + "bob,2024-01-02,-20\n" * 2)
    )
    assert kept(con) == [("ada", "01-01", 7)]


def test_a_refund_after_the_observation_end_is_not_known_yet(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-09,-20,o1\n", observation_end=date(2024, 1, 5))
    assert kept(con) == [("ada", "01-01", 50)]
    assert ledger(con)[1] == ("set_aside", 1, -20.0)


def test_refunds_can_be_dropped(tmp_path):
    con = with_orders(tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-09,-20,o1\n", refunds="drop")
    assert kept(con) == [("ada", "01-01", 50)]
    assert rules(con) == [[2, "refund_dropped"]]


def test_refunds_can_be_rejected(tmp_path):
    with pytest.raises(InputError, match=r"^column amount is below zero in 1 row \(first: record 2\)"):
        with_orders(tmp_path, "ada,2024-01-01,50,o1\nada,2024-01-09,-20,o1\n", refunds="reject")


# --- refunded amounts -------------------------------------------------------------------------------------------------


def with_refunded(path, rows, **options):
    columns = {"customer_id": "id", "date": "date", "amount": "amount", "order_id": "order", "refunded_amount": "back"}
    return cleaned(source(path, "id,date,amount,order,back\n" + rows, columns=columns, **options))


def test_a_refunded_amount_is_taken_off_its_row_and_then_off_its_order(tmp_path):
    con = with_refunded(tmp_path, "ada,2024-01-01,50,o1,20\nbob,2024-01-01,10,o2,25\nbob,2024-01-01,30,o2,\n")
    assert kept(con) == [("ada", "01-01", 30), ("bob", "01-01", 15)]
    assert ledger(con) == [("source", 3, 45.0), ("cancelled_purchase", 1, 0.0), ("kept", 2, 45.0)]


def test_what_was_refunded_in_full_is_no_purchase_and_no_visit(tmp_path):
    con = with_refunded(tmp_path, "ada,2024-01-01,50,o1,-50\nada,2024-01-03,0,o2,0.00\nbob,2024-01-01,10,o3,12\n")
    assert kept(con) == [("ada", "01-03", 0)]
    assert rules(con) == [[1, "cancelled_purchase"], [3, "cancelled_purchase"]]


def test_a_refunded_amount_that_is_no_number_is_a_fault(tmp_path):
    con = with_refunded(tmp_path, "ada,2024-01-01,50,o1,some\nbob,2024-01-01,10,o2,\n")
    assert rules(con) == [[1, "unparsable_amount"]]


# --- credit notes -----------------------------------------------------------------------------------------------------

LINES = {
    "shape": "line_items",
    "columns": {"customer_id": "id", "date": "date", "order_id": "order", "product": "product"}
    | {"quantity": "quantity", "unit_price": "price"},
}


def lines(path, rows, **options):
    return cleaned(source(path, "order,id,date,product,quantity,price\n" + rows, **LINES, **options))


def test_a_quantity_and_a_price_below_zero_are_a_refund(tmp_path):
    con = lines(tmp_path, "o1,ada,2024-01-01,p,2,10\no1,ada,2024-01-05,p,-1,-10\n")
    assert kept(con) == [("ada", "01-01", 10)]


def test_a_credit_note_finds_its_purchase_beside_coupons_inside_orders(tmp_path):
    rows = (
        "R1,ada,2024-01-01,p,1,50\nR2,ada,2024-01-03,p,1,40\nR2,ada,2024-01-03,COUPON,1,-4\nC7,ada,2024-01-09,p,-1,50\n"
    )
    con = lines(tmp_path, rows)
    assert kept(con) == [("ada", "01-03", 36)]
    assert ledger(con)[1:] == [("refund_netted", 2, 0.0), ("cancelled_purchase", 1, 0.0), ("kept", 1, 36.0)]


def test_a_number_of_another_kind_names_no_order_though_other_refunds_do(tmp_path):
    rows = "R1,ada,2024-01-01,p,1,50\nR1,ada,2024-01-05,p,-1,20\nR2,bob,2024-01-01,p,1,9\n"
    assert kept(lines(tmp_path, rows + "C7,bob,2024-01-09,p,-1,9\n")) == [("ada", "01-01", 30)]
    # R7 would name its order if that were in the log.
    assert kept(lines(tmp_path, rows + "R7,bob,2024-01-09,p,-1,9\n")) == [("ada", "01-01", 30), ("bob", "01-01", 9)]


def test_a_refund_with_the_number_of_its_order_behind_other_letters_names_it(tmp_path):
    rows = "".join(
        f"T{number},c{number},2024-01-03,p,1,50\nT9{number},c{number},2024-01-01,p,1,50\nR{number},c{number},2024-01-02,p,-1,50\n"
        for number in range(1, 4)
    )
    assert kept(lines(tmp_path, rows)) == [(f"c{number}", "01-01", 50) for number in range(1, 4)]


def test_a_line_refund_refunds_what_was_bought_for_as_much(tmp_path):
    rows = "R1,ada,2024-01-01,p,1,50\nR2,ada,2024-01-03,q,1,70\nC1,ada,2024-01-09,REFUND,1,-50\n"
    assert kept(lines(tmp_path, rows)) == [("ada", "01-03", 70)]


def test_a_product_that_only_others_bought_was_bought_before_the_log_begins(tmp_path):
    rows = "R1,ada,2024-01-01,p,1,50\nR2,bob,2024-01-03,q,1,70\nC1,ada,2024-01-09,q,-1,50\n"
    con = lines(tmp_path, rows)
    assert rules(con) == [[3, "refund_unmatched"]]


def test_of_earlier_purchases_the_one_of_just_the_amount_is_meant(tmp_path):
    con = cleaned(source(tmp_path, "id,date,amount\nada,2024-01-01,20\nada,2024-01-03,40\nada,2024-01-09,-20\n"))
    assert kept(con) == [("ada", "01-03", 40)]


def test_a_refund_may_carry_tax_that_its_purchase_does_not(tmp_path):
    text = "id,date,amount\nada,2024-01-01,100\nada,2024-01-03,10\nbob,2024-01-01,100\nbob,2024-01-02,1\n"
    con = cleaned(source(tmp_path, text + "ada,2024-01-09,-119\nbob,2024-01-09,-128\n"))
    assert kept(con) == [("ada", "01-03", 10), ("bob", "01-01", 100), ("bob", "01-02", 1)]
    assert ledger(con)[1:4] == [
        ("refund_netted", 1, 0.0),
        ("refund_unmatched", 1, -128.0),
        ("cancelled_purchase", 1, -19.0),
    ]


def refunds(con) -> list[tuple]:
    """Return who was given back what: customer, day of purchase, day of the refund, money."""
    frame = cleaning.frame(con, REFUNDS)
    days = (frame[name].dt.strftime("%m-%d") for name in ("date", "refunded_on"))
    return list(zip(frame["customer_id"], *days, frame["amount"], strict=True))


def test_when_a_refund_came_is_kept(tmp_path):
    """Ada's order is refunded twice, the second time with more than is left; Bob's coupon of the same day is none."""
    text = "ada,2024-01-01,50,o1\nada,2024-01-09,-20,o1\nada,2024-02-01,-40,o1\n"
    con = with_orders(tmp_path, f"{text}bob,2024-01-02,9,o2\nbob,2024-01-02,-2,o2\n")
    assert kept(con) == [("bob", "01-02", 7)]
    assert refunds(con) == [("ada", "01-01", "01-09", 20), ("ada", "01-01", "02-01", 30)]


def test_without_refunds_nothing_came_back(tmp_path):
    assert refunds(with_orders(tmp_path, "ada,2024-01-01,50,o1\n")) == []
