"""Posterior of a model by the configured method: compiled once, drawn for as many data sets as wanted."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from clv import progress
from clv.models import laplace
from clv.models.base import Built
from clv.models.laplace import K_HAT_LIMIT, Density
from clv.models.registry import KEY

# At nutpie's default of .8 a real log gave a divergence with every seed; .95 cures nearly all.
TARGET_ACCEPT, CAREFUL_TARGET_ACCEPT = 0.95, 0.99
NUTS, LAPLACE, AUTO, CERTAIN = "nuts", "laplace", "auto", "certain"
# NUTS needs a second per fit and thousand distinct histories (4 x 2,000 draws, two cores): half a minute at most.
MOST_HISTORIES_FOR_NUTS = 20_000
_STATISTICS = ["diverging", "energy", "depth", "maxdepth_reached", "n_steps", "step_size", "logp"]


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
    """A built model (base.Built), compiled for a method when that is first used."""

    def __init__(self, model: Built) -> None:
        self.model = model

    @cached_property
    def nuts(self) -> Any:
        """Return the density with its gradient, compiled."""
        import nutpie

        with progress.stage("compiling for NUTS"):
            return nutpie.compile_pymc_model(self.model.model)

    @cached_property
    def density(self) -> Density:
        """Return the density alone, compiled."""
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


def _sampled(compiled: Compiled, data: Mapping[str, np.ndarray], settings: Settings) -> xr.DataTree:
    if _method(settings, data) == NUTS:
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


def divergences(trace: xr.DataTree) -> int:
    """Return the number of divergent transitions after tuning."""
    return int(trace["sample_stats"]["diverging"].sum())


def prior_draws(model: Built, *, draws: int, seed: int) -> xr.Dataset:
    """Return draws of the built model's parameters from their prior, dim (draw)."""
    import pymc as pm

    names = model.parameters
    values = pm.draw([model.model[name] for name in names], draws=draws, random_seed=seed)
    drawn = {name: ("draw", value) for name, value in zip(names, values, strict=True)}
    return xr.Dataset(drawn, attrs={KEY: model.key})


def _method(settings: Settings, data: Mapping[str, np.ndarray]) -> str:
    if settings.method != AUTO:
        return settings.method
    return NUTS if max(column.size for column in data.values()) <= MOST_HISTORIES_FOR_NUTS else LAPLACE


def _by_nuts(compiled: Compiled, settings: Settings, data: Mapping[str, np.ndarray]) -> xr.DataTree:
    """Draw by NUTS; divergences at the first target acceptance lead to one refit with smaller steps."""
    ready = compiled.nuts.with_data(**data)
    trace = _draw(ready, settings, TARGET_ACCEPT)
    if divergences(trace):
        trace = _draw(ready, settings, CAREFUL_TARGET_ACCEPT)
    draws = trace["posterior"].to_dataset()[compiled.model.parameters]
    return _tree(compiled, data, draws, trace["sample_stats"].to_dataset()[_STATISTICS])


def _tree(compiled: Compiled, data: Mapping[str, np.ndarray], draws: xr.Dataset, statistics: xr.Dataset) -> xr.DataTree:
    """Return posterior and statistics; of these `logp` and `log_prior` are densities on the unconstrained scale."""
    log_prior = compiled.model.log_prior({name: draws[name].to_numpy() for name in draws.data_vars}, data)
    groups = {
        "posterior": draws.assign_attrs({KEY: compiled.model.key}),
        "sample_stats": statistics.assign(log_prior=(("chain", "draw"), log_prior)),
    }
    return xr.DataTree.from_dict(groups)


def _draw(ready: Any, settings: Settings, target_accept: float) -> xr.DataTree:
    import nutpie

    with progress.stage("sampling by NUTS", of=settings.chains * (settings.tune + settings.draws)) as advance:
        sampler = nutpie.sample(
            ready,
            draws=settings.draws,
            tune=settings.tune,
            chains=settings.chains,
            cores=settings.workers,
            seed=settings.seed,
            target_accept=target_accept,
            progress_bar=False,
            blocking=False,
            progress_callback=lambda chains: advance.to(sum(chain.finished_draws for chain in chains)),
        )
        try:
            return sampler.wait()
        except BaseException:
            sampler.cancel()  # a blocking call would swallow Ctrl-C and return a posterior with too few draws
            raise


def _by_importance(compiled: Compiled, settings: Settings, data: Mapping[str, np.ndarray]) -> xr.DataTree:
    names, shape = compiled.model.parameters, (settings.chains, settings.draws)
    # Models must not share random numbers: draws of one are paired with draws of the other as if independent.
    seed = np.random.SeedSequence([settings.seed, *"".join(names).encode()])
    found = laplace.sample(compiled.density, data, draws=shape[0] * shape[1], seed=seed, workers=settings.workers)
    coordinates = {"chain": np.arange(shape[0]), "draw": np.arange(shape[1])}
    columns = {
        name: (("chain", "draw"), column.reshape(shape)) for name, column in zip(names, found.parameters.T, strict=True)
    }
    statistics = {
        "weight": ("proposal", found.weights),  # of what was drawn from, not of the draws that were kept
        "k_hat": ((), found.k_hat),
        "effective_draws": ((), found.effective),
        "logp": (("chain", "draw"), found.log_density.reshape(shape)),
    }
    return _tree(compiled, data, xr.Dataset(columns, coordinates), xr.Dataset(statistics, coordinates))
