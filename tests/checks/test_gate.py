"""What gate promises: it passes a good posterior, and stops each bad one with a sentence about that one thing."""

import arviz
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from forecasts import CDNOW_PURCHASES, CDNOW_SPEND, TESTED, customers, outcome_of, posterior

from clv import tables
from clv.backtest import verdicts as backtest_verdicts
from clv.backtest.tables import BACK, ONCE
from clv.checks import convergence, gate
from clv.checks import posterior as checks_posterior
from clv.checks import tables as checks_tables
from clv.checks.convergence import NEEDED_OF_NUTS
from clv.checks.gate import FAIL, PASS, WARN, Check
from clv.errors import GateError
from clv.models.base import History
from clv.models.draws import log_prior
from clv.models.registry import purchase_model

SHAPE = (4, 1000)


def good(**changed: np.ndarray) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(1)
    return {name: value * rng.lognormal(0, 0.05, SHAPE) for name, value in CDNOW_PURCHASES.items()} | changed


def judged(values: dict[str, np.ndarray], *, diverging: int = 0, derived: dict | None = None) -> dict[str, Check]:
    tree = posterior(diverging, **values)
    checks = convergence.judge("Purchases", tree, chains=4, draws=1000, derived=derived or {})
    return {check.name: check for check in checks}


def only_fault(checks: dict[str, Check]) -> str:
    (name,) = [name for name, check in checks.items() if check.verdict == FAIL]
    return name


def test_a_good_posterior_passes_every_check():
    checks = judged(good())
    assert list(checks) == ["shape", "R-hat", "effective sample size", "divergences", "energy", "tree depth"]
    assert {check.verdict for check in checks.values()} == {PASS}
    assert gate.verdict(list(checks.values())) == PASS
    gate.require(list(checks.values()))
    assert gate.table(list(checks.values()))["figure"].notna().all()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_one_value_that_is_not_finite_fails(bad):
    values = good()
    values["alpha"][2, 17] = bad
    check = judged(values)["shape"]
    assert check.verdict == FAIL
    assert "alpha" in check.sentence
    assert "finite" in check.sentence


@pytest.mark.parametrize("shape", [(4, 999), (3, 1000), (4, 1)])
def test_a_truncated_posterior_fails(shape):
    values = {name: value[: shape[0], : shape[1]] for name, value in good().items()}
    checks = judged(values)
    assert only_fault(checks) == "shape"
    assert "run it again" in checks["shape"].sentence


@pytest.mark.parametrize(("shift", "grade"), [(0.0, PASS), (0.25, WARN), (1.0, FAIL)])
def test_chains_that_disagree_are_warned_about_and_then_fail(shift, grade):
    values = good()
    values["b"][0] += shift * values["b"].std()
    check = judged(values)["R-hat"]
    assert check.verdict == grade
    assert "b" in check.sentence.split("(")[1]


def test_slow_mixing_fails_for_want_of_effective_draws():
    rng = np.random.default_rng(2)
    slow = np.repeat(rng.normal(size=(4, 50)), 20, axis=1) + 1e-3 * rng.normal(size=SHAPE)  # 200 independent values
    checks = judged(good(r=np.exp(0.05 * slow)))
    assert checks["effective sample size"].verdict == FAIL
    assert checks["effective sample size"].figure < 400
    assert "(r" in checks["effective sample size"].sentence


@pytest.mark.filterwarnings("ignore:invalid value encountered")  # R-hat of a constant is 0 / 0
def test_a_chain_that_never_moves_fails():
    values = good()
    values["a"][:] = 0.79
    verdicts = judged(values)
    assert FAIL in {check.verdict for check in verdicts.values()}


@pytest.mark.parametrize(("diverging", "grade"), [(0, PASS), (1, WARN), (4, WARN), (5, FAIL)])
def test_divergences_pass_at_none_and_fail_above_one_in_a_thousand(diverging, grade):
    check = judged(good(), diverging=diverging)["divergences"]
    assert check.verdict == grade
    assert f"{diverging} of 4,000" in check.sentence


@pytest.mark.parametrize("lost", NEEDED_OF_NUTS)
def test_a_posterior_whose_sampler_says_nothing_fails(lost):
    tree = posterior(**good())
    del tree["sample_stats"][lost]
    (check,) = convergence.judge("Purchases", tree, chains=4, draws=1000, derived={})
    assert check.verdict == FAIL
    assert f"{lost} are missing" in check.sentence


def test_energy_that_hardly_moves_is_warned_about():
    tree = posterior(**good())
    tree["sample_stats"]["energy"] = tree["sample_stats"]["energy"].cumsum("draw")
    checks = {check.name: check for check in convergence.judge("Purchases", tree, chains=4, draws=1000, derived={})}
    assert (checks["energy"].verdict, checks["energy"].figure < 0.1) == (WARN, True)


@pytest.mark.parametrize(("deep", "grade"), [(0, PASS), (40, PASS), (41, WARN)])
def test_transitions_that_use_up_their_depth_are_warned_about(deep, grade):
    tree = posterior(**good())
    tree["sample_stats"]["maxdepth_reached"].values.ravel()[:deep] = True
    checks = {check.name: check for check in convergence.judge("Purchases", tree, chains=4, draws=1000, derived={})}
    assert checks["tree depth"].verdict == grade


def test_a_warning_or_failure_that_the_run_accepts_is_a_warning_that_says_so():
    checks = [Check("data", "mean spend", 2.5, "", FAIL, "Too much."), *judged(good()).values()]
    accepted = gate.acknowledge(checks, ["mean spend", "energy"])
    assert (accepted[0].verdict, accepted[0].sentence) == (WARN, "Accepted by this run: Too much.")
    assert gate.acknowledge(accepted, ["mean spend"]) == accepted  # a second time changes nothing
    assert accepted[1:] == checks[1:]  # what passes stays as it is
    assert gate.acknowledge(checks, []) == checks


@pytest.mark.parametrize(("decided", "grade"), [(0.01, PASS), (0.05, WARN)])
def test_a_prior_is_judged_by_the_money_it_decides(decided, grade):
    """Totals that rise with the prior's density by so much of their mean per unit: without it they would be lower."""
    purchases, spend = posterior(**good()), posterior(**{name: good()["r"] + 4 for name in CDNOW_SPEND})
    for number, tree in enumerate((purchases, spend)):
        density = np.random.default_rng(number).normal(size=SHAPE)
        tree["sample_stats"]["log_prior"] = xr.DataArray(density, dims=("chain", "draw"))
    totals = 1e5 * (1 + decided * log_prior(purchases, 4000))
    of_purchases, of_spend = checks_posterior.judge_priors(purchases, spend, totals, currency="EUR", horizon_weeks=52)
    assert of_purchases.verdict == grade
    assert of_purchases.figure == pytest.approx(decided, rel=0.1)
    assert "EUR lower" in of_purchases.sentence.replace("\xa0", " ")
    assert of_spend.verdict == PASS  # another model's prior has no part in it


def test_a_mean_spend_that_does_not_exist_fails():
    rng = np.random.default_rng(1)
    values = {name: value * rng.lognormal(0, 0.05, SHAPE) for name, value in CDNOW_SPEND.items()}
    values["q"][1, 5] = 1.0
    tree = posterior(**values)
    derived = {"population mean spend": checks_posterior.population_mean_spend(tree)}
    checks = convergence.judge("Spend", tree, chains=4, draws=1000, derived=derived)
    assert gate.verdict(checks) == FAIL
    with pytest.raises(GateError, match=r"population mean spend.*finite"):
        gate.require(checks)


def test_figures_derived_from_the_draws_are_judged_too():
    values = good()
    derived = xr.DataArray(values["r"] + np.array([[3.0], [0], [0], [0]]), dims=("chain", "draw"))
    checks = judged(values, derived={"expected total": derived})
    assert checks["R-hat"].verdict == FAIL
    assert "expected total" in checks["R-hat"].sentence


@pytest.mark.parametrize("missing", ["bulk", "tail"])
def test_a_figure_that_is_not_a_number_fails(monkeypatch, missing):
    real = arviz.ess
    monkeypatch.setattr(
        arviz, "ess", lambda scalars, method: real(scalars, method=method) * (np.nan if method == missing else 1)
    )
    assert judged(good())["effective sample size"].verdict == FAIL


def test_no_checks_are_no_pass():
    assert gate.verdict([]) == FAIL
    with pytest.raises(GateError, match="not checked"):
        gate.require([])


def test_the_worst_verdict_counts_and_only_failures_are_told():
    checks = list(judged(good(), diverging=2).values())
    assert gate.verdict(checks) == WARN
    gate.require(checks)
    assert len(gate.table(checks)) == 6
    failing = list(judged(good(), diverging=9).values())
    with pytest.raises(GateError) as stopped:
        gate.require(failing)
    assert "9 of 4,000 transitions diverged" in str(stopped.value)
    assert "R-hat" not in str(stopped.value)


def test_the_expected_total_is_the_mean_of_the_closed_form_over_customers():
    values = {name: value[:2, :3] for name, value in good().items()}
    shop = customers((0, 0.0, 20.0, 0.0), (2, 30.43, 38.86, 22.35), (2, 30.43, 38.86, 9.0))
    found = checks_posterior.expected_total(posterior(**values), shop, 39.0)
    assert found.dims == ("chain", "draw")
    one = [value[1, 2] for value in values.values()]
    model, history, theta = purchase_model("bgnbd"), History.of(shop), np.array(one)
    each = model.if_alive(39.0, history, theta, discount=0.0)[0] * model.p_alive(history, theta)
    assert float(found[1, 2]) == pytest.approx(each.mean(), rel=1e-8)


def test_the_population_mean_spend_is_the_closed_form():
    values = {"p": np.array([[6.0, 6.0]]), "q": np.array([[4.0, 0.9]]), "v": np.array([[15.0, 15.0]])}
    assert checks_posterior.population_mean_spend(posterior(**values)).values.tolist() == [[30.0, np.inf]]


def weighted(k_hat: float, effective: float) -> list[Check]:
    """Return the checks of a posterior by importance sampling."""
    tree = posterior(**good())
    statistics = {
        "weight": (("chain", "draw"), np.ones(SHAPE)),
        "k_hat": ((), k_hat),
        "effective_draws": ((), effective),
    }
    tree["sample_stats"] = xr.DataTree(xr.Dataset(statistics))
    return convergence.judge("Purchases", tree, chains=4, draws=1000, derived={})


def test_importance_sampling_is_judged_by_its_weights_alone():
    checks = weighted(0.3, 3400.0)
    assert [check.name for check in checks] == ["shape", "k-hat", "effective sample size"]
    assert gate.verdict(checks) == PASS


@pytest.mark.parametrize(
    ("k_hat", "effective", "fault"),
    [
        (0.71, 3400.0, "k-hat"),
        (np.nan, 3400.0, "k-hat"),
        (np.inf, 3400.0, "k-hat"),
        (0.3, 399.0, "effective sample size"),
    ],
)
def test_weights_that_cannot_be_relied_on_fail(k_hat, effective, fault):
    assert only_fault({check.name: check for check in weighted(k_hat, effective)}) == fault


def test_the_summary_of_weighted_draws_has_no_r_hat():
    tree = posterior(**good())
    assert "r_hat" in convergence.summary(tree, interval=0.9)
    tree["sample_stats"]["k_hat"] = 0.1
    tree["sample_stats"]["effective_draws"] = 2500.0
    table = convergence.summary(tree, interval=0.9)
    assert "r_hat" not in table
    np.testing.assert_allclose(table["mcse_mean"], table["sd"] / 50, atol=1e-4)
    assert (table["ess"] == 2500).all()


def said(text: str) -> str:
    """Return a sentence with ordinary blanks."""
    return text.replace("\u00a0", " ")


def one_time(spent: float, valued: float, n: int = 400, *, usual: float = 1.0) -> pd.DataFrame:
    """Return one-time buyers who spent around one amount and are valued at another, and as many who came back.

    Of those who came back `usual` times their first order of 35 is expected.
    """
    luck = np.random.default_rng(3).lognormal(-0.045, 0.3, n)
    once = {"frequency": 0, "first_amount": spent * luck, "expected_spend": valued, "clv_mean": 0.5 * valued}
    back = {"frequency": 2, "first_amount": 35 * luck, "expected_spend": 35 * usual, "clv_mean": 50.0}
    return pd.concat([pd.DataFrame(once), pd.DataFrame(back)], ignore_index=True)


def relation(spearman: float) -> pd.DataFrame:
    rows = [("Pearson", 0.0, -0.1, 0.1), ("Spearman", spearman, -0.02, 0.10)]
    return pd.DataFrame(rows, columns=["measure", "value", "lower", "upper"])


@pytest.mark.parametrize(("spent", "spearman", "grade"), [(35, 0.05, PASS), (28, 0.05, WARN), (35, 0.2, WARN)])
def test_dependence_of_spend_on_frequency_is_told_in_money(spent, spearman, grade):
    check = backtest_verdicts.judge_independence(
        one_time(spent, 35.0), relation(spearman), pd.DataFrame(), currency="USD"
    )
    assert check.verdict == grade
    assert ("spend more per purchase, which the model takes for luck" in check.sentence) == (spearman == 0.2)
    assert ("are expected to bring, 7,000\u00a0USD, may be 1," in check.sentence) == (spent == 28)
    assert ("too high: they spent" in check.sentence) == (spent == 28)
    assert ("Of one-time buyers: they spent" in check.sentence) == (spent == 35)


def test_first_orders_that_are_cheaper_for_everybody_are_no_sign():
    """Where later orders cost a quarter more than first ones, those of one-time buyers may as well."""
    paid = {"dependence": relation(0.05), "returned": pd.DataFrame(), "currency": "USD"}
    assert backtest_verdicts.judge_independence(one_time(28, 35.0, usual=1.25), **paid).verdict == PASS
    assert backtest_verdicts.judge_independence(one_time(28, 35.0), **paid).verdict == WARN
    too_low = backtest_verdicts.judge_independence(one_time(28, 28.0, usual=1.25), **paid)
    assert "may be 1,400 USD too low" in said(too_low.sentence)  # 5,600 are valued where 7,000 would be usual


def test_few_one_time_buyers_are_excused_by_their_luck():
    check = backtest_verdicts.judge_independence(
        one_time(28, 35.0, n=3), relation(0.05), pd.DataFrame(), currency="USD"
    )
    assert check.verdict == PASS


def returned(customers: int, history: str = ONCE) -> str:
    """Return what is said where so many customers came back after the cut."""
    paid = pd.DataFrame({"customers": customers, "actual": 31.5, "expected": 35.25}, index=["all", history])
    return backtest_verdicts.judge_independence(one_time(35, 35.0), relation(0.05), paid, currency="USD").sentence


def test_what_one_time_buyers_paid_who_came_back_is_quoted():
    assert returned(50).endswith(
        " of each of their next ones. In the backtest 50 of them came back and paid 31.50\u00a0USD per purchase, where "
        "35.25 were expected."
    )


@pytest.mark.parametrize(
    ("paid", "verdict"),
    [
        (28.0, "which bears that out."),  # 35 were expected: so much more as of all
        (34.0, "which does not bear that out."),
        (45.0, "which does not bear that out."),  # wrong, but the other way
    ],
)
def test_a_suspicion_is_borne_out_only_by_who_paid_as_it_says(paid, verdict):
    came = pd.DataFrame({"customers": 60, "actual": paid, "expected": 35.0}, index=["all", ONCE])
    check = backtest_verdicts.judge_independence(one_time(28, 35.0), relation(0.05), came, currency="USD")
    assert "too high" in check.sentence
    assert check.sentence.endswith(f", {verdict}")


def test_too_few_who_came_back_or_none_of_them_or_no_backtest_say_nothing():
    silent = backtest_verdicts.judge_independence(
        one_time(35, 35.0), relation(0.05), pd.DataFrame(), currency="USD"
    ).sentence
    assert "backtest" not in silent
    assert returned(49) == returned(50, BACK) == silent
    assert returned(50) != silent


def test_draws_are_shown_though_they_fail_unless_they_are_missing():
    gate.require_draws(list(judged(good(), diverging=9).values()))
    values = good()
    values["alpha"][2, 17] = np.nan
    with pytest.raises(GateError, match="finite"):
        gate.require_draws(list(judged(values).values()))
    with pytest.raises(GateError, match="not checked"):
        gate.require_draws([])


# 1,882 purchases came, worth 70,976.4: inside both.
WIDER = {"purchases": {"lower": 1310.0, "upper": 2080.0}, "value": {"lower": 45_300.0, "upper": 79_800.0}}


def backtested(**changed: dict) -> Check:
    wider = {name: TESTED[name] | {"with_misfit": limits} for name, limits in WIDER.items()}
    (check,) = backtest_verdicts.judge_backtest(TESTED | wider | changed, currency="USD", interval=0.9)
    return check


KEPT = {"purchases": outcome_of(1700, 1653.0, 1500.0, 1830.0), "value": outcome_of(6e4, 6e4, 5e4, 7e4)}


HELD, MISSED = "would have contained them.", "would not have contained them either."


def test_a_backtest_that_missed_is_a_warning_that_says_by_how_much():
    check = backtested()
    assert check.verdict == WARN
    assert check.figure == pytest.approx(1 - 60_116 / 70_976.4)  # the worse of the two
    assert said(check.sentence) == (
        "The backtest missed: in the 39 weeks after 30 September 1997, 1,882 purchases came where 1,653 were forecast "
        "(14 % more) and 70,976 USD of value (discounted) came where 60,116 were forecast (18 % more), outside the "
        "model's own 90 % "
        "interval. Intervals that allow for errors known on that day, as this report's totals do, would have contained "
        "them."
    )


@pytest.mark.parametrize(
    ("limits", "would"),
    [
        ((45_300.0, 70_976.4), HELD),  # a limit is inside
        ((45_300.0, 70_976.3), MISSED),
        ((70_976.5, 90_000.0), MISSED),
    ],
)
def test_it_is_said_whether_an_interval_that_allows_for_misfit_would_have_held(limits, would):
    wider = dict(zip(("lower", "upper"), limits, strict=True))
    # Purchases lay inside theirs: one outcome outside is enough.
    check = backtested(value=TESTED["value"] | {"with_misfit": wider})
    assert check.sentence.endswith(f"as this report's totals do, {would}")
    assert check.verdict == WARN


def test_what_was_not_missed_does_not_count_against_the_wider_interval():
    narrow = {"with_misfit": {"lower": 0.0, "upper": 1.0}}
    assert backtested(value=KEPT["value"] | narrow).sentence.endswith(HELD)
    assert backtested(value=TESTED["value"] | narrow).sentence.endswith(MISSED)


def test_only_what_missed_is_warned_about():
    check = backtested(value=KEPT["value"])
    assert check.verdict == WARN
    assert "USD" not in check.sentence
    few = outcome_of(1000, 1500.0, 1400.0, 1600.0, with_misfit=WIDER["purchases"])
    sentence = said(backtested(purchases=few, value=KEPT["value"]).sentence)
    assert "1,000 purchases came where 1,500 were forecast (33 % less), outside the model's own" in said(sentence)


def test_a_kept_promise_needs_no_warning():
    check = backtested(**KEPT)
    assert (check.verdict, check.figure) == (PASS, 0)
    assert said(check.sentence) == (
        "In the 39 weeks after 30 September 1997 purchases and value came inside their 90 % intervals."
    )


def test_a_holdout_in_which_nothing_came_is_judged():
    nothing = {"actual": 0, "error": None, "inside": False}
    wider = {name: {"with_misfit": limits} for name, limits in WIDER.items()}
    check = backtested(**{name: TESTED[name] | nothing | wider[name] for name in wider})
    assert check.verdict == WARN
    assert "0 purchases came where 1,653 were forecast (100 % less) and 0 USD" in said(check.sentence)
    assert check.sentence.endswith(MISSED)


def test_what_came_of_a_forecast_of_nothing_has_no_percentage():
    unforeseen = outcome_of(3, 0.0, 0.0, 0.0, with_misfit={"lower": 0.0, "upper": 0.0})
    sentence = backtested(purchases=unforeseen, value=KEPT["value"]).sentence
    assert "3 purchases came where 0 were forecast, outside" in said(sentence)


def test_without_a_backtest_there_is_nothing_to_judge():
    assert backtest_verdicts.judge_backtest(None, currency="USD", interval=0.9) == []


@pytest.mark.parametrize(("worth", "share", "grade"), [(49.0, "49 %", PASS), (51.0, "51 %", WARN)])
def test_value_that_is_mostly_of_customers_who_bought_once_is_warned_about(worth, share, grade):
    base = pd.DataFrame({"frequency": [0, 0, 5], "clv_mean": [worth / 2, worth / 2, 100 - worth]})
    check = backtest_verdicts.judge_one_time_buyers(base)
    assert check.verdict == grade
    assert check.figure == pytest.approx(worth / 100)
    assert said(check.sentence) == (
        f"{share} of the value comes from customers who bought once: of them the model knows little."
    )


@pytest.mark.parametrize("name", ["backtest", "one-time buyers"])
def test_warnings_about_forecasts_can_be_accepted_by_name(name):
    checks = [
        backtested(),
        backtest_verdicts.judge_one_time_buyers(pd.DataFrame({"frequency": [0], "clv_mean": [1.0]})),
    ]
    (accepted,) = [check for check in gate.acknowledge(checks, [name]) if check.name == name]
    assert accepted.verdict == WARN


def test_checks_come_back_from_their_tables_as_they_were_made(tmp_path):
    made = [
        Check("bgnbd", "k-hat", 0.25, "< 0.7", "PASS", "Few draws carry no more than their share."),
        Check("bgnbd", "energy", 3.0, "> 0.3", "WARN", "Accepted by this run: it moves slowly."),
    ]
    tables.check(checks_tables.CHECKS_PURCHASES, gate.table(made)).to_parquet(tmp_path / "checks.parquet")
    assert gate.from_tables(pd.read_parquet(tmp_path / "checks.parquet"), gate.table([])) == made
