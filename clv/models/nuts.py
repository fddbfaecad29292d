"""Posterior by the no-U-turn sampler, as nutpie has it."""

from functools import cache
from typing import Any

import numpy as np
import xarray as xr

from clv import progress
from clv.models.base import Floats
from clv.models.density import Data, Density

# At nutpie's default of .8 a real log gave a divergence with every seed; .95 cures nearly all.
TARGET_ACCEPT, CAREFUL_TARGET_ACCEPT = 0.95, 0.99
_STATISTICS = ["diverging", "energy", "depth", "maxdepth_reached", "n_steps", "step_size", "logp"]
_POINT = "point"


def sample(
    density: Density, data: Data, *, chains: int, draws: int, tune: int, seed: int, workers: int
) -> tuple[Floats, xr.Dataset]:
    """Return points (chains, draws, dimensions) after `tune` that are thrown away, and how the sampler got there.

    Divergences at the first target acceptance lead to one more run with smaller steps.
    """
    ready = _ready(density, data)
    size = {"chains": chains, "draws": draws, "tune": tune, "seed": seed, "cores": workers}
    trace = _run(ready, TARGET_ACCEPT, size)
    if trace["sample_stats"]["diverging"].any():
        trace = _run(ready, CAREFUL_TARGET_ACCEPT, size)
    return trace["posterior"][_POINT].to_numpy(), trace["sample_stats"].to_dataset()[_STATISTICS]


def _ready(density: Density, data: Data) -> Any:
    """Return the model nutpie samples: its own compilation takes eleven seconds in every process, this one two."""
    from nutpie.compile_pymc import CompiledPyMCModel

    with progress.stage("compiling for NUTS"):
        log_density, same = density.with_gradient, _same()
    size = density.start.size
    return CompiledPyMCModel(
        dims={},
        reparameterized_names=[],
        compiled_logp_func=log_density,
        compiled_expand_func=same,
        initial_point_func=lambda seed: density.start + np.random.default_rng(seed).uniform(-1, 1, size),
        shared_data={},
        shared_var_keys={},
        user_data=density.packed(data),
        n_expanded=size,
        shape_info=([_POINT], [slice(0, size)], [(size,)]),
        logp_func=None,
        expand_func=None,
        _n_dim=size,
        _shapes={_POINT: (size,)},
        _coords={},
    )


@cache
def _same() -> Any:
    """Return the C function that hands a point on as it is: parameters are made of all points at once."""
    from numba import cfunc, types

    doubles = types.CPointer(types.double)

    @cfunc(types.int64(types.uint64, types.uint64, doubles, doubles, doubles))
    def same(size, _, point, out, packed):  # type: ignore[no-untyped-def]
        for i in range(size):
            out[i] = point[i]
        return 0

    return same


def _run(ready: Any, target_accept: float, size: dict[str, int]) -> xr.DataTree:
    import nutpie

    with progress.stage("sampling by NUTS", of=size["chains"] * (size["tune"] + size["draws"])) as advance:
        sampler = nutpie.sample(
            ready,
            **size,
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
