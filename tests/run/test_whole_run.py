"""What a whole run promises: its arrays depend on data, settings and seed alone, its bytes on nothing else at all.

One run is made from a frame by one worker, undisturbed; the other from a file by three workers, killed and continued.
"""

import base64
import doctest
import html
import json
import re
import signal
import sys
from pathlib import Path

import faults
import jsonschema
import pandas as pd
import pytest
import retail
import xarray as xr
from faults import NAME, ONE, Site
from retail import NASTY, handlers

import clv
from clv.errors import InputError
from clv.run.artefacts import root

pytestmark = pytest.mark.slow  # two runs of six notebooks; `make faults` kills more of them, at random moments
COLUMNS = {"customer_id": "id", "date": "date", "amount": "amount"}
PASSWORD = "correct-horse-battery-staple"
SETTINGS = {
    **{"date_format": "%Y-%m-%d", "calibration_end": "2024-12-31", "seed": ONE},
    **{"method": "laplace", "draws": 250, "predictive_draws": 200},
}


@pytest.fixture(scope="module")
def base() -> pd.DataFrame:
    """A log of customers whom nobody leaves; the best of them have nasty ids."""
    log = retail.loyal(500, seed=3)
    spenders = log.assign(amount=log["amount"].astype(float)).groupby("id")["amount"].sum().nlargest(len(NASTY)).index
    return log.assign(id=log["id"].replace(dict(zip(spenders, NASTY, strict=True))))


def fitted(base: pd.DataFrame, site: Site) -> None:
    """Fit the log of a frame, as somebody does in a notebook of their own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLV_OUTPUTS", str(site.outputs))
        clv.fit(base, name=NAME, workers=1, show_customer_ids=True, **COLUMNS, **SETTINGS)


@pytest.fixture(scope="module")
def alone(base, tmp_path_factory) -> Site:
    """A run of a frame by one worker, one notebook at a time, that nobody disturbed."""
    site = Site(tmp_path_factory.mktemp("alone"))
    fitted(base, site)
    return site


@pytest.fixture(scope="module")
def killed_and_said(base, tmp_path_factory) -> tuple[Site, str]:
    """A run of the same as a file by three workers, killed while sampling and continued, two notebooks at a time."""
    site = Site(tmp_path_factory.mktemp("killed"))
    log = site.outputs / "log.parquet"
    base.to_parquet(log)
    site.params.write_text(json.dumps({"source": str(log), "columns": COLUMNS, "workers": 3} | SETTINGS))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PASSWORD", PASSWORD)
        making = site.start()
        site.wait_for(making, "stage", "03_bgnbd_bayes")
        faults.kill(making, signal.SIGKILL)
        code, said = site.make()
    assert code == 0, said
    return site, said


@pytest.fixture(scope="module")
def killed(killed_and_said) -> Site:
    return killed_and_said[0]


@pytest.fixture
def here(alone, monkeypatch) -> Path:
    """The folder of the frame's run, where somebody's notebook looks for it."""
    monkeypatch.setenv("CLV_OUTPUTS", str(alone.outputs))
    return alone.run


def figures_of(site: Site) -> dict:
    return json.loads((site.run / "key_figures.json").read_text())


def table(site: Site, name: str) -> pd.DataFrame:
    return pd.read_parquet(site.run / "data" / f"{name}.parquet")


@pytest.fixture(scope="module")
def runs(alone, killed) -> tuple[Path, Path]:
    """Return the folders of both."""
    return alone.run, killed.run


def test_the_killed_run_had_to_continue(killed):
    begun = [event["notebook"] for event in killed.events() if event["event"] == "started"]
    assert begun.count("03_bgnbd_bayes") == 2
    assert begun.count("02_rfm") == 1


def test_the_terminal_tells_what_customers_will_bring_and_then_where_the_report_stands(killed_and_said):
    killed, said = killed_and_said
    told = said.strip().splitlines()
    value = figures_of(killed)["total_clv"]["mean"]
    assert f"{round(value, -3):,.0f}" in next(line for line in told if line.startswith("Our 500 customers will bring"))
    assert f"{killed.run / 'report.html'} is ready (run id " in told[-1]


def test_every_table_is_the_same(runs):
    names = sorted(file.relative_to(runs[0]) for file in (runs[0] / "data").glob("*.parquet"))
    assert len(names) >= 15
    for name in names:
        pd.testing.assert_frame_equal(*(pd.read_parquet(run / name) for run in runs), check_exact=True)
    kept = [pd.read_parquet(run / "forecasts.parquet").drop(columns="run_id") for run in runs]
    pd.testing.assert_frame_equal(*kept, check_exact=True)


def test_every_posterior_is_the_same(runs):
    for name in ("bgnbd", "bgnbd_calibration", "gamma_gamma", "gamma_gamma_calibration"):
        one, other = (xr.open_datatree(run / "posterior" / f"{name}.nc", engine="h5netcdf").load() for run in runs)
        assert "k_hat" in one["sample_stats"]
        for group in ("posterior", "sample_stats"):
            assert one[group].to_dataset().identical(other[group].to_dataset())


def test_every_figure_of_the_report_is_the_same(runs):
    one, other = (json.loads((run / "key_figures.json").read_text()) for run in runs)
    ids = one.pop("run_id"), other.pop("run_id")
    assert ids[0] != ids[1]  # the settings differ
    assert one == other
    assert (runs[0] / "report.md").read_text() == (runs[1] / "report.md").read_text()
    for export in (runs[0] / "exports").iterdir():
        texts = ((run / "exports" / export.name).read_text() for run in runs)
        assert len({text.replace(run_id, "") for text, run_id in zip(texts, ids, strict=True)}) == 1


def test_the_key_figures_are_as_their_schema_says(runs):
    schema = json.loads((root() / "docs" / "key_figures.schema.json").read_text())
    figures = json.loads((runs[0] / "key_figures.json").read_text())
    jsonschema.validate(figures, schema)
    assert set(figures) == set(schema["properties"])
    for key in schema["required"]:
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({name: figures[name] for name in figures if name != key}, schema)


def test_both_verify_and_the_report_bears_the_run_id_with_what_it_rests_on(alone, killed):
    for site in (alone, killed):
        code, said = site.make("verify")
        run_id = json.loads((site.run / "manifest.json").read_text())["run_id"]
        assert (code, f"every file belongs to run id {run_id}" in said) == (0, True), said
        footer = (site.run / "report.html").read_text().partition("<footer>")[2].replace("\N{NO-BREAK SPACE}", " ")
        for words in (f"run id {run_id}", f"seed {ONE};", "checks ", "pymc-marketing "):
            assert words in footer


# --- what anybody may see


def texts(folder: Path) -> dict[Path, str]:
    """Return every file of a run that people or browsers open, as text: all but the settings themselves."""
    kinds = {".html", ".ipynb", ".md", ".json", ".jsonl"}
    settings = {folder / "params", folder / "manifest.json"}  # hold the params file, in which customers may be excluded
    files = [file for file in folder.rglob("*") if file.suffix in kinds and not settings & {file, file.parent}]
    return {file: with_carried(file.read_text()) for file in files}


def with_carried(page: str) -> str:
    """Return a page's text and that of the files it carries."""
    carried = re.findall(r'href="data:[^"]*;base64,([^"]+)"', page)
    return page + "".join(base64.b64decode(content).decode() for content in carried)


def test_no_page_notebook_or_log_names_a_customer(killed_and_said):
    killed, said = killed_and_said
    files = texts(killed.run)
    assert len(files) >= 15
    assert '\n"rfm_segment",' in files[killed.run / "report.html"]  # what the page carries is looked through too
    fragments = ["ada.lovelace", "alert('clv')", "alert(&#x27;clv", "evil.example", "**bob**"]
    # Digits within a longer number of a chart are nobody's.
    looked_for = {fragment: re.compile(rf"(?<![\d.]){re.escape(fragment)}(?!\d)") for fragment in fragments}
    found = [(file.name, one) for file, text in files.items() for one in fragments if looked_for[one].search(text)]
    assert found == []
    assert not any(fragment in said for fragment in fragments)


def test_the_environment_is_in_no_file(killed):
    for file in killed.run.rglob("*"):
        assert not file.is_file() or PASSWORD.encode() not in file.read_bytes(), file


def test_exports_name_customers_and_no_cell_is_a_formula(killed):
    cells = pd.read_csv(killed.run / "exports" / "customers.csv", dtype=str, keep_default_na=False)
    assert {NASTY[0], NASTY[1], f"'{NASTY[2]}"} <= set(cells["customer_id"])
    for file in killed.run.rglob("*.csv"):
        frame = pd.read_csv(file, dtype=str, keep_default_na=False)
        texts_only = frame.apply(lambda column: column.str.match(r"[=@\t\r]|[+-](?![\d.])")).to_numpy()
        assert not texts_only.any(), file


def test_no_page_has_an_event_handler(killed):
    assert handlers("<p onclick='x'>") == ["onclick"]
    for file in killed.run.rglob("*.html"):
        assert handlers(file.read_text()) == [], file


# --- a frame in somebody's own notebook


def test_a_frame_becomes_a_run_whose_numbers_are_at_hand(alone, here, tmp_path):
    fit = clv.load(here)
    outlook, figures = fit.forecast(), figures_of(alone)
    pd.testing.assert_frame_equal(outlook.customers, table(alone, "customers"), check_exact=True)
    assert (len(outlook.customers), outlook.weeks) == (500, 52)
    assert str(outlook).startswith("500 customers are expected to bring ")
    assert str(outlook) in repr(fit)
    assert figures["gate"]["verdict"] in repr(fit)
    assert outlook._repr_html_().count("<th>") > (outlook.groups["grouping"] == "rfm_segment").sum()
    assert outlook._repr_html_() in fit._repr_html_() and figures["gate"]["verdict"] in fit._repr_html_()
    assert list(fit.check()["name"]) == [check["name"] for check in figures["gate"]["checks"]]
    assert set(fit.backtest()["outcome"]) == {"purchases", "value"}
    assert {"r", "alpha"} <= set(fit.purchases["posterior"].data_vars)
    assert "q" in fit.spend["posterior"]
    assert fit.report(tmp_path / "mine.html").read_bytes() == (alone.run / "report.html").read_bytes()


def test_the_same_frame_again_computes_nothing(base, alone):
    fitted(base, alone)
    assert [event["event"] for event in alone.events()].count("started") == 6


def test_the_examples_in_the_documentation_run(base, here, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    finder, runner = (
        doctest.DocTestFinder(),
        doctest.DocTestRunner(optionflags=doctest.ELLIPSIS),
    )
    given = {"clv": clv, "orders": base, "folder": here, "fit": clv.load(here)}
    given["settings"] = SETTINGS | {"name": NAME, "workers": 1, "show_customer_ids": True}
    for door in (clv.fit, clv.load, type(given["fit"])):
        for examples in finder.find(door, door.__name__, module=False, globs=given):
            runner.run(examples)
    assert (runner.failures, runner.tries > 8) == (0, True)


def test_a_run_stands_in_mlflow_with_its_figures_and_names_no_customer(alone, here, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed: pip install mlflow-skinny")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    mlflow.set_tracking_uri(f"file://{tmp_path}")
    logged = mlflow.get_run(clv.mlflow.log(clv.load(here), experiment="values"))
    figures = figures_of(alone)
    assert logged.data.metrics["total_clv.mean"] == figures["total_clv"]["mean"]
    assert logged.data.metrics["backtest.value.forecast.mean"] == figures["backtest"]["value"]["forecast"]["mean"]
    assert logged.data.params["seed"] == str(ONE)
    assert logged.data.tags["gate"] == figures["gate"]["verdict"]
    files = {file.name for file in tmp_path.rglob("artifacts/*")}
    assert {"report.html", "key_figures.json", "segments.csv"} <= files
    assert not {"customers.csv", "contacts.csv"} & files


def test_without_mlflow_one_sentence_says_what_to_install(here, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(InputError, match="MLflow is not installed: pip install mlflow-skinny"):
        clv.mlflow.log(clv.load(here))


def test_a_refusal_is_raised_as_the_sentence_of_a_run(base, here):
    with pytest.raises(InputError, match="lacks the column Channel"):
        clv.fit(base, name="wrong", group_by=["Channel"], **COLUMNS)
    with pytest.raises(InputError, match="unknown key horizon; did you mean horizon_weeks"):
        clv.fit(base, customer_id="id", date="date", name="wrong", horizon=26)
    with pytest.raises(InputError, match="is no finished run"):
        clv.load(here.parent / "wrong")


def test_a_base_that_nobody_leaves_is_valued_although_maximum_likelihood_has_no_answer(alone):
    """The likelihood of b has no maximum; the prior on the customer's scale keeps the posterior proper."""
    figures, customers = figures_of(alone), table(alone, "customers")
    assert figures["gate"]["verdict"] in ("PASS", "WARN")
    assert customers["p_alive"].median() > 0.9
    assert customers["customer_id"].str.match(r"0").any()  # leading zeros survive
    purchases = figures["backtest"]["purchases"]
    assert purchases["forecast"]["mean"] == pytest.approx(purchases["actual"], rel=0.1)


def test_ids_are_shown_where_that_is_asked_for_and_even_then_as_text(alone):
    page = (alone.run / "report.html").read_text()
    best = table(alone, "customers").sort_values(["clv_mean", "customer_id"], ascending=[False, True])["customer_id"]
    assert set(best.head(10)) & set(NASTY)
    assert all(html.escape(name) in page or html.escape(name, quote=False) in page for name in best.head(10))
    assert "<script>alert('clv')" not in page
    assert handlers(page) == []
