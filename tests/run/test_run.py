"""The strict runner, the settings it hands out, and their order: what counts as done, what is left alone."""

import errno
import json
import os
import pty
import re
import shutil
import signal
import subprocess
import sys
import termios
import time
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest

from clv.errors import BusyError, ClvError, GateError, InputError, IntegrityError
from clv.run import artefacts, commands, prepare
from clv.run import execute as run_execute
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.commands import INTERRUPTED
from clv.run.folder import Run

NAME = "04_gamma_gamma"
SETTINGS = {"source": "cdnow", "calibration_end": None, "seed": 1, "engine": "local"}
TOY = Run("toy")


def writes(name: str) -> str:
    """Return a cell that writes every artefact of notebook `name`, with the time so that no two are alike."""
    keys = [key for key, artefact in ARTEFACTS.items() if artefact.notebook == name]
    return (
        "import time\nfrom clv.run import Run\n"
        f"files = [Run(run).path(key) for key in {keys}]\n"
        "made = [file.parent.mkdir(parents=True, exist_ok=True) for file in files]\n"
        "written = [file.write_text(str(time.time_ns())) for file in files]"
    )


@pytest.fixture
def make(outputs, toy, capsys, monkeypatch):
    """A function that runs a notebook of these cells as the command line would: exit code and what was printed."""
    del outputs  # the folder is redirected

    def execute(*code: str, name: str = NAME, settings: dict[str, object] = SETTINGS) -> tuple[int, str]:
        source = toy(name, *code)
        handed = {"run": TOY.name} | {key: settings[key] for key in prepare.declared(source) if key in settings}
        for key, content in ((name, handed), (prepare.SETTINGS, settings)):
            file = prepare.parameter_file(TOY, key)
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(json.dumps(content))
        monkeypatch.setattr(commands, "bring_up_to_date", lambda _: run_execute.run_notebook(source, TOY))
        return commands.main(["report", f"{TOY.name}.yaml"]), capsys.readouterr().err

    return execute


def failed_page() -> str:
    """Return the page that shows what went wrong."""
    return (TOY.folder / "failed" / "04.html").read_text()


@pytest.mark.slow
def test_a_notebook_that_ran_leaves_page_stamp_and_no_trace_of_time_or_place(make, tmp_path):
    code, printed = make(writes(NAME), "print(run)")
    assert (code, printed.startswith(f"{NAME} ... ")) == (0, True)
    stamp = prepare.executed(TOY, NAME)
    executed = nbformat.read(stamp, as_version=4)
    assert executed.cells[-1].outputs[0].text == "toy\n"
    assert str(tmp_path) not in stamp.read_text()
    assert "duration" not in stamp.read_text()
    assert (TOY.folder / "html" / f"{NAME}.html").exists()
    assert not (TOY.folder / "failed").exists()
    assert not list(TOY.folder.rglob("*.tmp*"))


@pytest.mark.slow
def test_a_stamp_is_as_old_as_the_start_so_that_changes_during_a_run_are_noticed(make):
    before = time.time()
    make(writes(NAME), "time.sleep(1)")
    assert prepare.executed(TOY, NAME).stat().st_mtime - before < TOY.path("gamma_gamma").stat().st_mtime - before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "code", "sentence"),
    [
        ("1 / 0", 1, "04_gamma_gamma, cell [3]: ZeroDivisionError: division by zero"),
        ("import sys; sys.exit(0)", 1, "04_gamma_gamma: stopped before its end, at code cell 3 of 4."),
        ("import sys; print('odd', file=sys.stderr)", 1, "04_gamma_gamma, cell [3] wrote a warning: odd"),
        ("import warnings; warnings.warn('odd')", 1, "UserWarning: odd"),
        ("import os; os.kill(os.getpid(), 9)", 1, "the kernel died, probably out of memory; lower memory_gib"),
        ("from clv.errors import InputError; raise InputError('No buyers.')", 2, "No buyers."),
        ("from clv.errors import GateError; raise GateError('R-hat is 1.2.')", 3, "R-hat is 1.2."),
        ("from clv.errors import IntegrityError; raise IntegrityError('Gone.')", 4, "Gone."),
        (
            "raise OSError(28, 'No space left on device')",
            1,
            "04_gamma_gamma, cell [3]: a file could not be written; make room and run make again "
            "(OSError: [Errno 28] No space left on device).",
        ),
        (
            "raise MemoryError",
            1,
            "04_gamma_gamma, cell [3]: the memory did not suffice; lower memory_gib or predictive_draws.",
        ),
        (
            "pass",
            1,
            "04_gamma_gamma: ran to its end without writing data/checks_spend.parquet, data/dependence.parquet, "
            "posterior/gamma_gamma.nc, posterior/gamma_gamma_origins.nc, data/spend_test.parquet.",
        ),
    ],
)
def test_what_goes_wrong_is_one_sentence_and_leaves_the_last_results_alone(make, cell, code, sentence):
    kept = {file: b"the last result" for file in (prepare.executed(TOY, NAME), *prepare.pages(TOY, NAME))}
    for file, content in kept.items():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    found, printed = make(cell, "'last'")
    assert found == code
    assert sentence in printed
    assert len(printed.strip().splitlines()) == 1
    assert sentence.split(": ")[-1][:20] in failed_page()
    assert "An Exception was encountered" not in failed_page()  # papermill's own mark, as text
    ran_to_its_end = "warning" in sentence.lower() or "without writing" in sentence
    assert ("Here it stopped:" in failed_page()) != ran_to_its_end
    assert {file: file.read_bytes() for file in kept} == kept
    assert not list(TOY.folder.rglob("*.tmp*"))


WARNS = """
import sys, warnings
warnings.warn("the column 'Ada Lovelace' of ada@example.org is odd")
print("an odd line", file=sys.stderr)
"""


@pytest.mark.slow
def test_a_kernel_takes_no_port_that_another_may_have_taken_and_leaves_no_socket(make, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    asked = "import json, ipykernel\nfile = ipykernel.get_connection_file()\nprint(json.load(open(file))['transport'])"
    code, _ = make(writes(NAME), asked)
    executed = nbformat.read(prepare.executed(TOY, NAME), as_version=4)
    assert (code, executed.cells[-1].outputs[0].text) == (0, "ipc\n")
    assert not list(tmp_path.glob("clv-*"))


@pytest.mark.slow
def test_a_kernel_that_does_not_start_is_one_sentence(make, toy):
    toy("ipykernel_launcher").with_suffix(".py").write_text("raise SystemExit('no kernel today')\n")
    code, printed = make(writes(NAME))
    assert code == 1
    assert "04_gamma_gamma: the kernel did not start (" in printed
    assert "Traceback" not in printed


@pytest.mark.slow
def test_a_users_run_notes_what_other_packages_warn_of_and_shows_it_nowhere(make, monkeypatch):
    monkeypatch.delenv("CLV_WARNINGS")
    code, printed = make(writes(NAME), WARNS, "print('end')")
    assert (code, printed.count("\n")) == (0, 1)
    noted = [event for event in log() if event["event"] == "warning"]
    assert [(event["cell"], event["kind"], event["text"]) for event in noted] == [
        (4, "UserWarning", 'the column "…" of … is odd'),
    ]
    shown = [*prepare.pages(TOY, NAME), prepare.executed(TOY, NAME)]
    assert not [file for file in shown if "UserWarning" in file.read_text()]
    executed = nbformat.read(prepare.executed(TOY, NAME), as_version=4)
    assert [output.name for cell in executed.cells for output in cell.get("outputs", [])] == ["stdout"]


OVERFLOWS = """
import warnings, numpy
from clv import words
exec(compile("numpy.exp(numpy.array([1e9]))", words.__file__, "exec"))
"""


@pytest.mark.slow
def test_arithmetic_of_ours_that_overflows_stops_every_run(make, monkeypatch):
    monkeypatch.delenv("CLV_WARNINGS")
    code, printed = make(writes(NAME), OVERFLOWS)
    assert code == GateError.exit_code
    assert printed.startswith(
        "04_gamma_gamma, cell [4]: overflow encountered in exp in clv/words.py:1: a figure may be wrong"
    )
    # Somebody else's arithmetic is for them to mend.
    assert make(writes(NAME), OVERFLOWS.replace("words.__file__", "numpy.__file__"))[0] == 0


@pytest.mark.slow
def test_the_page_of_a_refusal_shows_its_sentence_and_not_what_lies_behind_it(make):
    refuses = "from clv.errors import InputError\ntry: int('Ada' + ' L.')\nexcept ValueError as e: "
    assert make(refuses + "raise InputError('No.') from e")[0] == InputError.exit_code
    assert "InputError: No." in failed_page()
    assert "Ada L." not in failed_page()


@pytest.mark.slow
def test_an_artefact_of_the_last_run_does_not_count_as_written(make):
    assert make(writes(NAME))[0] == 0
    assert make("'nothing'")[0] == 1


@pytest.mark.slow
def test_an_artefact_that_other_settings_left_behind_is_removed(make):
    assert make(writes(NAME), settings=SETTINGS | {"calibration_end": "2025-01-31"})[0] == 0
    only_full = writes(NAME).replace("'gamma_gamma_calibration', ", "")
    assert make(only_full)[0] == 0
    assert TOY.path("gamma_gamma").exists()
    assert not TOY.path("gamma_gamma_calibration").exists()


@pytest.mark.slow
def test_the_report_stands_in_the_folder_with_its_code_folded(make):
    link = "\nfrom IPython.display import Markdown, display\ndisplay(Markdown('[all](exports/customers.csv)'))"
    assert make(writes("06_report") + link, name="06_report")[0] == 0
    page = (TOY.folder / "report.html").read_text()
    assert 'href="exports/customers.csv"' in page
    copy = (TOY.folder / "html" / "06_report.html").read_text()
    assert copy == page.replace('href="exports/', 'href="../exports/')  # both lead to the same file
    assert 'class="code folded" hidden' in page


@pytest.mark.slow
def test_a_rerun_takes_the_manifest_away_first(make):
    manifest = TOY.folder / "manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("{}")
    make("1 / 0")
    assert not manifest.exists()


def command(source: Path) -> list[str]:
    """Hand the notebook `source` its settings; return the command that runs it in a process of its own."""
    for key, content in ((source.stem, {"run": "toy"}), (prepare.SETTINGS, SETTINGS)):
        prepare.parameter_file(TOY, key).parent.mkdir(parents=True, exist_ok=True)
        prepare.parameter_file(TOY, key).write_text(json.dumps(content))
    code = (
        "from pathlib import Path; from clv.run import Run, commands, execute; "
        f"commands.bring_up_to_date = lambda _: execute.run_notebook(Path({str(source)!r}), Run('toy')); "
    )
    return [sys.executable, "-c", code + "raise SystemExit(commands.main(['report', 'toy.yaml']))"]


@pytest.mark.slow
def test_ctrl_c_stops_soon_and_leaves_no_stamp(outputs, toy):
    running = outputs / "running"
    source = toy(NAME, f"import time; from pathlib import Path; Path({str(running)!r}).touch(); time.sleep(60)")
    with subprocess.Popen(
        command(source),
        cwd=artefacts.root(),
        stderr=subprocess.PIPE,
        # A background job of a shell ignores Ctrl-C, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        while not running.exists():
            assert process.poll() is None
            time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    assert process.returncode == INTERRUPTED
    assert not prepare.executed(TOY, NAME).exists()
    assert not list(outputs.rglob("*.tmp*")) + list(outputs.rglob("*.progress"))


# -- progress ----------------------------------------------------------------------------------------------------------

WORKS = """
from clv import progress
with progress.stage("counting sheep", of=4) as advance:
    for _ in range(3):
        time.sleep(0.5)
        advance()
"""


def log() -> list[dict]:
    """Return the events in the run's log; each line must be JSON."""
    return [json.loads(line) for line in (TOY.folder / "log.jsonl").read_text().splitlines()]


def on_terminal(source: Path, columns: int) -> str:
    """Run the notebook `source` on a terminal of its own and return all that was written there."""
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(theirs, (24, columns))
    environment = os.environ | {"TERM": "xterm"}
    with subprocess.Popen(
        command(source), cwd=artefacts.root(), env=environment, stderr=theirs, start_new_session=True
    ) as process:
        os.close(theirs)
        written = b""
        with suppress(OSError):  # how Linux reports the end
            while piece := os.read(ours, 1024):
                written += piece
    os.close(ours)
    assert process.returncode == 0, written
    return written.decode().replace("\r\n", "\n")


@pytest.mark.slow
def test_a_terminal_shows_stage_and_share_in_one_line_and_keeps_only_the_last_word(toy):
    written = on_terminal(toy(NAME, writes(NAME), WORKS), columns=60)
    shown = [line.removesuffix("\x1b[K") for line in written.split("\r")]
    assert f"{NAME}  counting sheep  25 %" in shown
    assert f"{NAME}  counting sheep  50 %" in shown
    assert max(map(len, shown)) < 60
    *overwritten, last = written.split("\n")[0].split("\r")
    assert all(line.endswith("\x1b[K") for line in filter(None, overwritten))  # none leaves an end of a longer one
    assert re.fullmatch(rf"\x1b\[K{NAME} \.\.\. \d+ s", last)
    assert written.count("\n") == 1
    assert written.endswith("\n")


@pytest.mark.slow
def test_without_a_terminal_and_in_the_executed_notebook_there_is_no_trace_of_progress(make, monkeypatch):
    monkeypatch.setenv("TERM", "xterm")
    code, printed = make(writes(NAME), WORKS, "print('end')")
    assert code == 0
    assert re.fullmatch(rf"{NAME} \.\.\. \d+ s\n", printed)
    executed = nbformat.read(prepare.executed(TOY, NAME), as_version=4)
    assert [cell.outputs for cell in executed.cells if cell.get("outputs")] == [executed.cells[-1].outputs]
    assert ".progress" not in prepare.executed(TOY, NAME).read_text()
    assert not list(TOY.folder.rglob("*.progress"))


@pytest.mark.slow
def test_the_log_tells_stages_time_and_memory_of_what_ran(make):
    make(writes(NAME), WORKS)
    started, stage, done = log()
    assert [event["event"] for event in (started, stage, done)] == ["started", "stage", "done"]
    assert (stage["notebook"], stage["stage"]) == (NAME, "counting sheep")
    assert 1.5 <= stage["seconds"] <= done["seconds"]
    assert 10 < stage["peak_mib"] <= done["peak_mib"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "reason", "stage"),
    [
        ("1 / 0", "04_gamma_gamma, cell [3]: ZeroDivisionError: ...", None),
        ("with stage('looking up'): {}['ada@example.org']", "04_gamma_gamma, cell [3]: KeyError: ...", "looking up"),
        ("warnings.warn('ada@example.org')", "04_gamma_gamma, cell [3] wrote a warning: ...", None),
        (
            "with stage('checking'): raise IntegrityError('rfm: x < 0 in 1 rows (first: customer_id ada@example).')",
            "rfm: x < 0 in 1 rows.",
            "checking",
        ),
        (
            "with stage('filling memory'): os.kill(os.getpid(), 9)",
            "04_gamma_gamma: the kernel died, probably out of memory; lower memory_gib or predictive_draws.",
            "filling memory",
        ),
    ],
)
def test_the_log_tells_where_and_why_a_notebook_failed_but_of_no_customer(make, cell, reason, stage):
    imports = "import os, warnings; from clv.progress import stage; from clv.errors import IntegrityError; "
    make(f"{imports}\n{cell}", writes(NAME))
    failed = log()[-1]
    assert (failed["event"], failed["reason"], failed["stage"]) == ("failed", reason, stage)
    assert failed["peak_mib"] > 10
    assert "ada" not in (TOY.folder / "log.jsonl").read_text()


def test_a_column_that_a_log_lacks_is_told_before_any_kernel_starts(make, tmp_path, monkeypatch):
    log_file = tmp_path / "shop.csv"
    log_file.write_text("customer,day,amount\nada,2024-01-01,1\n")
    columns = {"customer_id": "customer", "date": "date", "amount": "amount"}
    monkeypatch.setattr(run_execute, "by_papermill", lambda *_, **__: pytest.fail("a kernel was started"))
    code, printed = make(name=NOTEBOOKS[0], settings=SETTINGS | {"source": str(log_file), "columns": columns})
    assert code == InputError.exit_code
    assert printed.startswith("shop.csv lacks the column date (found: customer, day, amount)")
    assert log()[-1]["event"] == "failed"


def test_where_no_home_can_be_written_there_is_one_beside_the_runs(outputs, tmp_path, monkeypatch):
    found = []
    monkeypatch.setattr(commands, "bring_up_to_date", lambda _: found.append(os.environ["HOME"]))
    for home in (tmp_path, tmp_path / "nowhere"):
        monkeypatch.setenv("HOME", str(home))
        assert commands.main(["report", "toy.yaml"]) == 0
    assert found == [str(tmp_path), str(outputs / ".home")]
    assert (outputs / ".home").is_dir()


def test_a_second_maker_of_one_notebook_is_turned_away_and_of_another_is_not(outputs):
    with run_execute._only_maker(TOY, "03_bgnbd_bayes"):
        with run_execute._only_maker(TOY, NAME):
            pass
        with (
            pytest.raises(BusyError, match="03_bgnbd_bayes is being made by process"),
            run_execute._only_maker(TOY, "03_bgnbd_bayes"),
        ):
            pass
    with run_execute._only_maker(TOY, "03_bgnbd_bayes"):
        pass


@pytest.mark.parametrize(("error", "code"), [(ClvError, 1), (InputError, 2), (GateError, 3), (IntegrityError, 4)])
def test_a_refusal_is_printed_as_its_sentence_with_its_exit_code(monkeypatch, capsys, error, code):
    def refuse(params_file: object) -> None:
        raise error("One sentence.")

    monkeypatch.setattr(commands, "bring_up_to_date", refuse)
    assert commands.main(["report", "toy.yaml"]) == code
    assert capsys.readouterr().err == "One sentence.\n"


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "(No space left on device): make room and run make again; what was finished stays."),
        (errno.EROFS, "(Read-only file system): let it be written, or set CLV_OUTPUTS to another folder, and run make"),
        (errno.EACCES, "(Permission denied): let it be written, or set CLV_OUTPUTS to another folder, and run make"),
    ],
)
def test_a_disk_that_refuses_is_told_in_one_sentence_with_what_helps(monkeypatch, capsys, number, advice):
    def refuse(params_file: object) -> None:
        raise OSError(number, os.strerror(number), str(artefacts.root() / "outputs" / "toy" / ".a.json.1.tmp"))

    monkeypatch.setattr(commands, "bring_up_to_date", refuse)
    assert commands.main(["report", "toy.yaml"]) == 1
    assert capsys.readouterr().err.startswith(f"outputs/toy cannot be written {advice}")


# -- settings to notebooks ---------------------------------------------------------------------------------------------


@pytest.fixture
def six(toy, tmp_path) -> Path:
    """A folder with six small notebooks."""
    declares = {"01_generate": "source: str", "05_segments": "horizon_weeks: int"}
    for name in NOTEBOOKS:
        key, _, kind = declares.get(name, "seed: int").partition(": ")
        value = {"str": "'generate'", "int": "1"}[kind]
        toy(name, writes(name), parameters=f'run: str = "lab"\n{key}: {kind} = {value}', folder=tmp_path / "notebooks")
    return tmp_path / "notebooks"


@pytest.fixture
def params_file(tmp_path) -> Path:
    """A params file."""
    file = tmp_path / "shop.yaml"
    file.write_text("source: cdnow\nhorizon_weeks: 26\n")
    return file


@pytest.mark.usefixtures("outputs")
def test_each_notebook_is_handed_exactly_what_it_declares(six, params_file):
    shop = prepare.prepare(params_file, six)
    assert prepare.parameters(shop, "05_segments") == {"run": "shop", "horizon_weeks": 26}
    first = prepare.parameters(shop, "01_generate")
    assert first["source"] == "cdnow"
    assert first["source_files"]["clv/transactions/data/cdnow.csv"]["size"] > 100_000


@pytest.mark.usefixtures("outputs")
def test_a_page_gets_its_letterhead_and_a_logo_that_changes_is_taken_anew(six, params_file, tmp_path):
    logo = tmp_path / "logo.svg"
    logo.write_text('<svg xmlns="http://www.w3.org/2000/svg"/>')
    params_file.write_text(f'source: cdnow\nreport_title: Acme\nreport_accent: "#0072b2"\nreport_logo: {logo}\n')
    shop = prepare.prepare(params_file, six)
    first = prepare.parameters(shop, NOTEBOOKS[-1])["letterhead"]
    assert (first["title"], first["accent"]) == ("Acme", "#0072b2")
    assert first["logo"].startswith("data:image/svg+xml;base64,PHN2Zy")
    logo.write_bytes(b"\x89PNG\r\n")
    assert prepare.parameters(prepare.prepare(params_file, six), NOTEBOOKS[-1])["letterhead"] != first


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "cannot be read \\(No such file or directory\\); paths start at the project folder"),
        (b"GIF89a", "is neither PNG, JPEG nor SVG: give a PNG, JPEG or SVG of at most 200 kB"),
        (b"\x89PNG" + bytes(300_000), "is 300 kB: give a PNG, JPEG or SVG of at most 200 kB"),
    ],
)
def test_a_logo_that_no_page_can_carry_is_refused_before_anything_is_written(six, params_file, outputs, content, fault):
    logo = params_file.with_name("logo.png")
    if content:
        logo.write_bytes(content)
    params_file.write_text(f"source: cdnow\nreport_logo: {logo}\n")
    with pytest.raises(InputError, match=rf"report_logo \S+logo\.png {fault}\.$"):
        prepare.prepare(params_file, six)
    assert not outputs.exists()


@pytest.mark.usefixtures("outputs")
def test_only_the_notebooks_whose_settings_changed_are_touched(six, params_file):
    shop = prepare.prepare(params_file, six)
    before = {name: prepare.parameter_file(shop, name).stat().st_mtime_ns for name in NOTEBOOKS}
    params_file.write_text("source: cdnow\nhorizon_weeks: 27\n")
    prepare.prepare(params_file, six)
    after = {name: prepare.parameter_file(shop, name).stat().st_mtime_ns for name in NOTEBOOKS}
    assert [name for name in NOTEBOOKS if after[name] != before[name]] == ["05_segments"]


def test_a_source_that_does_not_exist_is_refused_before_anything_is_written(six, params_file, outputs):
    params_file.write_text("source: none.csv\ncolumns: {customer_id: a, date: b, amount: c}\n")
    with pytest.raises(InputError, match=r"source none\.csv matches no file"):
        prepare.prepare(params_file, six)
    assert not outputs.exists()


@pytest.mark.usefixtures("outputs")
def test_a_parameter_that_nobody_can_set_is_an_internal_error(six, params_file, toy):
    toy("02_rfm", parameters='run: str = "lab"\nsede: int = 1', folder=six)
    with pytest.raises(ClvError, match=r"^02_rfm\.ipynb declares the parameter sede, which clv.params does not know"):
        prepare.prepare(params_file, six)


def test_typed_parameters_that_may_be_none_are_read(toy):
    file = toy("x", parameters='# why\ncalibration_end: str | None = None\ncolumns: dict[str, str] = {"a": "b"}')
    assert prepare.declared(file) == {"calibration_end": None, "columns": {"a": "b"}}


@pytest.mark.parametrize("line", ["x = 1", "x: int = 1 + y", "print(1)", "x: int"])
def test_a_parameters_cell_holds_annotated_values_only(toy, line):
    with pytest.raises(ClvError, match="must be like `horizon_weeks: int = 52`"):
        prepare.declared(toy("x", parameters=line))


def test_stripping_removes_what_a_run_left_and_is_done_once(toy):
    file = toy("x", "1")
    book = nbformat.read(file, as_version=4)
    book.cells[2].outputs = [nbformat.v4.new_output("stream", text="hello")]
    book.cells[2].execution_count = 7
    book.cells[2].metadata["execution"] = {"time": "now"}
    nbformat.write(book, file)
    assert prepare.strip(file)
    assert not prepare.strip(file)
    assert "hello" not in file.read_text()
    assert nbformat.read(file, as_version=4).cells[1].metadata["tags"] == ["parameters"]


# -- make --------------------------------------------------------------------------------------------------------------


@pytest.fixture
def project(tmp_path, six) -> Path:
    """A copy of the project with six small notebooks and a finished run, older than nothing."""
    root = artefacts.root()
    for part in ("Makefile", "pyproject.toml"):
        shutil.copy(root / part, tmp_path / part)
    for part in ("clv", "params"):
        shutil.copytree(root / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path


def in_project(project: Path, *arguments: str, params: str = "params/cdnow.yaml") -> subprocess.CompletedProcess[str]:
    """Call make in the project's copy, with this Python."""
    hidden = ("CLV_OUTPUTS", "PYTHONPATH", "MAKE", "MFLAGS")  # the last two: these tests may run under make themselves
    environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
    command = ["make", *arguments, f"PYTHON={sys.executable}", *([f"PARAMS={params}"] if params else [])]
    return subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=300)


def test_an_outputs_folder_whose_name_has_spaces_is_refused_in_one_sentence(project):
    refused = in_project(project, "report", "CLV_OUTPUTS=my outputs")
    assert refused.returncode != 0
    assert "CLV_OUTPUTS holds a space, which make takes for two folders: name another one" in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_make_alone_explains_every_target():
    text = subprocess.run(["make"], cwd=artefacts.root(), capture_output=True, text=True, check=True).stdout
    targets = [
        "env",
        "report",
        "verify",
        "check-data",
        "refresh",
        "new-params",
        "lab",
        "smoke",
        "check",
        "test",
        "strip",
        "lock",
        "clean",
    ]
    assert all(f"make {target} " in text for target in targets)


@pytest.mark.slow
def test_wrong_params_stop_make_with_one_sentence(project):
    file = project / "params" / "cdnow.yaml"
    file.write_text(file.read_text() + "disount_rate_annual: 1\n")
    result = in_project(project, "report")
    assert result.returncode != 0
    assert "unknown key disount_rate_annual; did you mean discount_rate_annual?" in result.stderr
    assert "Traceback" not in result.stderr
    assert not (project / "outputs").exists()


def test_cleaning_one_run_keeps_the_others_and_cannot_leave_outputs(project):
    for name in ("one", "two"):
        (project / "outputs" / name).mkdir(parents=True)
    assert in_project(project, "clean", "RUN=../params").returncode != 0
    assert in_project(project, "clean", "PARAMS=params/three.yaml").returncode == 0  # no run of that name: none goes
    assert (project / "outputs" / "one").exists()
    assert in_project(project, "clean", "RUN=one").returncode == 0
    assert [folder.name for folder in (project / "outputs").iterdir()] == ["two"]
    for file in ("forecasts.parquet", "data/rfm.parquet"):
        (project / "outputs" / "two" / file).parent.mkdir(exist_ok=True)
        (project / "outputs" / "two" / file).touch()
    assert in_project(project, "clean", params="").returncode == 0
    assert [file.name for file in (project / "outputs" / "two").iterdir()] == ["forecasts.parquet"]
    assert in_project(project, "clean", "RUN=two", "FORECASTS=1").returncode == 0
    assert not list((project / "outputs").iterdir())
    assert (project / "params").exists()


@pytest.mark.slow
def test_make_runs_all_six_and_then_says_that_all_is_up_to_date(project):
    first = in_project(project, "report")
    assert first.returncode == 0, first.stderr
    folder = project / "outputs" / "cdnow"
    run_id = json.loads((folder / "manifest.json").read_text())["run_id"]
    assert f"run id {run_id}" in first.stderr
    start = time.monotonic()
    second = in_project(project, "report")
    assert (second.stdout, second.stderr) == ("", "outputs/cdnow/report.html is up to date\n")
    assert time.monotonic() - start < 5
    (folder / "data" / "rfm.parquet").write_text("spoilt")
    third = in_project(project, "report")
    made = re.findall(r"^(\d\d_\w+) \.\.\. ", third.stderr, flags=re.MULTILINE)
    assert made == ["02_rfm"], third.stderr  # which wrote what it had written: what was made from that still holds
    assert third.stderr.startswith("cdnow: data/rfm.parquet does not belong: it is not what 02_rfm of cdnow")
    assert in_project(project, "verify", "RUN=cdnow").returncode == 0
    fourth = in_project(project, "report")
    assert (fourth.returncode, fourth.stderr) == (0, "outputs/cdnow/report.html is up to date\n")
