"""What refunds promises: every refund meets its purchase, and the money moves with it."""

from datetime import date

import pytest
from helpers import cleaned, kept, ledger, rules, source, with_orders

from clv.errors import InputError
from clv.transactions import cleaning
from clv.transactions.tables import REJECTED


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
