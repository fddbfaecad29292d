"""BG/NBD purchase model in plain numpy: likelihood, P(alive), expected purchases, distinct histories.

Symbols (Fader, Hardie & Lee 2005, Marketing Science 24(2)): a customer's history is `x` repeat
purchases (frequency), the last one `t_x` after the first purchase (recency), watched for `T`.
While alive a customer buys at rate lambda ~ Gamma(r, rate alpha) and leaves after each repeat
purchase with probability p ~ Beta(a, b). Time and alpha share one unit (weeks, unless said).

Every function broadcasts: histories of shape (n,) with parameters of shape (draws, 1) give (draws, n).
"""

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike, NDArray
from scipy.special import betaln, expit, gammaln

# Gauss-Legendre in ln(1 + speed s): 24 nodes reach 1e-12. 8 nodes reach 1e-10 for 99 %
# of parameters drawn from the priors at 52 weeks, 4e-5 for the worst of 20,000.
EXACT_NODES, FAST_NODES = 24, 8
HISTORY = ["frequency", "recency", "T"]

Floats = NDArray[np.float64]


def log_likelihood(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, r: ArrayLike, alpha: ArrayLike, a: ArrayLike, b: ArrayLike
) -> Floats:
    """Return each history's log-likelihood (2005 paper, eq. 6, summed in logs as in Hardie's note 027)."""
    x, t_x, T, r, alpha, a, b = _floats(x, t_x, T, r, alpha, a, b)
    purchases = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x) - betaln(a, b)
    still_alive = -(r + x) * np.log(alpha + T)
    # The chance of leaving right after the last repeat purchase exists only if there is one.
    log_odds = np.log(a) - np.log(b + np.maximum(x, 1) - 1)
    left = np.where(x > 0, log_odds - (r + x) * np.log(alpha + t_x), -np.inf)
    return purchases + np.logaddexp(still_alive, left)


def probability_alive(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, r: ArrayLike, alpha: ArrayLike, a: ArrayLike, b: ArrayLike
) -> Floats:
    """Return P(still a customer at T); exactly 1 for x = 0, because nobody leaves before a repeat purchase."""
    x, t_x, T, r, alpha, a, b = _floats(x, t_x, T, r, alpha, a, b)
    log_odds_left = np.log(a) - np.log(b + np.maximum(x, 1) - 1) + (r + x) * np.log((alpha + T) / (alpha + t_x))
    return np.where(x > 0, expit(-log_odds_left), 1.0)


def probability_purchase(
    horizon: ArrayLike,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    r: ArrayLike,
    alpha: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
) -> Floats:
    """Return P(at least one purchase in the next `horizon`), in the unit of T."""
    h, x_, T_, r_, alpha_ = _floats(horizon, x, T, r, alpha)
    silent_if_alive = np.exp(-(r_ + x_) * np.log1p(h / (alpha_ + T_)))
    return probability_alive(x, t_x, T, r, alpha, a, b) * (1 - silent_if_alive)


def expected_purchases(
    horizon: ArrayLike,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    r: ArrayLike,
    alpha: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    discount: ArrayLike = 0.0,
    nodes: int = EXACT_NODES,
) -> Floats:
    """Return the expected number of purchases in the next `horizon`, each counting exp(-discount * time from now)."""
    return purchase_integrals(horizon, x, t_x, T, r, alpha, a, b, discount=discount, nodes=nodes)[1]


def purchase_integrals(
    horizon: ArrayLike,
    x: ArrayLike,
    t_x: ArrayLike,
    T: ArrayLike,
    r: ArrayLike,
    alpha: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    discount: ArrayLike,
    nodes: int = FAST_NODES,
) -> tuple[Floats, Floats]:
    """Return the expected purchases and the expected discounted purchases in the next `horizon`.

    With m(s) the purchase rate at time s from now of a customer alive now, r' = r + x,
    alpha' = alpha + T and z = s / (alpha' + s),

        m(s) = r'/alpha' (1 - z)^a 2F1(a, a + b - r - 1; a + b + x; z),

    integrated over (0, horizon) and multiplied by P(alive). Finite at a = 1 and a + b = 1, where the
    textbook formula (2005 paper, eq. 10) divides by zero. x = T = 0 gives a new customer.
    """
    plain, discounted = alive_integrals(horizon, x, T, r, alpha, a, b, discount=discount, nodes=nodes)
    alive = probability_alive(x, t_x, T, r, alpha, a, b)
    return alive * plain, alive * discounted


def alive_integrals(
    horizon: ArrayLike,
    x: ArrayLike,
    T: ArrayLike,
    r: ArrayLike,
    alpha: ArrayLike,
    a: ArrayLike,
    b: ArrayLike,
    *,
    discount: ArrayLike,
    nodes: int = FAST_NODES,
) -> tuple[Floats, Floats]:
    """Return the two `purchase_integrals` of a customer known to be alive: then the last purchase says nothing more."""
    columns = np.broadcast_arrays(*_floats(horizon, x, T, r, alpha, a, b, discount))
    position, weight = _legendre(nodes)
    plain, discounted = np.empty((2, columns[0].size))
    flat = [np.array(column).ravel() for column in columns]
    _integrate_rate(*flat, position, weight, plain, discounted)  # type: ignore[call-arg]
    return plain.reshape(columns[0].shape), discounted.reshape(columns[0].shape)


def distinct_histories(customers: pd.DataFrame) -> pd.DataFrame:
    """Return the distinct (frequency, recency, T) with the number of `customers` that share each.

    The likelihood needs nothing else, so a weighted sum over these rows is exact.
    """
    return customers.groupby(HISTORY, as_index=False, sort=True).size().rename(columns={"size": "customers"})


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(value, dtype=float) for value in values)


def _legendre(nodes: int) -> tuple[Floats, Floats]:
    position, weight = np.polynomial.legendre.leggauss(nodes)
    return (position + 1) / 2, weight / 2


@njit(nogil=True, cache=True)
def _integrate_rate(horizon, x, T, r, alpha, a, b, discount, position, weight, plain, discounted):  # type: ignore[no-untyped-def]
    """Fill `plain` and `discounted` with the integrals of m(s) and exp(-discount s) m(s), one entry per row."""
    for i in range(plain.size):
        shape, rate, third = r[i] + x[i], alpha[i] + T[i], a[i] + b[i] + x[i]
        # m falls at first with this speed (-m'(0) / m(0)); nodes must be as dense as that.
        speed = max(1.0, (shape + 1) * a[i] / third) / rate
        top = np.log1p(horizon[i] * speed)
        sum_plain, sum_discounted = 0.0, 0.0
        for k in range(position.size):
            s = np.expm1(top * position[k]) / speed
            log_rate = _log_rate(s / rate, shape, a[i], b[i] + x[i], a[i] + b[i] - r[i] - 1, third)
            term = weight[k] * np.exp(top * position[k] + log_rate)
            sum_plain += term
            sum_discounted += term * np.exp(-discount[i] * s)
        scale = top * shape / (rate * speed)
        plain[i], discounted[i] = sum_plain * scale, sum_discounted * scale


@njit(nogil=True, cache=True)
def _log_rate(time, shape, a, stay, lower, third):  # type: ignore[no-untyped-def]
    """Return ln(m(s) / m(0)) at time = s / alpha', by the form of 2F1 whose series neither cancels nor crawls."""
    z, y = time / (1 + time), np.log1p(time)
    if lower > -10.0 or third > -10.0 * lower * (1 + a):
        # Few terms whatever x is; their mixed signs cost at most 2^10 in precision.
        return _log_hypergeometric(a, lower, third, z) - a * y
    # Euler's transformation of the same function: all terms positive.
    return _log_hypergeometric(shape + 1, stay, third, z) - (shape + 1) * y


@njit(nogil=True, cache=True)
def _log_hypergeometric(a, b, c, z):  # type: ignore[no-untyped-def]
    """Return ln 2F1(a, b; c; z) for 0 <= z < 1 by its series, rescaled before it overflows."""
    term, total, log_scale, k = 1.0, 1.0, 0.0, 0
    while k < 1_000_000:
        step = (a + k) * (b + k) / ((c + k) * (k + 1.0)) * z
        term *= step
        total += term
        k += 1
        if total > 1e200:
            term, total, log_scale = term / total, 1.0, log_scale + np.log(total)
        # The remainder is below |term| / (1 - ratio) once terms shrink.
        if abs(step) < 1 and abs(term) <= 1e-16 * abs(total) * (1 - max(abs(step), z)):
            break
        if total != total:  # not a number, and never will be one
            break
    return np.log(total) + log_scale
