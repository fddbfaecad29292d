"""The rules a row of the log is judged by: name, severity, SQL condition, meaning, and what to do about it.

A row's rules look at the columns of `parsed`: customer, order_id, moment, money, and what the settings say. The first
one that holds takes the row. What `refunds` and the search for repeats decide has no condition on a single row.
"""

from dataclasses import dataclass
from datetime import date

SET_ASIDE, KEPT = "set_aside", "kept"
# A fault counts towards `max_rejected_share`; what was asked for does not; a warning leaves the row where it is.
QUARANTINE, LEAVE_OUT, WARN = "quarantine", "leave out", "warn"
EARLIEST_LONELY = date(1990, 1, 1)  # older days are a history only if it reaches on without a hole of years
_PLACEHOLDERS = "'1969-12-31', '1970-01-01'"  # the zero of computers' clocks; that of spreadsheets is before 1900-01-02


@dataclass(frozen=True)
class Rule:
    """One rule: the column it looks at, when it holds (SQL), what that means, and what the log's owner can do."""

    name: str
    severity: str
    column: str
    meaning: str
    condition: str
    advice: str = ""


# fmt: off
ROW_RULES = (
    Rule("ragged_row", QUARANTINE, "row", "more or fewer fields than the header", "ragged IS NOT NULL",
        "Quote texts that hold the delimiter, or export again."),
    Rule("empty_row", LEAVE_OUT, "row", "rows in which nothing stands", "is_empty"),
    Rule("repeated_header", QUARANTINE, "row", "the header once more", "is_header",
        "Files were put together with their headers: remove these lines."),
    Rule("unwanted_value", LEAVE_OUT, "keep_rows", "rows that keep_rows or drop_rows leave out, as asked",
        "unwanted IS NOT NULL"),
    Rule("excluded_country", LEAVE_OUT, "country", "other countries, left out as asked", "other_country",
        "countries and exclude_countries must be written as in the log."),
    Rule("missing_customer_id", QUARANTINE, "customer_id",
        "no customer identifier, or one for nobody, like 0 or (not set)", "customer IS NULL",
        "Orders of guests cannot be valued. A customer who stands on the first line of an order only is read where "
        "order_id (and product, if the order's number stands there only, too) are mapped."),
    Rule("excluded_customer", LEAVE_OUT, "customer_id", "customers left out as asked", "excluded",
        "exclude_ids and exclude_pattern decide who they are."),
    Rule("unparsable_date", QUARANTINE, "date", "date is missing or not written as date_format says", "moment IS NULL",
        "Correct the dates or date_format."),
    Rule("impossible_date", QUARANTINE, "date",
        "date lies in the future, is a placeholder, or lies before 1990 far from all others",
        f"moment < DATE '1900-01-02' OR moment::DATE > latest_possible OR moment::DATE IN ({_PLACEHOLDERS})",
        "Correct the dates; a wrong date_format can also put them there."),
    Rule("further_line", LEAVE_OUT, "amount", "further lines of orders whose total stands on their first line, or each",
        "further_line"),
    Rule("unparsable_amount", QUARANTINE, "amount", "amount is missing or not a finite number", "money IS NULL",
        "Correct the amounts, or state decimal and thousands."),
    Rule(SET_ASIDE, LEAVE_OUT, "date", "rows after the end of observation, not used", "moment::DATE > observation_end"),
    Rule("refund_dropped", LEAVE_OUT, "amount", "refunds, dropped by policy", "gross < 0 AND refunds = 'drop'"),
    Rule("zero_amount", LEAVE_OUT, "amount", "purchases of amount zero, dropped by policy",
        "gross = 0 AND zero_amounts = 'drop'"),
)
STRAY = Rule("stray_date", QUARANTINE, "date", "few dates that lie alone, far from all others",
    "few rows behind a long silence without a stated observation_end, or before one of years",
    "Correct them, or date_format; if those at the end are right, state observation_end, which they would move.")
REPEAT_RULE = Rule("duplicate", LEAVE_OUT, "order_id", "rows of orders that stand in the log twice",
    "every row of the order's day stands there as often again, with the same customer, date, amount, product, quantity")
NETTED = Rule("refund_netted", LEAVE_OUT, "amount", "refunds taken off their purchase",
    "money < 0 and a purchase it belongs to")
UNMATCHED = Rule("refund_unmatched", QUARANTINE, "amount", "refunds without a purchase they belong to",
    "money < 0 and no purchase it belongs to",
    "Was what they refund bought before the log begins? A longer log finds it. Do they name their order with a mark, as"
    " in C1234 or 1234-R1? cancellation_pattern says so.")
CANCELLED = Rule("cancelled_purchase", LEAVE_OUT, "amount", "purchases refunded in full", "money less its refunds <= 0")
# fmt: on
RULES = (*ROW_RULES, STRAY, REPEAT_RULE, NETTED, UNMATCHED, CANCELLED)


def first_that_holds(rules: tuple[Rule, ...]) -> str:
    """Return the SQL expression that names the first rule that holds for a row, null if none does."""
    cases = " ".join(f"WHEN {rule.condition} THEN '{rule.name}'" for rule in rules)
    return f"CASE {cases} END"
