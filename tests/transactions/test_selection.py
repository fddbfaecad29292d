"""What selection promises: any column's values say which rows are purchases and which are refunds."""

import pytest
from helpers import COLUMNS, WITH_ORDERS, cleaned, kept, ledger, source

from clv.errors import InputError
from clv.transactions import findings, selection

HEADER = "id,date,amount,Status,Test\n"
ROWS = "ada,2024-01-01,10, Paid ,\nada,2024-01-02,20,Failed,\nbob,2024-01-03,30,Paid,yes\nbob,2024-01-04,40,,\n"


@pytest.mark.parametrize(
    ("filters", "amounts"),
    [
        ({}, [10, 20, 30, 40]),
        ({"keep_rows": {"Status": ["Paid"]}}, [10, 30]),
        ({"keep_rows": {"Status": ["Paid", ""]}}, [10, 30, 40]),
        ({"drop_rows": {"Status": ["Failed"]}}, [10, 30, 40]),
        ({"keep_rows": {"Status": ["Paid"]}, "drop_rows": {"Test": ["yes"]}}, [10]),
        ({"keep_rows": {"Status": ["Paid"], "Test": [""]}}, [10]),
    ],
)
def test_rows_are_kept_and_dropped_by_the_values_of_any_column(tmp_path, filters, amounts):
    con = cleaned(source(tmp_path, HEADER + ROWS, columns=COLUMNS, **filters, max_rejected_share=0.0))
    assert sorted(amount for _, _, amount in kept(con)) == amounts
    gone = 100 - sum(amounts)
    assert [line for line in ledger(con) if line[0] == "unwanted_value"] == (
        [("unwanted_value", 4 - len(amounts), gone)] if gone else []
    )


def test_what_was_left_out_says_by_which_value(tmp_path):
    con = cleaned(source(tmp_path, HEADER + ROWS, columns=COLUMNS, keep_rows={"Status": ["Paid"]}))
    assert con.execute("SELECT record, value FROM rejected").fetchall() == [(2, "Status: Failed"), (4, "Status: ")]


def test_a_value_that_means_refund_turns_the_sign(tmp_path):
    text = (
        "id,date,amount,order,Type\nada,2024-01-01,50,o1,Sale\nada,2024-01-09,20,o1,Refund\nbob,2024-01-09,5,o2,Sale\n"
    )
    con = cleaned(source(tmp_path, text, columns=WITH_ORDERS, refund_rows={"Type": ["Refund"]}))
    assert kept(con) == [("ada", "01-01", 30), ("bob", "01-09", 5)]


def test_a_column_may_be_ours_and_tell_rows_apart(tmp_path):
    text = "id,date,amount,country\nada,2024-01-01,5,FR\nbob,2024-01-02,6,ES\n"
    columns = COLUMNS | {"country": "country"}
    assert kept(cleaned(source(tmp_path, text, columns=columns, drop_rows={"country": ["FR"]}))) == [
        ("bob", "01-02", 6)
    ]


def test_a_status_on_the_first_line_is_that_of_the_order(tmp_path):
    rows = "ada,2024-01-01,10,o1,paid\nada,2024-01-01,5,o1,\nbob,2024-01-02,7,o2,refunded\nbob,2024-01-02,3,o2,\n"
    con = cleaned(source(tmp_path, "id,date,amount,order,Status\n" + rows, keep_rows={"Status": ["paid"]}))
    assert kept(con) == [("ada", "01-01", 15)]


def test_rows_and_money_by_value(tmp_path):
    settings = source(tmp_path, HEADER + ROWS, columns=COLUMNS, keep_rows={"Status": ["Paid"]})
    table = selection.by_value(cleaned(settings), settings)
    assert table.to_numpy().tolist() == [
        ["Status", "Paid", 2, 40.0, 0],
        ["Status", "", 1, 40.0, 1],
        ["Status", "Failed", 1, 20.0, 1],
    ]


def test_a_value_that_no_row_has_is_said(tmp_path):
    settings = source(tmp_path, HEADER + ROWS, columns=COLUMNS, keep_rows={"Status": ["Paid", "paid"]})
    found = findings.inspect(cleaned(settings), settings).set_index("rule").loc["unused_value"]
    assert found["rows"] == 1
    assert found["advice"].startswith("No row has Status: paid.")


def test_a_column_that_is_not_there_is_said(tmp_path):
    with pytest.raises(InputError, match=r"^log\.csv lacks the column State \(found: id, date, amount, Status, Test\)"):
        cleaned(source(tmp_path, HEADER + ROWS, columns=COLUMNS, keep_rows={"State": ["Paid"]}))


def test_a_customer_belongs_where_the_first_purchase_that_is_kept_was_made(tmp_path):
    text = (
        HEADER + "ada,2024-02-01,10,Shop,\nada,2024-01-05,20, Web ,\nbob,2024-01-03,30,,\nada,2024-01-01,9,Fair,yes\n"
    )
    con = cleaned(source(tmp_path, text, columns=COLUMNS, group_by=["Status"], drop_rows={"Test": ["yes"]}))
    assert con.execute("SELECT * FROM customer_groups ORDER BY ALL").fetchall() == [
        ("by Status", "ada", "Web"), ("by Status", "bob", "(blank)"),
    ]  # fmt: skip


def test_without_a_column_to_group_by_nobody_belongs_anywhere(tmp_path):
    con = cleaned(source(tmp_path, HEADER + ROWS, columns=COLUMNS))
    assert con.execute("SELECT count(*) FROM customer_groups").fetchone() == (0,)


def test_rare_values_are_one_group(tmp_path, monkeypatch):
    monkeypatch.setattr(selection, "MOST_GROUPS", 1)
    rows = "".join(f"{name},2024-01-01,5,{value},\n" for name, value in zip("abcd", "XXYZ", strict=True))
    con = cleaned(source(tmp_path, HEADER + rows, columns=COLUMNS, group_by=["Status"]))
    assert [row[2] for row in con.execute("SELECT * FROM customer_groups ORDER BY customer_id").fetchall()] == [
        "X", "X", "(other)", "(other)",
    ]  # fmt: skip


def test_a_column_to_group_by_that_the_log_lacks_is_named(tmp_path):
    with pytest.raises(InputError, match="Chanel"):
        cleaned(source(tmp_path, HEADER + ROWS, columns=COLUMNS, group_by=["Chanel"]))
