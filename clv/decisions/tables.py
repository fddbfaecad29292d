"""What tables of decisions must look like: campaigns, contacts, acquisition, the watch list."""

from clv.forecast.tables import CUSTOMERS, NONE
from clv.rfm.tables import HISTORY
from clv.tables import CUSTOMER, DATE, INTEGER, NUMBER, TEXT, Column, Table, below_zero, outside_unit

RATE, SURVIVAL, WIN_BACK = "rate", "survival", "win_back"  # what a contact may do
TOP_SPENDERS, LOWEST_P_ALIVE, RANDOM = "top_past_spenders", "lowest_p_alive", "random"  # rules without a model
CONFIDENCE = 0.80  # with which the highest acquisition cost is earned back
_WITH_MISFIT = f"allowing for the model being as wrong as it was before; {NONE}"
DECISIONS = Table(
    "decisions",
    below_zero("cost"),
    outside_unit("loss_probability", "loss_probability_with_misfit"),
    contacts=Column(INTEGER, "number of customers contacted, those with the largest expected gain first"),
    cost=Column(NUMBER, "what contacting them costs"),
    expected_gain=Column(NUMBER, "value they are expected to bring more than without the contact (closed form)"),
    expected_profit=Column(NUMBER, "expected gain less the cost"),
    profit_lower=Column(NUMBER, "lower limit of the realised profit, from joint draws"),
    profit_upper=Column(NUMBER, "upper limit of the realised profit, from joint draws"),
    loss_probability=Column(NUMBER, "probability that the realised profit is negative"),
    profit_lower_with_misfit=Column(NUMBER, f"lower limit, {_WITH_MISFIT}", True),
    profit_upper_with_misfit=Column(NUMBER, f"upper limit, {_WITH_MISFIT}", True),
    loss_probability_with_misfit=Column(NUMBER, f"the same probability, {_WITH_MISFIT}", True),
)

CONTACTS = Table(
    "contacts",
    below_zero("expected_net_gain"),
    outside_unit("p_alive"),
    key=("customer_id",),
    place=Column(INTEGER, "place in the order of contact, 1 first"),
    customer_id=CUSTOMER,
    expected_gain=Column(NUMBER, "value the customer is expected to bring more than without the contact"),
    expected_net_gain=Column(NUMBER, "expected gain less the cost of the contact"),
    p_alive=CUSTOMERS.columns["p_alive"],
    clv_mean=CUSTOMERS.columns["clv_mean"],
)

WATCH_LIST = Table(
    "watch_list",
    below_zero("weeks_silent"),
    outside_unit("p_alive"),
    key=("customer_id",),
    value_rank=Column(INTEGER, "place among all customers by clv_mean, 1 the highest"),
    customer_id=CUSTOMER,
    frequency=HISTORY["frequency"],
    weeks_silent=Column(NUMBER, "weeks since the last purchase"),
    p_alive=CUSTOMERS.columns["p_alive"],
    clv_mean=CUSTOMERS.columns["clv_mean"],
    silence_is_a_sign_from=Column(
        DATE, "first day on which, without a purchase until then, the customer has more likely left than not"
    ),
)

_PER_CUSTOMER = "per customer: margin to date, as it was paid, plus the value still to come"
_MARGIN_TO_DATE = Column(NUMBER, "revenue to date times gross margin, per customer, not discounted")
_HIGHEST_COST = Column(
    NUMBER, "cost of winning a customer that margin to date and value to come exceed with 80 % probability"
)
_P_ABOVE_COST = "probability that they exceed acquisition_cost"
RANKS = Table(
    "ranks",
    outside_unit("p_above_next", "p_above_cost"),
    key=("grouping", "group"),
    grouping=Column(TEXT, "rfm_segment, cohort, or by and a column that group_by names"),
    group=Column(TEXT, "name of the group, the best first"),
    customers=Column(INTEGER, "number of customers"),
    margin_to_date=_MARGIN_TO_DATE,
    clv_per_customer=Column(NUMBER, "value that a customer of the group is expected to bring within the horizon"),
    lower=Column(NUMBER, "lower limit of that mean, allowing for misfit where there is a backtest"),
    upper=Column(NUMBER, "upper limit, likewise"),
    p_above_next=Column(NUMBER, "probability that it is above the next group's; missing: the last", nullable=True),
    highest_cost=_HIGHEST_COST,
    p_above_cost=Column(NUMBER, f"{_P_ABOVE_COST}; missing: none is stated", nullable=True),
)

ACQUISITION = Table(
    "acquisition",
    outside_unit("p_above_cost"),
    cohort=Column(TEXT, "month of the first purchase"),
    customers=Column(INTEGER, "customers in the cohort"),
    margin_to_date=_MARGIN_TO_DATE,
    clv_mean=Column(NUMBER, "expected value still to come within the horizon, per customer"),
    lifetime_mean=Column(NUMBER, f"expected value {_PER_CUSTOMER}"),
    lifetime_lower=Column(NUMBER, f"lower limit {_PER_CUSTOMER}; with misfit where there is a backtest"),
    lifetime_upper=Column(NUMBER, f"upper limit {_PER_CUSTOMER}; with misfit where there is a backtest"),
    p_above_cost=Column(NUMBER, _P_ABOVE_COST),
    highest_cost=_HIGHEST_COST,
    payback_months=Column(
        NUMBER, "months until the margin, to date or expected, has reached acquisition_cost; missing: not so far", True
    ),
)
