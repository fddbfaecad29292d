"""What states promises: a column of few words that may say "no purchase" is asked about, and others are left alone."""

import pytest

from clv.run.new_params import params_text
from clv.transactions.recognise import recognise, unasked_states
from clv.transactions.source import SourceSettings


def recognised(values, *, name="Status", orders=None):
    """Recognise a log of forty purchases for 10.00, in which a column repeats these values."""
    rows = [
        (f"c{number % 9}", f"2024-01-{1 + number % 28:02d}", "10.00", orders(number) if orders else f"o{number}", value)
        for number in range(40)
        for value in [values[number % len(values)]]
    ]
    return recognise(["customer", "date", "amount", "order", name], rows)


def asked(found):
    return [question for question in found.questions if "keep_rows" in question]


def test_a_status_is_asked_about_with_shares_and_money():
    found = recognised(["Paid", "Paid", "Paid", "Failed"])
    assert asked(found) == [
        "`Status` holds Paid 75 % of the rows (300.00), Failed 25 % of the rows (100.00): are all purchases? If not,"
        " state keep_rows, drop_rows or refund_rows."
    ]
    assert found.row_lines == (("keep_rows", "Status", ("Paid",)),)


def test_the_params_file_holds_the_lines_to_correct():
    text = params_text(recognised(["Sale", "Sale", "Refund"], name="Type"), source="till.csv")
    assert "# refund_rows: {Type: [Refund]} " in text
    assert "keep_rows: {" not in text


@pytest.mark.parametrize(
    ("name", "values", "lines"),
    [
        ("Financial Status", ["paid", "partially_refunded", "refunded"], ("paid", "partially_refunded")),
        ("Event", ["purchase", "view", "add_to_cart"], ("purchase",)),
        ("is_test", ["", "", "1"], ("",)),
        ("Cancelled", ["no", "no", "yes"], ("no",)),
        ("Cancelled at", ["", "", *(f"2024-02-{day}" for day in range(10, 28))], ("",)),
        ("Payment result", ["ok", "declined"], ("ok",)),
        ("Stage", ["Closed Won", "Closed Won", "Closed Lost", "Pledged"], ("Closed Won",)),
        ("Status", ["CLOSED", "CLOSED", "OPEN"], ("CLOSED",)),
        ("captured", ["true", "true", "false"], ("true",)),
        ("Fulfillment Status", ["shipped", "pending", "cancelled"], ("shipped", "pending")),
        ("charge_status", ["SUCCESS", "SUCCESS", "QUEUED"], ("SUCCESS",)),
        ("current_state", ["2", "2", "6"], ("2", "6")),  # what codes mean, nobody can know
        ("S/H", ["S", "S", "H"], ("S", "H")),
        ("Stato", ["pagato", "pagato", "annullato"], ("pagato",)),
        ("event_name", [*(f"page {number}" for number in range(30)), "purchase"], ("purchase",)),
    ],
)
def test_what_looks_like_no_purchase_is_left_out_of_the_line(name, values, lines):
    assert recognised(values, name=name).row_lines == (("keep_rows", name, lines),)


def test_refunds_stay_among_the_rows_that_are_kept():
    found = recognised(["purchase", "purchase", "purchase", "verify", "refund"], name="type")
    assert dict((key, values) for key, _, values in found.row_lines) == {
        "keep_rows": ("purchase", "refund"),
        "refund_rows": ("refund",),
    }


def test_purchases_told_again_in_each_state_are_noticed_by_their_money():
    found = recognised(["ordered", "paid", "shipped", "failed"], orders=lambda number: f"o{number // 4}")
    assert "ordered and paid and shipped hold the same money: is each purchase told more than once?" in asked(found)[0]
    assert found.row_lines == (("keep_rows", "Status", ("ordered",)),)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("Status", ["Paid"]),  # all alike
        ("Shop", ["Paris", "Lyon"]),
        ("Type", [f"kind {number}" for number in range(20)]),
        ("State", [f"Land {number}" for number in range(20)]),
        ("Test score", ["1", "2", "3"]),
        ("Fulfillment Status", ["shipped", "pending"]),  # paid all the same
        ("Note", ["", "please ring twice"]),
    ],
)
def test_other_columns_are_left_alone(name, values):
    assert asked(recognised(values, name=name)) == []


def test_a_status_on_the_first_line_is_that_of_the_order():
    found = recognised(["paid", "", "voided", ""], orders=lambda number: f"o{number // 2}")
    assert "paid 50 % of the rows (200.00), voided 50 % of the rows (200.00)" in asked(found)[0]


def test_order_customer_and_date_on_first_lines_only_are_recognised():
    rows = [
        (f"B{n}", f"K{n % 9}", f"2024-01-{1 + n % 28:02d}", "p", "1", "5.00")
        if first
        else ("", "", "", "q", "1", "5.00")
        for n in range(30)
        for first in (True, False, False)
    ]
    found = recognise(["Order", "Customer", "Date", "Product", "Quantity", "Unit price"], rows)
    assert (found.columns["order_id"], found.columns["customer_id"], found.shape) == ("Order", "Customer", "line_items")
    assert not [question for question in found.questions if "blank" in question]


def test_a_refunded_amount_is_recognised():
    assert recognised(["0.00", "2.50", ""], name="Refunded Amount").columns["refunded_amount"] == "Refunded Amount"


@pytest.mark.parametrize(
    ("name", "values", "said"),
    [
        ("qty_refunded", ["0.0000", "0.0000", "2.0000", ""], "is not 0 in 25 % of the rows, and nothing takes it off"),
        ("qty_refunded", ["0.0000", "0"], ""),
        ("Discount", ["0", "0.15", "0.2", "0.05"], "is taken off `Price` already? If not, map the money of the line"),
        ("Discount", ["0.00"], ""),
        ("Points", ["1", "7", "25"], ""),
    ],
)
def test_numbers_that_lower_what_was_paid_are_asked_about_where_nothing_takes_them_off(name, values, said):
    rows = [
        (f"c{number % 9}", f"2024-01-{1 + number % 28:02d}", "1", "10.00", f"o{number}", values[number % len(values)])
        for number in range(40)
    ]
    found = recognise(["customer", "date", "Quantity", "Price", "order", name], rows)
    about = [question for question in found.questions if f"`{name}`" in question]
    assert [said.replace("is taken", "is it taken") in question for question in about] == ([True] if said else [])


def test_pieces_below_zero_whose_money_is_above_are_returns():
    found = recognised(["1", "2", "3", "-1"], name="Quantity")
    assert "`Quantity` is below zero where the money is above: are these rows returns? State refund_rows." in (
        found.questions
    )
    assert found.row_lines == (("refund_rows", "Quantity", ("-1",)),)
    assert recognised(["1", "2", "3"], name="Quantity").row_lines == ()
    assert recognised(["1", "2", "3"], name="Discounted quantity").row_lines == ()


def test_a_log_without_rows_leaves_nothing_to_ask():
    settings = SourceSettings("log.csv", columns={"customer_id": "id", "date": "date", "amount": "paid"})
    assert unasked_states(["id", "date", "paid", "refunds", "Quantity"], [], settings) == ()
