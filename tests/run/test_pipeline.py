"""Two notebooks side by side: whatever becomes of one, the other is treated fairly and the user told all of it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from clv.errors import GateError, InputError
from clv.run import artefacts, pipeline, prepare
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.commands import INTERRUPTED
from clv.run.execute import NotebookError
from clv.run.folder import Run

TOY = Run("toy")
HERE, BESIDE = NOTEBOOKS[2:4]
PROCESS = "import os, signal, time; runner = os.getppid(); "


def writes(name: str) -> str:
    """Return a cell that writes every artefact of a notebook."""
    places = [str(TOY.path(key)) for key, artefact in ARTEFACTS.items() if artefact.notebook == name]
    return (
        f"from pathlib import Path\nfiles = [Path(place) for place in {places}]\n"
        "made = [file.parent.mkdir(parents=True, exist_ok=True) for file in files]\n"
        "written = [file.write_text('') for file in files]"
    )


@pytest.fixture
def two(outputs, toy):
    """A function that writes both notebooks, each with a cell before the one that writes: what runs them."""
    del outputs  # the folder is redirected
    settings = {"source": "cdnow", "calibration_end": None, "seed": 1, "engine": "local"}

    def write(cell: str, other: str) -> str:
        files = [toy(name, code, writes(name)) for name, code in ((HERE, cell), (BESIDE, other))]
        for key, content in ((HERE, {"run": "toy"}), (BESIDE, {"run": "toy"}), (prepare.SETTINGS, settings)):
            prepare.parameter_file(TOY, key).parent.mkdir(parents=True, exist_ok=True)
            prepare.parameter_file(TOY, key).write_text(json.dumps(content))
        return (
            "from pathlib import Path; from clv.run import Run, commands, pipeline; "
            f"one, other = (Path(file) for file in {list(map(str, files))}); "
            f"asked = {settings}; "
            "commands.bring_up_to_date = lambda _: pipeline._make_side_by_side(one, other, Run('toy'), asked); "
            "raise SystemExit(commands.main(['report', 'toy.yaml']))"
        )

    return write


def start(code: str) -> subprocess.Popen[str]:
    """Start a process in a group of its own, as a shell does on a terminal."""
    return subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=artefacts.root(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A background job of a shell ignores Ctrl-C, and hands that down.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )


def events() -> list[tuple[str, str]]:
    """Return what the log tells of notebooks."""
    file = TOY.folder / "log.jsonl"
    told = map(json.loads, file.read_text().splitlines()) if file.exists() else ()
    return [(event["event"], event["notebook"]) for event in told if event["event"] != "stage"]


def living(group: int) -> list[str]:
    """Return the processes of a group that live on."""
    told = subprocess.run(["ps", "-eo", "pgid=,stat=,args="], capture_output=True, text=True, check=True).stdout
    lines = [line.split(maxsplit=2) for line in told.splitlines()]
    return [args for pgid, state, args in lines if int(pgid) == group and not state.startswith("Z")]


REFUSE_HERE = "from clv.errors import GateError; raise GateError('R-hat is 1.2.')"
REFUSE_BESIDE = "from clv.errors import InputError; raise InputError('No buyers.')"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("cell", "other", "code", "last", "done"),
    [
        ("1", "1", 0, f"{BESIDE} ... ", {HERE, BESIDE}),
        (REFUSE_HERE, "import time; time.sleep(2)", GateError.exit_code, "R-hat is 1.2.", {BESIDE}),
        ("import time; time.sleep(2)", REFUSE_BESIDE, InputError.exit_code, "No buyers.", {HERE}),
        (REFUSE_HERE, REFUSE_BESIDE, GateError.exit_code, "R-hat is 1.2.", set()),
        (
            "import time; time.sleep(2)",
            f"{PROCESS}os.kill(runner, signal.SIGKILL)",
            NotebookError.exit_code,
            f"{BESIDE}: its process was killed; what was finished stays.",
            {HERE},
        ),
    ],
)
def test_the_other_one_comes_to_its_end_and_every_refusal_is_said(two, cell, other, code, last, done):
    with start(two(cell, other)) as process:
        _, said = process.communicate(timeout=120)
    assert (process.returncode, "Traceback" in said) == (code, False), said
    assert {name for event, name in events() if event == "done"} == done
    assert {name for event, name in events() if event == "started"} == {HERE, BESIDE}
    if code:
        assert last in said.splitlines()[-1]
    assert ("No buyers." in said) == (other == REFUSE_BESIDE)


@pytest.mark.slow
@pytest.mark.parametrize(("number", "to_all"), [(signal.SIGINT, True), (signal.SIGINT, False), (signal.SIGTERM, False)])
def test_who_stops_one_process_stops_both_and_is_told_once(two, outputs, number, to_all):
    waits = f"import time; from pathlib import Path; Path({str(outputs)!r}, 'alive' + str(time.time_ns())).touch()"
    code = two(f"{waits}; time.sleep(90)", f"{waits}; time.sleep(90)")
    code = "import signal; signal.signal(signal.SIGTERM, signal.default_int_handler); " + code
    with start(code) as process:
        while len(list(outputs.glob("alive*"))) < 2:
            assert process.poll() is None
            time.sleep(0.1)
        (os.killpg if to_all else os.kill)(process.pid, number)
        _, said = process.communicate(timeout=60)
    assert said == "interrupted: what was finished stays, the next make continues\n"
    assert process.returncode == INTERRUPTED
    assert [event for event, _ in events()].count("failed") == 2
    assert not list(outputs.rglob("*.tmp*")) + list(outputs.rglob("*.progress"))
    ends = time.monotonic() + 20  # whoever is ending is given the time for it
    while left := [line for line in living(process.pid) if "resource_tracker" not in line]:
        assert time.monotonic() < ends, left
        time.sleep(0.1)


def test_two_run_side_by_side_where_each_has_a_core_and_its_memory(monkeypatch, tmp_path):
    monkeypatch.setattr(os, "process_cpu_count", lambda: 2)
    monkeypatch.setattr(pipeline, "CONTAINERS_LIMIT", tmp_path / "none")
    monkeypatch.setattr(os, "sysconf", lambda name: {"SC_PAGE_SIZE": 2**12, "SC_PHYS_PAGES": 2**21}[name])  # 8 GiB
    assert pipeline._is_room_for_two({"workers": 2, "memory_gib": 4})
    assert not pipeline._is_room_for_two({"workers": 2, "memory_gib": 4.1})
    assert not pipeline._is_room_for_two({"workers": 1, "memory_gib": 1})
    for limit, room in ((str(2**33), True), (str(2**33 - 1), False), ("max", True)):  # of a container
        (tmp_path / "memory.max").write_text(f"{limit}\n")
        monkeypatch.setattr(pipeline, "CONTAINERS_LIMIT", tmp_path / "memory.max")
        assert pipeline._is_room_for_two({"workers": 2, "memory_gib": 4}) == room
