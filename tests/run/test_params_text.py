"""What params_text promises: a file that says what was recognised, waits for what is in doubt and tells no value."""

import subprocess
import sys
from dataclasses import replace
from datetime import date

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from test_recognise import PLAIN, columns, customer, each_shop, money, seen

from clv.errors import InputError
from clv.run import params, strict_yaml
from clv.run.artefacts import root
from clv.run.new_params import params_text
from clv.run.params import Params
from clv.run.strict_yaml import _Loader
from clv.transactions.recognise import recognise
from clv.transactions.source import KNOWN_COLUMNS
from clv.transactions.synonyms import Recognised


@each_shop
def test_the_file_written_for_a_shop_holds_only_settings_that_exist(shop, tmp_path):
    file = tmp_path / "shop.yaml"
    file.write_text(params_text(seen(columns(shop)), source="data/shop.csv"), encoding="utf-8")
    values = strict_yaml.read_mapping(file)
    assert set(values) <= set(Params.model_fields)
    assert set(values["columns"]) <= set(KNOWN_COLUMNS)


@each_shop
def test_the_file_written_for_a_shop_is_accepted_unless_a_column_is_missing(shop, tmp_path):
    found = seen(columns(shop))
    file = tmp_path / "shop.yaml"
    file.write_text(params_text(found, source="data/shop.csv", encoding="cp1252"), encoding="utf-8")
    missing = [role for role in ("customer_id", "date") if role not in found.columns]
    if missing:
        with pytest.raises(InputError, match="columns must say which column"):
            params.load(file)
    else:
        accepted = params.load(file)
        assert (accepted.columns, accepted.date_format) == (found.columns, found.date_format)
        assert (accepted.shape, accepted.decimal) == (found.shape, found.decimal or ".")


def test_a_log_that_leaves_nothing_open_gives_a_file_without_questions(tmp_path):
    found = seen(PLAIN)
    text = params_text(found, source="data/orders.csv")
    (tmp_path / "orders.yaml").write_text(text)
    accepted = params.load(tmp_path / "orders.yaml")
    assert (accepted.source, accepted.currency, accepted.calibration_end) == ("data/orders.csv", "EUR", None)
    assert "PARAMS=params/orders.yaml" in text
    assert "\n# calibration_end: " in text  # so few rows say little of how wrong a forecast is
    large = params_text(replace(found, rows=1000), source="data/orders.csv")
    assert '\ncalibration_end: "2024-08-27"' in large  # two thirds of the way from 3 January to 24 December
    short = replace(found, rows=1000, last_day=date(2024, 7, 2))
    assert "\n# calibration_end: " in params_text(short, source="data/orders.csv")
    assert "?" not in text


def test_a_format_in_doubt_waits_for_an_answer(tmp_path):
    text = params_text(seen({**PLAIN, "date": ["1/5/2024 8:26"]}), source="orders.csv")
    assert "date_format" not in yaml.safe_load(text)
    (tmp_path / "orders.yaml").write_text(text.replace('# date_format: "%m', 'date_format: "%m'))
    assert params.load(tmp_path / "orders.yaml").date_format == "%m/%d/%Y %H:%M"


def test_amounts_in_doubt_wait_for_an_answer(tmp_path):
    text = params_text(seen({**PLAIN, "amount": ["1,234", "56"]}), source="orders.csv")
    (tmp_path / "orders.yaml").write_text(text)
    with pytest.raises(InputError, match="columns must say which column of the log holds amount"):
        params.load(tmp_path / "orders.yaml")
    for line in ("amount: amount", 'decimal: "."', 'thousands: ","'):
        assert f"# {line}" in text
        text = text.replace(f"# {line}", line)
    (tmp_path / "orders.yaml").write_text(text)
    answered = params.load(tmp_path / "orders.yaml")
    assert (answered.columns["amount"], answered.decimal, answered.thousands) == ("amount", ".", ",")


def test_a_quantity_needs_no_amount():
    lines = {**PLAIN, "quantity": ["2"], "price": money}
    assert "amount: ?" in params_text(seen({"customer_id": customer}), source="orders.csv")
    assert "amount: ?" not in params_text(seen({**lines, "amount": [""]}), source="orders.csv")


@pytest.mark.parametrize(
    ("source", "run"), [("data/my orders.2024.csv", "my_orders"), ("-x.csv", "x"), (".csv", "yours")]
)
def test_the_file_names_the_run_after_its_source(source, run):
    assert f"make check-data PARAMS=params/{run}.yaml\n" in params_text(seen(PLAIN), source=source)


def test_what_was_recognised_has_its_line():
    found = replace(seen(PLAIN), shape="line_items", timezone="", cancellation_pattern="^C", currency="GBP")
    text = params_text(found, source="orders.csv", encoding="UTF-8")
    values = yaml.safe_load(text)
    assert [values[key] for key in ("shape", "cancellation_pattern", "currency")] == ["line_items", "^C", "GBP"]
    assert "\n# timezone: Europe/Berlin" in text
    assert "encoding" not in values


def test_the_file_reads_like_one_that_a_person_wrote():
    found = seen({"Customer ID": customer, "When": ["1/5/2024"], "Total": lambda row: money(row).replace(".", ",")})
    assert params_text(found, source="data/shop.csv", encoding="latin-1").splitlines() == [
        "# shop.csv: a first params file, recognised from the names of its columns and a sample of its rows.",
        "# Read every line and answer the questions, then: make check-data PARAMS=params/shop.yaml",
        "# When nothing there surprises you:               make report PARAMS=params/shop.yaml",
        "#",
        "# What the file does not say:",
        "# 1. `When` is taken for the date because it holds dates: is it?",
        "# 2. No column looks like an order number: without order_id nobody can say which repeated rows are errors.",
        "# 3. Dates in `When` can be read as %d/%m/%Y or %m/%d/%Y: which is it? State date_format.",
        "# 4. Which currency are the amounts in? USD is assumed until it is stated.",
        "",
        "source: data/shop.csv",
        "columns:",
        '  customer_id: "Customer ID"',
        "  date: When",
        "  amount: Total",
        "  # order_id: ?                     # the name of its column",
        '# date_format: "%d/%m/%Y"           # remove the # if dates are written so',
        '# date_format: "%m/%d/%Y"           # remove the # if dates are written so',
        'decimal: ","',
        "encoding: latin-1                   # no UTF-8; if letters look wrong, state another one",
        "observation_end: null               # null: the last date in the data",
        '# calibration_end: "2025-06-30"     # what comes after it tests the forecast; without it nothing does',
        "horizon_weeks: 52                   # weeks ahead that are valued",
        "# calendar: {months: {december: 2}} # if you know more of its year than the log; params/default.yaml",
        "purchase_model: auto                # how customers buy, as past windows tell; bgnbd alone takes less time",
        "discount_rate_annual: 0.10          # cost of capital per year; finance changes it",
        "gross_margin: 1.0                   # 1.0: value is revenue; finance changes it",
        "# currency: EUR                     # or else it is USD",
        "refunds: net                        # negative rows are taken off their purchase",
        "max_rejected_share: 0.10            # with more faulty rows the log is refused",
    ]


AWKWARD = st.text(min_size=1) | st.sampled_from(
    ["no", "null", "012", "1.5e3", "a: b", "- x", "#1", "'\"", "{}", "ä 😀", "%"]
)


@pytest.mark.slow
@given(names=st.lists(AWKWARD, min_size=4, max_size=4, unique=True), source=AWKWARD)
def test_names_of_columns_survive_whatever_they_hold(names, source):
    found = Recognised(
        columns=dict(zip(("customer_id", "date", "amount", "order_id"), names, strict=True)),
        shape="line_items",
        date_format="%d/%m/%Y",
        date_formats=(),
        decimal=",",
        thousands=".",
        timezone="",
        cancellation_pattern="^C",
        currency="EUR",
        first_day=None,
        last_day=None,
        questions=(f"Is `{names[0]}`?".replace("\n", " "),) if names[0].isprintable() else (),
    )
    text = params_text(found, source=source)
    for loader in (yaml.SafeLoader, _Loader):
        values = yaml.load(text, Loader=loader)
        assert (values["columns"], values["source"]) == (found.columns, source)


@given(name=st.text(min_size=1))
def test_a_name_cannot_break_out_of_its_question(name):
    found = recognise(["id", f"{name} date", "amount", "currency"], [["1", "1/5/2024", "5.00", "EUR"]])
    assert any(" date`" in question for question in found.questions) or len(name) > 50
    values = yaml.safe_load(params_text(found, source="orders.csv"))
    assert (values["columns"]["amount"], values["currency"]) == ("amount", "EUR")


def test_no_value_of_a_row_reaches_the_file():
    secret = {
        "customer_id": lambda row: f"ada{row % 7}@example.org",
        "date": ["1/5/2024"],
        "amount": ["77.31", "-77.31", "0"],
        "order_id": lambda row: f"ORD{row}",
        "product": ["Marmalade"],
        "country": ["Atlantis"],
        "currency": ["EUR", "XTS"],
    }
    text = params_text(seen(secret), source="orders.csv")
    assert not [
        value for value in ("ada", "example", "77", "ORD", "Marmalade", "Atlantis", "XTS", "2024") if value in text
    ]


def test_recognising_is_cheap_to_import():
    code = "import sys; import clv.transactions.recognise; print(*sys.modules)"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root())
    assert not {"duckdb", "pandas", "numpy", "pydantic"} & set(result.stdout.split())
