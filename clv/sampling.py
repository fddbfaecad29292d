"""Posterior of a model by the configured method: compiled once, drawn for as many data sets as wanted."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

# At nutpie's default of .8 a real log gave a divergence with every seed; .95 cures nearly all.
TARGET_ACCEPT, CAREFUL_TARGET_ACCEPT = 0.95, 0.99
_STATISTICS = ["diverging", "energy", "depth", "maxdepth_reached", "n_steps", "step_size"]


@dataclass(frozen=True)
class Settings:
    """How to sample: by `method`, `chains` times `draws` kept draws after `tune` discarded ones each."""

    chains: int
    draws: int
    tune: int
    seed: int
    workers: int = 2
    method: str = "nuts"


def compile_model(model: Any) -> Any:
    """Compile a built pymc-marketing model once; the result is refitted to other data by `sample`."""
    import nutpie

    return nutpie.compile_pymc_model(model.model)


def sample(
    compiled: Any, settings: Settings, *, names: list[str], data: Mapping[str, np.ndarray] | None = None
) -> xr.DataTree:
    """Return the posterior of `names` with dims (chain, draw), plus sample_stats.

    Divergences at the first target acceptance lead to one refit with smaller steps; whichever target
    was used last stands in the posterior's attribute `target_accept`.
    """
    ready = compiled.with_data(**data) if data else compiled
    trace = _draw(ready, settings, TARGET_ACCEPT)
    if divergences(trace):
        trace = _draw(ready, settings, CAREFUL_TARGET_ACCEPT)
    groups = {"posterior": names, "sample_stats": _STATISTICS}
    return xr.DataTree.from_dict({group: trace[group].to_dataset()[kept] for group, kept in groups.items()})


def sample_parts(
    model: Any,
    parts: Mapping[str, pd.DataFrame],
    settings: Settings,
    *,
    names: list[str],
    data_for: Callable[[pd.DataFrame], Mapping[str, np.ndarray]],
) -> dict[str, xr.DataTree]:
    """Return the posterior of each part's customers, compiled once; a part without customers has none."""
    compiled = compile_model(model)
    return {
        part: sample(compiled, settings, names=names, data=data_for(customers))
        for part, customers in parts.items()
        if len(customers)
    }


def divergences(trace: xr.DataTree) -> int:
    """Return the number of divergent transitions after tuning."""
    return int(trace["sample_stats"]["diverging"].sum())


def _draw(compiled: Any, settings: Settings, target_accept: float) -> xr.DataTree:
    import nutpie

    trace = nutpie.sample(
        compiled,
        draws=settings.draws,
        tune=settings.tune,
        chains=settings.chains,
        cores=settings.workers,
        seed=settings.seed,
        target_accept=target_accept,
        progress_bar=False,
    )
    trace["posterior"].attrs.update(method="nuts", target_accept=target_accept)
    return trace


def prior(model: Any, *, names: list[str], draws: int, seed: int) -> xr.Dataset:
    """Return draws of `names` from the built model's prior, dim (draw)."""
    import pymc as pm

    values = pm.draw([model.model[name] for name in names], draws=draws, random_seed=seed)
    return xr.Dataset({name: ("draw", value) for name, value in zip(names, values, strict=True)})
