"""What calibration by simulation promises: a band that uniform ranks seldom leave, and that planted mistakes do."""

import json
from dataclasses import replace

import calibrate
import numpy as np
import pandas as pd
import pytest
import sbc as script
from forecasts import CDNOW, customers, fixed_draws, futures

from clv.forecast.horizon import Horizon
from clv.run.artefacts import root

TRUTH = fixed_draws(1, key="bgnbd", **CDNOW)
REGULAR = fixed_draws(1, key="rhythm", share_2=0.5, share_4=0.4, **CDNOW)
YEAR = Horizon(52.0, 0.002)


# --- ranks


def test_a_rank_is_the_number_of_draws_below_the_truth():
    drawn = {"r": np.array([0.1, 0.2, 0.3, 0.4]), "q": np.array([5.0, 6.0, 7.0, 8.0])}
    assert calibrate.ranks({"r": 0.25, "q": 9.0}, drawn, seed=1) == {"r": 2, "q": 4}


def test_among_draws_that_equal_the_truth_chance_decides():
    """Most customers bring nothing, in truth and in most draws: that must not look like a forecast too high."""
    drawn = {"customer_value": np.array([0.0, 0.0, 0.0, 12.5])}
    ranks = [calibrate.ranks({"customer_value": 0.0}, drawn, seed=seed)["customer_value"] for seed in range(400)]
    counts = np.bincount(ranks, minlength=5)
    assert counts[4] == 0
    assert (np.abs(counts[:4] - 100) < 4 * np.sqrt(100 * 0.75)).all()


@pytest.mark.parametrize("true, drawn", [(np.nan, [1.0, 2.0]), (1.0, [1.0, np.nan])])
def test_what_is_not_a_number_has_no_rank(true, drawn):
    with pytest.raises(ValueError, match="no rank"):
        calibrate.ranks({"r": true}, {"r": np.array(drawn)}, seed=1)


# --- the band


def uniform_ranks(data_sets: int, draws: int, runs: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, draws + 1, (runs, data_sets))


def leaves(band: calibrate.Band, ranks: np.ndarray, draws: int) -> np.ndarray:
    counts = np.array([calibrate.below(run, draws) for run in ranks])
    return ((counts < band.lower) | (counts > band.upper)).any(axis=1)


@pytest.mark.parametrize("data_sets, draws", [(40, 199), (200, 99), (300, 19)])
def test_uniform_ranks_leave_the_band_as_often_as_it_says(data_sets, draws):
    left = leaves(calibrate.band(data_sets, draws, outside=0.05), uniform_ranks(data_sets, draws, 8000), draws)
    # Counts are whole numbers, so somewhat less often is as near as a band comes.
    assert 0.04 < left.mean() < 0.05 + 4 * np.sqrt(0.05 * 0.95 / 8000)


def test_the_probability_of_staying_inside_is_exact():
    """Two data sets, ranks 0 to 2: not both may be 0, and not both may be 2; either happens in one case of nine."""
    narrow = calibrate.Band(np.array([0, 1]), np.array([1, 2]))
    assert calibrate._probability_inside(narrow, 2) == pytest.approx(7 / 9, rel=1e-12)


def test_more_data_sets_make_a_narrower_band_and_fewer_false_alarms_a_wider_one():
    def width(data_sets: int, outside: float) -> float:
        found = calibrate.band(data_sets, 99, outside=outside)
        return float((found.upper - found.lower).max() / data_sets)

    assert width(1000, 0.01) < width(200, 0.01) < width(200, 0.0001)


@pytest.mark.slow
def test_the_p_value_is_uniform_and_says_what_the_band_says():
    ranks = pd.DataFrame(uniform_ranks(200, 99, 1000).T)
    found = calibrate.verdicts(ranks, draws=99)
    assert 0.03 < (found["p_value"] < 0.05).mean() < 0.08
    limit = calibrate.FALSE_ALARMS / 1000
    assert (found["inside"] | (found["p_value"] <= limit)).all()
    assert (~found["inside"] | (found["p_value"] > 0.9 * limit)).all()


def test_a_single_data_set_proves_nothing():
    found = calibrate.verdicts(pd.DataFrame({"r": [10], "q": [0]}), draws=19)
    assert found["inside"].all()
    assert (found["p_value"] > 0.05).all()


WRONG = {
    "too low": lambda u: u**1.5,
    "too high": lambda u: 1 - (1 - u) ** 1.5,
    "too narrow": lambda u: np.where(u < 0.5, 2 * u**2, 1 - 2 * (1 - u) ** 2),
    "too wide": lambda u: 0.5 + np.sign(u - 0.5) * np.abs(u - 0.5) ** 2 * 2,
    "stuck": lambda u: 0 * u,
}


@pytest.mark.parametrize("name", WRONG)
def test_ranks_that_are_not_uniform_leave_the_band(name):
    u = np.random.default_rng(2).random(300)
    ranks = pd.DataFrame({"right": np.floor(200 * u), "wrong": np.floor(200 * WRONG[name](u)).clip(0, 199)})
    found = calibrate.verdicts(ranks.astype(int), draws=199)
    assert found["inside"].to_dict() == {"right": True, "wrong": False}
    assert found.loc["wrong", "p_value"] < 1e-3 < found.loc["right", "p_value"]
    assert found.loc["wrong", "beyond_band"] > 0 == found.loc["right", "beyond_band"]


# --- data sets and quantities


def test_a_data_set_is_lived_on_whole_days_and_follows_from_its_seed():
    first, again, other = (calibrate.data_set(TRUTH, customers=200, horizon=YEAR, seed=seed) for seed in (1, 1, 2))
    pd.testing.assert_frame_equal(first, again)
    assert not first["T"].equals(other["T"])
    assert first["T"].between(0, calibrate.ACQUISITION_WEEKS).all()
    days = 7 * first[["recency", "T"]].to_numpy()
    np.testing.assert_allclose(days, days.round(), atol=1e-9)
    assert (first["recency"] <= first["T"]).all()


def test_lives_are_those_of_the_model_that_is_judged():
    """Where most buy in two or four even steps gaps are much alike: their mean logarithm is near that of their mean."""

    def unevenness(truth) -> float:
        shop = calibrate.data_set(truth, customers=4000, horizon=YEAR, seed=1).query("frequency > 4")
        return (np.log(shop["recency"] / shop["frequency"]) - shop["log_gaps"] / shop["frequency"]).mean()

    assert unevenness(REGULAR) < 0.7 * unevenness(fixed_draws(1, **CDNOW))


def test_a_base_is_refused_for_what_was_seen():
    few = customers(*[(1, 4.0, 20.0, 10.0 + i) for i in range(29)], *[(0, 0.0, 20.0, 0.0)] * 200)
    enough = pd.concat([few, customers((2, 5.0, 20.0, 15.0))])
    assert calibrate.refused(few, horizon_weeks=52)
    assert not calibrate.refused(enough, horizon_weeks=52)


def test_the_truth_is_what_the_parameters_say_and_what_came():
    base = customers((0, 0.0, 20.0, 0.0), (2, 30.43, 38.86, 22.35)).assign(future_value=[3.0, 40.0])
    true = calibrate.true_values(base, fixed_draws(1, **CDNOW))
    assert list(true) == [*CDNOW, "p_first", "first_ratio", *calibrate.QUANTITIES]
    assert true["r"] == CDNOW["r"]
    assert true["p_alive"] == pytest.approx(0.727, abs=1e-3)  # customer 0001 of CDNOW, published
    assert true["customer_value"] == 40.0  # of the first who came back
    assert true["total_value"] == 43.0


def test_the_future_is_that_of_the_forecast():
    base = customers((0, 0.0, 20.0, 0.0), (2, 30.43, 38.86, 22.35), (1, 3.0, 9.0, 50.0))
    drawn = calibrate.of_future(base, fixed_draws(50, **CDNOW), YEAR, seed=3)
    _, values, _ = futures(base, fixed_draws(50, **CDNOW), YEAR, seed=3)
    np.testing.assert_array_equal(drawn["customer_value"], values[1])
    np.testing.assert_allclose(drawn["total_value"], values.sum(axis=0), rtol=1e-12)


# --- from end to end, small

SMALL = ("nothing", "swapped", "expectation")


@pytest.fixture
def small(monkeypatch) -> str:
    """The name of a run with two mistakes that few data sets give away."""
    two = replace(script.RUNS["mistakes"], mistakes={name: script.MISTAKES[name] for name in SMALL})
    monkeypatch.setitem(script.RUNS, "small", two)
    return "small"


@pytest.mark.slow
def test_the_models_are_calibrated_and_planted_mistakes_are_noticed(small):
    figures, ranks = script.judged(small, data_sets=40, seed=1)
    assert figures["calibrated"], figures["outside"]
    assert figures["data_sets"] + figures["refused"] == 40
    assert not figures["crashed"]
    assert set(figures["mistakes"]["swapped"]["outside"]) >= {"b", "p_alive"}
    assert set(figures["mistakes"]["expectation"]["outside"]) >= {"customer_value"}
    # A mistake changes what it touches and nothing else.
    pd.testing.assert_frame_equal(ranks["swapped"][["r", "p", "q"]], ranks["nothing"][["r", "p", "q"]])


def test_a_life_on_a_calendar_knows_the_days_that_were_and_those_to_come():
    """Nobody buys in the two weeks that are closed, twice as many in December, and its luck is the truth's own."""
    often = fixed_draws(1, key="bgnbd", **CDNOW | {"r": 50.0, "alpha": 100.0, "a": 0.01, "b": 50.0})
    on_it = calibrate.on_calendar(often, script.RUNS["calendar"].clock, seed=1)
    on_it.theta[0, 4 + 11] = np.log(1.5) / 0.15 + 0.15 / 2  # the December to come holds half as much again
    ages, ahead = np.full(4_000, 700 / 7), 52.0
    counts, weeks = calibrate._lives(on_it, ages, ahead, np.random.default_rng(1))
    born = np.datetime64(calibrate.SEEN_FROM) - 700
    day = pd.Series(born + np.rint(weeks * 7).astype(int))
    assert counts.sum() == len(day)
    by_month = day.dt.to_period("M").value_counts()
    assert not day.between("2024-08-04", "2024-08-17").any() and day.between("2025-08-18", "2025-08-31").any()
    assert by_month["2024-12"] / by_month["2024-10"] == pytest.approx(2, abs=0.1)
    assert by_month["2025-12"] / by_month["2024-12"] == pytest.approx(1.5, abs=0.1)


@pytest.mark.slow
def test_a_fit_that_breaks_down_is_counted_and_fails_the_run(small, monkeypatch):
    from clv.models import sampling

    class Panic(BaseException):
        """Like nutpie's: no Exception."""

    def sample(compiled, customers, settings, whole=sampling.sample):
        if customers["frequency"].sum() % 4 == 0:
            raise Panic
        return whole(compiled, customers, settings)

    monkeypatch.setattr(sampling, "sample", sample)
    figures, _ = script.judged(small, data_sets=8, seed=1)
    assert 0 < len(figures["crashed"]) < 8
    assert figures["crashed"][0].endswith(": Panic")
    assert not script.passed({small: figures | {"calibrated": True, "mistakes": {}}})


@pytest.mark.slow
def test_a_small_run_leaves_figures_page_and_picture(tmp_path):
    given = [
        "--only",
        "laplace_estimated",
        "--datasets",
        "6",
        "--seed",
        "7",
        "--workers",
        "1",
        "--folder",
        str(tmp_path),
    ]
    assert script.main(given) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["sbc.json", "sbc.md", "sbc.png"]
    told, page = (tmp_path / "sbc.json").read_text(), (tmp_path / "sbc.md").read_text()
    run = json.loads(told)["runs"]["laplace_estimated"]
    assert set(run["quantities"]) > set(calibrate.QUANTITIES)
    assert run["typical_order_value"] == "estimated"
    assert run["refused_share"] == pytest.approx(run["refused"] / 6, abs=1e-4)
    assert "| BG/NBD, laplace, estimated |" in page
    assert all(place not in text for place in (str(root()), str(tmp_path)) for text in (told, page))


# --- what the page says


def quantities(**p_values: float) -> dict[str, dict[str, float]]:
    return {
        name: {"p_value": p_values.get(name, 0.5), "largest_difference": 0.02, "inside": name not in p_values}
        for name in (*CDNOW, *calibrate.QUANTITIES)
    }


RUN = {
    "model": "BG/NBD",
    **{
        "method": "laplace",
        "typical_order_value": 1.0,
        "on_a_calendar": False,
        "data_sets": 98,
        "refused": 2,
        "refused_share": 0.02,
    },
    **{"crashed": [], "fell_back_to_nuts": {"purchases": 1, "spend": 0}, "smallest_effective_draws": 2100.4},
    **{"seconds": 12.3, "calibrated": True, "outside": [], "quantities": quantities()},
}
FOUND = {"calibrated": False, "outside": ["a", "b"], "quantities": quantities(a=2e-5, b=0.0)}
PASSED = {"calibrated": True, "outside": [], "quantities": quantities()}
ABOUT = {
    **{"machine": {"processor": "Abacus", "cores": 2, "python": "3.13.0", "pymc": "6", "nutpie": "0"}},
    **{"date": "2026-01-01", "seed": 1, "customers": 300, "draws": 199, "false_alarms": 0.01, "seconds": 600},
}


def test_the_page_says_what_noticed_a_mistake_and_which_passed():
    mistakes = {"swapped": FOUND, "undiscounted": PASSED}
    page = script.page(ABOUT | {"passed": False, "runs": {"mistakes": RUN | {"mistakes": mistakes}}})
    assert "**Not everything passed.**" in page
    assert (
        "| BG/NBD, laplace, stated, for mistakes | 98 | 2.0% | 0 | 1 | 2,100 | 0.02 | 0.5 | calibrated | 12 |" in page
    )
    assert "| a and b swapped | b (< 1e-9), a (2e-05) | 0.02 |" in page
    assert "| no discount | **nothing** (smallest p-value 0.5) | 0.02 |" in page
    on_it = RUN | {"on_a_calendar": True, "mistakes": {"steady": FOUND}}
    page = script.page(ABOUT | {"passed": True, "runs": {"calendar": on_it}})
    assert "| BG/NBD, laplace, stated, on a calendar | 98 |" in page
    assert "| the calendar left out of the forecast | b (< 1e-9), a (2e-05) |" in page


def test_a_quantity_outside_its_band_and_a_breakdown_stand_out():
    run = RUN | {"calibrated": False, "outside": ["v"], "quantities": quantities(v=1e-4)}
    broken = run | {"crashed": ["data set 13: PanicException"]}
    page = script.page(ABOUT | {"passed": False, "runs": {"laplace_stated": broken}})
    assert "| v | **0.0001** |" in page
    assert "**not calibrated**" in page
    assert "**Not fitted:** BG/NBD, laplace, stated, data set 13: PanicException." in page


def test_a_run_passes_if_it_is_calibrated_and_its_mistakes_are_noticed():
    assert script.passed({"laplace_stated": RUN})
    assert script.passed({"mistakes": RUN | {"mistakes": {"swapped": FOUND}}})
    assert not script.passed({"mistakes": RUN | {"mistakes": {"swapped": FOUND, "undiscounted": PASSED}}})
    assert not script.passed({"laplace_stated": RUN | {"calibrated": False}})
    assert not script.passed({"nuts_stated": RUN | {"crashed": ["data set 13: PanicException"]}})
