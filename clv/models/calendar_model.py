"""A purchase model on a calendar: histories and horizons come in weeks and are read on its clock, here alone.

Everybody else asks a model on a calendar as any other (base.PurchaseModel): frequency, recency, T, horizons and the
times of purchases stay weeks. theta has columns behind the parameters, the luck of the draw's calendar (Clock.luck).

Whole days (bgnbd): a day of s average days loses s / 2 of them to a purchase, so of T and t_x x / 14 weeks are taken,
times the mean length of the days of purchases since the first one. In means a day is as long as one of a purchase
within the horizon is on average; futures run on the days of the calendar themselves. Means discount with one rate per
draw, right to .1 % where a year takes 10 %.

The likelihood leaves out the sum of ln s over all purchases, the same for every parameter and every model.
"""

import copy
from datetime import date, timedelta
from functools import partialmethod
from typing import Any

import numpy as np
import pandas as pd

from clv.models.base import HISTORY, Floats, History, PurchaseModel
from clv.models.operational_time import CERTAIN, Clock
from clv.units import DAYS_PER_WEEK


class OnClock:
    """The model, for everybody else: clv.models.base.PurchaseModel."""

    def __init__(self, model: PurchaseModel, clock: Clock) -> None:
        self.plain, self.clock, self.parameters = model, clock, model.parameters
        self.if_back_needs = list(dict.fromkeys([*model.if_back_needs, *HISTORY]))

    def __getattr__(self, name: str) -> Any:
        """Return what the calendar does not change."""
        return getattr(object.__getattribute__(self, "plain"), name)

    def log_likelihood(self, history: History, theta: Floats) -> Floats:
        return self.plain.log_likelihood(self._seen(history), self._split(theta)[0])

    def p_alive(self, history: History, theta: Floats, *, later: Any = 0.0) -> Floats:
        silence = self.clock.to_come(later, CERTAIN)[0][0]
        return self.plain.p_alive(self._seen(history), self._split(theta)[0], later=silence)

    def _lived(self, name: str, generator: Any, history: Floats, theta: Floats, weeks: Any, *terms: Any) -> Any:
        """Return what the simulation `name` tells on the days of each draw's calendar."""
        theta, luck = self._split(theta)
        known = np.column_stack([*self._seen(History(*history[:, :3].T))[:3], *history[:, 3:].T])
        days = self.clock.ends_of_days(np.max(weeks, initial=0.0), luck)
        return getattr(self.plain, name)(generator, known, theta, weeks, *terms, clock=days)

    def _ahead(
        self, name: str, horizon: Any, history: History, theta: Floats, *, discount: float | None = None, **options: Any
    ) -> Any:
        """Return what the method `name` says of the horizon that each draw's calendar makes."""
        theta, luck = self._split(theta)
        model = copy.copy(self.plain)
        model.days = self.plain.days / self.clock.length_of_days(np.max(horizon))
        known = read_on(history, self.clock, model.days)
        each, luck = (theta, luck) if luck.shape[-1] else ([theta], CERTAIN)
        found = []
        for one, within, rate in zip(each, *self.clock.to_come(horizon, luck, discount or 0.0), strict=True):
            terms = options if discount is None else {"discount": rate, **options}
            found.append(getattr(model, name)(within, known, one, **terms))
        return np.moveaxis(np.stack(found), 0, -2) if luck.shape[-1] else found[0]

    futures, contacted = partialmethod(_lived, "futures"), partialmethod(_lived, "contacted")
    p_silent, if_alive = partialmethod(_ahead, "p_silent"), partialmethod(_ahead, "if_alive")
    if_back = partialmethod(_ahead, "if_back")

    def _split(self, theta: Floats) -> tuple[Floats, Floats]:
        return theta[..., : len(self.parameters)], theta[..., len(self.parameters) :]

    def _seen(self, history: History) -> History:
        return read_on(history, self.clock, self.plain.days)


def read_on(history: History, clock: Clock, days: float) -> History:
    """Return a history on the clock for a model that takes half of a day off, of which a week has `days` (0: none)."""
    T, length = clock.passed(history.T)
    since, _ = clock.passed(np.maximum(history.T - history.t_x, 0.0))
    lost = history.x * (length - DAYS_PER_WEEK / days) / 2 if days else 0.0
    lost = np.minimum(lost, (T - since) / 2)
    return history._replace(t_x=(T - since - lost) / DAYS_PER_WEEK, T=(T - lost) / DAYS_PER_WEEK)


def on_clock(customers: pd.DataFrame, clock: Clock | None, model: PurchaseModel) -> pd.DataFrame:
    """Return customers with recency and T on the clock, as a fit of the model takes them; as they are without a clock.

    They have frequency, recency, T, and `origin` or first_purchase, which tell the day they are seen from.
    """
    if clock is None or customers.empty:
        return customers
    seen = read_on(History.of(customers[HISTORY]), clock.at(seen_from(customers)), model.days)
    return customers.assign(recency=seen.t_x, T=seen.T)


def seen_from(customers: pd.DataFrame) -> date:
    """Return the last day up to which the histories of customers go."""
    if "origin" in customers:
        return pd.Timestamp(customers["origin"].iloc[0]).date()
    one = customers.iloc[0]
    return pd.Timestamp(one["first_purchase"]).date() + timedelta(days=round(one["T"] * DAYS_PER_WEEK))
