"""A calendar: how much faster or slower all customers buy on a day, and the operational time that makes of it.

While a customer is there, purchases come at the rate lambda s(t), and Lambda(t) is the integral of s: in Lambda,
purchases know no calendar, so every formula of the models holds in it. s is the index of the day's month, of mean 1
over a year, times the factors of the spans the day lies in. A day is (t - 1, t]: Lambda at its end holds it.

It is stated, or its months are learnt from the log. The past is taken as it stands there. What is uncertain of the
factors concerns the future alone: each month's and each span's is log-normal with that value for a mean, one per
posterior draw, the same for all customers and all years. Uncertain factors of the past would only blur the level that
the log itself tells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
from scipy.special import ndtri

from clv.models.base import Floats
from clv.models.learnt_year import MONTHS, History, learnt
from clv.units import DAYS_PER_WEEK

MONTH_DAYS = (31, 28.25, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
CERTAIN = np.empty((1, 0))  # the luck of a future that comes as stated


@dataclass(frozen=True)
class Clock:
    """A calendar seen from the end of the day `origin`.

    months: the index of January to December, mean 1. spans: first day, last day (included), factor. sd: of the
    logarithm of each of these factors. history: the months that the index was learnt from, if it was.
    """

    months: tuple[float, ...]
    spans: tuple[tuple[date, date, float], ...]
    sd: float
    origin: date
    history: History = ()

    def at(self, origin: date) -> "Clock":
        """Return the same calendar, seen from another day; what is learnt is learnt anew from what was known then."""
        if not self.history:
            return replace(self, origin=origin)
        index, sd = learnt(self.history, origin)
        return replace(self, origin=origin, months=_normed(index), sd=sd or self.sd)

    def later(self, weeks: float) -> "Clock":
        """Return the same calendar, seen from so many weeks later."""
        return replace(self, origin=self.origin + timedelta(days=round(weeks * DAYS_PER_WEEK)))

    def length_of_days(self, weeks: float) -> float:
        """Return how many average days a day of a purchase in the next `weeks` holds on average."""
        factors = self.factors(np.arange(1, int(np.ceil(_days(weeks))) + 1))
        return float((factors**2).sum() / factors.sum()) if factors.any() else 1.0

    def passed(self, weeks: Any) -> tuple[Floats, Floats]:
        """Return the operational days of the last `weeks`, and how many a day of a purchase held on average."""
        days = _days(weeks)
        factors = self.factors(-np.arange(int(np.ceil(np.max(days, initial=0.0)))))
        passed, squares = _reached(factors, days), _reached(factors**2, days)
        return passed, np.divide(squares, passed, out=np.ones_like(passed), where=passed > 0)

    def to_come(self, weeks: Any, luck: Floats, discount: float = 0.0) -> tuple[Floats, Floats]:
        """Return the operational weeks in the next `weeks`, and the discount rate that stands for `discount` in them.

        That rate takes as much off a purchase at an average operational time as the calendar does: (draws, *weeks).
        """
        days = _days(weeks)
        ends = _ends_of_days(self, int(np.ceil(np.max(days, initial=0.0))), luck.tobytes(), luck.shape)
        times = np.diff(ends) * (np.arange(ends.shape[1] - 1) + 0.5)  # in the middle of a day
        ahead = np.stack([np.interp(days, np.arange(row.size), row) for row in ends])
        mean = np.divide(np.stack([_reached(row, days) for row in times]), ahead, out=ahead / 2, where=ahead > 0)
        share = np.divide(mean, ahead / 2, out=np.ones_like(mean), where=ahead > 0)
        return ahead / DAYS_PER_WEEK, discount * share

    def ends_of_days(self, weeks: float, luck: Floats) -> Floats:
        """Return the operational weeks until the end of each of the days to come, (draws, days + 1)."""
        return _ends_of_days(self, int(np.ceil(_days(weeks))), luck.tobytes(), luck.shape) / DAYS_PER_WEEK

    def luck(self, draws: int) -> Floats:
        """Return standard normal numbers for the months and spans, (draws, of each); none where all is certain."""
        uncertain = (MONTHS * (len(set(self.months)) > 1) + len(self.spans)) * (self.sd > 0)
        generator = np.random.default_rng(uncertain)
        places = generator.permuted(np.tile(np.arange(draws), (uncertain, 1)), axis=1).T
        return ndtri((places + 0.5) / draws)

    def _drawn(self, days: int, luck: Floats) -> Floats:
        """Return the factors of the days to come, (draws, days); without luck those stated, (1, days)."""
        ahead = np.arange(1, days + 1)
        if luck.shape[-1] == 0:
            return self.factors(ahead)[None]
        of_each = np.exp(self.sd * luck - self.sd**2 / 2)
        of_months, of_spans = np.split(of_each, [luck.shape[1] - len(self.spans)], axis=1)
        found = self.factors(ahead) * (of_months[:, self._month(ahead)] if of_months.size else np.ones((len(luck), 1)))
        for one, inside in zip(of_spans.T, self._inside(ahead), strict=True):
            found[:, inside] *= one[:, None]
        return found

    def factors(self, days: Any) -> Floats:
        """Return the stated factors of days counted from the origin."""
        found = np.array(self.months)[self._month(days)]
        for (_, _, factor), inside in zip(self.spans, self._inside(days), strict=True):
            found[inside] *= factor
        return found

    def _month(self, days: Any) -> Any:
        return (np.datetime64(self.origin, "D") + days).astype("datetime64[M]").astype(int) % MONTHS

    def _inside(self, days: Any) -> list[Any]:
        dates = np.datetime64(self.origin, "D") + days
        return [(dates >= np.datetime64(first)) & (dates <= np.datetime64(last)) for first, last, _ in self.spans]


def clock(calendar: Mapping[str, Any] | None, origin: date) -> Clock | None:
    """Return the clock of a run's setting `calendar`, seen from the end of a day; None without one.

    Where the months are to be learnt, the calendar has a history (rfm.with_history).
    """
    if calendar is None:
        return None
    history = tuple(map(tuple, calendar.get("history", ())))
    index = [1.0] * MONTHS if history else calendar["months"] or [1.0] * MONTHS
    spans = [
        (date.fromisoformat(span["from"]), date.fromisoformat(span["to"]), span["factor"]) for span in calendar["spans"]
    ]
    return Clock(_normed(index), tuple(spans), calendar["uncertainty"], origin, history).at(origin)


def _normed(index: list[float]) -> tuple[float, ...]:
    months = np.array(index) / (np.array(MONTH_DAYS) @ index / sum(MONTH_DAYS))
    return tuple(months.tolist())


@lru_cache(maxsize=2)  # asked for again by every block of customers; large where horizons are long
def _ends_of_days(clock: Clock, days: int, luck: bytes, shape: tuple[int, ...]) -> Floats:
    """Return the operational days until the end of each of the days to come."""
    found = np.zeros((shape[0], days + 1))
    found[:, 1:] = clock._drawn(days, np.frombuffer(luck).reshape(shape)).cumsum(axis=1)
    return found


def _days(weeks: Any) -> Floats:
    """Return weeks in days; what is a whole number of them on paper is one."""
    days = np.asarray(weeks, float) * DAYS_PER_WEEK
    whole = np.rint(days)
    return np.where(np.abs(days - whole) < 1e-6, whole, days)


def _reached(factors: Floats, days: Floats) -> Floats:
    """Return the sum of the first `days` factors; of a day in part its part."""
    return np.interp(days, np.arange(factors.size + 1), np.concatenate([[0.0], factors.cumsum()]))
