"""Posterior draws as arrays: purchase and spend parameters of one draw side by side."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np

from clv.models.base import Floats, Integers, PurchaseModel
from clv.models.calendar_model import OnClock
from clv.models.gamma_gamma import PAID_SHARE, PARAMETERS, has_mean
from clv.models.operational_time import Clock
from clv.models.registry import model_of
from clv.units import DAYS_PER_WEEK

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Draws:
    """Joint posterior draws of a purchase model and of the spend model; time in weeks, money in the log's currency.

    theta: (draws, parameters of the model), in their order, and the luck of its calendar if it has one.
    phi: (draws, 6), columns as `spend_draws`. pays: whether these mean anything: else nothing is simulated of spend.
    """

    model: PurchaseModel
    theta: Floats
    phi: Floats
    pays: bool = True

    def __len__(self) -> int:
        return len(self.theta)

    def thinned(self, n: int) -> "Draws":
        """Return at most `n` of the draws, evenly spaced."""
        keep = spaced(len(self), n)
        return replace(self, theta=self.theta[keep], phi=self.phi[keep])

    def later(self, weeks: float) -> "Draws":
        """Return the draws for those who come so many weeks from now."""
        if not isinstance(self.model, OnClock):
            return self
        return replace(self, model=_on(self.model.plain, self.model.clock.later(weeks)))

    def steady(self, starts: Floats, ends: Floats, now: float) -> "tuple[Draws, Floats]":
        """Return the draws without a calendar, and the weeks on it from `starts` to `ends`, none if those come first.

        Both in weeks, of which `now` is the origin of the calendar; on it to the day, so that few differ.
        """
        if not isinstance(self.model, OnClock):
            return self, np.maximum(ends - starts, 0.0)
        (since, _), (after, _) = (self.model.clock.passed(now - at) for at in (np.minimum(starts, ends), ends))
        theta = self.theta[:, : len(self.model.parameters)]
        return replace(self, model=self.model.plain, theta=theta), np.rint(since - after) / DAYS_PER_WEEK


def _on(model: PurchaseModel, clock: Clock) -> PurchaseModel:
    return cast("PurchaseModel", OnClock(model, clock))


def spaced(size: int, n: int) -> Integers:
    """Return at most `n` evenly spaced positions out of `size`."""
    return np.unique(np.linspace(0, size - 1, min(n, size)).round().astype(np.int64))


def pair(
    purchase_posterior: "xr.DataTree", spend_posterior: "xr.DataTree | None", n: int, clock: Clock | None = None
) -> Draws:
    """Return at most `n` joint draws of both models, evenly spaced over all chains, on the clock of a calendar.

    The two posteriors are independent, so any pairing is a joint draw. Without a spend posterior the
    simulated values are 0 and expected ones mean nothing (purchases do not depend on them).
    """
    model = model_of(purchase_posterior)
    theta = flat(purchase_posterior, [parameter.name for parameter in model.parameters], n)
    if clock:
        model, theta = _on(model, clock), np.hstack([theta, clock.luck(len(theta))])
    if spend_posterior is None:
        return Draws(model, theta, np.tile([1.0, 2.0, 1.0, 1.0, 1.0, 1.0], (len(theta), 1)), pays=False)
    return Draws(model, theta, spend_draws(spend_posterior, n))


def spend_draws(posterior: "xr.DataTree", n: int) -> Floats:
    """Return at most `n` draws of the spend model's parameters and the share of visits with an amount, (draws, 6)."""
    phi = flat(posterior, [parameter.name for parameter in PARAMETERS], n)
    # Without draws of that share every visit had an amount.
    paid = flat(posterior, [PAID_SHARE], n) if PAID_SHARE in posterior["posterior"] else np.ones((len(phi), 1))
    return np.hstack([phi, np.nan_to_num(paid, nan=1.0)])[_with_mean(phi)]


def log_prior(posterior: "xr.DataTree", n: int) -> Floats:
    """Return the log-density of the model's prior at each of the joint draws of `pair`, (draws,)."""
    density = flat(posterior, ["log_prior"], n, of="sample_stats")[:, 0]
    if "q" not in posterior["posterior"]:
        return density
    return density[_with_mean(flat(posterior, [parameter.name for parameter in PARAMETERS], n))]


def _with_mean(phi: Floats) -> Integers:
    """Return the places of the draws to use: where q <= 1 no mean spend exists, and a value would be infinite.

    The gate warns from one draw in a hundred on, and lets less than half of them be so; others take their places.
    """
    exists = has_mean(phi)
    return np.arange(len(phi)) if exists.all() else np.resize(np.flatnonzero(exists), len(phi))


def flat(posterior: "xr.DataTree", names: list[str], n: int, *, of: str = "posterior") -> Floats:
    """Return at most `n` draws of the parameters, or of what the group `of` tells of each draw, (draws, names)."""
    group = posterior[of].to_dataset()
    chains, draws = (group.sizes[dim] for dim in ("chain", "draw"))
    number = np.arange(min(n, chains * draws))
    # Every chain in turn, at evenly spaced draws.
    chain, draw = number % chains, number * draws // number.size
    found = [group[name].transpose("chain", "draw").to_numpy()[chain, draw] for name in names]
    return np.column_stack(found).astype(float)
