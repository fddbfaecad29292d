"""What is asked of a simulation of futures, and what it answers: horizon, groups and calendar, totals of each draw."""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clv.models.base import Floats, Integers
from clv.units import WEEKS_PER_YEAR


@dataclass(frozen=True)
class Horizon:
    """The future that is valued: its length, the weekly discount rate delta, the share of revenue kept."""

    weeks: float
    discount_weekly: float = 0.0
    gross_margin: float = 1.0


def yearly_horizon(weeks: float, *, discount_rate_annual: float, gross_margin: float) -> Horizon:
    """Return the horizon of a run's settings; an annual rate of .10 makes money a year from now worth 1 / 1.10."""
    return Horizon(weeks, math.log1p(discount_rate_annual) / WEEKS_PER_YEAR, gross_margin)


@dataclass(frozen=True)
class Groups:
    """Groups whose totals are kept per draw: `codes` (customers, groupings) holds numbers below `count`."""

    codes: Integers
    count: int

    def sums(self, column: pd.Series) -> Floats:
        """Return the sum of one value per customer over each group, (count,)."""
        sums = [np.bincount(codes, column.to_numpy(float), self.count) for codes in self.codes.T]
        return np.sum(sums, axis=0, dtype=float)


@dataclass(frozen=True)
class Calendar:
    """Periods of the future kept per cohort and draw.

    `edges` (periods + 1,) in weeks from now, rising from 0; `cohorts` (customers,), or (customers, groupings), numbers
    below `count`; `seen` (customers,) true for those already counted as active in the period that is still open.
    """

    edges: Floats
    cohorts: Integers
    count: int
    seen: NDArray[np.bool_]

    def beside(self, other: "Calendar") -> "Calendar":
        """Return the calendar of two groupings at once: the cohorts of the other one stand behind."""
        cohorts = np.column_stack([self.cohorts, other.cohorts + self.count])
        return replace(self, cohorts=cohorts, count=self.count + other.count)


@dataclass(frozen=True)
class Totals:
    """Sums within each posterior draw.

    purchases, value: (draws, groups). active, revenue: (draws, cohorts, periods), revenue undiscounted
    and before margin, active counts customers with a purchase in the period.
    """

    purchases: Floats
    value: Floats
    active: Floats
    revenue: Floats
    period_purchases: Floats

    def plus(self, other: "Totals") -> "Totals":
        """Return the sums of both."""
        return Totals(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))

    def of_cohorts(self, those: slice) -> "Totals":
        """Return the totals by draw with some of the cohorts of their calendar alone."""
        return replace(
            self, **{name: getattr(self, name)[:, those] for name in ("active", "revenue", "period_purchases")}
        )

    def by_draw(self) -> "Totals":
        """Return the totals with their second dimension, the draws, first."""
        return Totals(*(np.swapaxes(getattr(self, name), 0, 1) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Keep:
    """What is kept of customers' futures.

    `of(own, purchases, value)` is computed where they are simulated, perhaps on another machine, so it changes nothing
    but (rows, draws) purchases and values: these are its own. `put(rows, kept)` gets it where the caller is, in order.
    `own`: what `of` is told of each customer, one row each.
    """

    of: Callable[[Any, Integers, Floats], Any]
    put: Callable[[slice, Any], None]
    own: Any = None
