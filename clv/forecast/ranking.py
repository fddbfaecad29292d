"""Who is among the best in a future? Places within every draw, read off a histogram."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from numba import njit
from numpy.typing import NDArray

from clv.forecast.horizon import Keep
from clv.forecast.tiers import TIERS
from clv.models.draws import Floats, Integers

# Ranking within a draw reads a histogram of the values: a number's exponent and first 9 binary digits are its bin, so
# bins are .1 to .2 % wide. From 16 doublings below the mean value to 6 above: a tenth of the customers cannot all have
# more than ten times the mean.
_DIGITS, _DOUBLINGS_BELOW, _DOUBLINGS_ABOVE = 9, 16, 6
_BINS = (_DOUBLINGS_BELOW + _DOUBLINGS_ABOVE) << _DIGITS


class Ranking:
    """Where each draw's customers stand: a histogram of realised values per draw, filled by a pass over futures."""

    def __init__(self, draws: int, scale: float) -> None:
        self._lowest = int(_keys(np.array([scale]))[0]) - (_DOUBLINGS_BELOW << _DIGITS)
        self._customers = 0
        self._counts = np.zeros((draws, _BINS), np.int32)
        self.keep = Keep(partial(_bins, self._lowest), self._count)

    def _count(self, rows: slice, bins: NDArray[np.uint16]) -> None:
        self._customers += len(bins)
        _count_bins(bins, self._counts)

    def threshold(self, top_share: float) -> Floats:
        """Return per draw the value that `top_share` of the customers exceed; 0 where fewer have any."""
        above = top_share * self._customers
        bins, within = _bins_at(self._counts, above)
        low, high = _edge(self._lowest + bins), _edge(self._lowest + bins + 1)
        return np.where(bins >= 0, low + within * (high - low), 0.0)

    @property
    def draws(self) -> int:
        """Return the number of draws."""
        return self._counts.shape[0]

    def share_without_value(self) -> Floats:
        """Return per draw the share of customers who bring nothing."""
        return 1 - self._counts.sum(axis=1) / self._customers


def _keys(value: Floats) -> NDArray[np.int64]:
    """Return exponent and first digits of every number: as ordered as the numbers; 0 for 0."""
    return np.ascontiguousarray(value).view(np.int64) >> (52 - _DIGITS)


def _bins(lowest: int, own: None, purchases: Integers, value: Floats) -> NDArray[np.uint16]:
    """Return the number of every value's bin, from 1; 0 for 0."""
    keys = _keys(value)
    return np.where(keys > 0, np.clip(keys - lowest, 0, _BINS - 1) + 1, 0).astype(np.uint16)


def _edge(keys: NDArray[np.int64]) -> Floats:
    """Return the smallest number that has each key."""
    return (keys << (52 - _DIGITS)).view(np.float64)


@njit(nogil=True, cache=True)
def _count_bins(bins, counts):  # type: ignore[no-untyped-def]
    for d in range(bins.shape[1]):  # one draw's counts at a time stay in the cache
        for i in range(bins.shape[0]):
            if bins[i, d] > 0:
                counts[d, bins[i, d] - 1] += 1


@njit(nogil=True, cache=True)
def _bins_at(counts, above):  # type: ignore[no-untyped-def]
    """Return per row the bin that `above` of its values reach and how far up in it; bin -1 if there are not so many."""
    bins, within = np.zeros(counts.shape[0], np.int64), np.zeros(counts.shape[0])
    for d in range(counts.shape[0]):
        passed, bin = 0, counts.shape[1]
        while bin > 0 and passed < above:
            bin -= 1
            passed += counts[d, bin]
        bins[d] = bin if passed >= above else -1
        within[d] = (passed - above) / max(counts[d, bin], 1)
    return bins, within


def tier_codes(tier: pd.Series) -> NDArray[np.int8]:
    """Return the place of each customer's tier in `TIERS`."""
    return tier.map({name: code for code, name in enumerate(TIERS)}).to_numpy(np.int8)


def membership(ranking: Ranking) -> Callable[[NDArray[np.int8], Floats], Floats]:
    """Return what tells P(top decile) and P(own tier) from customers' `tier_codes` and values, (customers, 2)."""
    names = list(TIERS)
    # What a draw's value must exceed, and must not, for each tier; the last tier holds what is left.
    floors = np.array([*(ranking.threshold(TIERS[name]) for name in names[:-1]), np.zeros(ranking.draws)])
    ceilings = np.array([np.full(ranking.draws, np.inf), *floors[:-1]])
    places_left = places_without_value(ranking.share_without_value())
    return partial(_shares, floors, ceilings, places_left, ranking.threshold(0.10))


def _shares(*given: Any) -> Floats:
    return _members(*given)  # compiled code does not travel; its name does


@njit(nogil=True, cache=True)
def _members(floors, ceilings, places_left, top_decile, own, value):  # type: ignore[no-untyped-def]
    """Return the shares of draws above `top_decile` and in the customer's own tier, (customers, 2)."""
    found = np.empty((value.shape[0], 2))
    for i in range(value.shape[0]):
        top, mine, tier = 0, 0.0, own[i]
        for d in range(value.shape[1]):
            if value[i, d] > 0:
                top += value[i, d] > top_decile[d]
                mine += (value[i, d] > floors[tier, d]) & (value[i, d] <= ceilings[tier, d])
            else:
                mine += places_left[tier, d]
        found[i, 0], found[i, 1] = top / value.shape[1], mine / value.shape[1]
    return found


def places_without_value(share: Floats) -> Floats:
    """Return (tiers, draws): the chance that a customer without value stands in each tier.

    All of them tie; they share the places that the draw's buyers leave, from the bottom up.
    """
    ends = np.array([0.0, *TIERS.values()])[:, None]
    overlap = np.clip(ends[1:], 1 - share, None) - np.clip(ends[:-1], 1 - share, None)
    return overlap / np.where(share > 0, share, 1.0)
