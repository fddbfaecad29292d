"""What a purchase model must say: everything else of the project asks this and nothing more.

A model is one class: its closed forms in numpy, its exact simulation, and `build`, its PyMC model. It becomes known by
its line in `registry`. theta holds a model's parameters in its last dimension, in the order of `parameters`.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from clv.units import WEEKS_PER_YEAR

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]
HISTORY = ["frequency", "recency", "T"]
LOG_GAPS = "log_gaps"
STEADY = np.zeros((0, 0))  # in the place of a clock where there is no calendar


class History(NamedTuple):
    """Repeat purchases, time of the last one and age, both since the first purchase: arrays that broadcast.

    log_gaps: sum of the logarithms of the gaps between purchases, where a model asks for it.
    """

    x: Any
    t_x: Any
    T: Any
    log_gaps: Any = np.nan

    @classmethod
    def of(cls, customers: pd.DataFrame) -> "History":
        """Return the histories of customers with the columns HISTORY and perhaps LOG_GAPS, (customers,) each."""
        names = [*HISTORY, LOG_GAPS] if LOG_GAPS in customers else HISTORY
        return cls(*customers[names].to_numpy(float).T)


# Somebody who has just bought for the first time: its future is the population's, so it generates bases.
NEW_CUSTOMER = History(0.0, 0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a model; `published` is its maximum likelihood on CDNOW to 1997-09-30, in weeks and dollars."""

    name: str
    unit: str
    published: float


MANY_CUSTOMERS = 200_000  # whose totals need fewer draws
# NUTS needs a second per fit and thousand distinct histories (4 x 2,000 draws, two cores): half a minute at most.
MOST_FOR_NUTS = 20_000


class Built(Protocol):
    """A PyMC model with its data as data: what `sampling` and `laplace` ask of it."""

    key: str
    model: Any
    parameters: list[str]
    priors: tuple[Any, ...]  # of priors.Prior
    most_for_nuts: int  # distinct histories; more are left to importance sampling

    def data_for(self, customers: pd.DataFrame) -> Mapping[str, NDArray[Any]]:
        """Return what one row per customer puts into the model's data containers, by container name."""

    def exact_draws(self, customers: pd.DataFrame, shape: tuple[int, int], generator: Any) -> dict[str, Floats]:
        """Return draws of what needs no sampler, by name, in `shape` (chains, draws)."""

    def log_prior(self, draws: Mapping[str, Floats], data: Mapping[str, NDArray[Any]]) -> Floats:
        """Return the prior's log-density of draws of the parameters."""


class PurchaseModel(Protocol):
    """How customers buy and leave.

    Of closed forms, theta is (..., parameters): its leading dimensions come first in the result, those of the
    histories last. Of simulations, theta is (draws, parameters) and a history is (customers, columns of `history`).
    """

    name: ClassVar[str]  # for sentences: "BG/NBD"
    key: ClassVar[str]  # in the params file and in posterior files: "bgnbd"
    parameters: ClassVar[tuple[Parameter, ...]]
    likelihood: ClassVar[Callable[..., Floats]]  # its formula in plain numpy, as a page shows it
    is_generated: ClassVar[bool]  # whether transactions.generate draws customers from it, so that a truth is known
    one_time_buyers_may_have_left: ClassVar[bool]
    days: float  # of a week, on which purchases are counted; 0: at their exact times
    history: ClassVar[list[str]]  # HISTORY, and perhaps LOG_GAPS: all that the model asks of a customer's past
    if_alive_needs: ClassVar[list[str]]  # columns of a history on which `if_alive` depends
    if_back_needs: ClassVar[list[str]]

    def log_likelihood(self, history: History, theta: Floats) -> Floats:
        """Return each history's log-likelihood."""

    def p_alive(self, history: History, theta: Floats, *, later: Any = 0.0) -> Floats:
        """Return P(still a customer at T), or after `later` further weeks of silence."""

    def p_silent(self, horizon: Any, history: History, theta: Floats) -> Floats:
        """Return P(no purchase in the next `horizon`) of customers alive at T."""

    def if_alive(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, speed: float = 1, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        """Return the purchases expected in the next `horizon` of customers alive at T, plain and discounted.

        With a `speed` of 2 they come twice as fast, each with the same chance of leaving; of the leavings to come the
        share `leaving` happens.
        """

    def if_back(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, fresh: bool = False, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        """Return the same of customers who left with their last purchase and are there again.

        Their chance of leaving is their own, or a `fresh` one, as of anybody who has just come.
        """

    def futures(
        self, generator: Any, history: Floats, theta: Floats, weeks: Floats, *, clock: Floats = STEADY
    ) -> tuple[Integers, Floats]:
        """Return purchases within `weeks` (customers,) as counts (customers, draws), and their times.

        Times lie one after the other, customer by customer, draw by draw, rising within a future. On a calendar the
        history is in operational weeks and `clock` (draws, days + 1) tells those until the end of each day to come.
        """

    def contacted(
        self, generator: Any, history: Floats, theta: Floats, weeks: float, share: float, effects: Floats,
        *, clock: Floats = STEADY,
    ) -> tuple[Integers, Floats, Floats]:  # fmt: skip
        """Return the purchases of two lives of one luck, with a contact and without it.

        A contact reaches a `share` of the customers. In the lives of those, by `effects` (draws, 3), purchases come so
        many times as fast; a share of leavings, past and to come, does not happen; and a share of those who have left
        returns with a fresh chance of leaving. Counts as of `futures`; then for each purchase its time with the contact
        and that without it, infinite where it is none of that life within `weeks`.
        """

    def build(self, customers: pd.DataFrame, *, periods_per_year: float = WEEKS_PER_YEAR) -> Built:
        """Return the PyMC model of one row per customer, with T in units of which a year has `periods_per_year`."""


def expected_purchases(model: PurchaseModel, weeks: float, history: History, theta: Floats) -> Floats:
    """Return the purchases expected of everybody, still a customer or not, within `weeks`."""
    return model.if_alive(weeks, history, theta, discount=0.0)[0] * model.p_alive(history, theta)


def new_customers(model: PurchaseModel, weeks: Floats, theta: Floats, *, discount: float = 0.0) -> Floats:
    """Return the repeat purchases expected of a new customer within each of `weeks`, discounted: (..., weeks)."""
    return (
        model.if_alive(weeks, NEW_CUSTOMER, theta, discount=discount)[1] * model.p_alive(NEW_CUSTOMER, theta)[..., None]
    )


def columns(theta: Floats, *beside: Any) -> list[Floats]:
    """Return the parameters of theta (..., parameters), each with room behind for what it shall broadcast with."""
    room = (1,) * max((np.ndim(value) for value in beside), default=0)
    return [np.ascontiguousarray(column).reshape(column.shape + room) for column in np.moveaxis(theta, -1, 0)]


def predictive_draws(stated: int | None, customers: int) -> int:
    """Return how many joint draws are taken: as stated, or 1,000, of very many customers 500.

    Limits of totals are then known to a tenth of the totals' own sd, which many customers make small, those of single
    customers, as upper ones of rare buyers, to 20 % instead of 15.
    """
    return stated or (1000 if customers <= MANY_CUSTOMERS else 500)


def distinct_histories(customers: pd.DataFrame, columns: list[str] = HISTORY) -> pd.DataFrame:
    """Return the distinct values of a model's `columns` with the number of `customers` that share each.

    The likelihood needs nothing else, so a weighted sum over these rows is exact.
    """
    return customers.groupby(columns, as_index=False, sort=True).size().rename(columns={"size": "customers"})
