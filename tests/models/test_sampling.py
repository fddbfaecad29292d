"""What sampling promises: both methods give the same posterior of one model, compiled once, for any customers."""

from ctypes import POINTER, c_double

import numpy as np
import pandas as pd
import pytest
from forecasts import CDNOW, lives

from clv.checks import gate
from clv.checks import posterior as checks_posterior
from clv.checks.gate import PASS, TAKEN_OVER
from clv.models import density, laplace, sampling
from clv.models.base import distinct_histories
from clv.models.sampling import Compiled, Settings
from clv.report.text import notebooks

pytestmark = pytest.mark.slow  # importing pymc_marketing alone takes eight seconds


def base(n: int, seed: int, **changed: float) -> pd.DataFrame:
    return lives(n, age=39.0, weeks=0.0, discount=0.0, seed=seed, **(CDNOW | changed))[0]


def settings(method: str, **changed: int) -> Settings:
    return Settings(**({"chains": 4, "draws": 1000, "tune": 1000, "seed": 1, "method": method} | changed))


@pytest.fixture(scope="module")
def compiled() -> dict[str, Compiled]:
    """Both models, built on customers that no test fits."""
    from clv.models import bgnbd_pymc, gamma_gamma_pymc

    return {module.__name__: Compiled(module.model(base(50, 9))) for module in (bgnbd_pymc, gamma_gamma_pymc)}


@pytest.fixture(scope="module", params=["clv.models.bgnbd_pymc", "clv.models.gamma_gamma_pymc"])
def each(request, compiled) -> Compiled:
    return compiled[request.param]


def test_data_are_data_and_not_constants_of_the_compiled_model(each):
    """The density for other customers is that of a model built on them."""
    customers, point = base(300, 2), each.density.start + np.random.default_rng(1).normal(size=(5, 1)) / 4
    rebuilt = Compiled(type(each.model)())
    rebuilt.model.build_model(_as_built(each.model, customers))
    found, expected = each.density.at(point, each.model.data_for(customers)), rebuilt.density.at(point, {})
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)


def _as_built(model, customers: pd.DataFrame) -> pd.DataFrame:
    return distinct_histories(customers) if "alpha" in model.parameters else customers


def test_the_compiled_density_is_the_models_own(each):
    """Up to rounding, and it hands back the parameters that belong to a point."""
    points = each.density.start + np.random.default_rng(2).normal(size=(4, each.density.start.size)) / 3
    log_density, parameters = each.density.at(points, {})
    model = each.model.model
    expected = model.compile_logp()
    wanted = model.replace_rvs_by_values([model[name] for name in each.model.parameters])
    values = model.compile_fn(wanted, inputs=model.value_vars, on_unused_input="ignore")
    for point, found, drawn in zip(points, log_density, parameters, strict=True):
        named = {variable.name: np.asarray(at) for variable, at in zip(model.value_vars, point, strict=True)}
        assert found == pytest.approx(float(expected(named)), rel=1e-12)
        np.testing.assert_allclose(drawn, values(named), rtol=1e-12)


def test_arithmetic_is_exact_to_the_bit_so_that_a_second_run_on_a_machine_repeats_the_first(each):
    """With fast arithmetic what numba has just compiled and what it reads back from disk round differently."""
    compiled = density._compiled(each.model.model, [each.model.model.logp()])
    assert compiled.targetoptions["fastmath"] is False


def test_the_samplers_gradient_is_the_slope_of_the_density(each):
    customers = each.model.data_for(base(300, 4))
    point, step = each.density.start + 0.1, 1e-5
    packed, slope, value = each.density.packed(customers), np.empty(point.size), np.empty(1)
    given = [array.ctypes.data_as(POINTER(c_double)) for array in (point, slope, value, packed)]
    assert each.density.with_gradient.ctypes(point.size, *given) == 0
    around = [point, *(point + sign * row for row in np.eye(point.size) * step for sign in (1, -1))]
    found, _ = each.density.at(np.array(around), customers)
    assert value[0] == pytest.approx(found[0], rel=1e-12)
    np.testing.assert_allclose(slope, (found[1::2] - found[2::2]) / (2 * step), rtol=1e-5, atol=1e-3)
    point[:] = 1e9
    assert each.density.with_gradient.ctypes(point.size, *given) != 0  # said, so that the sampler turns back


def test_importance_sampling_gives_the_same_draws_with_any_number_of_workers(each):
    customers = base(300, 3)
    drawn = [sampling.sample(each, customers, settings("laplace", workers=workers)) for workers in (1, 2, 3)]
    for other in drawn[1:]:
        for group in ("posterior", "sample_stats"):
            assert drawn[0][group].to_dataset().identical(other[group].to_dataset())


def test_the_two_models_do_not_share_random_numbers(compiled, monkeypatch):
    """Their draws are paired as if independent, so one seed of the settings must become two."""
    seeds, original = [], laplace.sample

    def watched(*given, seed, **options):
        seeds.append(np.random.default_rng(seed).random(4).tolist())
        return original(*given, seed=seed, **options)

    monkeypatch.setattr(laplace, "sample", watched)
    for model in (*compiled.values(), *compiled.values()):
        sampling.sample(model, base(300, 1), settings("laplace"))
    assert seeds[0] != seeds[1]
    assert seeds[:2] == seeds[2:]  # and the same ones the next time


def test_nuts_takes_over_where_importance_sampling_fails(compiled, monkeypatch):
    monkeypatch.setattr(sampling, "K_HAT_LIMIT", -5.0)
    posterior = sampling.sample(compiled["clv.models.gamma_gamma_pymc"], base(800, 4), settings("laplace"))
    assert sampling.method_of(posterior) == "nuts"
    monkeypatch.undo()
    checks = checks_posterior.judge_spend(
        {"gamma_gamma": posterior}, {"gamma_gamma": base(800, 4)}, settings("laplace")
    )
    (said,) = [check.sentence for check in checks if check.name == TAKEN_OVER]
    assert said.startswith("spend, all data: importance sampling was tried first; its k-hat was ")
    assert said.endswith("above 0.7, so NUTS sampled.")
    assert notebooks.draws_in_words(posterior, checks).startswith(f"{said} Left, one density per chain")
    assert gate.verdict(checks) == PASS


def test_auto_takes_nuts_for_few_histories_and_importance_sampling_for_many(compiled, monkeypatch):
    model, customers = compiled["clv.models.bgnbd_pymc"], base(800, 4)
    assert sampling.method_of(sampling.sample(model, customers, settings("auto", draws=100, tune=100))) == "nuts"
    monkeypatch.setattr(model.model, "most_for_nuts", 100)
    assert sampling.method_of(sampling.sample(model, customers, settings("auto"))) == "laplace"


def test_a_loyal_base_is_fitted_though_likelihood_alone_would_send_b_to_infinity(compiled):
    loyal = base(500, 5, r=2.0, a=1e-6, b=1.0)
    posterior = sampling.sample(compiled["clv.models.bgnbd_pymc"], loyal, settings("laplace"))
    assert sampling.method_of(posterior) == "laplace"
    leaving = posterior["posterior"]["a"] / (posterior["posterior"]["a"] + posterior["posterior"]["b"])
    assert float(leaving.quantile(0.95)) < 0.01


@pytest.mark.parametrize(
    ("n", "seed", "truth"),
    [
        (60_000, 1, {"r": 0.7, "alpha": 110.0, "a": 0.5, "b": 4.0}),
        (3_883, 424271861, {"r": 0.72, "alpha": 243.0, "a": 0.12, "b": 29.6}),
    ],
)
def test_a_base_that_buys_seldom_is_fitted(compiled, n, seed, truth):
    """The mode lies far from the start on a steep slope, and dropout is hardly seen: the posterior is lopsided."""
    posterior = sampling.sample(compiled["clv.models.bgnbd_pymc"], base(n, seed, **truth), settings("laplace"))
    assert sampling.method_of(posterior) == "laplace"
    for name, true in truth.items():
        low, high = posterior["posterior"][name].quantile([0.0005, 0.9995])
        assert low < true < high


def test_far_out_draws_get_no_likelihood_made_of_rounding_errors(each):
    """Where r or a + b is astronomical, differences of gamma functions would be noise larger than the likelihood."""
    data = each.model.data_for(base(20_000, 6))
    usual, _ = each.density.at(each.density.start[None], data)
    directions = np.vstack([sign * np.eye(each.density.start.size) for sign in (1, -1)])
    far = each.density.start + np.concatenate([reach * directions for reach in (8.0, 15.0, 30.0)])
    assert (each.density.at(far, data)[0] < usual[0] + 1e4).all()


def test_a_posterior_by_importance_sampling_passes_the_gate_and_shows_k_hat_where_r_hat_stood(compiled):
    posterior = sampling.sample(compiled["clv.models.bgnbd_pymc"], base(800, 4), settings("laplace"))
    checks = checks_posterior.judge_purchases(
        {"bgnbd": posterior}, {"bgnbd": base(800, 4)}, settings("laplace"), horizon_weeks=52
    )
    names = ["shape", "k-hat", "effective sample size", "repeat purchases"]
    assert [check.name for check in checks] == names
    assert gate.verdict(checks) == PASS


def test_of_one_price_nothing_is_sampled_and_the_gate_has_nothing_to_object_to(compiled):
    """Also in a part of a log whose other parts have several prices."""
    spend, customers = compiled["clv.models.gamma_gamma_pymc"], base(300, 3)
    paid = customers["frequency"] > 0
    single = customers.assign(
        monetary_value=np.where(paid, 9.99, 0.0),
        paid_purchases=customers["frequency"],
        log_amounts=customers["frequency"] * np.log(9.99),
    )
    found = sampling.sample(spend, single, settings("nuts"))
    assert sampling.method_of(found) == sampling.CERTAIN
    assert {float(found["posterior"][name].std()) for name in spend.model.parameters} == {0.0}
    judged = checks_posterior.judge_spend({"gamma_gamma": found}, {"gamma_gamma": single}, settings("nuts"))
    assert {check.verdict for check in judged} == {PASS}
    assert "nothing to learn" in notebooks.draws_in_words(found, judged)
    assert sampling.method_of(sampling.sample(spend, customers, settings("laplace"))) == sampling.LAPLACE
