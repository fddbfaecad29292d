"""What `make bench` says: ratios and tables follow from the figures, and a small run leaves all three files."""

import json

import bench
import numpy as np
import pytest
import xarray as xr

from clv.run.artefacts import root

MACHINE = {
    **{"processor": "Abacus", "cores": 2, "memory_gib": 24.0, "python": "3.13.0"},
    **dict.fromkeys(bench.PACKAGES, "1.0"),
}
FIT = {
    "pymc_marketing": {"first_seconds": 20.0, "further_seconds": 10.0},
    "nuts": {"first_seconds": 10.0, "further_seconds": 5.0},
    "laplace": {"first_seconds": 4.0, "further_seconds": 0.1},
}


def test_a_ratio_is_their_time_over_ours():
    assert bench.ratios({"fit": {"purchases": FIT}}) == {
        "laplace_first_fit": 5.0,
        "laplace_further_fit": 100.0,
        "nuts_first_fit": 2.0,
        "nuts_further_fit": 2.0,
    }


def test_what_was_not_measured_on_both_sides_has_no_ratio():
    assert bench.ratios({"scoring": {"error": "RuntimeError"}, "fit": {"purchases": {"nuts": FIT["nuts"]}}}) == {}


def test_every_ratio_has_a_label():
    assert list(bench.RATIO_LABELS) == list(bench.RATIOS)


def test_a_table_has_numbers_to_the_right_and_dashes_where_nothing_was_measured():
    rows = [{"what": "theirs", "seconds": 12.345}, {"what": "ours", "seconds": 0.01234, "rows": 1_234_567}]
    assert bench.table(rows, {"what": "what", "seconds": "s", "rows": "rows"}).splitlines() == [
        "| what | s | rows |",
        "| --- | --: | --: |",
        "| theirs | 12.3 | – |",
        "| ours | 0.0123 | 1,234,567 |",
    ]


def line(notebook: str, event: str, seconds: float, peak_mib: int, **stage: str) -> str:
    return json.dumps({"notebook": notebook, "event": event, "seconds": seconds, "peak_mib": peak_mib, **stage})


def test_seconds_of_fitting_and_scoring_are_sums_of_stages():
    """Sampling happens within fitting, so it does not count a second time; the peak is the largest of any notebook."""
    found = bench.from_log(
        [
            json.dumps({"notebook": "03_bgnbd_bayes", "event": "started"}),
            line("03_bgnbd_bayes", "stage", 4.0, 500, stage="sampling by NUTS"),
            line("03_bgnbd_bayes", "stage", 5.0, 500, stage="fitting bgnbd"),
            line("03_bgnbd_bayes", "stage", 2.0, 500, stage="fitting bgnbd_calibration"),
            line("03_bgnbd_bayes", "done", 10.0, 600),
            line("05_segments", "stage", 0.5, 700, stage="expected values"),
            line("05_segments", "stage", 3.0, 700, stage="simulating futures"),
            line("05_segments", "done", 9.0, 700),
            json.dumps({"notebook": None, "event": "finished"}),
        ]
    )
    assert found == {
        "fit_seconds": 7.0,
        "scoring_seconds": 3.5,
        "peak_mib": 700,
        "notebooks": {
            "03_bgnbd_bayes": {"seconds": 10.0, "peak_mib": 600},
            "05_segments": {"seconds": 9.0, "peak_mib": 700},
        },
    }


def test_an_error_names_no_place():
    told = "OSError: '/home/ada/clv/outputs/bench/log.parquet' from https://registry.example/simple is 3/4 full"
    assert bench.without_places(told) == "OSError: 'log.parquet' from ... is 3/4 full"


def test_a_failed_item_is_said_on_the_page_and_the_others_stay():
    rows = [{"customers": 1000, "transactions": 3986, "pipeline_seconds": 61.5, "peak_mib": 640}]
    measured = {"logs": {"error": "ValueError: no"}, "scaling": rows}
    about = {"machine": MACHINE, "date": "2026-01-01", "busy_cores_of_others": {"logs": 0.04, "scaling": 1.26}}
    page = bench.page(about | measured | {"ratios": {}})
    assert "## Raw logs\n\nNot measured: ValueError: no\n" in page
    assert "kept busy, in cores: 0.0 (raw logs), 1.3 (growing customer bases)." in " ".join(page.split())
    assert "| 1,000 | 3,986 | – | – | 61.5 | 640 |" in page


def test_a_failed_item_fails_the_bench_and_the_others_are_measured(tmp_path, monkeypatch):
    def fail(work, largest):
        raise ValueError(f"nothing in {work}/log.parquet")

    monkeypatch.setitem(bench.ITEMS, "fit", fail)
    monkeypatch.setitem(bench.ITEMS, "logs", lambda work, largest: [{"customers": largest}])
    monkeypatch.setattr(bench, "write", lambda figures, folder: written.append(figures))
    written: list[dict] = []
    assert bench.main(["--only", "fit", "logs", "--largest", "7", "--folder", str(tmp_path)]) == 1
    assert written[0]["fit"] == {"error": "ValueError: nothing in log.parquet"}
    assert written[0]["logs"] == [{"customers": 7}]


@pytest.mark.parametrize(("processors", "kept"), [(0, True), (1, False)])
def test_one_item_measured_again_leaves_the_others_of_this_machine_with_their_date(
    tmp_path, monkeypatch, processors, kept
):
    monkeypatch.setattr(bench, "write", lambda figures, folder: written.append(figures))
    monkeypatch.setitem(bench.ITEMS, "scaling", lambda work, largest: [{"customers": largest, "transactions": 9}])
    written: list[dict] = []
    host = bench.machine()
    before = {"machine": host | {"cores": host["cores"] + processors}, "date": "2020-01-01", "logs": [{"rows": 3}]}
    (tmp_path / "bench.json").write_text(json.dumps(before | {"busy_cores_of_others": {"logs": 0.0}}))
    assert bench.main(["--only", "scaling", "--largest", "7", "--folder", str(tmp_path)]) == 0
    assert written[0].get("logs") == ([{"rows": 3}] if kept else None)
    assert ("Measured again on 20" in bench.page(written[0])) == kept


def test_both_sides_score_with_the_draws_of_upstream_which_knows_no_first_orders(tmp_path):
    shape = (bench.CHAINS, bench.DRAWS)
    for model, names in {"purchases": ("r", "alpha", "a", "b"), "spend": ("p", "q", "v")}.items():
        drawn = {name: (("chain", "draw"), np.full(shape, 2.0 + place)) for place, name in enumerate(names)}
        xr.DataTree.from_dict({"posterior": xr.Dataset(drawn)}).to_netcdf(tmp_path / f"{model}.nc", engine="h5netcdf")
    draws = bench._same_draws(str(tmp_path))
    assert len(draws) == bench.CHAINS * bench.DRAWS
    assert (draws.theta == [2.0, 3.0, 4.0, 5.0]).all()
    assert (draws.phi == [2.0, 3.0, 4.0, 2.0, 1.0, 1.0]).all()  # p, q, v, p_first, first_ratio, paid share


@pytest.mark.slow
def test_a_small_bench_leaves_figures_page_and_picture(tmp_path):
    assert bench.main(["--only", "logs", "--largest", "800", "--folder", str(tmp_path)]) == 0
    assert sorted(file.name for file in tmp_path.iterdir()) == ["bench.json", "bench.md", "bench.png"]
    told = (tmp_path / "bench.json").read_text()
    figures = json.loads(told)
    assert all(log[key] for log in figures["logs"] for key in bench.LOGS_COLUMNS)
    for text in (told, (tmp_path / "bench.md").read_text()):
        assert str(root()) not in text
        assert str(tmp_path) not in text
