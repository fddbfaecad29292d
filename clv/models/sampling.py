"""Posterior of a model by the configured method: compiled once, drawn for as many data sets as wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from clv import progress
from clv.models import laplace, nuts
from clv.models.base import Built, Floats
from clv.models.density import Data, Density
from clv.models.laplace import K_HAT_LIMIT
from clv.models.registry import KEY

NUTS, LAPLACE, AUTO, CERTAIN = "nuts", "laplace", "auto", "certain"


@dataclass(frozen=True)
class Settings:
    """How to sample: by `method` (nuts, laplace or auto), `chains` times `draws` draws; NUTS discards `tune` each."""

    chains: int
    draws: int
    tune: int
    seed: int
    workers: int = 2
    method: str = NUTS


class Compiled:
    """A built model (base.Built), compiled when that is first needed."""

    def __init__(self, model: Built) -> None:
        self.model = model

    @cached_property
    def density(self) -> Density:
        """Return the density, compiled."""
        with progress.stage("compiling"):
            return Density(self.model.model, self.model.parameters)


def sample(compiled: Compiled, customers: pd.DataFrame, settings: Settings) -> xr.DataTree:
    """Return the posterior of the model's parameters given one row per customer: dims (chain, draw), plus sample_stats.

    The customers need not be those the model was built on. Where importance sampling fails (k-hat above its limit)
    NUTS takes over, and the failed k-hat stands in sample_stats as `laplace_k_hat`.
    """
    generator = np.random.default_rng([settings.seed, *compiled.model.key.encode()])
    drawn = compiled.model.exact_draws(customers, (settings.chains, settings.draws), generator)
    if drawn.keys() >= set(compiled.model.parameters):
        found = _nothing_sampled(compiled, settings)
    else:
        found = _sampled(compiled, compiled.model.data_for(customers), settings)
    beside = {name: (("chain", "draw"), at) for name, at in drawn.items()}
    found["posterior"] = found["posterior"].to_dataset().assign(beside)
    return found


def _nothing_sampled(compiled: Compiled, settings: Settings) -> xr.DataTree:
    coordinates = {"chain": np.arange(settings.chains), "draw": np.arange(settings.draws)}
    empty = xr.Dataset(coords=coordinates)
    return xr.DataTree.from_dict({"posterior": empty.assign_attrs({KEY: compiled.model.key}), "sample_stats": empty})


def _sampled(compiled: Compiled, data: Data, settings: Settings) -> xr.DataTree:
    if _method(compiled, settings, data) == NUTS:
        return _by_nuts(compiled, settings, data)
    found = _by_importance(compiled, settings, data)
    if found["sample_stats"]["k_hat"] <= K_HAT_LIMIT:
        return found
    instead = _by_nuts(compiled, settings, data)
    instead["sample_stats"]["laplace_k_hat"] = found["sample_stats"]["k_hat"]
    return instead


def sample_parts(compiled: Compiled, parts: Mapping[str, pd.DataFrame], settings: Settings) -> dict[str, xr.DataTree]:
    """Return the posterior of each part's customers, by name; a part without customers has none."""
    found = {}
    for part, customers in parts.items():
        if len(customers):
            with progress.stage(f"fitting {part}"):
                found[part] = sample(compiled, customers, settings)
    return found


def method_of(posterior: xr.DataTree) -> str:
    """Return the method that gave a posterior: nuts, laplace, or certain where there was nothing to learn."""
    statistics = posterior["sample_stats"].to_dataset()
    return LAPLACE if "k_hat" in statistics else NUTS if statistics.data_vars else CERTAIN


def prior_draws(model: Built, *, draws: int, seed: int) -> xr.Dataset:
    """Return draws of the built model's parameters from their prior, dim (draw)."""
    import pymc as pm

    names = model.parameters
    values = pm.draw([model.model[name] for name in names], draws=draws, random_seed=seed)
    drawn = {name: ("draw", value) for name, value in zip(names, values, strict=True)}
    return xr.Dataset(drawn, attrs={KEY: model.key})


def _method(compiled: Compiled, settings: Settings, data: Data) -> str:
    if settings.method != AUTO:
        return settings.method
    return NUTS if max(column.size for column in data.values()) <= compiled.model.most_for_nuts else LAPLACE


def _by_nuts(compiled: Compiled, settings: Settings, data: Data) -> xr.DataTree:
    points, statistics = nuts.sample(
        compiled.density,
        data,
        chains=settings.chains,
        draws=settings.draws,
        tune=settings.tune,
        seed=settings.seed,
        workers=settings.workers,
    )
    shape = points.shape[:2]
    _, parameters = compiled.density.at(points.reshape(-1, points.shape[-1]), data, settings.workers)
    return _tree(compiled, data, _draws(compiled, parameters.reshape(*shape, -1)), statistics)


def _draws(compiled: Compiled, parameters: Floats) -> xr.Dataset:
    """Return parameters (chains, draws, parameters) by their names."""
    coordinates = {"chain": np.arange(parameters.shape[0]), "draw": np.arange(parameters.shape[1])}
    named = {name: (("chain", "draw"), parameters[..., i]) for i, name in enumerate(compiled.model.parameters)}
    return xr.Dataset(named, coordinates)


def _tree(compiled: Compiled, data: Data, draws: xr.Dataset, statistics: xr.Dataset) -> xr.DataTree:
    """Return posterior and statistics; of these `logp` and `log_prior` are densities on the unconstrained scale."""
    log_prior = compiled.model.log_prior({name: draws[name].to_numpy() for name in draws.data_vars}, data)
    groups = {
        "posterior": draws.assign_attrs({KEY: compiled.model.key}),
        "sample_stats": statistics.assign(log_prior=(("chain", "draw"), log_prior)),
    }
    return xr.DataTree.from_dict(groups)


def _by_importance(compiled: Compiled, settings: Settings, data: Data) -> xr.DataTree:
    names, shape = compiled.model.parameters, (settings.chains, settings.draws)
    # Models must not share random numbers: draws of one are paired with draws of the other as if independent.
    seed = np.random.SeedSequence([settings.seed, *"".join(names).encode()])
    found = laplace.sample(compiled.density, data, draws=shape[0] * shape[1], seed=seed, workers=settings.workers)
    draws = _draws(compiled, found.parameters.reshape(*shape, -1))
    statistics = {
        "weight": ("proposal", found.weights),  # of what was drawn from, not of the draws that were kept
        "k_hat": ((), found.k_hat),
        "effective_draws": ((), found.effective),
        "logp": (("chain", "draw"), found.log_density.reshape(shape)),
    }
    return _tree(compiled, data, draws, xr.Dataset(statistics, draws.coords))
