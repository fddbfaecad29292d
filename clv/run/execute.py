"""Executes one notebook strictly and renders it: success means that everything ran and everything was written."""

import os
import re
import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import fields
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from filelock import FileLock, Timeout

from clv import progress
from clv.errors import BusyError, ClvError
from clv.forecast import cluster
from clv.run import artefacts, chain, disk, failures, manifest, prepare, provenance, warned
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.failures import NotebookError
from clv.run.folder import Run
from clv.run.terminal import Follower, say
from clv.transactions.source import SourceSettings

# Papermill, nbformat and the renderer take seconds to import: a run that is up to date says so at once.
if TYPE_CHECKING:
    from nbformat import NotebookNode
    from traitlets.config import Config


REPORT = NOTEBOOKS[-1]
LONGEST_SOCKET = 100  # macOS takes 104 bytes, Linux 108
# In a finished page nobody wants progress bars, or other packages' notes to their own developers.
KERNEL_ENVIRONMENT = {
    "TQDM_DISABLE": "1",
    "PYTHONWARNINGS": "ignore::DeprecationWarning,ignore::PendingDeprecationWarning,ignore::FutureWarning",
    "PYTHONHASHSEED": "0",
    "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    "JUPYTER_PLATFORM_DIRS": "1",
    "JUPYTER_PREFER_ENV_PATH": "1",
}


def run_notebook(source: Path, run: Run) -> None:
    """Execute the notebook `source` for `run`; its results appear whole, and last the executed notebook itself."""
    name = source.stem
    with _only_maker(run, name):
        clock, started = time.monotonic(), time.time_ns()
        parameters = {key: prepare.parameters(run, name)[key] for key in prepare.declared(source)}
        manifest.manifest_file(run).unlink(missing_ok=True)
        run.log("started", notebook=name)
        follower = Follower(run, name)
        try:
            with follower:
                _make(source, run, parameters, started)
        except BaseException as error:
            spent = _spent(clock)
            with suppress(OSError):  # the disk may be what failed
                run.log("failed", notebook=name, reason=failures.for_log(error), stage=follower.failed_in, **spent)
            raise
        run.log("done", notebook=name, **_spent(clock))
        say(f"{name} ... {time.monotonic() - clock:.0f} s")


def _spent(clock: float) -> dict[str, float]:
    return {"seconds": round(time.monotonic() - clock, 1), "peak_mib": progress.peak_mib(of_children=True)}


def _make(source: Path, run: Run, parameters: dict[str, Any], started: int) -> None:
    name = source.stem
    if name == NOTEBOOKS[0]:
        _require_columns(run)
    stamp = prepare.executed(run, name)
    stamp.parent.mkdir(parents=True, exist_ok=True)
    for abandoned in stamp.parent.glob(f".{name}.*.tmp.ipynb"):  # this process holds the lock: its maker was killed
        abandoned.unlink()
    unfinished = stamp.with_name(f".{name}.{os.getpid()}.tmp.ipynb")
    try:
        try:
            mark, artefacts_written = _execute_strictly(source, run, parameters, unfinished)
        except (ClvError, KeyboardInterrupt) as error:
            with suppress(OSError, ValueError):  # the disk may be what failed, and have cut the notebook short
                failures.write_page(unfinished, run, name, error)
            raise
        notebook = _read(unfinished)
        pictures = _write_pictures(notebook, run, name)
        _write_pages(notebook, run, mark)
        _write_executed(notebook, mark, unfinished)
        written = [*artefacts_written, *prepare.pages(run, name), *pictures]
        provenance.leave_record(run, mark, written, executed=unfinished)
        # What changed while the notebook ran is newer than this stamp, so it will run again.
        os.utime(unfinished, ns=(started, started))
        os.replace(unfinished, stamp)
        failures.page_of(run, name).unlink(missing_ok=True)
    finally:
        unfinished.unlink(missing_ok=True)


def _require_columns(run: Run) -> None:
    """Refuse a log by its header, or by what its database says: a kernel needs half a minute to come so far."""
    known = prepare.parameters(run, prepare.SETTINGS)
    if known["source"] != "generate":
        from clv.transactions import connection, reading

        given = {field.name: known[field.name] for field in fields(SourceSettings) if field.name in known}
        settings = SourceSettings(path=run.source(known["source"]), **given)
        reading.require_columns(connection.connect(), settings)


def _execute_strictly(
    source: Path, run: Run, parameters: dict[str, Any], unfinished: Path
) -> tuple[chain.Mark, Iterable[Path]]:
    """Execute a notebook to its end; return what it was made from, and the artefacts that it wrote."""
    name = source.stem
    settings = prepare.parameters(run, prepare.SETTINGS)
    wanted = prepare.expected(run, name, settings)
    before = {file: _signature(file) for file in wanted}
    with chain.journal(run.folder, provenance.mark(run, source)) as journal:
        try:
            _execute(source, unfinished, parameters, settings["spark_url"] if settings["engine"] == "spark" else "")
        finally:
            warnings = warned.silence(unfinished, run, name) if unfinished.exists() else []
        mark, told = chain.told(journal)
    failures.require_clean(_read(unfinished), name)
    warned.refuse(warnings, name)
    if missing := [file for file in wanted if _signature(file) in (None, before[file])]:
        files = ", ".join(file.relative_to(run.folder).as_posix() for file in missing)
        raise NotebookError(f"{name}: ran to its end without writing {files}.")
    provenance.require_unchanged(run, source, mark)
    return mark, {*wanted, *(run.folder / file for file in told)}


def _execute(source: Path, target: Path, parameters: dict[str, Any], spark_url: str) -> None:
    """Let papermill execute, and turn what goes wrong into one sentence with the right exit code."""
    if spark_url:
        cluster.require(spark_url)
    # jsonschema would load this to check web addresses, which no notebook needs: half of 4.3 seconds before each start.
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    from jupyter_client.kernelspec import NoSuchKernel
    from nbclient.exceptions import DeadKernelError
    from papermill.exceptions import PapermillExecutionError

    paths = [str(artefacts.PACKAGE.parent), os.environ.get("PYTHONPATH", "")]
    places = {"PYTHONPATH": os.pathsep.join(filter(None, paths)), artefacts.ROOT: str(artefacts.root())}
    os.environ.update(KERNEL_ENVIRONMENT | places | {cluster.VARIABLE: spark_url})
    try:
        with _sockets() as config:
            by_papermill(
                source,
                target,
                parameters=parameters,
                kernel_name="python3",
                log_output=False,
                cwd=str(source.parent),
                # A kernel that is told to stop would log that it was interrupted.
                extra_arguments=["--log-level=CRITICAL"],
                config=config,
            )
    except PapermillExecutionError as error:
        raise failures.from_kernel(source.stem, error) from error
    except NoSuchKernel as error:
        raise NotebookError("There is no python3 kernel in this environment: run `make env`.") from error
    except DeadKernelError as error:
        raise NotebookError(
            f"{source.stem}: the kernel died, probably out of memory; lower memory_gib or predictive_draws."
        ) from error
    except RuntimeError as error:  # so says jupyter_client of a kernel that does not answer its first question
        raise NotebookError(f"{source.stem}: the kernel did not start ({error}); try again.") from error


@contextmanager
def _sockets() -> Iterator["Config"]:
    """Let a kernel talk over sockets in a folder of its own: a port that is free now may be taken in a moment.

    On Windows, and where the name of the folder for temporary files is too long for one, it talks over encrypted ports.
    """
    from traitlets.config import Config

    with TemporaryDirectory(prefix="clv-") as folder:
        file = f"{folder}/kernel.json"
        short = len(os.fsencode(file)) < LONGEST_SOCKET and os.name != "nt"
        own = {"transport": "ipc", "connection_file": file}
        yield Config({"KernelManager": own if short else {"transport_encryption": "auto"}})


def by_papermill(source: Path, target: Path, **options: Any) -> None:
    """Call papermill, which takes braces in a path for its own, and warns of typed parameters it cannot parse."""
    import logging

    from papermill import execute_notebook

    for name in ("papermill", "asyncio"):  # what goes wrong is said once, by us
        logging.getLogger(name).setLevel(logging.CRITICAL)
    source_path, target_path = (str(path).replace("{", "{{").replace("}", "}}") for path in (source, target))
    execute_notebook(source_path, target_path, language="python", progress_bar=False, **options)


def _write_pages(notebook: "NotebookNode", run: Run, mark: chain.Mark) -> None:
    from clv.report.page.html import render

    name = mark["notebook"]
    said = f"Run {run.name}, notebook {name}"
    if name == REPORT:
        from clv.report.text.cover import footer

        # A report that reads no figures has none to tell of.
        figures = run.read_json("key_figures") if ARTEFACTS["key_figures"].file in mark["made_from"]["read"] else None
        seed, versions = prepare.parameters(run, prepare.SETTINGS)["seed"], mark["made_from"]["versions"]
        said = footer(figures, run=run.name, run_id=chain.identity(mark), seed=seed, versions=versions)
    letterhead = prepare.parameters(run, name).get(prepare.LETTERHEAD)
    page = render(notebook, title=name, show_code=name != REPORT, footer=said, letterhead=letterhead)
    for file in prepare.pages(run, name):
        # Links in the notebooks start at the run's folder.
        up = "../" * (len(file.relative_to(run.folder).parts) - 1)
        disk.write(file, re.sub(r'href="(?=exports/|report\.xlsx)', f'href="{up}', page))


def _write_pictures(notebook: "NotebookNode", run: Run, name: str) -> list[Path]:
    if name != REPORT:
        return []
    from clv.run.pictures import write_pictures

    found, reason = write_pictures(notebook, run)
    if reason:
        say(f"{name}: {reason}")
    return found


def _write_executed(notebook: "NotebookNode", mark: chain.Mark, unfinished: Path) -> None:
    """Write the notebook without the times and places of its execution."""
    import nbformat

    name, run = mark["notebook"], mark["run"]
    notebook.metadata.papermill = {
        "parameters": notebook.metadata.papermill.get("parameters", {}),
        "input_path": f"notebooks/{name}.ipynb",
        "output_path": f"outputs/{run}/notebooks/{name}.ipynb",
    }
    for number, cell in enumerate(notebook.cells):
        tags = cell.metadata.get("tags")
        cell.metadata = type(notebook.metadata)({"tags": tags} if tags else {})
        cell.id = f"cell-{number}"  # papermill gives the injected cell a random one
    nbformat.write(notebook, unfinished)
    disk.flush(unfinished)


def _read(file: Path) -> "NotebookNode":
    import nbformat

    return nbformat.read(file, as_version=4)


def _signature(file: Path) -> tuple[int, int] | None:
    return (file.stat().st_mtime_ns, file.stat().st_ino) if file.exists() else None


@contextmanager
def _only_maker(run: Run, name: str) -> Iterator[None]:
    """Hold the lock of one notebook of one run; the system lets go of it when this process ends, however it ends."""
    locks = run.folder / ".locks"
    locks.mkdir(parents=True, exist_ok=True)
    holder, lock = locks / f"{name}.pid", FileLock(locks / f"{name}.lock", blocking=False)
    try:
        held = lock.acquire()
    except Timeout as error:
        process = holder.read_text().strip() if holder.exists() else ""
        by = f"process {process or 'unknown'} right now"
        raise BusyError(f"{run.name}: {name} is being made by {by}; wait for it or stop it.") from error
    with held:
        holder.write_text(str(os.getpid()))
        yield


@contextmanager
def nobody_else(run: Run) -> Iterator[None]:
    with ExitStack() as locks:
        for name in NOTEBOOKS:
            locks.enter_context(_only_maker(run, name))
        yield
