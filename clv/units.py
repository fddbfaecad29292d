"""Units: how many days a week has, weeks a year, which day is some months later, what an interval cuts off."""

from calendar import monthrange
from datetime import date

DAYS_PER_WEEK = 7
WEEKS_PER_YEAR = 365.25 / DAYS_PER_WEEK
PURCHASES = "purchases"  # the currency of a run whose log holds no money


def months_later(day: date, months: int) -> date:
    """Return the same day of a later month, or that month's last day where it is shorter."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def tails(interval: float) -> tuple[float, float]:
    """Return the two probabilities that a central interval cuts off at."""
    return (1 - interval) / 2, (1 + interval) / 2
