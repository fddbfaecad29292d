"""MBG/CNBD one customer and draw at a time: its states, what each is expected to bring, and its exact simulation.

Symbols as in rhythm, which also says what a state is. `states` is where their formula stands in numbers. A life lived
faster passes its stages sooner and throws the same coins at its purchases, so both effects of a contact are exact.
"""

from math import lgamma

import numpy as np
from numba import njit

from clv.models.bgnbd import rate_per_day
from clv.models.bgnbd_futures import life, on_the_clock, two_lives

# Of every state its k, and the stages passed since the last purchase; those after the first ALIVE have left.
K, STAGE, ALIVE = (1, 2, 2, 4, 4, 4, 4, 1, 2, 4), (0, 0, 1, 0, 1, 2, 3, 0, 0, 0), 7
_UNLIKELY = 1e-12  # states and purchases so seldom are left out of means
_per_day = njit(nogil=True, cache=True)(rate_per_day)


@njit(nogil=True, cache=True, error_model="numpy")
def states(history, theta, days, found):  # type: ignore[no-untyped-def]
    """Fill `found` with the probabilities of a history's states and return its log-likelihood."""
    x, t_x, T, log_gaps = history
    r, alpha, a, b, share_2, share_4 = theta
    survived = _log_stayed(x, a, b) - lgamma(r) - np.log(a + b + x)
    first, silence = 0, np.log(T - t_x)
    for number, k in enumerate((1, 2, 4)):
        share = (1 - share_2 - share_4, share_2, share_4)[number]
        shape, rate, last, now = r + k * x, alpha / k, _time(t_x, x, k, days), _time(T, x, k, days)
        seen = survived + np.log(share) + lgamma(shape) + r * np.log(rate) + (k - 1) * log_gaps - x * lgamma(k)
        found[ALIVE + number] = seen + np.log(a) - shape * np.log(rate + last)
        stage = seen + np.log(b + x) - shape * np.log(rate + now)
        for j in range(k):
            found[first + j] = stage
            stage += silence + np.log((shape + j) / ((j + 1) * (rate + now)))
        first += k
    most = found.max()
    found[:] = np.exp(found - most)
    total = found.sum()
    found /= total
    return most + np.log(total)


@njit(nogil=True, cache=True)
def _log_stayed(x, a, b):  # type: ignore[no-untyped-def]
    """Return ln B(a, b + x) / B(a, b), purchase by purchase: differences of lgamma are rounding if a + b is large."""
    product, total = 1.0, 0.0
    for i in range(int(x)):
        product *= (b + i) / (a + b + i)
        if product < 1e-200:
            product, total = 1.0, total + np.log(product)
    return total + np.log(product)


@njit(nogil=True, cache=True)
def _time(time, x, k, days):  # type: ignore[no-untyped-def]
    """Return a time of the history as a customer of this k has it: half a day per purchase is lost where k = 1."""
    return max(time - x / (2 * days), time / 2) if k == 1 and days > 0 else time


@njit(nogil=True, cache=True)
def told(history, theta, days, likelihood, alive, silent, horizon):  # type: ignore[no-untyped-def]
    """Fill (draws, customers): log-likelihood, P(alive), and P(no purchase within `horizon` of somebody alive)."""
    found = np.empty(len(K))
    for d in range(len(theta)):
        r, alpha = theta[d, :2]
        for i in range(len(history)):
            x, T = history[i, 0], history[i, 2]
            likelihood[d, i] = states(history[i], theta[d], days, found)
            quiet = 0.0
            for n in range(ALIVE):
                k, shape, rate = K[n], r + K[n] * x + STAGE[n], alpha / K[n] + _time(T, x, K[n], days)
                none, share = np.exp(-shape * np.log1p(horizon[i] / rate)), horizon[i] / (rate + horizon[i])
                for stage in range(k - STAGE[n]):  # so many stages pass, and the purchase is still to come
                    quiet += found[n] * none
                    none *= share * (shape + stage) / (stage + 1)
            alive[d, i] = found[:ALIVE].sum()
            silent[d, i] = quiet / alive[d, i]


@njit(nogil=True, cache=True, error_model="numpy")
def expected(horizon, discounts, history, theta, effects, days, nodes, plain, discounted):  # type: ignore[no-untyped-def]
    """Fill (draws, customers) with purchases expected within `horizon` (customers,) of somebody alive, or back again.

    effects: speed, share of the leavings that happen; 1 for who is back, 2 with a fresh chance of leaving.
    """
    speed, leaving, back = effects
    found, chosen = np.empty(len(K)), (0, ALIVE) if back == 0 else (ALIVE, len(K))
    for d in range(len(theta)):
        r, alpha, a, b = theta[d, :4]
        for i in range(len(history)):
            x, t_x, T, _ = history[i]
            states(history[i], theta[d], days, found)
            weights, ahead, discount = found[chosen[0] : chosen[1]].sum(), horizon[i], discounts[i]
            leave, stay = (a, b) if back == 2 else (a + 1, b + x) if back == 1 else (a, b + x + 1)
            plain[d, i], discounted[d, i] = 0.0, 0.0
            for n in range(chosen[0], chosen[1]):
                if found[n] <= _UNLIKELY * weights:
                    continue
                k, j = K[n], STAGE[n]
                shape, rate = r + k * x + j, (alpha / k + _time(T if back == 0 else t_x, x, k, days)) / speed
                if k == 1 and days > 0:
                    shape, rate = _per_day(shape, rate, days)
                within = _purchases(ahead / (rate + ahead), k, j, shape, leave, stay, leaving)
                later = 0.0
                if discount > 0:
                    for u, weight in nodes:
                        time = ahead * u * u  # purchases come at once or not soon: dense where they begin
                        so_far = _purchases(time / (rate + time), k, j, shape, leave, stay, leaving)
                        later += weight * 2 * u * ahead * np.exp(-discount * time) * so_far
                plain[d, i] += found[n] / weights * within
                # By parts: the purchases until each time, weighed by how much the discount grows there.
                discounted[d, i] += found[n] / weights * (np.exp(-discount * ahead) * within + discount * later)


@njit(nogil=True, cache=True, error_model="numpy")
def _purchases(share, k, j, shape, leave, stay, leaving):  # type: ignore[no-untyped-def]
    """Return the sum over n >= 1 of P(k n - j stages pass) times P(not left with any purchase before the n-th).

    The number of stages is negative binomial of this `shape`, with `share` = h / (rate + h). If p ~ Beta(leave, stay)
    the second is E[(1 - leaving p)^(n - 1)] = 2F1(1 - n, leave; leave + stay; leaving), by Gauss's contiguous relation.
    """
    term, log_scale, total, reached = 1.0, shape * np.log1p(-share), 0.0, 0.0
    before, now, n = 0.0, 1.0, 0
    both = leave + stay
    for passed in range(1, 10_000_000):
        ratio = share * (shape + passed - 1) / passed
        term *= ratio
        if (passed + j) % k == 0:
            reached += now
            before, now = now, ((2 * n + both - (leave + n) * leaving) * now - n * (1 - leaving) * before) / (both + n)
            n += 1
        total += term * reached
        if ratio < 1 and reached > 0 and term * (reached + 1) <= _UNLIKELY * total * (1 - ratio):
            break
        if total > 1e200:
            term, total, log_scale = term / total, 1.0, log_scale + np.log(total)
    return np.exp(np.log(total) + log_scale)


@njit(nogil=True, cache=True, error_model="numpy")
def futures(rng, history, theta, weeks, clock, first, days):  # type: ignore[no-untyped-def]
    """Return counts (customers, draws) of purchases within `weeks` (customers,), and their times in that order."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n, found = np.empty(1024 + counts.size // 4), 0, np.empty(len(K))
    for i in range(history.shape[0]):
        x = history[i, 0]
        for d in range(theta.shape[0]):
            states(history[i], theta[d], days, found)
            state = _drawn(rng, found)
            if state >= ALIVE:
                continue
            k, grid, (a, b) = K[state], days if K[state] == 1 else 0.0, theta[d, 2:4]
            rate, gap = _first_gap(rng, history[i], theta[d], state, days)
            within = on_the_clock(weeks[i], clock, d)
            times, counts[i, d] = life(rng, gap, k, rate, a, a + b + x + first, within, grid, clock, d, times, n)
            n += counts[i, d]
    return counts, times[:n]


@njit(nogil=True, cache=True, error_model="numpy")
def contacted(rng, history, theta, weeks, share, effects, clock, first, days):  # type: ignore[no-untyped-def]
    """Return counts as `futures`, and of each purchase its time with the contact and without; infinite: it is not."""
    counts = np.zeros((history.shape[0], theta.shape[0]), np.int32)
    times, n, found = np.empty((2, 1024 + counts.size)), 0, np.empty(len(K))
    for i in range(history.shape[0]):
        x = history[i, 0]
        for d in range(theta.shape[0]):
            a, b = theta[d, 2:4]
            speed, undone, returns = effects[d]
            if rng.random() >= share:
                continue
            states(history[i], theta[d], days, found)
            state = _drawn(rng, found)
            here, leave, stay = state < ALIVE, a, b + x + first
            if not here:
                if rng.random() >= undone + returns:
                    continue
                leave, stay = (a, b) if returns > 0 else (a + 1, b + x)
            k, grid = K[state], days if K[state] == 1 else 0.0
            rate, gap = _first_gap(rng, history[i], theta[d], state, days)
            lives = gap, k, rate, leave, stay, here, speed, undone
            within = on_the_clock(weeks, clock, d)
            times, counts[i, d] = two_lives(rng, lives, within, grid, clock, d, times, n)
            n += counts[i, d]
    return counts, times[0, :n], times[1, :n]


@njit(nogil=True, cache=True)
def _drawn(rng, found):  # type: ignore[no-untyped-def]
    luck, state = rng.random(), 0
    while state < len(found) - 1 and luck >= found[state]:
        luck -= found[state]
        state += 1
    return state


@njit(nogil=True, cache=True)
def _first_gap(rng, history, theta, state, days):  # type: ignore[no-untyped-def]
    """Return a rate of the stages given the state, and the time until those that are missing have passed."""
    x, t_x, T, _ = history
    k, j = K[state], STAGE[state]
    rate = theta[1] / k + _time(T if state < ALIVE else t_x, x, k, days)
    stage_rate = rng.standard_gamma(theta[0] + k * x + j) / rate
    return stage_rate, rng.standard_gamma(k - j) / stage_rate
