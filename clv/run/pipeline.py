"""Runs what has changed of a run's six notebooks, in their order, up to the manifest."""

import os
import signal
import warnings
from concurrent.futures import BrokenExecutor, Future, ProcessPoolExecutor
from multiprocessing import active_children, get_context
from pathlib import Path
from typing import Any

from clv.errors import ClvError, IntegrityError
from clv.run import artefacts, chain, manifest, prepare, provenance
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.execute import NotebookError, nobody_else, run_notebook
from clv.run.folder import Run
from clv.run.terminal import say

CONTAINERS_LIMIT = Path("/sys/fs/cgroup/memory.max")
# The two models learn from the same customers and do not know each other.
STEPS = (NOTEBOOKS[:1], NOTEBOOKS[1:2], NOTEBOOKS[2:4], NOTEBOOKS[4:5], NOTEBOOKS[5:])


def bring_up_to_date(params_file: Path, *, read_again: bool = False) -> None:
    """Run each notebook whose results do not belong to what stands on disk now, and write the manifest.

    One that ran again and wrote the same makes nothing after it old. With `read_again` the log is read though no file
    of it has changed.
    """
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # make and schedulers stop us so: as good as Ctrl-C
    folder = artefacts.notebooks_folder()
    run = prepare.prepare(params_file, folder)
    if read_again:
        prepare.parameter_file(run, NOTEBOOKS[0]).touch()
    asked = prepare.parameters(run, prepare.SETTINGS)
    for step in STEPS:
        found = {file: provenance.staleness(run, file) for file in (folder / f"{name}.ipynb" for name in step)}
        for file, why in found.items():
            if why:
                say(f"{run.name}: {why}; {file.stem} is run again")
        stale = [file for file, why in found.items() if why is not None]
        if len(stale) > 1 and _is_room_for_two(asked):
            _make_side_by_side(stale[0], stale[1], run, asked)
        else:
            for notebook in stale:
                _run(notebook, run, asked)
    report = artefacts.shown(run.folder / manifest.REPORT)
    if manifest.holds(run, folder):
        say(f"{report} is up to date")
        return
    with nobody_else(run):
        run_id = manifest.write_manifest(run, folder)
    run.log("finished", run_id=run_id)
    _tell_result(run)
    say(f"{report} is ready (run id {run_id})")


def _tell_result(run: Run) -> None:
    """Say what the report says first: what customers will bring, and what to know before it is used."""
    told = chain.record(run.folder, NOTEBOOKS[-1])
    if not told or ARTEFACTS["key_figures"].file not in told.mark["made_from"]["read"]:
        return  # a report of somebody's own
    from clv.report.text.cover import MOST_CAUTIONS, cautions, likely, title

    figures = run.read_json("key_figures")
    say(f"{title(figures)}, {likely(figures['total_clv'], figures, figures['currency'])}")
    for caution in cautions(figures)[:MOST_CAUTIONS]:
        say(caution.sentence.replace("\N{WORD JOINER}", ""))


def _run(notebook: Path, run: Run, asked: dict[str, Any]) -> None:
    """Run a notebook, unless another maker has handed out other settings since: it would mix the two."""
    if prepare.parameters(run, prepare.SETTINGS) != asked:
        raise IntegrityError(f"{run.name}: its settings changed while it was being made; {chain.remedy(run.name)}.")
    run_notebook(notebook, run)


def _is_room_for_two(settings: dict[str, Any]) -> bool:
    """Tell whether the machine has a core and `memory_gib` for each of two notebooks."""
    cores = min(settings["workers"], os.process_cpu_count() or 1)
    return cores >= 2 and _memory_gib() >= 2 * settings["memory_gib"]


def _memory_gib() -> float:
    """Return the memory of the machine, or of the container we are in if that may use less."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        return min(machine, float(CONTAINERS_LIMIT.read_text())) / 2**30
    except (OSError, ValueError):  # no container, or one without a limit: "max"
        return machine / 2**30


def _make_side_by_side(notebook: Path, other: Path, run: Run, asked: dict[str, Any]) -> None:
    """Run `notebook` here and `other` in a process beside; should one fail, the other still comes to its end."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn"), initializer=_listen_to_parent) as beside:
        made = beside.submit(_make_beside, other, run, asked)
        beside.shutdown(wait=False)  # an idle process would tell a terminal that it was interrupted
        try:
            _run(notebook, run, asked)
            _require_made(made, other)
        except KeyboardInterrupt:
            for process in active_children():
                process.terminate()
            raise
        except ClvError as error:
            if (also := made.exception()) and also is not error:
                say(str(also))
            raise


def _listen_to_parent() -> None:
    """Have Ctrl-C, which a terminal sends to both processes, arrive once: from the parent, as SIGTERM."""
    signal.signal(signal.SIGINT, lambda *_: None)
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _make_beside(notebook: Path, run: Run, asked: dict[str, Any]) -> list[tuple[str, type[Warning], str, int]]:
    """Run a notebook in a process of its own; return what was warned of there."""
    with warnings.catch_warnings(record=True) as told:
        _run(notebook, run, asked)
    return [(str(each.message), each.category, each.filename, each.lineno) for each in told]


def _require_made(made: "Future[list[tuple[str, type[Warning], str, int]]]", notebook: Path) -> None:
    try:
        for warned in made.result():
            warnings.warn_explicit(*warned)
    except BrokenExecutor as error:
        raise NotebookError(f"{notebook.stem}: its process was killed; what was finished stays.") from error
