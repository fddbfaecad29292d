"""MBG/CNBD: as MBG/NBD, but some customers buy in even steps (Platzer & Reutterer 2016; here k differs by customer).

Gaps between purchases are Erlang(k): k stages that pass at rate u each. k = 1 is MBG/NBD, 2 and 4 are more regular,
and the shares of the customers with each are parameters. With alpha_k = alpha / k, u ~ Gamma(r, alpha_k), so whatever k
is, a customer makes lambda = u / k ~ Gamma(r, alpha) purchases per week. With D the sum of the logarithms of the gaps,
what a history leaves open is k, and either that j of the k stages since the last purchase have passed (alive), or that
the customer left with it:

    alive  w_k B(a, b + x + 1) / B(a, b)  f_kx  (T - t_x)^j / j!  Gamma(r + k x + j)  (alpha_k + T)^-(r + k x + j)
    left   w_k B(a + 1, b + x) / B(a, b)  f_kx                    Gamma(r + k x)      (alpha_k + t_x)^-(r + k x)

with f_kx = alpha_k^r / Gamma(r) Gamma(k)^-x e^((k - 1) D). Given k and j, u ~ Gamma(r + k x + j, alpha_k + T).
Whole days as in bgnbd, for k = 1 alone: gaps in even steps are seldom a day's.
"""

from typing import Any, ClassVar

import numpy as np
import pandas as pd

from clv.models import rhythm_futures
from clv.models.base import HISTORY, LOG_GAPS, Built, Floats, History, Parameter
from clv.models.bgnbd import owned
from clv.models.mbgnbd import MBGNBD
from clv.units import WEEKS_PER_YEAR

# Gauss-Legendre over the time of a purchase: what the discount takes off is then right to 1e-5.
_POSITION, _WEIGHT = np.polynomial.legendre.leggauss(8)
_NODES = np.column_stack([(_POSITION + 1) / 2, _WEIGHT / 2])


class Rhythm(MBGNBD):
    """The model, for everybody else: clv.models.base.PurchaseModel."""

    name: ClassVar[str] = "MBG/CNBD"
    key: ClassVar[str] = "rhythm"
    parameters: ClassVar[tuple[Parameter, ...]] = (
        *(Parameter(one.name, one.unit, np.nan) for one in MBGNBD.parameters),
        Parameter("share_2", "no unit", np.nan),
        Parameter("share_4", "no unit", np.nan),
    )
    likelihood = staticmethod(rhythm_futures.states)
    lives: ClassVar[Any] = rhythm_futures
    history: ClassVar[list[str]] = [*HISTORY, LOG_GAPS]
    if_alive_needs: ClassVar[list[str]] = history
    if_back_needs: ClassVar[list[str]] = history

    def log_likelihood(self, history: History, theta: Floats) -> Floats:
        return self._told(0.0, history, theta)[0]

    def p_alive(self, history: History, theta: Floats, *, later: Any = 0.0) -> Floats:
        return self._told(0.0, history._replace(T=history.T + later), theta)[1]

    def p_silent(self, horizon: Any, history: History, theta: Floats) -> Floats:
        return self._told(horizon, history, theta)[2]

    def if_alive(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, speed: float = 1, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        return self._expected(horizon, history, theta, discount, (speed, leaving, 0.0))

    def if_back(
        self, horizon: Any, history: History, theta: Floats, *, discount: float, fresh: bool = False, leaving: float = 1
    ) -> tuple[Floats, Floats]:
        return self._expected(horizon, history, theta, discount, (1.0, leaving, 2.0 if fresh else 1.0))

    def _columns(self, history: Floats) -> Floats:
        return history

    def build(self, customers: pd.DataFrame, *, periods_per_year: float = WEEKS_PER_YEAR) -> Built:
        from clv.models.rhythm_pymc import RhythmModel  # seconds that only fitting costs

        return RhythmModel(customers, periods_per_year=periods_per_year, days=self.days)

    def _told(self, horizon: Any, history: History, theta: Floats) -> list[Floats]:
        rows, flat, ahead, shape = _rows(horizon, history, theta)
        found = [np.empty((len(flat), len(rows))) for _ in range(3)]
        rhythm_futures.told(rows, flat, float(self.days), *found, ahead)
        return [one.reshape(shape) for one in found]

    def _expected(
        self, horizon: Any, history: History, theta: Floats, discount: Any, effects: tuple[float, ...]
    ) -> tuple[Floats, Floats]:
        rows, flat, ahead, shape = _rows(horizon, history, theta)
        plain, discounted = np.empty((2, len(flat), len(rows)))
        changed = tuple(map(float, effects))  # compiled code knows a 1 from a 1.0
        (discounts,) = owned(np.broadcast_to(discount, shape[theta.ndim - 1 :]).ravel())
        rhythm_futures.expected(ahead, discounts, rows, flat, changed, float(self.days), _NODES, plain, discounted)
        return plain.reshape(shape), discounted.reshape(shape)


def _rows(horizon: Any, history: History, theta: Floats) -> tuple[Floats, Floats, Floats, tuple[int, ...]]:
    """Return histories (rows, 4), parameters (draws, 6) and horizons (rows,), and the shape of what is asked."""
    ahead, *columns = np.broadcast_arrays(*(np.asarray(one, dtype=float) for one in (horizon, *history)))
    shape = (*theta.shape[:-1], *ahead.shape)
    rows, flat, ahead = owned(np.column_stack([one.ravel() for one in columns]), theta.reshape(-1, 6), ahead.ravel())
    return rows, flat, ahead, shape
