"""What the tables of a cleaned log must look like."""

from clv.tables import CUSTOMER, DATE, INTEGER, NUMBER, TEXT, Column, Table, below_zero, outside_unit

TRANSACTIONS = Table(
    "transactions",
    below_zero("amount"),
    key=("customer_id", "date"),
    customer_id=CUSTOMER,
    date=Column(DATE, "day of purchase"),
    amount=Column(NUMBER, "money spent that day, net of refunds"),
)

REFUNDS = Table(
    "refunds",
    below_zero("amount"),
    key=("customer_id", "date", "refunded_on"),
    customer_id=CUSTOMER,
    date=Column(DATE, "day of purchase"),
    refunded_on=Column(DATE, "later day on which money was given back"),
    amount=Column(NUMBER, "money taken off that day's purchase then"),
)

CUSTOMER_GROUPS = Table(
    "customer_groups",
    key=("grouping", "customer_id"),
    grouping=Column(TEXT, "by and the name of a column that group_by names"),
    customer_id=CUSTOMER,
    group=Column(TEXT, "its value at the customer's first purchase; (blank); (other): a rare one"),
)

REJECTED = Table(
    "rejected",
    record=Column(INTEGER, "number of the record in the source, the first one after the header is 1"),
    column=Column(TEXT, "column of the source that breaks the rule"),
    rule=Column(TEXT, "name of the rule"),
    value=Column(TEXT, "what stood there", nullable=True),
    amount=Column(NUMBER, "money left out with this row", nullable=True),
)

LEDGER = Table(
    "ledger",
    line=Column(TEXT, "what happened to these rows: rows in the source, kept, a rule's name, set aside"),
    meaning=Column(TEXT, "the same in words"),
    rows=Column(INTEGER, "number of rows"),
    amount=Column(NUMBER, "money in these rows, after refunds were taken off their purchases"),
)

QUALITY = Table(
    "quality",
    below_zero("rows"),
    rule=Column(TEXT, "name of the rule"),
    severity=Column(TEXT, "what it does with a row: quarantine (a fault), leave out (as asked), or warn"),
    column=Column(TEXT, "column of the source that it looks at"),
    meaning=Column(TEXT, "what it finds, in words"),
    rows=Column(INTEGER, "number of rows it holds for"),
    share=Column(NUMBER, "share of all rows of the source"),
    amount=Column(NUMBER, "money in these rows"),
    records=Column(TEXT, "first record numbers"),
    condition=Column(TEXT, "the rule itself, as SQL or in words"),
    advice=Column(TEXT, "what can be done about it"),
)

LATENT = Table(
    "latent",
    outside_unit("dropout_probability"),
    below_zero("future_purchases"),
    customer_id=CUSTOMER,
    purchase_rate_weekly=Column(NUMBER, "true purchases per week while a customer"),
    dropout_probability=Column(NUMBER, "true probability of leaving after each repeat purchase"),
    mean_spend=Column(NUMBER, "true mean amount of a purchase"),
    alive=Column(INTEGER, "1 if still a customer at the end of observation"),
    future_purchases=Column(INTEGER, "purchases made within the horizon"),
)

FUTURE = Table(
    "future",
    below_zero("weeks_ahead"),
    below_zero("amount"),
    key=("customer_id", "number"),
    customer_id=CUSTOMER,
    number=Column(INTEGER, "which purchase of the customer it is, the first is 0"),
    weeks_ahead=Column(NUMBER, "weeks from the end of observation to the purchase"),
    amount=Column(NUMBER, "what it costs"),
)

TRUTH = Table(
    "truth",
    *LATENT.rules,
    below_zero("future_value"),
    key=("customer_id",),
    **LATENT.columns,
    future_value=Column(NUMBER, "discounted value of those purchases, times gross margin"),
)
