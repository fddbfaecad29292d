"""What tables of one row per customer must look like, at the end and at every past window."""

from clv.tables import CUSTOMER, DATE, INTEGER, NUMBER, TEXT, Column, Rule, Table, below_zero

HISTORY = {
    "customer_id": CUSTOMER,
    "frequency": Column(INTEGER, "repeat purchases: days with a purchase after the first one (x)"),
    "recency": Column(NUMBER, "weeks from the first to the last purchase (t_x)"),
    "T": Column(NUMBER, "weeks from the first purchase to the end of the period"),
    "monetary_value": Column(NUMBER, "mean amount of the repeat purchases, 0 if there is none"),
}
# What single amounts tell, beside how often and how much: the first order is not among the repeat purchases.
AMOUNTS = {
    "first_amount": Column(NUMBER, "amount of the first purchase"),
    "paid_purchases": Column(INTEGER, "repeat purchases with an amount above zero"),
    "log_amounts": Column(NUMBER, "sum of the natural logarithms of these amounts"),
}
# What single gaps tell, beside how many they were.
GAPS = {
    "log_gaps": Column(NUMBER, "sum of ln(weeks between one purchase and the next), on the calendar, if there is one")
}
HISTORY_RULES = (
    below_zero("frequency"),
    below_zero("recency"),
    below_zero("monetary_value"),
    Rule("recency exceeds T", lambda frame: frame["recency"] > frame["T"]),
    Rule("recency and frequency disagree", lambda frame: (frame["frequency"] > 0) != (frame["recency"] > 0)),
)
ROW_RULES = (
    *HISTORY_RULES,
    below_zero("first_amount"),
    Rule("paid_purchases exceeds frequency", lambda frame: frame["paid_purchases"] > frame["frequency"]),
)

RFM = Table(
    "rfm",
    *ROW_RULES,
    key=("customer_id",),
    **HISTORY,
    first_purchase=Column(DATE, "day of the first purchase"),
    purchases=Column(INTEGER, "days with a purchase, the first one included"),
    mean_amount=Column(NUMBER, "mean amount of all purchases, the first one included"),
    revenue=Column(NUMBER, "money spent so far"),
    **AMOUNTS,
    **GAPS,
    r_score=Column(INTEGER, "recency score, 5 = bought most recently"),
    f_score=Column(INTEGER, "frequency score, 5 = buys most often"),
    m_score=Column(INTEGER, "monetary score, 5 = spends most per purchase"),
)

CALIBRATION = Table(
    "calibration",
    *ROW_RULES,
    key=("customer_id",),
    **{name: column for name, column in RFM.columns.items() if not name.endswith("_score")},
)

HOLDOUT = Table(
    "holdout",
    below_zero("actual_purchases"),
    below_zero("actual_value"),
    below_zero("actual_revenue"),
    customer_id=CUSTOMER,
    actual_purchases=Column(INTEGER, "days with a purchase after the calibration end"),
    actual_value=Column(NUMBER, "amounts of those purchases; 05 discounts them and takes the margin"),
    actual_revenue=Column(NUMBER, "amounts of those purchases as they were paid"),
    actual_paid=Column(INTEGER, "those of them with an amount above zero"),
)

WINDOW = {
    "horizon_weeks": Column(INTEGER, "length of the window in weeks"),
    "origin": Column(DATE, "the day before the window: the forecast saw nothing after it"),
}
ROLLING = Table(
    "rolling",
    *ROW_RULES,
    below_zero("actual_purchases"),
    below_zero("actual_value"),
    key=("horizon_weeks", "origin", "customer_id"),
    **WINDOW,
    **HISTORY,
    **AMOUNTS,
    **GAPS,
    revenue=RFM.columns["revenue"],
    actual_purchases=Column(INTEGER, "days with a purchase within the window"),
    actual_value=Column(NUMBER, "amounts of those purchases; 05 discounts them and takes the margin"),
)

MONTHLY_PURCHASES = Table(
    "monthly_purchases",
    month=Column(TEXT, "year and month"),
    repeat_purchases=Column(INTEGER, "repeat purchases in that month, of all customers"),
    if_alike=Column(NUMBER, "repeat purchases of as many customers, as long with us, in a month like any other"),
)

WEEKLY_PURCHASES = Table(
    "weekly_purchases",
    key=("week", "period"),
    week=Column(INTEGER, "weeks since the first purchase of all"),
    period=Column(TEXT, "calibration or holdout"),
    repeat_purchases=Column(INTEGER, "repeat purchases in that week of customers known at the calibration end"),
)
