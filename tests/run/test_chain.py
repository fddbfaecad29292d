"""The chain of a run: what belongs together is read and verified, what does not is refused with both sides named."""

import json
import os
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from clv.errors import InputError, IntegrityError
from clv.run import artefacts, chain, commands, manifest, pipeline, prepare, provenance
from clv.run import execute as run_execute
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.chain import VARIABLE, Mark
from clv.run.folder import Run
from clv.run.prepare import SETTINGS

pytestmark = pytest.mark.slow  # each of its many tests takes half a second

READS = {
    "01_generate": [],
    "02_rfm": ["transactions"],
    "03_bgnbd_bayes": ["rfm"],
    "04_gamma_gamma": ["rfm"],
    "05_segments": ["transactions", "rfm", "bgnbd", "gamma_gamma"],
    "06_report": ["key_figures", "choice"],
}
REPORT = "<html>"


class Shop:
    """A run whose notebooks are executed without a kernel: each reads, writes its artefacts and leaves its record."""

    def __init__(self, folder: Path, toy: Callable[..., Path], name: str = "shop") -> None:
        """Prepare six small notebooks and the settings of a run on a log of one line."""
        self.run, self.notebooks, self.log = Run(name), folder / "notebooks", folder / "log.csv"
        self.params = folder / f"{name}.yaml"
        self.log.write_text("id,date,amount\nada,2025-01-01,5\n")
        for notebook in NOTEBOOKS:
            toy(notebook, parameters='run: str = "lab"\nseed: int = 1', folder=self.notebooks)
        self.set(seed=1)

    def set(self, *, seed: int) -> None:
        """Hand out settings with this seed."""
        columns = "{customer_id: id, date: date, amount: amount}"
        self.params.write_text(f'source: {self.log}\ncolumns: {columns}\ndate_format: "%Y-%m-%d"\nseed: {seed}\n')
        prepare.prepare(self.params, self.notebooks)

    def execute(self, notebook: str, write: Callable[[], None] | None = None) -> None:
        """Execute a notebook that reads what it should and writes its artefacts, `write` among them."""
        source = self.notebooks / f"{notebook}.ipynb"
        seed = prepare.parameters(self.run, notebook)["seed"]
        wanted = prepare.expected(self.run, notebook, prepare.parameters(self.run, SETTINGS))
        with chain.journal(self.run.folder, provenance.mark(self.run, source)) as journal:
            for key in READS[notebook]:
                chain.require(self.run.folder, ARTEFACTS[key].notebook, ARTEFACTS[key].file)
            for key in (key for key, artefact in ARTEFACTS.items() if self.run.folder / artefact.file in wanted):
                self.run.write_text(key, f"{key} {seed}")
            if write:
                write()
            mark, told = chain.told(journal)
        provenance.require_unchanged(self.run, source, mark)
        for page in prepare.pages(self.run, notebook):
            page.parent.mkdir(exist_ok=True)
            page.write_text(f"{REPORT} {chain.identity(mark)}")
        unfinished = self.run.folder / "unfinished"
        unfinished.write_text(f"{notebook} {seed}")
        files = [*(self.run.folder / file for file in told), *prepare.pages(self.run, notebook)]
        provenance.leave_record(self.run, mark, files, executed=unfinished)
        prepare.executed(self.run, notebook).parent.mkdir(exist_ok=True)
        os.replace(unfinished, prepare.executed(self.run, notebook))

    def finish(self) -> str:
        """Write the manifest; return the run id."""
        return manifest.write_manifest(self.run, self.notebooks)

    def verify(self) -> list[str]:
        """Return what is wrong with the run."""
        return manifest.verify(self.run, self.notebooks)

    def stale(self) -> list[str]:
        """Return the notebooks that would run again now."""
        return [name for name in NOTEBOOKS if self.staleness(name) is not None]

    def staleness(self, name: str) -> str | None:
        """Return why a notebook would run again now."""
        return provenance.staleness(self.run, self.notebooks / f"{name}.ipynb")

    def renew(self, command: str, *, but: str = "") -> list[str]:
        """Return the notebooks that the command executes; of all `but` one, which fails."""
        executed = []

        def execute(source: Path, _: Run) -> None:
            if source.stem == but:
                raise InputError("The server is down.")
            self.execute(source.stem)
            executed.append(source.stem)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(artefacts, "notebooks_folder", lambda: self.notebooks)
            patch.setattr(pipeline, "run_notebook", execute)
            patch.setattr(pipeline, "_is_room_for_two", lambda _: False)
            patch.setattr(pipeline, "_tell_result", lambda _: None)  # toys have none
            assert commands.main([command, str(self.params)]) == (InputError.exit_code if but else 0)
        return executed

    def read(self, key: str) -> None:
        """Read an artefact as the kernel of a notebook by hand does, the contract aside."""
        chain.require(self.run.folder, ARTEFACTS[key].notebook, ARTEFACTS[key].file)


@pytest.fixture
def shop(outputs, toy, tmp_path) -> Shop:
    """A finished run."""
    del outputs  # the folder is redirected
    shop = Shop(tmp_path, toy)
    for notebook in NOTEBOOKS:
        shop.execute(notebook)
    shop.finish()
    return shop


@pytest.fixture
def by_runner(shop) -> Callable[..., Mark]:
    """A function that lets a notebook's kernel do something, and returns what the runner is told."""

    def act(notebook: str, do: Callable[[], object]) -> Mark:
        mark = provenance.mark(shop.run, shop.notebooks / f"{notebook}.ipynb")
        with chain.journal(shop.run.folder, mark) as journal:
            do()
            return chain.told(journal)[0]

    return act


def flip(file: Path) -> None:
    """Change one letter of a file, not its age."""
    before, content = file.stat(), file.read_bytes()
    file.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))


def posterior(value: float) -> xr.DataTree:
    """Return a tiny posterior."""
    draws = {"r": (("chain", "draw"), np.full((2, 4), value))}
    return xr.DataTree.from_dict({"posterior": xr.Dataset(draws), "sample_stats": xr.Dataset(draws)})


# -- what belongs together ---------------------------------------------------------------------------------------------


def test_a_finished_run_verifies_and_nothing_in_it_is_stale(shop):
    assert shop.verify() == []
    assert shop.stale() == []
    for key in ("transactions", "rfm", "bgnbd", "key_figures"):
        shop.read(key)


def test_the_run_id_depends_on_what_goes_in_and_on_nothing_else(shop):
    first = json.loads((shop.run.folder / "manifest.json").read_text())["run_id"]
    assert first in (shop.run.folder / "report.html").read_text()
    for seed in (2, 1):
        shop.set(seed=seed)
        for notebook in NOTEBOOKS:
            shop.execute(notebook)
        assert (shop.finish() == first) == (seed == 1)
        assert shop.verify() == []


def test_a_rerun_of_the_last_notebooks_alone_verifies(shop):
    shop.execute("05_segments")
    shop.execute("06_report")
    shop.finish()
    assert shop.verify() == []


def test_a_record_names_everything_that_went_in_and_came_out(shop):
    record = chain.record(shop.run.folder, "05_segments")
    made_from = record.mark["made_from"]
    assert set(made_from["read"]) == {ARTEFACTS[key].file for key in READS["05_segments"]}
    assert set(made_from["records"]) == set(NOTEBOOKS[:4])
    assert {"data/customers.parquet", "html/05_segments.html", "notebooks/05_segments.ipynb"} <= set(record.wrote)
    assert list(chain.record(shop.run.folder, "01_generate").mark["made_from"]["sources"]) == [str(shop.log)]


# -- what does not -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", ["transactions", "rfm", "bgnbd", "gamma_gamma", "key_figures", "report"])
def test_one_changed_letter_is_found_refused_and_made_again_though_the_file_kept_its_age(shop, key):
    flip(shop.run.path(key))
    file, notebook = ARTEFACTS[key].file, ARTEFACTS[key].notebook
    identity = chain.identity(chain.record(shop.run.folder, notebook).mark)
    why = f"it is not what {notebook} of shop ({identity}) wrote"
    assert shop.verify()[0] == f"{file} does not belong: {why}"
    assert shop.stale() == [notebook]
    with pytest.raises(IntegrityError) as refusal:
        shop.read(key)
    again = "remove it and run `make report PARAMS=params/shop.yaml`"
    assert str(refusal.value) == f"outputs/shop/{file} does not belong here: {why}; {again}."


@pytest.mark.parametrize("part", ["html/03_bgnbd_bayes.html", "notebooks/02_rfm.ipynb", "report.html"])
def test_pages_and_executed_notebooks_are_held_too(shop, part):
    flip(shop.run.folder / part)
    assert shop.verify()[0].startswith(f"{part} does not belong: ")
    assert len(shop.stale()) == 1


def test_a_posterior_swapped_between_two_runs_is_refused(shop, toy, tmp_path):
    other = Shop(tmp_path, toy, name="other")
    for made, value in ((shop, 1.0), (other, 2.0)):
        for notebook in NOTEBOOKS[:4]:
            made.execute(
                notebook, partial(made.run.write_posterior, "bgnbd", posterior(value)) if "03" in notebook else None
            )
    identity = chain.identity(chain.record(shop.run.folder, "03_bgnbd_bayes").mark)
    shutil.copy2(other.run.path("bgnbd"), shop.run.path("bgnbd"))
    assert f"it is not what 03_bgnbd_bayes of shop ({identity}) wrote" in shop.verify()[0]
    with pytest.raises(IntegrityError, match="it is not what 03_bgnbd_bayes of shop"):
        shop.run.read_posterior("bgnbd")
    other.run.read_posterior("bgnbd")


def test_an_earlier_result_put_back_by_hand_is_refused(shop):
    shop.execute("03_bgnbd_bayes", lambda: shop.run.write_posterior("bgnbd", posterior(1.0)))
    kept = shop.run.path("bgnbd").read_bytes()
    shop.set(seed=2)
    for notebook in NOTEBOOKS[:3]:
        shop.execute(notebook)
    shop.run.path("bgnbd").write_bytes(kept)
    with pytest.raises(IntegrityError, match=r"it is not what 03_bgnbd_bayes of shop"):
        shop.run.read_posterior("bgnbd")


def test_what_was_made_from_an_earlier_state_is_refused_by_readers(shop):
    shop.set(seed=2)
    shop.execute("01_generate")
    shop.execute("02_rfm")
    shop.read("rfm")
    with pytest.raises(IntegrityError, match=r"03_bgnbd_bayes was made from an earlier 02_rfm than stands here; run"):
        shop.read("bgnbd")
    with pytest.raises(IntegrityError, match=r"05_segments was made from an earlier 01_generate"):
        shop.read("key_figures")


def test_a_deleted_file_is_found_and_made_again(shop):
    shop.run.path("rfm").unlink()
    assert shop.verify()[0] == "data/rfm.parquet is missing"
    assert shop.stale() == ["02_rfm"]


def test_a_deleted_calibration_is_not_taken_for_a_run_without_backtest(shop):
    def both() -> None:
        shop.run.write_posterior("bgnbd", posterior(1.0))
        shop.run.write_posterior("bgnbd_calibration", posterior(1.0))

    shop.execute("03_bgnbd_bayes", both)
    assert set(shop.run.read_posteriors("bgnbd", "bgnbd_calibration")) == {"bgnbd", "bgnbd_calibration"}
    shop.run.path("bgnbd_calibration").unlink()
    with pytest.raises(IntegrityError, match=r"bgnbd_calibration\.nc is missing: run 03_bgnbd_bayes first"):
        shop.run.read_posteriors("bgnbd", "bgnbd_calibration")


def test_a_file_that_no_notebook_wrote_is_named_and_not_read(shop):
    stray = shop.run.path("bgnbd_calibration")
    stray.write_bytes(b"")
    name = "posterior/bgnbd_calibration.nc"
    assert shop.verify() == [f"{name} does not belong here: no notebook of shop wrote it; remove it"]
    with pytest.raises(IntegrityError, match=r"03_bgnbd_bayes of shop \(\w{12}\) did not write it"):
        shop.run.read_posterior("bgnbd_calibration")


def test_what_an_earlier_execution_exported_is_cleared_away(shop):
    export = shop.run.folder / "exports" / "old.csv"
    shop.execute("05_segments", lambda: shop.run.write_csv("old", pd.DataFrame({"a": [1]})))
    assert export.exists()
    (export.parent / ".old.csv.1.tmp").write_text("what a killed writer left")
    shop.execute("05_segments", lambda: shop.run.write_csv("old", pd.DataFrame({"a": [1]})))
    assert [file.name for file in export.parent.iterdir()] == ["old.csv"]
    shop.execute("05_segments")
    assert not export.exists()


def test_a_failed_rerun_leaves_a_report_that_is_said_to_be_of_an_earlier_state(shop):
    earlier = chain.identity(chain.record(shop.run.folder, "06_report").mark)
    shop.set(seed=2)
    shop.execute("01_generate")  # 02 refuses
    found = shop.verify()
    assert "02_rfm was made with other settings than params/02.json holds now" in found
    assert "02_rfm was made from an earlier 01_generate than stands here" in found
    state = f"report.html is whole, but of an earlier state (run id {earlier}): what is named here is not in it"
    assert found[-1] == state
    with pytest.raises(IntegrityError, match=r"^shop is not whole: 02_rfm was made with other settings"):
        shop.finish()


def test_a_changed_notebook_is_found_and_run_again(shop, toy):
    toy("04_gamma_gamma", "1", parameters='run: str = "lab"\nseed: int = 1', folder=shop.notebooks)
    assert shop.verify()[0].startswith("04_gamma_gamma was made from another notebooks/04_gamma_gamma.ipynb than")
    assert shop.stale() == ["04_gamma_gamma"]


@pytest.mark.parametrize(
    ("changed", "rerun"),
    [
        ("06_report", NOTEBOOKS[5:]),
        ("04_gamma_gamma", NOTEBOOKS[3:]),
        ("03_bgnbd_bayes", (NOTEBOOKS[2], *NOTEBOOKS[4:])),
        ("02_rfm", NOTEBOOKS[1:]),
    ],
)
def test_a_change_reruns_what_depends_on_it_and_nothing_else(shop, toy, changed, rerun):
    toy(changed, "1", parameters='run: str = "lab"\nseed: int = 1', folder=shop.notebooks)
    assert shop.staleness(changed).startswith(f"{changed} was made from another notebooks/{changed}.ipynb than")
    assert shop.renew("report") == list(rerun)
    assert shop.verify() == shop.renew("report") == []


def test_refreshing_reads_the_log_again_and_makes_nothing_old_where_it_is_the_same(shop):
    """A database changes without a file that tells of it."""
    assert shop.renew("refresh") == ["01_generate"]
    assert shop.renew("refresh", but="01_generate") == []  # it failed
    assert shop.stale() == ["01_generate"]


def test_who_makes_a_run_stops_where_another_hands_out_other_settings(shop, monkeypatch, capsys):
    executed = []

    def execute(source: Path, _: Run) -> None:
        executed.append(source.stem)
        shop.execute(source.stem)
        shop.set(seed=3)  # as a second maker begins

    shop.set(seed=2)
    monkeypatch.setattr(artefacts, "notebooks_folder", lambda: shop.notebooks)
    monkeypatch.setattr(pipeline, "run_notebook", execute)
    monkeypatch.setattr(pipeline, "_is_room_for_two", lambda _: False)
    assert commands.main(["report", str(shop.params)]) == IntegrityError.exit_code
    assert executed == ["01_generate"]
    assert "shop: its settings changed while it was being made; run `make report" in capsys.readouterr().err


def test_changed_code_is_found_and_everything_run_again(shop, monkeypatch):
    monkeypatch.setattr(provenance, "code", lambda: {"clv/value.py": "another"})
    assert shop.verify()[0] == "01_generate was made by other code than clv/ holds now"
    assert shop.stale() == list(NOTEBOOKS)


def test_a_log_that_changed_but_kept_size_and_age_is_found(shop):
    flip(shop.log)
    again = "`make refresh PARAMS=params/shop.yaml` reads it again"
    assert shop.verify()[0] == f"01_generate was made from another {shop.log} than stands there now: {again}"
    shop.finish()  # a log may grow while a run goes on


def test_a_folder_copied_under_another_name_is_another_run(shop):
    shutil.copytree(shop.run.folder, shop.run.folder.with_name("copy"))
    copy = Run("copy")
    found = manifest.verify(copy, shop.notebooks)
    assert found[0] == (
        "01_generate has no record of what it wrote: it was not finished, or belongs to another run or version"
    )
    with pytest.raises(IntegrityError, match="has no record in chain/03"):
        copy.read_posterior("bgnbd")


def test_a_changed_manifest_is_found(shop):
    file = shop.run.folder / "manifest.json"
    file.write_text(file.read_text().replace('"seed": 1', '"seed": 2'))
    assert shop.verify() == ["manifest.json does not say what the records say: remove it"]
    file.unlink()
    assert shop.verify() == ["manifest.json is missing: the run was not finished"]


@pytest.mark.parametrize(
    "record", ["", "{", "[]", "{}", '{"run": "shop", "notebook": "02_rfm", "made_from": {}, "wrote": {}}']
)
def test_a_record_that_cannot_be_read_is_none(shop, record):
    chain.record_file(shop.run.folder, "02_rfm").write_text(record)
    assert shop.verify()[0].startswith("02_rfm has no record of what it wrote")
    assert "02_rfm" in shop.stale()


def test_a_record_cannot_make_a_rerun_delete_what_lies_outside(shop, tmp_path):
    victim = tmp_path / "mine"
    victim.write_text("mine")
    for path in (str(victim), "../../mine"):
        file = chain.record_file(shop.run.folder, "05_segments")
        content = json.loads(file.read_text())
        file.write_text(json.dumps(content | {"wrote": content["wrote"] | {path: "0"}}))
        shop.execute("05_segments")
        assert victim.exists()


# -- readers under the runner, and by hand -----------------------------------------------------------------------------


def test_an_older_versions_folder_is_refused_by_the_runner_and_recognised(shop, by_runner):
    shutil.rmtree(shop.run.folder / "chain")
    with pytest.raises(
        IntegrityError, match=r"^outputs/shop/data/rfm\.parquet has no record in chain/02\.json: an older"
    ):
        by_runner("03_bgnbd_bayes", lambda: shop.read("rfm"))
    assert shop.verify() == ["shop was made by an older version, which kept no record of what it wrote"]
    assert shop.staleness("02_rfm").startswith("02_rfm has no record of what it wrote: it was not finished")
    assert shop.stale() == list(NOTEBOOKS)
    shop.read("rfm")  # by hand, nothing speaks against it


def test_what_a_killed_notebook_left_without_a_record_is_refused_to_everyone(shop):
    chain.record_file(shop.run.folder, "03_bgnbd_bayes").unlink()
    with pytest.raises(
        IntegrityError, match=r"bgnbd\.nc has no record in chain/03\.json: an older version or a killed"
    ):
        shop.read("bgnbd")


@pytest.mark.usefixtures("outputs")
def test_by_hand_one_may_write_and_read_again_and_again_and_nothing_claims_to_be_a_run():
    lab = Run("lab")
    for value in (1.0, 2.0):
        lab.write_posterior("bgnbd", posterior(value))
        assert float(lab.read_posterior("bgnbd")["posterior"]["r"][0, 0]) == value
    assert not (lab.folder / "chain").exists()


def test_what_was_written_by_hand_into_a_run_is_refused_there(shop):
    shop.run.write_posterior("bgnbd", posterior(1.0))
    with pytest.raises(IntegrityError, match="it is not what 03_bgnbd_bayes of shop"):
        shop.run.read_posterior("bgnbd")


@pytest.mark.parametrize("change", ["parameters", "notebook", "source", "artefact"])
def test_what_changes_while_a_notebook_runs_makes_its_result_worthless(shop, by_runner, toy, change):
    changes = {
        "parameters": ("params/01.json", lambda: shop.set(seed=2)),
        "notebook": ("01_generate.ipynb", lambda: toy("01_generate", "1", folder=shop.notebooks)),
        "source": ("log.csv", lambda: shop.log.write_text("other")),
        "artefact": ("data/rfm.parquet", lambda: (shop.read("rfm"), flip(shop.run.path("rfm")))),
    }
    name, do = changes[change]
    mark = by_runner("01_generate", do)
    with pytest.raises(IntegrityError) as refusal:
        provenance.require_unchanged(shop.run, shop.notebooks / "01_generate.ipynb", mark)
    assert str(refusal.value).startswith(f"01_generate: {name} changed while it ran; ")
    assert str(refusal.value).endswith("; run `make report PARAMS=params/shop.yaml`.")


def test_a_kernel_whose_runner_was_killed_cannot_write_over_what_the_next_one_makes(shop, monkeypatch):
    mark = provenance.mark(shop.run, shop.notebooks / "05_segments.ipynb")
    abandoned = shop.run.folder / ".05_segments.1.chain"
    abandoned.write_text(json.dumps(mark) + "\n")
    with chain.journal(shop.run.folder, mark):
        monkeypatch.setenv(VARIABLE, str(abandoned))
        before = shop.run.path("key_figures").read_bytes()
        for write in (lambda: shop.run.write_json("key_figures", {}), lambda: shop.run.write_text("key_figures", "")):
            with pytest.raises(IntegrityError, match="Whoever started this notebook is gone"):
                write()
        assert shop.run.path("key_figures").read_bytes() == before


# -- the command -------------------------------------------------------------------------------------------------------


def test_the_command_says_ok_or_names_what_does_not_belong(shop, monkeypatch, capsys):
    monkeypatch.setattr(artefacts, "notebooks_folder", lambda: shop.notebooks)
    identity = chain.identity(chain.record(shop.run.folder, "06_report").mark)
    assert commands.main(["verify", "shop"]) == 0
    assert capsys.readouterr().err.endswith(f"/shop: OK, every file belongs to run id {identity}\n")
    flip(shop.run.path("customers"))
    assert commands.main(["verify", "shop"]) == 4
    first, report, last = capsys.readouterr().err.splitlines()
    assert first.startswith("data/customers.parquet does not belong: ")
    assert report.startswith("report.html is whole, but of an earlier state")
    again = "run `make report PARAMS=params/shop.yaml`."
    assert last.endswith(f"/shop does not belong together: {again}")
    assert commands.main(["verify", "none"]) == 4
    assert capsys.readouterr().err == "outputs/none does not exist: run `make report PARAMS=params/none.yaml`.\n"
    assert not Run("none").folder.exists()


@pytest.mark.slow
def test_copies_to_experiment_on_are_free_but_it_is_said_what_of_the_run_does_not_belong(shop, monkeypatch, capsys):
    monkeypatch.setattr(artefacts, "notebooks_folder", lambda: shop.notebooks)
    (shop.run.folder / "exports").mkdir(exist_ok=True)
    (shop.run.folder / "exports" / "segments.csv").write_text("group\n")  # which notebook 06 offers to take along
    assert (commands.main(["lab", str(shop.params)]), capsys.readouterr().err) == (0, "")
    assert (shop.run.folder / "lab" / "outputs" / "shop" / "exports" / "segments.csv").exists()
    flip(shop.run.path("customers"))
    assert commands.main(["lab", str(shop.params)]) == 0
    assert capsys.readouterr().err.startswith("data/customers.parquet does not belong: ")
    monkeypatch.setenv("CLV_OUTPUTS", str(shop.run.folder / "lab" / "outputs"))
    for value in (1.0, 2.0):
        shop.run.write_posterior("bgnbd", posterior(value))
        shop.run.read_posterior("bgnbd")


def test_while_somebody_makes_a_run_it_is_neither_verified_nor_finished(shop, monkeypatch, capsys):
    monkeypatch.setattr(artefacts, "notebooks_folder", lambda: shop.notebooks)
    with run_execute._only_maker(shop.run, "03_bgnbd_bayes"):
        manifest.manifest_file(shop.run).unlink()  # as whoever makes a run begins
        assert [commands.main(["verify", "shop"]), commands.main(["report", str(shop.params)])] == [5, 5]
    assert "03_bgnbd_bayes is being made by process" in capsys.readouterr().err


def test_a_million_customers_are_hashed_in_seconds(tmp_path):
    file = tmp_path / "customers.csv"
    file.write_bytes(b"0" * (200 << 20))  # customers.csv of a million
    start = time.process_time()
    chain.digest(file)
    assert time.process_time() - start < 2
