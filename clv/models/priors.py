"""The priors: what is held possible before any data, one tuple per model, read by its builder, its density and pages.

Each is normal on the scale a sampler moves on: of the logarithm, or of the logit for a share. All are stated on the
customer's scale, so they mean the same in days and in weeks, in dollars and in cents.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit, logit

from clv.models.base import Floats

LOG, LOGIT = "LogNormal", "LogitNormal"
_TO = {LOG: np.log, LOGIT: logit}
_FROM = {LOG: np.exp, LOGIT: expit}


@dataclass(frozen=True)
class Prior:
    """A parameter's prior by its median and its sd on the scale of a sampler; 95 % of it lies from `low` to `high`.

    The range is stated, not computed: who changes the prior says anew what it allows, or a test fails.
    """

    name: str
    distribution: str
    median: float
    sigma: float
    low: float
    high: float
    meaning: str

    def quantile(self, deviations: Floats) -> Floats:
        """Return the values so many standard deviations from the median."""
        values: Floats = _FROM[self.distribution](_TO[self.distribution](self.median) + self.sigma * deviations)
        return values

    def log_density(self, values: Floats) -> Floats:
        """Return the log-density on the scale of a sampler, up to a constant."""
        transform = _TO[self.distribution]
        density: Floats = -0.5 * ((transform(np.asarray(values)) - transform(self.median)) / self.sigma) ** 2
        return density

    def for_pymc(self) -> Any:
        """Return the prior as pymc-marketing's configuration takes it.

        A share is a normal through a sigmoid: PyMC samples its LogitNormal against hard walls at 0 and 1, where a loyal
        base made 9 of 2,000 transitions diverge.
        """
        from pymc_extras.prior import Prior as Upstreams

        family, transform = {LOG: ("LogNormal", None), LOGIT: ("Normal", "sigmoid")}[self.distribution]
        return Upstreams(family, mu=float(_TO[self.distribution](self.median)), sigma=self.sigma, transform=transform)


# Of BG/NBD and its kin.
PURCHASES = (
    Prior("yearly_rate", LOG, 3.0, 1.5, 0.16, 57, "purchases a year while a customer: one in six years to one a week"),
    Prior("r", LOG, 1.0, 1.0, 0.14, 7.1, "spread of the rates: from a few who buy everything to all much alike"),
    Prior("phi_dropout", LOGIT, 0.27, 1.3, 0.028, 0.83, "mean chance to leave after a purchase: 3 % to 83 %"),
    # A narrower one makes customers differ in loyalty: where they do not, it then decides the total of years.
    Prior("kappa_dropout", LOG, 7.4, 2.0, 0.15, 370, "a + b: from nothing like each other in loyalty to all alike"),
)

# Of rhythm beside these: for one customer who buys at random, those who buy in two or four even steps.
RHYTHM = (
    *PURCHASES,
    Prior("odds_2", LOG, 1.0, 1.5, 0.053, 19, "customers whose gaps are Erlang(2), for one who buys at random"),
    Prior("odds_4", LOG, 1.0, 1.5, 0.053, 19, "customers whose gaps are Erlang(4), for one who buys at random"),
)

# Of Gamma-Gamma.
SPEND = (
    Prior("p", LOG, 4.0, 1.0, 0.56, 28, "one customer's amounts: coefficient of variation 1/√p from 1.3 to 0.19"),
    Prior("q", LOG, 3.5, 0.75, 0.8, 15, "customers' means: from beyond any variance (q < 2) to a spread of 0.3"),
    Prior("relative_spend", LOG, 1.0, 1.0, 0.14, 7.1, "p v / q, an average customer's mean amount, in typical orders"),
    Prior("relative_shape", LOG, 1.0, 0.5, 0.38, 2.7, "p_first / p: first orders vary 1.6 to 0.6 times as much"),
    Prior("first_ratio", LOG, 1.0, 0.3, 0.56, 1.8, "a mean first order, in later ones"),
)


def for_pymc(priors: Iterable[Prior]) -> dict[str, Any]:
    """Return the priors by name, as pymc-marketing's configuration takes them."""
    return {prior.name: prior.for_pymc() for prior in priors}


def log_density(priors: Iterable[Prior], values: Mapping[str, Floats]) -> Floats:
    """Return the log-density of the values on the scale a sampler moves on, up to a constant."""
    return np.sum([prior.log_density(values[prior.name]) for prior in priors], axis=0)
