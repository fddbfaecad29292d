"""BG/NBD purchase model in plain numpy: likelihood, P(alive), expected purchases.

Symbols (Fader, Hardie & Lee 2005, Marketing Science 24(2)): a customer's history is `x` repeat
purchases (frequency), the last one `t_x` after the first purchase (recency), watched for `T`.
While alive a customer buys at rate lambda ~ Gamma(r, rate alpha) and leaves after each repeat
purchase with probability p ~ Beta(a, b). Time and alpha share one unit (weeks, unless said).

A log tells days, and purchases of one day are one: x purchases on n days have the likelihood

    (1 - e^-lambda)^x e^(-lambda (n - x)) = lambda^x e^(-lambda (n - x / 2)) (sinh(lambda / 2) / (lambda / 2))^x

of lambda per day. The last factor is 1 to second order, so on whole days every formula below holds with half a day per
repeat purchase taken off t_x and T (right to 1 % at two purchase days a week, 2 % at three, 6 % at five), futures run
in gaps of whole days, and a day's chance of a purchase, 1 - e^-lambda, stands in the place of lambda in means. The
functions take times as they are; the classes take whole days into account, `PlainBGNBD`, as published, excepted.

`first` is 1 where customers may leave with their first purchase already (MBG/NBD), so that one chance more was
survived, and 0 where they may not. Every function broadcasts: histories of shape (n,) with parameters of shape
(draws, 1) give (draws, n).
"""

from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import ArrayLike
from scipy.special import betaln, expit, gammaln

from clv.models import bgnbd_futures
from clv.models.base import HISTORY, STEADY, Built, Floats, History, Integers, Parameter, columns
from clv.units import DAYS_PER_WEEK, WEEKS_PER_YEAR

# Gauss-Legendre in ln(1 + speed s): 24 nodes reach 1e-12. 8 nodes reach 1e-10 for 99 %
# of parameters drawn from the priors at 52 weeks, 4e-5 for the worst of 20,000.
EXACT_NODES, FAST_NODES = 24, 8


def log_likelihood(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, r: ArrayLike, alpha: ArrayLike, a: ArrayLike, b: ArrayLike,
    *, first: int = 0,
) -> Floats:  # fmt: skip
    """Return each history's log-likelihood (2005 paper, eq. 6, summed in logs as in Hardie's note 027)."""
    x, t_x, T, r, alpha, a, b = _floats(x, t_x, T, r, alpha, a, b)
    purchases = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x + first) - betaln(a, b)
    still_alive = -(r + x) * np.log(alpha + T)
    left = _log_odds_left_at_last(x, a, b, first) - (r + x) * np.log(alpha + t_x)
    return purchases + np.logaddexp(still_alive, left)


def probability_alive(
    x: ArrayLike, t_x: ArrayLike, T: ArrayLike, r: ArrayLike, alpha: ArrayLike, a: ArrayLike, b: ArrayLike,
    *, first: int = 0,
) -> Floats:  # fmt: skip
    """Return P(still a customer at T)."""
    x, t_x, T, r, alpha, a, b = _floats(x, t_x, T, r, alpha, a, b)
    return expit(-(_log_odds_left_at_last(x, a, b, first) + (r + x) * np.log((alpha + T) / (alpha + t_x))))


def _log_odds_left_at_last(x: Floats, a: Floats, b: Floats, first: int) -> Floats:
    """Return the log-odds of having left with the last purchase, before any silence: none where nobody may."""
    chances = x + first
    return np.where(chances > 0, np.log(a) - np.log(b + np.maximum(chances, 1) - 1), -np.inf)


def alive_integrals(
    horizon: ArrayLike, shape: ArrayLike, rate: ArrayLike, a: ArrayLike, stay: ArrayLike, *, discount: ArrayLike,
    nodes: int = FAST_NODES,
) -> tuple[Floats, Floats]:  # fmt: skip
    """Return the expected purchases and the expected discounted purchases in the next `horizon` of somebody alive now.

    With lambda ~ Gamma(shape, rate) and p ~ Beta(a, stay) as they are believed today (r + x, alpha + T, a and b + x),
    m(s) the purchase rate at time s from now of such a customer and z = s / (rate + s),

        m(s) = shape/rate (1 - z)^a 2F1(a, a + stay - shape - 1; a + stay; z),

    integrated over (0, horizon). Finite at a = 1 and a + b = 1, where the textbook formula (2005 paper, eq. 10) divides
    by zero. The last purchase says nothing more.
    """
    flat = np.broadcast_arrays(*_floats(horizon, shape, rate, a, stay, discount))
    position, weight = _legendre(nodes)
    plain, discounted = np.empty((2, flat[0].size))
    rows = [np.array(column).ravel() for column in flat]
    _integrate_rate(*rows, position, weight, plain, discounted)  # type: ignore[call-arg]
    return plain.reshape(flat[0].shape), discounted.reshape(flat[0].shape)


def rate_per_day(shape: Floats, rate: Floats, days: float) -> tuple[Floats, Floats]:
    """Return shape and rate of the Gamma distribution with mean and variance of the chance of a purchase per day.

    That chance is 1 - exp(-lambda / days) with lambda ~ Gamma(shape, rate) per week of `days`, and is returned per
    week. Expected purchases on whole days are right to .1 % with it.
    """
    each = rate * days
    silent = shape * np.log1p(1 / each)
    mean = -np.expm1(-silent)
    # Mean of the square less square of the mean, on paper.
    variance = np.exp(-2 * silent) * np.expm1(shape * np.log1p(1 / (each * (each + 2))))
    variance = np.maximum(variance, 1e-12 * mean**2)  # someone who buys every day
    return mean**2 / variance, mean / variance / days


class BGNBD:
    """The model, for everybody else: clv.models.base.PurchaseModel."""

    name: ClassVar[str] = "BG/NBD"
    key: ClassVar[str] = "bgnbd"
    first: ClassVar[int] = 0
    lives: ClassVar[Any] = bgnbd_futures  # the module that simulates them
    days: float = DAYS_PER_WEEK
    parameters: ClassVar[tuple[Parameter, ...]] = (
        Parameter("r", "no unit", 0.2426),
        Parameter("alpha", "weeks", 4.4136),
        Parameter("a", "no unit", 0.7929),
        Parameter("b", "no unit", 2.4259),
    )
    likelihood = staticmethod(log_likelihood)
    is_generated: ClassVar[bool] = True
    one_time_buyers_may_have_left: ClassVar[bool] = False
    history: ClassVar[list[str]] = HISTORY
    if_alive_needs: ClassVar[list[str]] = ["frequency", "T"]
    if_back_needs: ClassVar[list[str]] = ["frequency", "recency"]

    def log_likelihood(self, history: History, theta: Floats) -> Floats:
        history = self._effective(history)
        return log_likelihood(*history[:3], *columns(theta, *history), first=self.first)

    def p_alive(self, history: History, theta: Floats, *, later: Any = 0.0) -> Floats:
        history = self._effective(history._replace(T=history.T + later))
        return probability_alive(*history[:3], *columns(theta, *history), first=self.first)

    def p_silent(self, horizon: Any, history: History, theta: Floats) -> Floats:
        r, alpha, _, _ = columns(theta, horizon, *history)
        return np.exp(-(r + history.x) * np.log1p(horizon / (alpha + self._effective(history).T)))

    def if_alive(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, speed: float = 1, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        r, alpha, a, b = columns(theta, horizon, *history)
        rate = (alpha + self._effective(history).T) / speed
        return self._ahead(horizon, r + history.x, rate, a, b + history.x + self.first, discount, leaving)

    def if_back(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, fresh: bool = False, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        """Return the same of customers who left with their last purchase and are there again.

        They have p ~ Beta(a + 1, b + x - 1), or a `fresh` one. Where nobody may have left, any b keeps the integral
        finite.
        """
        r, alpha, a, b = columns(theta, horizon, *history)
        rate, chances = alpha + self._effective(history).t_x, history.x + self.first
        leave, stay = (a, b) if fresh else (a + 1, b + chances - (chances > 0))
        return self._ahead(horizon, r + history.x, rate, leave, stay, discount, leaving)

    def futures(
        self, generator: Any, history: Floats, theta: Floats, weeks: Floats, *, clock: Floats = STEADY
    ) -> tuple[Integers, Floats]:
        told = owned(self._columns(history), theta, weeks, clock)
        return self.lives.futures(generator, *told, self.first, float(self.days))

    def contacted(
        self, generator: Any, history: Floats, theta: Floats, weeks: float, share: float, effects: Floats,
        *, clock: Floats = STEADY,
    ) -> tuple[Integers, Floats, Floats]:  # fmt: skip
        history, theta, effects, clock = owned(self._columns(history), theta, effects, clock)
        options = float(weeks), share, effects, clock, self.first, float(self.days)
        return self.lives.contacted(generator, history, theta, *options)

    def _effective(self, history: History) -> History:
        """Return the history with half a day per repeat purchase taken off its times, which leaves half of them."""
        if not self.days:
            return history
        lost = history.x / (2 * self.days)
        t_x, T = (np.maximum(time - lost, time / 2) for time in (history.t_x, history.T))
        return history._replace(t_x=t_x, T=T)

    def _columns(self, history: Floats) -> Floats:
        return np.column_stack(self._effective(History(*history.T))[:3])

    def _ahead(
        self, horizon: Any, shape: Floats, rate: Floats, a: Floats, stay: Floats, discount: float, leaving: float
    ) -> tuple[Floats, Floats]:
        if self.days:
            shape, rate = rate_per_day(shape, rate, self.days)
        # Where the share k of the leavings happens, the purchase rate is m(k s).
        plain, discounted = alive_integrals(leaving * horizon, shape, rate, a, stay, discount=discount / leaving)
        return plain / leaving, discounted / leaving

    def build(self, customers: pd.DataFrame, *, periods_per_year: float = WEEKS_PER_YEAR) -> Built:
        from clv.models import bgnbd_pymc  # seconds that only fitting costs

        options: dict[str, Any] = {"key": self.key, "first": self.first, "days": self.days}
        return bgnbd_pymc.model(customers, periods_per_year=periods_per_year, **options)


class PlainBGNBD(BGNBD):
    """BG/NBD as published: every time is taken for exact. The estimates of the papers are this one's."""

    name: ClassVar[str] = "BG/NBD in plain time"
    key: ClassVar[str] = "bgnbd_plain"
    days = 0


def owned(*values: Floats) -> list[Floats]:
    """Return copies in one memory layout: numba compiles anew for every other, and for what cannot be written."""
    return [np.array(value, dtype=float, order="C") for value in values]


def _floats(*values: ArrayLike) -> tuple[Floats, ...]:
    return tuple(np.asarray(value, dtype=float) for value in values)


def _legendre(nodes: int) -> tuple[Floats, Floats]:
    position, weight = np.polynomial.legendre.leggauss(nodes)
    return (position + 1) / 2, weight / 2


@njit(nogil=True, cache=True, error_model="numpy")
def _integrate_rate(horizon, shapes, rates, a, stay, discount, position, weight, plain, discounted):  # type: ignore[no-untyped-def]
    """Fill `plain` and `discounted` with the integrals of m(s) and exp(-discount s) m(s), one entry per row."""
    grown, z, log_time, series, term, log_scale = np.empty((6, position.size))
    for i in range(plain.size):
        shape, rate, third = shapes[i], rates[i], a[i] + stay[i]
        # m falls at first with this speed (-m'(0) / m(0)), in units of 1 / rate; nodes must be as dense as that.
        speed, lower = max(1.0, (shape + 1) * a[i] / third), third - shape - 1
        top = np.log1p(horizon[i] * speed / rate)
        # Of two forms of 2F1 that whose series neither cancels nor crawls: this has few terms whatever x is, and their
        # mixed signs cost at most 2^10 in precision; in the other, Euler's transformation, all are positive.
        few = lower > -10.0 or third > -10.0 * lower * (1 + a[i])
        first, second = (a[i], lower) if few else (shape + 1, stay[i])
        for k in range(position.size):
            grown[k] = np.exp(top * position[k])
            time = (grown[k] - 1) / speed  # s / alpha'
            z[k], log_time[k] = time / (1 + time), top * position[k] if speed == 1 else np.log(1 + time)
        _hypergeometric(first, second, third, z, term, series, log_scale)
        sum_plain, sum_discounted = 0.0, 0.0
        for k in range(position.size):
            rate_there = weight[k] * grown[k] * series[k] * np.exp(log_scale[k] - first * log_time[k])
            sum_plain += rate_there
            sum_discounted += rate_there * np.exp(-discount[i] * rate * (grown[k] - 1) / speed)
        scale = top * shape / speed
        plain[i], discounted[i] = sum_plain * scale, sum_discounted * scale


@njit(nogil=True, cache=True, error_model="numpy")
def _hypergeometric(a, b, c, z, term, total, log_scale):  # type: ignore[no-untyped-def]
    """Fill `total` with 2F1(a, b; c; z) at rising 0 <= z < 1 by its series, four terms at a time, all z side by side.

    Where that would overflow, times exp(`log_scale`). `term` is overwritten.
    """
    term[:], total[:], log_scale[:] = 1.0, 1.0, 0.0
    k, most, steps = 0.0, z[-1], np.empty(4)
    while k < 1_000_000:
        for n in range(4):
            steps[n] = (a + k) * (b + k) / ((c + k) * (k + 1))
            k += 1
        for j in range(z.size):
            one = term[j] * steps[0] * z[j]
            two = one * steps[1] * z[j]
            three = two * steps[2] * z[j]
            term[j] = three * steps[3] * z[j]
            total[j] += one + two + three + term[j]
        if total[-1] > 1e200:
            term[:], total[:], log_scale[:] = term / total, 1.0, log_scale + np.log(total)
        # The remainder is below |term| / (1 - ratio) once terms shrink; that of the largest z is the last to do so.
        step = abs(steps[3]) * most
        if (step < 1 and abs(term[-1]) <= 1e-16 * abs(total[-1]) * (1 - max(step, most))) or total[-1] != total[-1]:
            break
