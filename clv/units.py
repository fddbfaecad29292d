"""Units of time: how many days a week has, and how many weeks a year."""

DAYS_PER_WEEK = 7
WEEKS_PER_YEAR = 365.25 / DAYS_PER_WEEK
