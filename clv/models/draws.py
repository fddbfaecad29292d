"""Posterior draws as arrays: purchase and spend parameters of one draw side by side."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Draws:
    """Joint posterior draws, each array of shape (draws,); time in weeks, v in the log's currency."""

    r: Floats
    alpha: Floats
    a: Floats
    b: Floats
    p: Floats
    q: Floats
    v: Floats

    def __len__(self) -> int:
        return self.r.size

    def thinned(self, n: int) -> "Draws":
        """Return at most `n` of the draws, evenly spaced."""
        keep = spaced(len(self), n)
        return Draws(*(getattr(self, name)[keep] for name in self.__dataclass_fields__))


def spaced(size: int, n: int) -> Integers:
    """Return at most `n` evenly spaced positions out of `size`."""
    return np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(np.int64))


def pair(bgnbd_posterior: xr.DataTree, spend_posterior: xr.DataTree | None, n: int) -> Draws:
    """Return at most `n` joint draws of both models, evenly spaced over all chains.

    The two posteriors are independent, so any pairing is a joint draw. Without a spend posterior the
    values of a simulation mean nothing (purchases do not depend on them).
    """
    purchase = flat(bgnbd_posterior, ["r", "alpha", "a", "b"], n)
    if spend_posterior is None:
        return Draws(*purchase, *np.repeat([[1.0], [2.0], [1.0]], purchase[0].size, axis=1))
    return Draws(*purchase, *spend_draws(spend_posterior, n))


def spend_draws(posterior: xr.DataTree, n: int) -> list[Floats]:
    """Return at most `n` draws of p, q and v, evenly spaced over all chains.

    Where q <= 1 no mean spend exists, and a value would be infinite. The gate lets less than one draw in a hundred be
    so; others take their places.
    """
    p, q, v = flat(posterior, ["p", "q", "v"], n)
    usable = np.resize(np.flatnonzero(q > 1), q.size) if (q <= 1).any() else np.arange(q.size)
    return [p[usable], q[usable], v[usable]]


def flat(posterior: xr.DataTree, names: list[str], n: int) -> list[Floats]:
    group = posterior["posterior"].to_dataset()
    chains, draws = (group.sizes[dim] for dim in ("chain", "draw"))
    number = np.arange(min(n, chains * draws))
    # Every chain in turn, at evenly spaced draws.
    chain, draw = number % chains, number * draws // number.size
    return [group[name].transpose("chain", "draw").to_numpy()[chain, draw].astype(float) for name in names]


def tails(interval: float) -> tuple[float, float]:
    """Return the two probabilities that a central interval cuts off at."""
    return (1 - interval) / 2, (1 + interval) / 2
