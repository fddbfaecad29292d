"""The prior's density of a model's draws, on the scale a sampler moves on: what power scaling weighs draws by.

There every prior of this project is normal: of the logarithm (LogNormal), or of the logit (Normal through a sigmoid).
"""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def log_density(config: Mapping[str, Any], values: Mapping[str, Floats]) -> Floats:
    """Return the log-density of `values`, summed over their names, up to a constant.

    Parameters
    ----------
    config
        The model's configuration: a `Prior` for every name in `values`.
    """
    return np.sum([_normal(config[name], np.asarray(value)) for name, value in values.items()], axis=0)


def _normal(prior: Any, value: Floats) -> Floats:
    scales: dict[tuple[str, str | None], Callable[[Floats], Floats]] = {
        ("LogNormal", None): np.log,
        ("Normal", "sigmoid"): lambda share: np.log(share / (1 - share)),
    }
    place = scales[prior.distribution, prior.transform](value)
    return -0.5 * ((place - prior.parameters["mu"]) / prior.parameters["sigma"]) ** 2
