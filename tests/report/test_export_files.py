"""Tables as files: every row says what it belongs to, six digits say enough, and what nobody can know stays empty."""

import pandas as pd
from test_report import FIGURES, said

from clv.report.files import exported, exports, summary_sheet
from clv.report.labels import label

CUSTOMERS = pd.DataFrame(
    {"customer_id": ["0001", "7"], "frequency": [0, 2], "p_alive": [1.0, 0.123456789], "clv_mean": [1234567.891, 0.0]}
)
label(CUSTOMERS, currency="GBP", interval=0.9, horizon_weeks=52, as_of="2025-06-30")


def test_every_row_says_of_which_run_day_horizon_and_currency_it_is():
    row = exported(CUSTOMERS, run_id="5e6f").iloc[0]
    assert row[["as_of", "horizon_weeks", "currency", "run_id", "schema_version"]].tolist() == [
        pd.Timestamp("2025-06-30"), 52, "GBP", "5e6f", "2",
    ]  # fmt: skip


def test_numbers_have_six_significant_digits_and_identifiers_keep_their_zeros():
    table = exported(CUSTOMERS, run_id=None)
    assert table["clv_mean"].tolist() == [1234570.0, 0.0]
    assert table["p_alive"].iloc[1] == 0.123457
    assert table["customer_id"].tolist() == ["0001", "7"]


def test_whether_who_bought_once_has_left_stays_empty_where_the_model_cannot_tell():
    assert exported(CUSTOMERS, run_id=None)["p_alive"].isna().tolist() == [True, False]
    told = CUSTOMERS.assign(p_alive=[0.6, 0.1])  # MBG/NBD can
    assert exported(told, run_id=None)["p_alive"].tolist() == [0.6, 0.1]


def test_a_table_without_rows_is_no_file_and_its_own_column_is_not_written_over():
    windows = CUSTOMERS.assign(horizon_weeks=[13, 26])
    found = exports(run_id="5e6f", contacts=CUSTOMERS[:0], windows=windows)
    assert found["contacts"] is None
    assert found["windows"]["horizon_weeks"].tolist() == [13, 26]


def test_the_first_sheet_says_what_the_page_says_first_and_how_far_to_trust_it():
    sheet = summary_sheet(FIGURES).set_index("item")
    value = sheet.loc["value of the next 52 weeks"]
    assert value[["mean", "lower", "upper", "unit"]].tolist() == [69_044.0, 52_310.0, 91_480.0, "USD"]
    assert said(value["in_words"]) == "likely 52,300 to 91,500 USD with 90 % probability"
    assert said(sheet.loc["in one sentence", "in_words"]).startswith("Our 2,357 customers will bring about 69,000 USD")
    assert said(sheet.loc["Trust", "in_words"]).startswith("Use with care")
    assert said(sheet.loc["Was the total right?", "in_words"]).startswith("missed: ")
    assert sheet.loc["run id of the tables", "in_words"] == "5e6f"
