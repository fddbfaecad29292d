"""What transactions promises: named rules, a ledger that balances, a refusal where too little is left."""

import dataclasses
import hashlib
from datetime import date

import pandas as pd
import pytest
import retail
from helpers import COLUMNS, cdnow, cleaned, kept, ledger, rules, source, with_orders
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clv.errors import InputError, IntegrityError
from clv.rfm import customers
from clv.run.folder import Run
from clv.transactions import cleaning, connection, reading
from clv.transactions.source import CDNOW, SourceSettings
from clv.transactions.tables import LEDGER, REJECTED, TRANSACTIONS

# --- CDNOW --------------------------------------------------------------------------------------------------------


def test_the_cdnow_file_is_the_published_sample():
    content = CDNOW.read_bytes()
    readme = (CDNOW.parent / "README.md").read_text(encoding="utf-8")
    assert hashlib.sha256(content).hexdigest() in readme
    frame = pd.read_csv(CDNOW, dtype={"id": "str"})
    assert len(frame) == 6_919
    assert frame["id"].nunique() == 2_357
    assert frame["id"].iloc[0] == "0001"
    assert round(frame["amount"].sum(), 2) == 244_091.94
    assert (frame["amount"] == 0).sum() == 8


def test_cleaning_cdnow_keeps_every_row():
    con = cdnow()
    assert ledger(con) == [("source", 6_919, 244_091.94), ("kept", 6_919, 244_091.94)]
    frame = cleaning.frame(con, TRANSACTIONS)
    assert len(frame) == 6_696
    assert frame["customer_id"].nunique() == 2_357
    assert cleaning.same_day_merges(con) == 223
    assert rules(con) == []


def test_cdnow_is_observed_until_its_last_date():
    assert customers.last_day(cdnow(), "transactions", stated=None) == date(1998, 6, 30)


def test_a_stated_observation_end_is_the_observation_end():
    stated = SourceSettings(CDNOW, observation_end=date(1998, 7, 5))
    assert customers.last_day(cdnow(), "transactions", stated=stated.observation_end) == date(1998, 7, 5)


# --- a log without money ------------------------------------------------------------------------------------------


def test_without_money_a_day_is_one_purchase_and_a_cancelled_one_is_none(tmp_path):
    text = "id,date,order\nada,2024-01-01,1\nada,2024-01-01,2\nada,2024-01-05,3\nbob,2024-01-09,4\nbob,2024-02-09,C4\n"
    columns = {"customer_id": "id", "date": "date", "amount": None, "order_id": "order"}
    log = source(tmp_path, text, columns=columns, cancellation_pattern="^C")
    assert kept(cleaned(log)) == [("ada", "01-01", 1.0), ("ada", "01-05", 1.0)]


def test_without_money_a_purchase_is_worth_what_is_stated(tmp_path):
    columns = {"customer_id": "id", "date": "date", "amount": None}
    log = source(tmp_path, "id,date\nada,2024-01-01\nada,2024-01-05\n", columns=columns, typical_order_value=12.5)
    assert kept(cleaned(log)) == [("ada", "01-01", 12.5), ("ada", "01-05", 12.5)]


# --- rules --------------------------------------------------------------------------------------------------------


def test_every_faulty_row_leaves_by_the_rule_it_breaks(tmp_path):
    text = (
        'id,date,amount\nada,2024-01-01,1\n,2024-01-01,2\n" ",2024-01-01,2\nada,01/02/2024,3\nada,2024-02-30,3\n'
        "ada,,3\nada,0024-01-01,4\nada,2099-01-01,4\nada,2024-01-02,abc\nada,2024-01-02,\nada,2024-01-02,inf\n"
        'ada,2024-01-02,nan\nada,2024-01-02,"1,5"\nada,2024-01-02,1_0\ntest-1,2024-01-01,5\n'
    )
    con = cleaned(source(tmp_path, text, exclude_pattern="^test"))
    names = ["missing_customer_id"] * 2 + ["unparsable_date"] * 3 + ["impossible_date"] * 2 + ["unparsable_amount"] * 6
    assert [rule for _, rule in rules(con)] == [*names, "excluded_customer"]
    assert kept(con) == [("ada", "01-01", 1)]
    assert ledger(con) == [
        ("source", 15, 27.0),
        ("missing_customer_id", 2, 4.0),
        ("excluded_customer", 1, 5.0),
        ("unparsable_date", 3, 9.0),
        ("impossible_date", 2, 8.0),
        ("unparsable_amount", 6, 0.0),
        ("kept", 1, 1.0),
    ]


def test_a_rejected_row_says_what_stood_in_which_column_of_the_source(tmp_path):
    con = cleaned(
        source(tmp_path, "id,date,amount\nada,2024-01-01,1\n,2024-01-01,2\nada,soon,3\nada,2024-01-01,much\n")
    )
    frame = cleaning.frame(con, REJECTED)
    assert frame["column"].tolist() == ["id", "date", "amount"]
    assert frame["value"].fillna("nothing").tolist() == ["nothing", "soon", "much"]
    assert frame["amount"].fillna(-1).tolist() == [2, 3, -1]


def test_rows_after_the_observation_end_are_set_aside_and_not_faults(tmp_path):
    text = "id,date,amount\nada,2024-01-01,1\nada,2024-01-02,2\nada,2024-01-03,4\nada,2025-01-01,8\n"
    con = cleaned(source(tmp_path, text, observation_end=date(2024, 1, 2), max_rejected_share=0.0))
    assert ledger(con) == [("source", 4, 15.0), ("set_aside", 2, 12.0), ("kept", 2, 3.0)]
    assert rules(con) == []


def test_a_date_in_the_future_is_a_fault_even_after_the_observation_end(tmp_path):
    text = "id,date,amount\nada,2024-01-01,1\nada,2024-01-03,4\nada,2099-01-01,8\n"
    con = cleaned(source(tmp_path, text, observation_end=date(2024, 1, 2)))
    assert ledger(con)[1:] == [("impossible_date", 1, 8.0), ("set_aside", 1, 4.0), ("kept", 1, 1.0)]


def test_a_zero_amount_is_a_visit_unless_it_is_dropped(tmp_path):
    text = "id,date,amount\nada,2024-01-01,1\nada,2024-01-02,0\n"
    assert kept(cleaned(source(tmp_path, text))) == [("ada", "01-01", 1), ("ada", "01-02", 0)]
    con = cleaned(source(tmp_path, text, zero_amounts="drop"))
    assert kept(con) == [("ada", "01-01", 1)]
    assert rules(con) == [[2, "zero_amount"]]


def test_exact_repeats_leave_only_where_an_order_is_named(tmp_path):
    rows = "ada,2024-01-01,5,o1\nada,2024-01-01,5,o1\nada,2024-01-01,5,o2\nbob,2024-01-01,5,\nbob,2024-01-01,5,\n"
    con = cleaned(source(tmp_path, "id,date,amount,order\n" + rows))
    assert rules(con) == [[2, "duplicate"]]
    assert kept(con) == [("ada", "01-01", 10), ("bob", "01-01", 10)]
    unmapped = cleaned(source(tmp_path, "id,date,amount,order\n" + rows, columns=COLUMNS))
    assert rules(unmapped) == []


def test_tenths_of_a_cent_add_up_exactly(tmp_path):
    text = "id,date,amount\n" + "ada,2024-01-01,0.1\n" * 10 + ",2024-01-01,0.2\n"
    con = cleaned(source(tmp_path, text))
    assert kept(con) == [("ada", "01-01", 1.0)]
    assert ledger(con)[0] == ("source", 11, 1.2)


# --- refusals -----------------------------------------------------------------------------------------------------


def test_too_many_faults_are_refused_naming_the_biggest(tmp_path):
    text = "id,date,amount\n" + "ada,2024-01-01,1\n" * 7 + "ada,31/12/2024,1\n" * 2 + ",2024-01-01,1\n"
    with pytest.raises(InputError) as refusal:
        cleaned(source(tmp_path, text, max_rejected_share=0.1))
    assert str(refusal.value) == (
        "30.0% of 10 rows cannot be used, more than max_rejected_share 10.0%: mostly unparsable_date (date is missing"
        " or not written as date_format says) in 2 rows of column date (first: record 8, '31/12/2024')."
        " %d/%m/%Y would read 100% of them."
    )


def test_the_first_offender_is_shown_as_it_stands_even_if_nothing_stands_there(tmp_path):
    text = "id,date,amount\nada,2024-01-01,1\nada,2024-01-01,\nada,2024-01-01,much\n"
    with pytest.raises(InputError, match=r"in 2 rows of column amount \(first: record 2, nothing there\)"):
        cleaned(source(tmp_path, text, max_rejected_share=0.1))


def test_policies_do_not_count_as_faults(tmp_path):
    rows = "ada,2024-01-01,5,o1\nada,2024-01-01,5,o1\ntest,2024-01-01,5,o2\nada,2024-01-01,5,o3\nada,2024-01-02,-5,o3\n"
    con = with_orders(tmp_path, rows, exclude_pattern="test", max_rejected_share=0.0)
    assert kept(con) == [("ada", "01-01", 5)]


def test_an_observation_end_before_all_rows_is_refused(tmp_path):
    with pytest.raises(InputError) as refusal:
        cleaned(source(tmp_path, "id,date,amount\nada,2024-01-02,1\n", observation_end=date(2023, 12, 31)))
    assert str(refusal.value) == (
        "no usable row up to observation_end 2023-12-31: 1 row later, the first on 2024-01-02;"
        " set observation_end to a day within the data."
    )


def test_a_log_of_which_nothing_is_left_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"^no usable row is left after cleaning \(excluded_customer 1\)"):
        cleaned(source(tmp_path, "id,date,amount\ntest,2024-01-02,1\n", exclude_pattern="test"))


@pytest.mark.parametrize(
    "damage",
    [
        "DELETE FROM rejected WHERE record = 2",
        "INSERT INTO changes VALUES (1, NULL, 1.000001)",
        "INSERT INTO changes VALUES (1, NULL, 1), (1, NULL, 0)",
        "UPDATE judged SET record = 7 WHERE record = 1",
        "DELETE FROM ledger WHERE line = 'kept'",
    ],
)
def test_a_ledger_that_does_not_balance_is_refused(tmp_path, damage):
    con = cleaned(source(tmp_path, "id,date,amount\nada,2024-01-01,1\n,2024-01-01,2\n"))
    cleaning.check_identity(con)
    con.execute(damage)
    with pytest.raises(IntegrityError, match="cleaning lost or invented something"):
        cleaning.check_identity(con)


# --- laws ---------------------------------------------------------------------------------------------------------

ROW = st.tuples(
    st.sampled_from(["ada", "bob", " ada", "", "test"]),
    st.sampled_from(["2024-01-01", "2024-01-02", "2024-01-03", "2024-02-01", "01.02.2024"]),
    st.sampled_from(["10", "10.00", "20", "0", "-10", "-5.5", "0.1", "x"]),
    st.sampled_from(["o1", "o2", ""]),
)


@pytest.mark.slow
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=14), random=st.randoms(use_true_random=False), mapped=st.booleans())
def test_row_order_changes_nothing_and_the_ledger_always_balances(tmp_path, rows, random, mapped):
    rows = [("zoe", "2024-01-01", "1", "o9"), *rows]
    options = {"exclude_pattern": "^test", "observation_end": date(2024, 1, 31)}
    options |= {} if mapped else {"columns": COLUMNS}
    first, second = (
        with_orders(tmp_path, "".join(",".join(row) + "\n" for row in order), **options)
        for order in (rows, random.sample(rows, len(rows)))
    )
    assert kept(first) == kept(second)
    assert ledger(first) == ledger(second)
    assert sorted(rule for _, rule in rules(first)) == sorted(rule for _, rule in rules(second))
    lines = cleaning.frame(first, LEDGER).set_index("line")
    assert lines["rows"].drop("source").sum() == lines.loc["source", "rows"] == len(rows)
    assert lines["amount"].drop("source").sum() == pytest.approx(lines.loc["source", "amount"], abs=1e-9)


@pytest.mark.slow
def test_the_order_of_rows_changes_no_byte_of_the_cleaned_tables(tmp_path, outputs):
    """Refunds with numbers of their own, repeats, lines of one moment: nothing is decided by who comes first."""
    del outputs  # the folder is redirected
    shop = retail.line_items(300, seed=5)
    written = []
    for name, rows in (("one", shop.rows), ("other", shop.rows.sample(frac=1.0, random_state=1))):
        retail.write_csv(dataclasses.replace(shop, rows=rows), tmp_path / f"{name}.csv", encoding="utf-8")
        con = connection.connect()
        columns = {"order_id": "InvoiceNo", "product": "StockCode", "quantity": "Quantity", "date": "InvoiceDate"}
        columns |= {"unit_price": "UnitPrice", "customer_id": "CustomerID"}
        options = {"date_format": "%d/%m/%Y %H:%M", "shape": "line_items", "cancellation_pattern": "^C"}
        settings_of = SourceSettings(tmp_path / f"{name}.csv", columns=columns, max_rejected_share=0.3, **options)
        reading.read(con, settings_of)
        cleaning.clean(con, settings_of, today=date(2026, 1, 1))
        run = Run(name)
        run.write_query(con, "transactions", TRANSACTIONS)
        run.write_table(LEDGER, cleaning.frame(con, LEDGER))
        written.append([run.path(table).read_bytes() for table in ("transactions", "ledger")])
    assert len(cleaning.frame(con, TRANSACTIONS)) > 1_000
    assert written[0] == written[1]
