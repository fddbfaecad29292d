"""Both samplers against committed long runs on CDNOW's calibration part, within Monte-Carlo error."""

import json

import numpy as np
import pytest
from reference_posteriors import FILE, MODELS, customers, moments

from clv.models import sampling
from clv.models.sampling import Compiled, Settings

pytestmark = pytest.mark.slow  # compiles and fits both models by both methods
REFERENCE = json.loads(FILE.read_text(encoding="utf-8"))
STANDARD_ERRORS = 4
CHOOSING = 0.8  # resampling weighted draws costs up to a fifth of what they are worth


@pytest.fixture(scope="module", params=list(MODELS))
def model(request):
    """Name, compiled model, and the base it is fitted on."""
    base = customers()
    return request.param, Compiled(MODELS[request.param](base)), base


@pytest.fixture(scope="module", params=["nuts", "laplace"])
def drawn(request, model):
    """Name of the model, and the moments of its draws by one method."""
    name, compiled, base = model
    fit = sampling.sample(compiled, base, Settings(chains=4, draws=1000, tune=1000, seed=3, method=request.param))
    assert sampling.method_of(fit) == request.param
    effective = None
    if request.param == "laplace":
        effective = CHOOSING * float(fit["sample_stats"]["effective_draws"])
    return name, moments(fit, effective=effective)


def far(found: dict[str, float], reference: dict[str, float], moment: str) -> float:
    """Return how many standard errors of both runs a moment lies from the reference."""
    error = np.hypot(found[f"{moment}_error"], reference[f"{moment}_error"])
    return abs(found[moment] - reference[moment]) / error


@pytest.mark.parametrize("moment", ["mean", "sd"])
def test_a_short_run_agrees_with_the_long_one(drawn, moment):
    name, found = drawn
    distances = {key: far(found[key], REFERENCE[name][key], moment) for key in REFERENCE[name]}
    assert max(distances.values()) < STANDARD_ERRORS, distances


def test_a_posterior_a_fifth_of_a_standard_deviation_off_does_not_agree(drawn):
    name, found = drawn
    for key, reference in REFERENCE[name].items():
        moved = found[key] | {"mean": found[key]["mean"] + 0.2 * found[key]["sd"], "sd": 1.2 * found[key]["sd"]}
        assert max(far(moved, reference, moment) for moment in ("mean", "sd")) > STANDARD_ERRORS


def test_the_long_run_is_long_enough_to_judge_by():
    for parameters in REFERENCE.values():
        for moments_of_one in parameters.values():
            assert moments_of_one["mean_error"] < 0.01 * moments_of_one["sd"]
