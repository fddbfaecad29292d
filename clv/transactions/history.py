"""Where the days of a log begin and end: without the few that lie alone, which are mistakes."""

from datetime import date, timedelta
from itertools import pairwise
from statistics import median

from clv.transactions.rules import EARLIEST_LONELY

QUIET_TIMES = 10  # a silence is longer than so many of the usual pauses
LONE_DAYS = 28  # a shop may close for three weeks: what comes alone after more was hardly bought then
LONE_YEARS = timedelta(days=730)  # ... and no history has a hole like this near its beginning
FEW_ROWS = 1000  # one of so many rows, and at least one, is few


def history(days: list[tuple[date, int]]) -> tuple[date | None, date | None]:
    """Return the first and the last day, of days in order with their rows, that do not lie alone."""
    return _first_of_history(days), _last_of_history(days)


def longest_pause(least: int, usual: float) -> float:
    """Return the longest pause that needs no question."""
    return max(least, QUIET_TIMES * usual)


def _few(days: list[tuple[date, int]]) -> float:
    rows = sum(count for _, count in days)
    return max(rows / FEW_ROWS, 1 if rows >= FEW_ROWS / 10 else 0)


def _first_of_history(days: list[tuple[date, int]]) -> date | None:
    """Return the first day that does not lie alone: after it come years without a hole."""
    if not days or days[-1][0] < EARLIEST_LONELY:  # all of it: a number was taken for a date
        return date.max if days else None
    first, rows, distinct, few = days[0][0], 0, 0, _few(days)
    for (day, count), (following, _) in pairwise(days):
        rows, distinct = rows + count, distinct + 1
        alone = rows <= few or distinct == 1 or day < EARLIEST_LONELY
        if following - day > LONE_YEARS and alone:
            first = following
    return first


def _last_of_history(days: list[tuple[date, int]]) -> date | None:
    """Return the last day that is not one of few behind a long silence."""
    if len(days) < 2:
        return days[0][0] if days else None
    last, rows, pauses = days[-1][0], 0, [(later - day).days for (day, _), (later, _) in pairwise(days)]
    longest, few = longest_pause(LONE_DAYS, median(pauses)), _few(days)
    for (_, count), (before, _) in pairwise(reversed(days)):
        rows += count
        if rows > few:
            break
        if pauses.pop() > longest:
            last, rows = before, 0
    return last
