"""Exact simulation of BG/NBD futures, one posterior draw at a time: base.PurchaseModel.futures and contacted.

With r' = r + x and alpha' = alpha + T, the first purchase of somebody alive comes after t with
P(t > s) = (alpha' / (alpha' + s))^r', the rate averaged over its Gamma(r', alpha'); alive with P(alive); given t the
rate is lambda ~ Gamma(r' + 1, alpha' + t), and further purchases follow at exponential gaps. The dropout probability is
averaged over its Beta(a, b + x): the customer leaves with the k-th purchase with probability a / (a + b + x + k - 1).

Every leaving is a coin thrown at a purchase, so a life lived faster throws the same coins sooner, and of leavings a
share can be undone: the effects of a contact are exact. With `days` to a week purchases fall on whole days: gaps are
rounded up, the rate is drawn given the unrounded first time. `first` and `days` as in bgnbd, `clock` as in base.
"""

import numpy as np
from numba import njit

from clv.units import DAYS_PER_WEEK

_ROUNDING = 1e-9  # a whole number of days in weeks is none for a computer


@njit(nogil=True, cache=True, error_model="numpy")
def futures(rng, history, theta, weeks, clock, first, days):  # type: ignore[no-untyped-def]
    """Return counts (customers, draws) of purchases within `weeks` (customers,), and their times in that order."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n, ahead = np.empty(1024 + counts.size // 4), 0, np.empty(theta.shape[0])
    for i in range(history.shape[0]):
        x, t_x, T = history[i]
        for d in range(theta.shape[0]):
            r, alpha, a, b = theta[d]
            if i == 0 or weeks[i] != weeks[i - 1]:
                ahead[d] = on_the_clock(weeks[i], clock, d)
            within = ahead[d]
            shape, rate = r + x, alpha + T
            patience = rng.standard_exponential()
            # More than the bound: more than the logarithm too. Most customers need no more than this to be told apart.
            if patience * rate > shape * within or patience > shape * np.log1p(within / rate):
                continue
            if x + first > 0:
                odds_left = a / (b + x + first - 1) * np.exp(shape * np.log(rate / (alpha + t_x)))
                if rng.random() * (1 + odds_left) >= 1:
                    continue
            gap = rate * np.expm1(patience / shape)
            purchase_rate = rng.standard_gamma(shape + 1) / (rate + gap)
            times, counts[i, d] = life(
                rng, gap, 1, purchase_rate, a, a + b + x + first, within, days, clock, d, times, n
            )
            n += counts[i, d]
    return counts, times[:n]


@njit(nogil=True, cache=True, error_model="numpy")
def contacted(rng, history, theta, weeks, share, effects, clock, first, days):  # type: ignore[no-untyped-def]
    """Return counts as `futures`, and of each purchase its time with the contact and without; infinite: it is not."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n = np.empty((2, 1024 + counts.size)), 0
    for i in range(history.shape[0]):
        x, t_x, T = history[i]
        for d in range(theta.shape[0]):
            r, alpha, a, b = theta[d]
            speed, undone, returns = effects[d]
            if rng.random() >= share:
                continue
            shape, rate, leave, stay, here = r + x, alpha + T, a, b + x + first, True
            if x + first > 0:
                odds_left = a / (b + x + first - 1) * np.exp(shape * np.log(rate / (alpha + t_x)))
                if rng.random() * (1 + odds_left) >= 1:
                    if rng.random() >= undone + returns:
                        continue
                    rate, here = alpha + t_x, False
                    leave, stay = (a, b) if returns > 0 else (a + 1, b + x + first - 1)
            gap = rate * np.expm1(rng.standard_exponential() / shape)
            within = on_the_clock(weeks, clock, d)
            if gap > within * max(speed, 1.0):
                continue
            purchase_rate = rng.standard_gamma(shape + 1) / (rate + gap)
            lives = gap, 1, purchase_rate, leave, stay, here, speed, undone
            times, counts[i, d] = two_lives(rng, lives, within, days, clock, d, times, n)
            n += counts[i, d]
    return counts, times[0, :n], times[1, :n]


@njit(nogil=True, cache=True, error_model="numpy")
def life(rng, gap, stages, rate, leave, both, within, days, clock, draw, times, n):  # type: ignore[no-untyped-def]
    """Write the times of purchases from n on, the first after `gap`, and return `times`, perhaps longer, and how many.

    Further gaps are so many stages at `rate`; who was asked k times leaves with probability leave / (both + k).
    """
    (time, date), count = on_day(gap, days, clock, draw), 0
    while time <= within + _ROUNDING:
        if n + count == times.size:
            times = np.append(times, np.empty(times.size))
        times[n + count] = date
        leaves = rng.random() * (both + count) < leave
        count += 1
        if leaves:
            break
        time, date = on_day(time + rng.standard_gamma(stages) / rate, days, clock, draw)
    return times, count


@njit(nogil=True, cache=True, error_model="numpy")
def two_lives(rng, lives, within, days, clock, draw, times, n):  # type: ignore[no-untyped-def]
    """Do the same of a life with a contact and of one without it; times (2, purchases), infinite where it is none."""
    gap, stages, rate, leave, stay, here, speed, undone = lives
    count, soon, usual = 0, 0.0, 0.0
    while True:
        soon, date = on_day(soon + gap / speed, days, clock, draw)
        usual, usual_date = on_day(usual + gap, days, clock, draw)
        if min(soon, usual) > within + _ROUNDING:
            return times, count
        if n + count == times.shape[1]:
            times = np.concatenate((times, np.empty_like(times)), axis=1)
        times[0, n + count] = date if soon <= within + _ROUNDING else np.inf
        times[1, n + count] = usual_date if here and usual <= within + _ROUNDING else np.inf
        count += 1
        if rng.random() * (leave + stay) < leave:
            leave, here = leave + 1, False
            if rng.random() >= undone:
                return times, count
        else:
            stay += 1
        gap = rng.standard_gamma(stages) / rate


@njit(nogil=True, cache=True)
def on_the_clock(weeks, clock, draw):  # type: ignore[no-untyped-def]
    """Return the operational time of so many weeks from now."""
    if clock.size == 0:
        return weeks
    day = min(int(weeks * DAYS_PER_WEEK + _ROUNDING), clock.shape[1] - 1)
    next_day = min(day + 1, clock.shape[1] - 1)
    return clock[draw, day] + (weeks * DAYS_PER_WEEK - day) * (clock[draw, next_day] - clock[draw, day])


@njit(nogil=True, cache=True)
def on_day(time, days, clock, draw):  # type: ignore[no-untyped-def]
    """Return the operational time of a purchase and its weeks from now; of whole days both at the end of its day."""
    if clock.size == 0:
        time = np.ceil(time * days) / days if days > 0 else time
        return time, time
    last = clock.shape[1] - 1
    if not time <= clock[draw, last]:  # after the horizon
        return time, np.inf
    day = max(int(last * time / clock[draw, last]), 1)  # if days were alike; it lies near that
    while clock[draw, day] < time:
        day += 1
    while day > 1 and clock[draw, day - 1] >= time:  # the first that ends no earlier
        day -= 1
    end, begun = clock[draw, day], clock[draw, day - 1]
    if days > 0:
        return end, day / DAYS_PER_WEEK
    return time, (day - 1 + (time - begun) / (end - begun)) / DAYS_PER_WEEK
