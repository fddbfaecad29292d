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
    rows = sum(count for _, count in days)
    few = max(rows / FEW_ROWS, 1 if rows >= FEW_ROWS / 10 else 0)
    return _first_of_history(days, few), _last_of_history(days, few)


def _first_of_history(days: list[tuple[date, int]], few: float) -> date | None:
    """Return the first day that does not lie alone: after it come years without a hole."""
    if not days or days[-1][0] < EARLIEST_LONELY:  # all of it: a number was taken for a date
        return date.max if days else None
    first, rows = days[0][0], 0
    for place, ((day, count), (following, _)) in enumerate(pairwise(days)):
        rows += count
        alone = rows <= few or place == 0 or day < EARLIEST_LONELY
        if following - day > LONE_YEARS and alone:
            first = following
    return first


def _last_of_history(days: list[tuple[date, int]], few: float) -> date | None:
    """Return the last day that is not one of few behind a long silence."""
    if len(days) < 2:
        return days[0][0] if days else None
    last, rows, pauses = days[-1][0], 0, [(later - day).days for (day, _), (later, _) in pairwise(days)]
    longest = max(LONE_DAYS, QUIET_TIMES * median(pauses))
    for (_, count), (before, _) in pairwise(reversed(days)):
        rows += count
        if rows > few:
            break
        if pauses.pop() > longest:
            last, rows = before, 0
    return last
