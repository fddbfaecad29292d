"""What recognise promises: logs of many shops, what their column names and a few rows tell and what they leave open."""

import csv
from collections.abc import Callable, Mapping
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from clv.errors import InputError
from clv.run.artefacts import root
from clv.transactions.recognise import recognise
from clv.transactions.synonyms import Recognised

ROWS = 60
Values = Callable[[int], object] | list[Any]


def seen(columns: Mapping[str, Values]) -> Recognised:
    """Recognise a log from the values of its columns: a function of the row's number, or a list that repeats."""
    makers = [
        (lambda row, made=made: made[row % len(made)]) if isinstance(made, list) else made for made in columns.values()
    ]
    return recognise(list(columns), [[make(row) for make in makers] for row in range(ROWS)])


def day(form: str) -> Callable[[int], str]:
    """Return a function that writes the day of each row, all months and days of 2024 among them."""
    return lambda row: (datetime(2024, 1, 3, 8, 26) + timedelta(days=6 * row, hours=row)).strftime(form)


def unpadded(row: int) -> str:
    """Return a day as spreadsheets of an American shop write it: 1/5/2024 8:26."""
    moment = datetime(2024, 1, 3, 8, 26) + timedelta(days=6 * row)
    return f"{moment.month}/{moment.day}/{moment.year} {moment.hour}:{moment.minute}"


def customer(row: int) -> str:
    """Return one of 17 customers."""
    return str(17850 + row % 17)


def order(row: int) -> str:
    """Return an order of one line."""
    return str(536365 + row)


def order_of_three(row: int) -> str:
    """Return an order of three lines, every seventh cancelled."""
    return f"{'C' if row // 3 % 7 == 6 else ''}{536365 + row // 3}"


def quantity(row: int) -> str:
    """Return pieces, fewer than none in a cancelled order."""
    return str((1 + row % 5) * (-1 if row // 3 % 7 == 6 else 1))


def product(row: int) -> str:
    """Return one of eleven products."""
    return f"85123{'ABCDEFGHIJK'[row % 11]}"


def money(row: int) -> str:
    """Return an amount with two decimals."""
    return f"{3 + row * 7 % 90}.{10 + row % 90}"


PLAIN = {"customer_id": customer, "date": day("%Y-%m-%d"), "amount": money, "order_id": order, "currency": ["EUR"]}

# Name of the shop system or data set: its columns, with what they are; whether a row is a line; how dates are written.
SHOPS: dict[str, tuple[dict[str, Values | tuple[Values, str]], str, str | None]] = {
    "Online Retail": (
        {
            "InvoiceNo": (order_of_three, "order_id"),
            "StockCode": (product, "product"),
            "Description": ["WHITE HANGING HEART", "RED, LANTERN"],
            "Quantity": (quantity, "quantity"),
            "InvoiceDate": (unpadded, "date"),
            "UnitPrice": (money, "unit_price"),
            "CustomerID": (customer, "customer_id"),
            "Country": (["United Kingdom", "EIRE"], "country"),
        },
        "line_items",
        "%m/%d/%Y %H:%M",
    ),
    "Online Retail II": (
        {
            "Invoice": (order_of_three, "order_id"),
            "StockCode": (product, "product"),
            "Description": ["WHITE HANGING HEART"],
            "Quantity": (quantity, "quantity"),
            "InvoiceDate": (day("%Y-%m-%d %H:%M:%S"), "date"),
            "Price": (money, "unit_price"),
            "Customer ID": (customer, "customer_id"),
            "Country": (["United Kingdom"], "country"),
        },
        "line_items",
        "%Y-%m-%d %H:%M:%S",
    ),
    "Olist": (
        {
            "order_id": (lambda row: f"e481f51cbdc54678b7cc49136f2d6a{row:02}", "order_id"),
            "customer_id": lambda row: f"9ef432eb6251297304e76186b10a92{row:02}",
            "order_status": ["delivered"],
            "order_purchase_timestamp": (day("%Y-%m-%d %H:%M:%S"), "date"),
            "order_delivered_customer_date": day("%Y-%m-%d %H:%M:%S"),
            "order_estimated_delivery_date": day("%Y-%m-%d %H:%M:%S"),
            "payment_value": (money, "amount"),
            "customer_unique_id": (customer, "customer_id"),
            "customer_zip_code_prefix": ["01409"],
        },
        "transactions",
        "%Y-%m-%d %H:%M:%S",
    ),
    "Shopify": (
        {
            "Name": (lambda row: f"#{1001 + row // 3}", "order_id"),
            "Email": (lambda row: f"{customer(row // 3)}@example.org", "customer_id"),
            "Financial Status": ["paid", "", ""],
            "Paid at": lambda row: day("%Y-%m-%d %H:%M:%S -0500")(row) if row % 3 == 0 else "",
            "Currency": (lambda row: "CAD" if row % 3 == 0 else "", "currency"),
            "Subtotal": lambda row: money(row) if row % 3 == 0 else "",
            "Taxes": lambda row: "1.00" if row % 3 == 0 else "",
            "Total": lambda row: money(row) if row % 3 == 0 else "",
            "Discount Amount": lambda row: "0.00" if row % 3 == 0 else "",
            "Created at": (lambda row: day("%Y-%m-%d %H:%M:%S -0500")(row // 3), "date"),
            "Lineitem quantity": (["1", "2"], "quantity"),
            "Lineitem name": (product, "product"),
            "Lineitem price": (money, "unit_price"),
            "Lineitem compare at price": money,
            "Billing Country": (["CA"], "country"),
            "Id": lambda row: str(4500000000000 + row) if row % 3 == 0 else "",
        },
        "line_items",
        "%Y-%m-%d %H:%M:%S %z",
    ),
    "CDNOW": (
        {
            "id": (customer, "customer_id"),
            "date": (day("%Y%m%d"), "date"),
            "cds": ["1", "2"],
            "amount": (money, "amount"),
        },
        "transactions",
        "%Y%m%d",
    ),
    "Instacart": (
        {
            "order_id": (order, "order_id"),
            "user_id": (customer, "customer_id"),
            "eval_set": ["prior"],
            "order_number": ["1", "2", "3"],
            "order_dow": ["2"],
            "order_hour_of_day": ["08"],
            "days_since_prior_order": ["", "15.0"],
        },
        "transactions",
        None,
    ),
    "Superstore": (
        {
            "Row ID": lambda row: str(row + 1),
            "Order ID": (lambda row: f"CA-2016-{152156 + row // 3}", "order_id"),
            "Order Date": (unpadded, "date"),
            "Ship Date": unpadded,
            "Customer ID": (lambda row: f"CG-{customer(row // 3)}", "customer_id"),
            "Customer Name": ["Claire Gute"],
            "Country": (["United States"], "country"),
            "Product ID": (product, "product"),
            "Sales": (money, "amount"),
            "Quantity": ["2"],
            "Discount": ["0.2"],
            "Profit": money,
        },
        "line_items",
        "%m/%d/%Y %H:%M",
    ),
    "WooCommerce": (
        {
            "Order Number": (order, "order_id"),
            "Order Date": (day("%Y-%m-%d %H:%M"), "date"),
            "Customer Note": [""],
            "Country Code (Billing)": (["DE"], "country"),
            "Email (Billing)": [""],
            "Order Total Amount": (money, "amount"),
            "Customer User ID": (customer, "customer_id"),
        },
        "transactions",
        "%Y-%m-%d %H:%M",
    ),
    "Magento": (
        {
            "increment_id": (lambda row: f"{100000001 + row}", "order_id"),
            "store_id": ["1"],
            "created_at": (day("%Y-%m-%dT%H:%M:%S.%fZ"), "date"),
            "updated_at": day("%Y-%m-%dT%H:%M:%S.%fZ"),
            "customer_id": (customer, "customer_id"),
            "order_currency_code": (["EUR"], "currency"),
            "grand_total": (money, "amount"),
        },
        "transactions",
        "%Y-%m-%dT%H:%M:%S.%fZ",
    ),
    "Stripe": (
        {
            "id": (lambda row: f"ch_{row:04}", "order_id"),
            "Created (UTC)": (day("%Y-%m-%d %H:%M:%S"), "date"),
            "Amount": (money, "amount"),
            "Amount Refunded": (["0.00"], "refunded_amount"),
            "Currency": (["usd"], "currency"),
            "Fee": ["0.30"],
            "Customer ID": (lambda row: f"cus_{row % 17}", "customer_id"),
        },
        "transactions",
        "%Y-%m-%d %H:%M:%S",
    ),
    "Square": (
        {
            "Date": (day("%m/%d/%y"), "date"),
            "Time": ["08:26:00", "17:03:11"],
            "Total Collected": lambda row: f"${money(row)}",
            "Net Sales": (lambda row: f"${money(row)}", "amount"),
            "Tax": ["$0.00"],
            "Transaction ID": (lambda row: f"Tx{row:05}", "order_id"),
            "Customer Reference ID": (customer, "customer_id"),
        },
        "transactions",
        "%m/%d/%y",
    ),
    "Dunnhumby": (
        {
            "household_key": (customer, "customer_id"),
            "BASKET_ID": (lambda row: str(26984851472 + row // 3), "order_id"),
            "DAY": lambda row: str(row + 1),
            "PRODUCT_ID": (product, "product"),
            "QUANTITY": ["1", "2"],
            "SALES_VALUE": (money, "amount"),
            "STORE_ID": ["364"],
        },
        "line_items",
        None,
    ),
    "REES46": (
        {
            "event_time": (day("%Y-%m-%d %H:%M:%S UTC"), "date"),
            "event_type": ["purchase"],
            "product_id": (product, "product"),
            "category_id": ["2053013555631882655"],
            "brand": ["samsung", ""],
            "price": (money, "amount"),
            "user_id": (customer, "customer_id"),
            "user_session": ["9333dfbd-b87a-4708-9857-6336556b0fcc"],
        },
        "transactions",
        "%Y-%m-%d %H:%M:%S UTC",
    ),
    "AdventureWorks": (
        {
            "SalesOrderID": (order, "order_id"),
            "OrderDate": (day("%Y-%m-%d"), "date"),
            "DueDate": day("%Y-%m-%d"),
            "ShipDate": day("%Y-%m-%d"),
            "CustomerID": (customer, "customer_id"),
            "SalesPersonID": ["279"],
            "TaxAmt": ["1.00"],
            "TotalDue": (money, "amount"),
        },
        "transactions",
        "%Y-%m-%d",
    ),
    "a German merchandise management": (
        {
            "Kundennummer": (customer, "customer_id"),
            "Belegdatum": (day("%d.%m.%Y"), "date"),
            "Rechnungs-Nr.": (order, "order_id"),
            "Artikelnummer": (product, "product"),
            "Menge": ["1", "2", "3"],
            "Umsatz (EUR)": (lambda row: money(row).replace(".", ","), "amount"),
            "Land": (["Österreich"], "country"),
        },
        "transactions",
        "%d.%m.%Y",
    ),
    "a French till": (
        {
            "N° client": (customer, "customer_id"),
            "Date de commande": (day("%d/%m/%Y %H:%M"), "date"),
            "Numéro commande": (order_of_three, "order_id"),
            "Code article": (product, "product"),
            "Quantité": (["1", "2"], "quantity"),
            "Prix unitaire": (lambda row: money(row).replace(".", ","), "unit_price"),
            "Pays": (["France"], "country"),
        },
        "line_items",
        "%d/%m/%Y %H:%M",
    ),
    "a Spanish shop": (
        {
            "id_cliente": (customer, "customer_id"),
            "fecha": (day("%d-%m-%Y"), "date"),
            "importe": (money, "amount"),
            "nº pedido": (order, "order_id"),
            "moneda": (["EUR"], "currency"),
        },
        "transactions",
        "%d-%m-%Y",
    ),
    "a loyalty programme": (
        {
            "card number": (customer, "customer_id"),
            "Processed at": (day("%d %b %Y %I:%M %p"), "date"),
            "Receipt": (order, "order_id"),
            "Spend": (money, "amount"),
            "Gift card number": [""],
        },
        "transactions",
        "%d %b %Y %I:%M %p",
    ),
    "H&M": (
        {
            "t_dat": (day("%Y-%m-%d"), "date"),
            "customer_id": (customer, "customer_id"),
            "article_id": (product, "product"),
            "price": (money, "amount"),
            "channel": ["2"],
        },
        "transactions",
        "%Y-%m-%d",
    ),
}
each_shop = pytest.mark.parametrize("shop", SHOPS)


def columns(shop: str) -> dict[str, Values]:
    """Return the columns of a shop's log."""
    return {name: made[0] if isinstance(made, tuple) else made for name, made in SHOPS[shop][0].items()}


@each_shop
def test_the_columns_of_many_shops_are_recognised(shop):
    meant, shape, date_format = SHOPS[shop]
    found = seen(columns(shop))
    assert found.columns == {made[1]: name for name, made in meant.items() if isinstance(made, tuple)}
    assert (found.shape, found.date_format) == (shape, date_format)


def test_a_log_that_is_as_it_should_be_leaves_nothing_open():
    found = seen(PLAIN)
    assert (found.questions, found.currency) == ((), "EUR")
    assert (found.first_day, found.last_day) == (date(2024, 1, 3), date(2024, 12, 24))


# -- which column ------------------------------------------------------------------------------------------------------


def test_of_several_candidates_the_best_is_taken_and_the_others_are_named():
    found = seen({**PLAIN, "Order date": day("%Y-%m-%d"), "Paid at": day("%Y-%m-%d")})
    assert found.columns["date"] == "Order date"
    assert "`Order date` is taken for date: or is it `Paid at` or `date`?" in found.questions


def test_of_two_columns_named_like_customers_the_one_in_which_they_come_back_is_taken():
    found = seen({**PLAIN, "customer_id": order, "buyer": customer, "order_id": [""]})
    assert found.columns["customer_id"] == "buyer"


def test_a_column_that_only_numbers_rows_is_no_customer():
    found = seen({"id": order, "date": day("%Y-%m-%d"), "amount": money})
    assert "customer_id" not in found.columns
    assert "Which column says who bought? State customer_id under columns." in found.questions


def test_a_column_named_date_that_holds_no_dates_is_asked_about():
    found = seen({**PLAIN, "date": ["yesterday", "today"]})
    assert "date" not in found.columns
    assert "`date` is named like date, but its values do not look like it: what is it?" in found.questions


def test_dates_in_a_column_with_another_name_are_taken_with_a_question():
    assert "`t_dat` is taken for the date because it holds dates: is it?" in seen(columns("H&M")).questions


@pytest.mark.parametrize("name", ["birth_date", "Ship Date", "delivery_date", "updated_at", "DueDate"])
def test_the_day_of_something_else_is_no_day_of_purchase(name):
    assert seen({**PLAIN, name: day("%Y-%m-%d")}).columns["date"] == "date"


@pytest.mark.parametrize("name", ["Tax amount", "discount_amount", "Shipping Total", "Refunded Amount", "cost_price"])
def test_money_for_something_else_is_no_amount(name):
    columns = {name: money, **PLAIN}
    columns.pop("amount")
    found = seen(columns)
    assert "amount" not in found.columns
    assert any("amount: null, if the log holds no money" in question for question in found.questions)


@pytest.mark.slow
def test_the_shipped_log_of_cdnow_is_recognised():
    with (root() / "clv" / "transactions" / "data" / "cdnow.csv").open(encoding="utf-8", newline="") as file:
        names, *rows = csv.reader(file)
    found = recognise(names, rows)
    assert found.columns == {"customer_id": "id", "date": "date", "amount": "amount"}
    assert (found.date_format, found.first_day, found.last_day) == ("%Y-%m-%d", date(1997, 1, 1), date(1998, 6, 30))
    assert found.questions[1:] == (
        "Of the rows under 1 % are of amount 0; zero_amounts: visit counts them as purchases. Are they?",
        "Which currency are the amounts in? USD is assumed until it is stated.",
    )


def test_a_price_is_the_amount_where_nothing_is_counted_and_a_unit_price_where_something_is():
    single = {"customer": customer, "date": day("%Y-%m-%d"), "price": money}
    assert seen(single).columns["amount"] == "price"
    assert seen({**single, "qty": ["2"]}).columns["unit_price"] == "price"


def lines(total: Values) -> Recognised:
    """Recognise lines of orders that have a quantity, a price and a total."""
    return seen(
        {
            "customer": customer,
            "date": day("%Y-%m-%d"),
            "order": lambda row: str(row // 3),
            "quantity": ["2", "3"],
            "price": money,
            "total": total,
            "currency": ["EUR"],
        }
    )


def test_an_amount_that_is_quantity_times_price_is_taken_alone():
    found = lines(lambda row: str(Decimal(money(row)) * (2 + row % 2)))
    assert "unit_price" not in found.columns
    assert "quantity" not in found.columns
    assert (found.columns["amount"], found.shape, found.questions) == ("total", "line_items", ())


def test_an_amount_that_is_something_else_than_quantity_times_price_is_asked_about():
    found = lines(lambda row: str(100 + row // 3))
    assert found.columns["unit_price"] == "price"
    assert "amount" not in found.columns
    assert found.questions == (
        "`quantity` times `price` is taken for the money; `total` differs: which of them came in?",
    )


def test_an_amount_that_stands_on_the_first_line_of_an_order_only_is_not_the_amount():
    found = lines(lambda row: "" if row % 3 else "99.00")
    assert "`total` differs, blank in 67 % of the rows" in found.questions[0]


def test_orders_whose_rows_have_one_product_each_are_lines_and_a_refund_of_the_same_product_is_not():
    columns = {**PLAIN, "order_id": lambda row: str(row // 2)}
    assert seen({**columns, "product": product}).shape == "line_items"
    assert seen({**columns, "product": lambda row: str(row // 2)}).shape == "transactions"


@pytest.mark.parametrize("write", ["{:040}", "{}e56", "1{:030}", "{}.0", "{:x}e9"])
def test_identifiers_that_look_like_odd_numbers_are_identifiers(write):
    found = seen({**PLAIN, "order_id": lambda row: write.format(row + 10)})
    assert found.columns["order_id"] == "order_id"
    assert "order_id" not in seen({**PLAIN, "order_id": money}).columns


def test_a_row_number_that_may_be_an_order_number_is_asked_about():
    found = seen({"id": order, "customer": customer, "date": day("%Y-%m-%d"), "amount": money})
    assert "`id` is taken for the order number: is it, or does it only number the rows?" in found.questions


def test_without_an_order_number_repeats_cannot_be_told_from_errors():
    columns = dict(PLAIN)
    columns.pop("order_id")
    assert seen(columns).questions == (
        "No column looks like an order number: without order_id nobody can say which repeated rows are errors.",
    )


def test_a_log_without_columns_or_rows_is_refused():
    for names, rows in (([], []), (["a"], []), ([], [[]])):
        with pytest.raises(InputError, match="needs a header and at least one row"):
            recognise(names, rows)


def test_rows_that_are_too_short_are_blank_at_their_end():
    found = recognise(["customer_id", "date", "amount"], [["1", "2024-01-31", "5.00"], ["1", "2024-01-30"]])
    assert "Of the rows 50 % are without a readable amount, which counts as a fault: what are they?" in found.questions


# -- dates and numbers -------------------------------------------------------------------------------------------------


def dated(values: Values) -> Recognised:
    """Recognise a log whose dates are written like this."""
    return seen({**PLAIN, "date": values})


def test_a_date_that_can_be_read_in_two_ways_is_asked_about():
    found = dated(["1/5/2024 8:26", "12/11/2024 17:03"])
    assert (found.date_format, found.first_day, found.last_day) == (None, None, None)
    assert found.date_formats == ("%d/%m/%Y %H:%M", "%m/%d/%Y %H:%M")
    assert found.questions == (
        "Dates in `date` can be read as %d/%m/%Y %H:%M or %m/%d/%Y %H:%M: which is it? State date_format.",
    )


@pytest.mark.parametrize("form", ["%d%b%Y", "%A, %B %d, %Y %I:%M %p", "%d/%m-%Y", "%Y年%m月%d日"])
def test_dates_as_statisticians_and_shops_of_other_lands_write_them_are_read(form):
    found = dated(day(form))
    assert (found.date_format, found.first_day) == (form, date(2024, 1, 3))


def test_a_few_dates_written_otherwise_leave_the_format_in_doubt():
    found = dated(lambda row: "unknown" if row == 7 else day("%Y-%m-%d")(row))
    assert (found.date_format, found.date_formats) == (None, ("%Y-%m-%d",))
    assert found.questions == ("Of the dates in `date` 2 % are not written like %Y-%m-%d: what are they?",)


def test_a_header_that_stands_among_the_rows_leaves_nothing_in_doubt():
    again = {
        name: lambda row, name=name, made=made: name if row == 7 else made(row)
        for name, made in PLAIN.items()
        if callable(made)
    }
    found = seen(again)
    assert (found.date_format, found.first_day, found.questions) == (
        "%Y-%m-%d",
        date(2024, 1, 3),
        ("Which currency are the amounts in? USD is assumed until it is stated.",),
    )


def buyer(row: int) -> str:
    """Return one of 31 customers."""
    return f"K{row * 7 % 31}"


OTHER_WORDS = {
    "German": ("KUNNR", "ERDAT", "NETWR", "1.234,56", "12,50"),
    "Danish": ("Køber", "Købt", "Beløb", "1.234,56 kr.", "12,50 kr."),
    "Japanese": ("顧客", "注文日", "金額", "¥1,234.50", "¥12.50"),
}


@pytest.mark.parametrize("words", OTHER_WORDS)
def test_columns_of_other_names_are_taken_by_what_alone_they_hold_with_a_question(words):
    who, when, much, large, small = OTHER_WORDS[words]
    found = seen({who: buyer, when: day("%Y-%m-%d"), much: lambda row: large if row % 9 == 0 else small})
    assert found.columns == {"customer_id": who, "date": when, "amount": much}
    for column, what in ((who, "the customer"), (when, "the date"), (much, "the amount")):
        assert any(question.startswith(f"`{column}` is taken for {what} because it") for question in found.questions)


def test_of_two_columns_of_money_none_is_taken():
    found = seen({"customer_id": customer, "date": day("%Y-%m-%d"), "NETWR": money, "BRTWR": money})
    assert "amount" not in found.columns
    assert any(question.startswith("Which column says how much?") for question in found.questions)


def test_typed_dates_need_no_format():
    for make in (lambda row: date(2024, 1, 3) + timedelta(row), lambda row: datetime(2024, 1, 3, 23) + timedelta(row)):
        found = dated(make)
        assert (found.date_format, found.date_formats, found.timezone) == (None, (), None)
        assert (found.first_day, found.questions) == (date(2024, 1, 3), ())


@pytest.mark.parametrize(
    "midnight",
    [lambda text: f"{text}T00:00:00Z", lambda text: f"{text} 00:00:00.000+00:00", lambda text: f"{text} 00:00 UTC"],
)
def test_moments_that_are_all_midnight_by_utc_are_days(midnight):
    days = [f"2024-01-{day:02d}" for day in range(1, 31)]
    found = dated([midnight(day) for day in days])
    assert found.timezone == "UTC"
    assert found.questions[0].startswith("All moments in `date` are midnight by UTC: they are taken for days")
    assert dated([*map(midnight, days), midnight("2024-01-31").replace("00:00", "23:00", 1)]).timezone == ""


def test_an_instant_is_a_day_only_by_a_clock():
    found = dated(["2024-01-31T08:26:00Z"])
    assert found.timezone == ""
    assert found.questions == ("`date` holds instants, not days: which clock do your days follow? State timezone.",)


@pytest.mark.parametrize(
    ("values", "decimal", "thousands"),
    [
        (["1234.5", "12"], None, None),
        (["12,5", "7"], ",", None),
        (["1.234,50 €", "EUR 12,5"], ",", "."),
        (["1,234.50", "12.5"], None, ","),
    ],
)
def test_decimal_and_thousands_signs_are_stated_unless_they_are_the_default(values, decimal, thousands):
    found = seen({**PLAIN, "amount": values})
    assert (found.decimal, found.thousands, found.number_formats, found.questions) == (decimal, thousands, (), ())


def test_a_number_that_can_be_read_in_two_ways_is_asked_about():
    found = seen({**PLAIN, "amount": ["1,234", "56"]})
    assert (found.decimal, found.thousands, found.number_formats) == (None, None, ((",", None), (".", ",")))
    assert found.questions == (
        "Is 1,234 (or 1.234) more than a thousand, or one and a bit? State decimal and thousands.",
    )


# -- what else is seen -------------------------------------------------------------------------------------------------


def test_each_column_has_its_own_notation_and_one_that_can_mean_two_things_is_asked_about():
    lines = {"order_id": order, "product": product, "quantity": ["1.000", "3.000"], "unit_price": ["12,50", "1.050,00"]}
    found = seen({**PLAIN, **lines, "amount": ["x"]})
    assert found.number_formats == (({"quantity": ".", "unit_price": ","}, {"unit_price": "."}), (",", "."))
    assert (found.decimal, found.thousands) == (None, None)
    question = "Is 1,234 (or 1.234) in `quantity` more than a thousand, or one and a bit? State decimal and thousands."
    assert question in found.questions
    pieces = seen({**PLAIN, **lines, "quantity": ["1.5", "2.5"], "amount": ["x"]})
    assert (pieces.decimal, pieces.thousands, pieces.number_formats) == (
        *({"quantity": ".", "unit_price": ","}, {"unit_price": "."}),
        (),
    )


def test_a_price_of_an_item_may_be_the_money_of_the_line():
    columns = {**PLAIN, "quantity-purchased": ["1", "2"], "item-price": ["10.00", "5.00"]}
    del columns["amount"]
    found = seen(columns)
    assert found.price_in_doubt
    assert found.questions[0] == (
        "Is `item-price` the price of one piece, or the money of the line? The rows looked at come to 600.00 as"
        " `quantity-purchased` times `item-price`, and to 450.00 as `item-price` alone; for the second, map it as"
        " amount, and neither quantity nor unit_price."
    )


@pytest.mark.parametrize(
    ("name", "price", "asked"),
    [
        ("item price", lambda row: f"{5 + row % 11}.00", False),  # each product has its price
        ("price", lambda row: f"{(5 + row % 11) * (1 + row % 3)}.00", True),  # ... and here the line
        ("price", lambda row: f"{5 + row * 7 % 90}.00", False),
        ("unit item price", lambda row: f"{5 + row * 7 % 90}.00", False),
    ],
)
def test_products_and_names_tell_a_price_from_the_money_of_a_line(name, price, asked):
    lines = {"product": product, "quantity": lambda row: str(1 + row % 3), name: price}
    found = seen({name: values for name, values in {**PLAIN, **lines}.items() if name != "amount"})
    assert found.price_in_doubt == asked == any("the money of the line" in question for question in found.questions)


@pytest.mark.parametrize(("write", "asked"), [("{}", True), ("{}.00", True), ("{}.50", False)])
def test_whole_numbers_may_count_cents(write, asked):
    found = seen({**PLAIN, "amount": lambda row: write.format(100 + row * 37)})
    assert any("minor_units: true" in question for question in found.questions) == asked


def test_yen_have_no_smaller_unit():
    assert seen({**PLAIN, "currency": ["JPY"], "amount": lambda row: str(100 + row * 37)}).questions == ()


@pytest.mark.parametrize("name", ["money", "Gross", "Grand Total (Base)", "Grand Total [EUR]"])
def test_the_amount_is_known_by_its_name_without_what_stands_in_brackets(name):
    columns = {**PLAIN, name: money, "Subtotal": lambda row: money(row + 1)}
    del columns["amount"]
    assert seen(columns).columns["amount"] == name


def test_order_numbers_with_a_letter_and_negative_money_are_cancellations():
    retail = columns("Online Retail")
    assert seen(retail).cancellation_pattern == "^C"
    assert seen({**retail, "Quantity": ["1", "-1"]}).cancellation_pattern is None


@pytest.mark.parametrize(
    ("columns", "currency"),
    [
        ({"currency": ["gbp"]}, "GBP"),
        ({"amount": ["£12.50"], "currency": [""]}, "GBP"),
        ({"amount": ["12,50 EUR"], "currency": [""]}, "EUR"),
        ({"amount": [""], "total_chf": money, "currency": [""]}, "CHF"),
    ],
)
def test_the_currency_is_taken_from_its_column_the_amounts_or_their_name(columns, currency):
    assert seen({**PLAIN, **columns}).currency == currency


@pytest.mark.parametrize(
    ("columns", "question"),
    [
        ({"currency": [""]}, "Which currency are the amounts in? USD is assumed until it is stated."),
        (
            {"amount": ["$12.50"], "currency": [""]},
            "The sign beside the amounts belongs to several currencies: state currency, for example CAD.",
        ),
        (
            {"currency": ["EUR", "USD", "usd"]},
            "The amounts are in 2 currencies: convert them, or keep the rows of one.",
        ),
        (
            {"customer_id": lambda row: "" if row % 4 == 0 else customer(row)},
            "`customer_id` is blank in 25 % of the rows, which a run refuses: mend them, or raise max_rejected_share?",
        ),
        (
            {"customer_id": lambda row: f"{customer(row)}@example.org"},
            "`customer_id` holds e-mail addresses, which pages hide without show_customer_ids: is there a number?",
        ),
        (
            {"customer_id": order},
            "Nobody in the sample bought twice: does `customer_id` number the customers, or the orders?",
        ),
        (
            {"customer_id": lambda row: float(customer(row))},
            "`customer_id` holds decimal numbers, which merge long identifiers: can it be text?",
        ),
        (
            {"amount": lambda row: "-5.00" if row % 20 == 0 else money(row)},
            "Of the rows 5 % are negative; refunds: net takes them off their purchase. Are they refunds?",
        ),
        (
            {"amount": lambda row: "0" if row % 20 == 0 else money(row)},
            "Of the rows 5 % are of amount 0; zero_amounts: visit counts them as purchases. Are they?",
        ),
        (
            {"amount": lambda row: "n/a" if row % 20 == 0 else money(row)},
            "Of the rows 5 % are without a readable amount, which counts as a fault: what are they?",
        ),
    ],
)
def test_what_a_file_cannot_answer_is_asked_in_one_sentence(columns, question):
    assert seen({**PLAIN, **columns}).questions == (question,)


def test_a_few_blank_customers_are_no_question():
    assert seen({**PLAIN, "customer_id": lambda row: None if row == 7 else customer(row)}).questions == ()


def test_a_total_that_all_lines_of_an_order_say_counts_once_unless_lines_say_their_own():
    lines = {
        "customer": lambda row: f"c{row // 2 % 9}",
        "date": day("%Y-%m-%d"),
        "order": lambda row: f"o{row // 2}",
        "sku": lambda row: f"p{row % 7}",
        "order_total": lambda row: f"{10 + row // 2}.50",
    }
    found = seen(lines)
    assert (found.shape, found.columns["amount"]) == ("order_totals", "order_total")
    assert "All lines of an order say the same `order_total`" in found.questions[0]
    assert seen(lines | {"order_total": ["9.90"]}).shape == "line_items"  # all that is sold has one price
    own = seen(lines | {"item_total": lambda row: f"{1 + row}.25"})
    assert (own.shape, own.columns["amount"]) == ("line_items", "item_total")


def test_visitors_of_web_analytics_are_customers_and_most_events_have_no_order():
    found = seen(
        {
            "user_pseudo_id": lambda row: f"{1000 + row % 9}.1690000{row % 9:03d}",
            "event_date": day("%Y%m%d"),
            "event_name": ["purchase", "page_view", "page_view"],
            "transaction_id": lambda row: "" if row % 3 else f"T{row}",
            "purchase_revenue": lambda row: "" if row % 3 else f"{row}.50",
        }
    )
    assert (found.columns["customer_id"], found.columns["order_id"]) == ("user_pseudo_id", "transaction_id")


def test_a_line_of_totals_leaves_the_format_of_the_dates_in_no_doubt():
    days = [[f"c{row % 9}", day("%b-%d-%y")(row % 50)] for row in range(99)]
    assert recognise(["customer", "date"], [*days, ["", "Total"]]).date_format == "%b-%d-%y"
    assert recognise(["customer", "date"], [*days, ["", "Total"], ["", "printed"]]).date_format is None


def test_numbers_are_days_of_a_spreadsheet_only_where_a_column_is_named_so():
    found = seen({"customer": customer, "Date": lambda row: f"{45292 + row}", "zip": lambda row: f"{20000 + row}"})
    assert (found.columns["date"], found.date_format) == ("Date", "spreadsheet_days")
    assert "date" not in seen({"customer": customer, "zip": lambda row: f"{20000 + row}"}).columns


def test_a_table_in_which_nothing_looks_like_a_log_is_refused_saying_what_is_needed():
    with pytest.raises(
        InputError, match=r"no column looks like a customer, .* \(found: , Qty, Shop\): put a line on top"
    ):
        recognise(["", "Shop", "Qty"], [["Total for Ada", "", "1"], ["", "Lyon", "2"]])
