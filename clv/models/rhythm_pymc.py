"""MBG/CNBD as a PyMC model on distinct histories; nobody publishes one to build on."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pymc as pm
import pytensor.tensor as pt
from scipy.special import gammaln

from clv.models.base import HISTORY, LOG_GAPS, MOST_FOR_NUTS, distinct_histories
from clv.models.bgnbd_pymc import PARAMETERS
from clv.models.priors import RHYTHM, for_pymc, log_density
from clv.units import WEEKS_PER_YEAR

REGULAR = (2, 4)  # k of customers who buy in even steps


class RhythmModel:
    """The model as `base.Built`."""

    key, parameters, priors = "rhythm", [*PARAMETERS, "share_2", "share_4"], RHYTHM
    most_for_nuts = MOST_FOR_NUTS // 20  # a history has seven states, and draws lie farther apart

    def __init__(self, customers: pd.DataFrame, *, periods_per_year: float, days: float) -> None:
        self._periods_per_year = periods_per_year
        self._half_day = periods_per_year / WEEKS_PER_YEAR / days / 2 if days else 0.0
        with pm.Model() as self.model:
            tables = {name: pm.Data(name, column) for name, column in self.data_for(customers).items()}
            drawn = {name: prior.create_variable(name) for name, prior in for_pymc(self.priors).items()}
            alpha = pm.Deterministic("alpha", drawn["r"] / drawn["yearly_rate"] * periods_per_year)
            a = pm.Deterministic("a", drawn["phi_dropout"] * drawn["kappa_dropout"])
            b = pm.Deterministic("b", (1.0 - drawn["phi_dropout"]) * drawn["kappa_dropout"])
            odds = {k: drawn[f"odds_{k}"] for k in REGULAR}
            shares = {k: pm.Deterministic(f"share_{k}", one / (1 + sum(odds.values()))) for k, one in odds.items()}
            shares[1] = 1 / (1 + sum(odds.values()))
            pm.Potential("likelihood", _log_likelihood(tables, drawn["r"], alpha, a, b, shares))

    def data_for(self, customers: pd.DataFrame) -> dict[str, np.ndarray]:
        histories = distinct_histories(customers, [*HISTORY, LOG_GAPS])
        x, t_x, T, log_gaps = (histories[name].to_numpy(float) for name in (*HISTORY, LOG_GAPS))
        short_t_x, short_T = (np.maximum(time - self._half_day * x, time / 2) for time in (t_x, T))
        silence = np.log(np.maximum(T - t_x, 1e-9))  # none: as good as no stage passed
        times = {"short_recency": short_t_x, "short_T": short_T, "recency": t_x, "T": T}
        return {"x": x.astype(np.int32), "customers": histories["customers"].to_numpy(float), **times} | {
            "log_gaps": log_gaps, "log_silence": silence,
        }  # fmt: skip

    def exact_draws(self, customers: pd.DataFrame, shape: tuple[int, int], generator: Any) -> dict[str, Any]:
        return {}  # everything needs the sampler

    def log_prior(self, draws: Mapping[str, np.ndarray], data: Mapping[str, np.ndarray]) -> np.ndarray:
        r, alpha, a, b, share_2, share_4 = (draws[name] for name in self.parameters)
        rest = 1 - share_2 - share_4
        values = {"yearly_rate": r / alpha * self._periods_per_year, "r": r, "phi_dropout": a / (a + b)}
        values |= {"kappa_dropout": a + b, "odds_2": share_2 / rest, "odds_4": share_4 / rest}
        return log_density(self.priors, values)


def _log_likelihood(tables, r, alpha, a, b, shares):  # type: ignore[no-untyped-def]
    """Return the summed log-likelihood of rhythm_futures.states (same formula, held equal by a test).

    Ratios of gamma functions are sums of logarithms over the stages passed: differences of gammaln, where draws lie far
    out, were made of rounding errors.
    """
    x = tables["x"]
    chances = pt.arange(pt.max(x) + 1).astype("float64")
    survived = _sums(-pt.log1p(a / (b + chances)))[x] - pt.log(a + b + x)
    states = []
    for k, share in shares.items():
        last, now = ("short_recency", "short_T") if k == 1 else ("recency", "T")
        passed = pt.arange(k * (pt.max(x) + 1)).astype("float64")
        stages = _sums(pt.log((r + passed) * k / alpha))
        seen = survived + pt.log(share) + (k - 1) * tables["log_gaps"] - x * float(gammaln(k))
        silent = pt.log1p(tables[now] * k / alpha)
        states.append(seen + stages[k * x] + pt.log(a) - (r + k * x) * pt.log1p(tables[last] * k / alpha))
        for j in range(k):
            stage = seen + stages[k * x + j] + pt.log(b + x) - (r + k * x + j) * silent
            states.append(stage + j * tables["log_silence"] - float(gammaln(j + 1)) if j else stage)
    most = states[0]
    for state in states[1:]:
        most = pt.maximum(most, state)
    return pt.sum(tables["customers"] * (most + pt.log(sum(pt.exp(state - most) for state in states))))


def _sums(terms):  # type: ignore[no-untyped-def]
    """Return the sums of the first 0, 1, 2 ... terms."""
    return pt.concatenate([pt.zeros(1), pt.cumsum(terms)])
