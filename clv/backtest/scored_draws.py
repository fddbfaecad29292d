"""Each customer's draws against what came, in one pass: limits, F(y-), F(y) and CRPS. Compiled: not for notebook 06."""

from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from clv.forecast.groups import realised_limits
from clv.models.base import Floats


def against(interval: float, actual: Floats, *drawn: NDArray[Any]) -> Floats:
    """Return lower limit, upper limit, F(y-), F(y) and CRPS of each row's draws against its actual outcome.

    `actual`: one column for each outcome, as many as are asked for; its draws are (rows, draws). So many columns each.
    """
    found: list[Floats] = []
    for draws, came in zip(drawn, actual.T, strict=False):
        draws.sort(axis=1)  # ours to use up
        lower, _, upper = realised_limits(draws, interval)
        found += [lower, upper, *_against(draws, np.ascontiguousarray(came))]
    return np.column_stack(found)


@njit(nogil=True, cache=True)
def _against(ranked, actual):  # type: ignore[no-untyped-def]
    """Return F(y-), F(y) and the continuous ranked probability score of each row's ranked draws.

    That is E|X - y| - E|X - X'| / 2, in y's unit: of a single number the absolute error, so it can stand beside that of
    a forecast without a distribution.
    """
    found, n = np.zeros((3, actual.size)), ranked.shape[1]
    for i in range(actual.size):
        below, at_most, error, spread = 0, 0, 0.0, 0.0
        for k in range(n):
            draw = float(ranked[i, k])
            below += draw < actual[i]
            at_most += draw <= actual[i]
            error += abs(draw - actual[i])
            spread += (2 * k + 1 - n) * draw
        found[:, i] = below / n, at_most / n, error / n - spread / n**2
    return found
