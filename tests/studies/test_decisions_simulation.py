"""Campaigns in a few worlds of known truth: what `make decisions` judges in hundreds, and mistakes it must notice."""

import decisions as simulation
import numpy as np
import pandas as pd
import pytest
from decisions import CAMPAIGNS, RULES, judged, passed
from forecasts import by_name, changed, typed_draws

from clv.decisions.tables import RANDOM, RATE

WORLDS = 12


def outcomes(mistake=lambda draws: draws, campaigns=CAMPAIGNS) -> pd.DataFrame:
    """Return what came of every campaign in worlds whose parameters are known: nothing is fitted."""
    rows = []
    for number in range(WORLDS):
        generator = np.random.default_rng([1, number])
        true = simulation.world(generator, 600)
        draws = mistake(typed_draws(**{name: np.full(200, value) for name, value in true.truth.items()}))
        alive = np.where(true.customers["frequency"] > 0, 0.5, 1.0)
        known = true.customers.assign(p_alive=alive, clv_mean=0.0, rfm_segment="all")
        rows += [
            {"world": number, "campaign": name} | simulation.outcome(true, known, draws, given, number, generator)
            for name, given in campaigns.items()
        ]
    return pd.DataFrame(rows)


def ks(found: pd.DataFrame) -> float:
    """Return the p-value of the PIT of all acting campaigns being uniform."""
    return judged(found[found["contacts"] > 0])["pit_p"]


@pytest.fixture(scope="module")
def right() -> pd.DataFrame:
    return outcomes()


@pytest.mark.slow
def test_without_an_effect_nobody_is_contacted_and_with_one_somebody_is(right):
    contacts = right.groupby("campaign")["contacts"]
    for name, given in CAMPAIGNS.items():
        assert (contacts.max()[name] > 0) == (given.effect.mean > 0)


@pytest.mark.slow
def test_profits_come_as_often_as_forecast_and_exceed_those_of_rules(right):
    acted = right[right["contacts"] > 0]
    assert ks(right) > 0.001
    assert all(acted["profit"].sum() > acted[rule].sum() for rule in RULES)
    assert acted["by_truth"].sum() <= acted["perfect"].sum()


@pytest.mark.slow
def test_customers_who_are_taken_to_stay_for_ever_are_noticed():
    faster = {name: given for name, given in CAMPAIGNS.items() if given.effect.kind == RATE and given.effect.mean > 0}
    assert ks(outcomes(lambda draws: changed(draws, a=0.02 * by_name(draws)["a"]), faster)) < 0.001


@pytest.mark.slow
def test_lives_with_the_contact_bring_what_the_truth_expects():
    true = simulation.world(np.random.default_rng(2), 20_000)
    for given in CAMPAIGNS.values():
        gains = simulation.realised(true, given.effect, 0.3, np.random.default_rng(3))
        difference = gains - simulation.expected_by_truth(true, given.effect, 0.3)
        assert abs(difference.mean()) < 4 * difference.std() / np.sqrt(difference.size)


def test_the_verdict_needs_every_promise_kept():
    good = {"worlds": 9, "contacted_anyone": 9, "beats": dict.fromkeys(RULES, 1.0), "pit_p": 0.5}
    idle = {"worlds": 9, "contacted_anyone": 0}
    campaigns = {name: good if given.effect.mean > 0 else idle for name, given in CAMPAIGNS.items()}
    assert passed(campaigns)
    acting = next(name for name in campaigns if campaigns[name] is good)
    for broken in (good | {"beats": dict.fromkeys(RULES, 0.9)}, good | {"pit_p": 1e-6}, idle):
        assert not passed(campaigns | {acting: broken})
    assert not passed({name: good for name in campaigns})


def test_its_files_can_be_written(tmp_path):
    rng, names = np.random.default_rng(0), [name for name, given in CAMPAIGNS.items() if given.effect.mean > 0]
    columns = ["profit", "lower", "upper", "forecast", "loss_probability", "by_truth", "perfect", *RULES]
    columns += [f"{rule}_by_truth" for rule in RULES]
    found = pd.DataFrame({name: rng.uniform(size=8 * len(names)) for name in [*columns, "pit"]})
    found = found.assign(campaign=names * 8, contacts=5)
    campaigns = {str(name): judged(rows) for name, rows in found.groupby("campaign")}
    simulation.draw(found, tmp_path / "decisions.png")
    assert (tmp_path / "decisions.png").stat().st_size > 10_000
    machine = {"processor": "x", "cores": 2, "python": "3", "pymc": "6", "nutpie": "0"}
    text = simulation.page(
        {"machine": machine, "date": "2026-01-01", "seed": 1, "passed": False, "seconds": 60, "campaigns": campaigns}
    )
    assert "**Not everything passed.**" in text
    assert all(name in text for name in names)
    assert RANDOM in RULES
