"""Makes reference_posteriors.json: long-run moments of CDNOW's posteriors, for tests to hold shorter runs against.

    python tests/studies/reference_posteriors.py

100,000 draws by NUTS of each model on the calibration part (weeks, dollars), under this project's priors, on the log
scale: mean, sd, and the Monte-Carlo standard errors of both.
"""

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from helpers import cdnow

from clv.models import gamma_gamma_pymc, sampling
from clv.models.registry import purchase_model
from clv.models.sampling import Compiled, Settings
from clv.rfm import customers as rfm_customers

FILE = Path(__file__).parent / "reference_posteriors.json"
MODELS = {"bgnbd_plain": purchase_model("bgnbd_plain").build, "gamma_gamma": gamma_gamma_pymc.model}
CUT = date(1997, 9, 30)
LONG = Settings(chains=4, draws=25_000, tune=2_000, seed=20260101, method="nuts")


def customers() -> pd.DataFrame:
    """Return the calibration part of CDNOW."""
    return rfm_customers.summarise(cdnow(), "transactions", period_end=CUT)


def moments(posterior: xr.DataTree, *, effective: float | None = None) -> dict[str, dict[str, float]]:
    """Return mean and sd of each parameter's logarithm with their Monte-Carlo standard errors.

    Of weighted draws `effective` says what they are worth; for NUTS the effective sizes are estimated.
    """
    import arviz as az

    logs = np.log(posterior["posterior"].to_dataset())
    found = {}
    for name in map(str, logs.data_vars):
        values = logs[name].to_numpy()
        size = {kind: effective or float(az.ess(logs[[name]], method=kind)[name]) for kind in ("mean", "sd")}
        sd = float(values.std(ddof=1))
        # The sd's error as for a normal posterior; these are nearly normal on the log scale.
        found[name] = {"mean": float(values.mean()), "sd": sd}
        found[name] |= {"mean_error": sd / size["mean"] ** 0.5, "sd_error": sd / (2 * size["sd"]) ** 0.5}
    return found


def make() -> dict[str, Any]:
    """Return the moments of both models by long runs."""
    base = customers()
    fits = {name: sampling.sample(Compiled(build(base)), base, LONG) for name, build in MODELS.items()}
    assert not any(fit["sample_stats"]["diverging"].any() for fit in fits.values())
    return {name: moments(fit) for name, fit in fits.items()}


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=1) + "\n", encoding="utf-8")
