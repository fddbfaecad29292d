"""Gamma-Gamma spend model in plain numpy: likelihood of single amounts, what a history tells, what comes next.

Each repeat purchase of a customer is z ~ Gamma(p, rate nu), each customer's nu ~ Gamma(q, rate v) (Fader & Hardie
2013, brucehardie.com/notes/025). First orders have a shape and a size of their own: z_1 ~ Gamma(p_first, rate c nu)
with c = p_first / (p first_ratio), so that a first order is `first_ratio` times a later one on average. A history is
n repeat amounts above zero with sum S and sum of logarithms G, and the first order z_1 (0: none with an amount). Given
it, nu ~ Gamma(shape, rate) with shape = q + p n + p_first [z_1 > 0] and rate = v + S + c z_1: the history's `state`.
p, q, p_first and first_ratio have no unit, v has the log's currency.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import betainc, gammaln

from clv.models.base import Floats, Parameter, columns

# p, q and v are published of means alone; nobody has published first orders with a shape of their own.
PARAMETERS = (
    Parameter("p", "no unit", 6.2488),
    Parameter("q", "no unit", 3.7446),
    Parameter("v", "currency of the log", 15.448),
    Parameter("p_first", "no unit", np.nan),
    Parameter("first_ratio", "later orders", np.nan),
)
PAID_SHARE = "paid_share"  # of the visits after the first: those with an amount
SAME_AMOUNT = 1e-6  # amounts whose logarithms are closer are one price, and the likelihood has no maximum
_CERTAIN = 1e7  # a shape: amounts differ by three in ten thousand; betainc takes a hundred times as long at 1e12
SPEND_COLUMNS = ["frequency", "monetary_value", "paid_purchases", "first_amount"]


class Amounts(NamedTuple):
    """n, S and z_1 of histories: arrays that broadcast."""

    n: Any
    total: Any
    first: Any

    @classmethod
    def of(cls, customers: pd.DataFrame) -> "Amounts":
        """Return the amounts of customers with the columns SPEND_COLUMNS, (customers,) each."""
        frequency, mean, paid, first = customers[SPEND_COLUMNS].to_numpy(float).T
        return cls(paid, frequency * mean, first)


NOTHING_PAID = Amounts(0.0, 0.0, 0.0)  # somebody of whom only the population is known


def log_likelihood(amounts: Amounts, log_sum: ArrayLike, phi: Floats) -> Floats:
    """Return the log-density of each customer's single amounts, first order included; `log_sum` is G.

    phi holds p, q, v, p_first, first_ratio in its last dimension; so it does in all that follows.
    """
    shape, rate = state(amounts, phi)
    n, _, first = map(np.asarray, amounts)
    p, q, v, p_first, first_ratio = columns(phi[..., :5], *amounts)
    scale, paid = p_first / (p * first_ratio), first > 0
    log_first = np.log(np.where(paid, first, 1.0))
    of_first = paid * (p_first * np.log(scale) + (p_first - 1) * log_first - gammaln(p_first))
    of_repeats = (p - 1) * np.asarray(log_sum) - n * gammaln(p)
    return gammaln(shape) - gammaln(q) + q * np.log(v) - shape * np.log(rate) + of_repeats + of_first


def state(amounts: Amounts, phi: Floats) -> tuple[Floats, Floats]:
    """Return shape and rate of the Gamma distribution of nu given histories: phi's dimensions first, theirs last."""
    shape, rate = _state.py_func(*map(np.asarray, amounts), *columns(phi[..., :5], *amounts))
    return shape, rate


@njit(nogil=True, cache=True)
def _state(n, total, first, p, q, v, p_first, first_ratio):  # type: ignore[no-untyped-def]
    return q + p * n + p_first * (first > 0), v + total + p_first / (p * first_ratio) * first


@njit(nogil=True, cache=True, error_model="numpy")
def draw_nu(rng, n, total, first, p, q, v, p_first, first_ratio):  # type: ignore[no-untyped-def]
    """Return one nu given a customer's amounts n, S and z_1 and one draw of phi, for compiled code."""
    shape, rate = _state(n, total, first, p, q, v, p_first, first_ratio)
    return rng.standard_gamma(shape) / rate


@njit(nogil=True, cache=True, error_model="numpy")
def draw_amount(rng, nu, p, paid_share):  # type: ignore[no-untyped-def]
    """Return what the next purchase costs, which may be nothing."""
    return 0.0 if paid_share < 1.0 and rng.random() >= paid_share else rng.standard_gamma(p) / nu


def expected_spend(amounts: Amounts, phi: Floats) -> Floats:
    """Return E[amount of the next purchase that has one]; infinite where shape <= 1 (no mean exists).

    A weighted mean of the population's mean p v / (q - 1) and the customer's own: the more purchases
    were seen, the more the own mean counts.
    """
    shape, rate = state(amounts, phi)
    (p,) = columns(phi[..., :1], *amounts)
    return np.where(shape > 1, p * rate / np.where(shape > 1, shape - 1, 1.0), np.inf)


def expected_per_visit(amounts: Amounts, phi: Floats) -> Floats:
    """Return the same of any purchase, those without an amount included: phi's sixth column is the share that pays."""
    return columns(phi[..., 5:6], *amounts)[0] * expected_spend(amounts, phi)


def total_cdf(total: ArrayLike, n: ArrayLike, amounts: Amounts, phi: Floats) -> Floats:
    """Return P(the amounts of the next n > 0 paid purchases sum to at most `total`), given the history.

    Their sum is Gamma(p n, rate nu), so total / (total + rate) is Beta(p n, shape).
    """
    shape, rate = state(amounts, phi)
    (p,), total = columns(phi[..., :1], *amounts), np.asarray(total, dtype=float)
    return betainc(p * np.asarray(n), shape, total / (total + rate))


def has_mean(phi: Floats) -> NDArray[np.bool_]:
    """Return which draws (draws, ...) have a finite mean spend in the population."""
    return phi[:, 1] > 1


def one_price(customers: pd.DataFrame) -> float | None:
    """Return what every repeat purchase with an amount costs, if that is the same: None where amounts differ.

    By Jensen's inequality a customer's mean logarithm is that of the mean only where all amounts are equal.
    """
    paid = usable(customers)
    means = np.log((paid["frequency"] * paid["monetary_value"] / paid["paid_purchases"]).to_numpy(float))
    logs = (paid["log_amounts"] / paid["paid_purchases"]).to_numpy(float)
    differ = np.ptp([*means, *logs]) if len(paid) else np.inf
    return float(np.exp(means.mean())) if differ < SAME_AMOUNT else None


def of_one_price(price: float) -> dict[str, float]:
    """Return the parameters under which every repeat purchase costs `price`, to three digits, whatever was seen."""
    return {"p": _CERTAIN, "q": _CERTAIN, "v": price * (_CERTAIN - 1) / _CERTAIN, "p_first": 1.0, "first_ratio": 1.0}


def usable(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the customers who came back and paid: they alone tell how amounts vary within a customer."""
    return customers[customers["monetary_value"] > 0]


def typical_order_value(customers: pd.DataFrame) -> float:
    """Return the geometric mean of the repeat buyers' mean amounts: the scale on which priors are stated."""
    return float(np.exp(np.log(usable(customers)["monetary_value"]).mean()))
