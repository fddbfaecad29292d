"""Exact simulation of BG/NBD futures, one posterior draw at a time: base.PurchaseModel.futures and contacted.

With r' = r + x and alpha' = alpha + T, the first purchase of somebody alive comes after t with
P(t > s) = (alpha' / (alpha' + s))^r', the rate averaged over its Gamma(r', alpha'); alive with P(alive); given t the
rate is lambda ~ Gamma(r' + 1, alpha' + t), and further purchases follow at exponential gaps. The dropout probability is
averaged over its Beta(a, b + x): the customer leaves with the k-th purchase with probability a / (a + b + x + k - 1).

Every leaving is a coin thrown at a purchase, so a life lived faster throws the same coins sooner, and of leavings a
share can be undone: both effects of a contact are exact. `first` as in bgnbd.
"""

import numpy as np
from numba import njit


@njit(nogil=True, cache=True, error_model="numpy")
def futures(rng, history, theta, weeks, first):  # type: ignore[no-untyped-def]
    """Return counts (customers, draws) of purchases within `weeks` (customers,), and their times in that order."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n = np.empty(1024 + counts.size // 4), 0
    for i in range(history.shape[0]):
        x, t_x, T = history[i]
        within = weeks[i]
        for d in range(theta.shape[0]):
            r, alpha, a, b = theta[d]
            shape, rate = r + x, alpha + T
            patience = rng.standard_exponential()
            # More than the bound: more than the logarithm too. Most customers need no more than this to be told apart.
            if patience * rate > shape * within or patience > shape * np.log1p(within / rate):
                continue
            if x + first > 0:
                odds_left = a / (b + x + first - 1) * np.exp(shape * np.log(rate / (alpha + t_x)))
                if rng.random() * (1 + odds_left) >= 1:
                    continue
            time = rate * np.expm1(patience / shape)
            purchase_rate = rng.standard_gamma(shape + 1) / (rate + time)
            count, staying = 0, a + b + x + first
            while time <= within:
                if n == times.size:
                    longer = np.empty(2 * n)
                    longer[:n] = times
                    times = longer
                times[n] = time
                n += 1
                leaves = rng.random() * (staying + count) < a
                count += 1
                if leaves:
                    break
                time += rng.standard_exponential() / purchase_rate
            counts[i, d] = count
    return counts, times[:n]


@njit(nogil=True, cache=True, error_model="numpy")
def contacted(rng, history, theta, weeks, share, speeds, undone, first):  # type: ignore[no-untyped-def]
    """Return counts and times as `futures`, and of each purchase whether it comes with the contact, and without."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n = np.empty(1024 + counts.size), 0
    without = np.empty(times.size, np.bool_)
    with_it = np.empty(times.size, np.bool_)
    for i in range(history.shape[0]):
        x, t_x, T = history[i]
        for d in range(theta.shape[0]):
            r, alpha, a, b = theta[d]
            if rng.random() >= share:
                continue
            shape, rate, leave, stay, here = r + x, alpha + T, a, b + x + first, True
            if x + first > 0:
                odds_left = a / (b + x + first - 1) * np.exp(shape * np.log(rate / (alpha + t_x)))
                if rng.random() * (1 + odds_left) >= 1:
                    if rng.random() >= undone[d]:
                        continue
                    rate, leave, stay, here = alpha + t_x, a + 1, b + x + first - 1, False
            speed = speeds[d]
            reach = weeks * max(speed, 1.0)
            time = rate * np.expm1(rng.standard_exponential() / shape)
            if time > reach:
                continue
            purchase_rate = rng.standard_gamma(shape + 1) / (rate + time)
            count = 0
            while time <= reach:
                if n == times.size:
                    times, with_it, without = _longer(times), _longer(with_it), _longer(without)
                times[n], with_it[n], without[n] = time, time <= speed * weeks, here and time <= weeks
                n += 1
                count += 1
                if rng.random() * (leave + stay) < leave:
                    leave, here = leave + 1, False
                    if rng.random() >= undone[d]:
                        break
                else:
                    stay += 1
                time += rng.standard_exponential() / purchase_rate
            counts[i, d] = count
    return counts, times[:n], with_it[:n], without[:n]


@njit(nogil=True, cache=True)
def _longer(values):  # type: ignore[no-untyped-def]
    longer = np.empty(2 * values.size, values.dtype)
    longer[: values.size] = values
    return longer
