"""Faults planted in a small real run: whatever happens, nothing on disk misleads anyone. `make faults` runs all of it.

    python tests/studies/faults.py --folder outputs/faults --kills 20 --seed 1

Two runs are made undisturbed, with one seed and with another. As equal inputs give equal bytes, whatever stands in the
folder of a disturbed run must be, file by file, what one of the two holds; `verify` may say OK only where all of it is
what the same one holds; a reader may take a file only if all that it was made from is from the same one; and the next
make must end with exactly what the undisturbed run holds. A writer that does not put whole files in place is planted
last, to prove that all this would notice it.
"""

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from clv import errors
from clv.run import artefacts, chain
from clv.run.artefacts import ARTEFACTS, NOTEBOOKS
from clv.run.chain import VARIABLE

# A log on which importance sampling works, so that nothing is compiled for NUTS.
SETTINGS = {
    "source": "generate",
    "observation_end": "2025-06-30",
    "calibration_end": "2025-01-31",
    "method": "laplace",
    "draws": 250,
    "predictive_draws": 200,
    "workers": 2,
    "generate_customers": 500,
    "generate_acquisition_months": 18,
}
NAME = "tiny"
ONE, OTHER, REFUSED = 20260101, 7, 0
PARTS = ("chain", "data", "exports", "figures", "html", "notebooks", "posterior")
TOP = ("key_figures.json", "report.html", "report.md")


# -- a run to disturb --------------------------------------------------------------------------------------------------


@dataclass
class Site:
    """An outputs folder with one run in it, and the project that makes it."""

    outputs: Path
    project: Path = field(default_factory=artefacts.root)

    @property
    def run(self) -> Path:
        """The run's folder."""
        return self.outputs / NAME

    @property
    def params(self) -> Path:
        """The params file of the run."""
        return self.outputs / f"{NAME}.yaml"

    def set(self, seed: int, **settings: object) -> None:
        """Write the params file."""
        self.outputs.mkdir(parents=True, exist_ok=True)
        chosen = SETTINGS | {"seed": seed} | settings
        self.params.write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in chosen.items()))

    def start(self, *target: str, prefix: Iterable[str] = ()) -> subprocess.Popen[str]:
        """Start make in a process group of its own."""
        hidden = ("MAKE", "MFLAGS", "CLV_")  # of a make that this runs under
        environment = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        return subprocess.Popen(
            [*prefix, "make", *(target or ("report",)), f"PARAMS={self.params}", f"PYTHON={sys.executable}"],
            cwd=self.project,
            env=environment | {"CLV_OUTPUTS": str(self.outputs), "PYTHONPATH": str(self.project)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def make(self, *target: str, prefix: Iterable[str] = ()) -> tuple[int, str]:
        """Run make to its end; return its exit code and what it said."""
        making = self.start(*target, prefix=prefix)
        _, said = making.communicate(timeout=900)
        return making.returncode, said

    def events(self) -> list[dict]:
        """Return the lines of the run's log."""
        log = self.run / "log.jsonl"
        return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []

    def seconds(self) -> float:
        """Return how long an undisturbed run took at least, two of its notebooks side by side."""
        took = {event["notebook"]: event["seconds"] for event in self.events() if event["event"] == "done"}
        return sum(took.values()) - min(took[name] for name in NOTEBOOKS[2:4])

    def wait_for(self, making: subprocess.Popen[str], event: str, notebook: str) -> None:
        """Wait until the log tells of an event of a notebook that is being made now."""
        seen = len(self.events())
        while not any((line["event"], line["notebook"]) == (event, notebook) for line in self.events()[seen:]):
            if making.poll() is not None:
                raise AssertionError(f"make ended before {notebook}: {making.communicate()[1]}")
            time.sleep(0.02)


def kill(making: subprocess.Popen[str], number: int = signal.SIGKILL) -> str:
    """Send a signal to make and the runner, and return what was said; a kernel has a session of its own."""
    with suppress(ProcessLookupError):
        os.killpg(making.pid, number)
    return making.communicate(timeout=120)[1]


def kernels(site: Site) -> list[int]:
    """Return the processes of the kernels that work for a site."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            if b"ipykernel" in (process / "cmdline").read_bytes():
                told = f"{VARIABLE}={site.outputs}".encode()
                found += [int(process.name)] if told in (process / "environ").read_bytes() else []
    return found


# -- what may never happen ---------------------------------------------------------------------------------------------


def contents(run: Path) -> dict[str, str]:
    """Return the hash of every file that stands at its place in a run's folder, by its path."""
    files = [file for part in PARTS for file in (run / part).glob("*")] + [run / name for name in TOP]
    return {
        file.relative_to(run).as_posix(): chain.digest(file)
        for file in files
        if file.is_file() and not file.name.startswith(".")
    }


@dataclass(frozen=True)
class Judge:
    """Knows what the undisturbed runs hold, and with that what a disturbed one may."""

    undisturbed: dict[int, dict[str, str]]

    def wrongs(self, site: Site, *, forged: Iterable[str] = ()) -> list[str]:
        """Return what is wrong with the state of a run; `forged` files are spoilt on purpose."""
        now = contents(site.run)
        known = {file: {held.get(file) for held in self.undisturbed.values()} for file in now}
        torn = [file for file, found in now.items() if found not in known[file] and file not in forged]
        wrongs = [f"{file} is none of the undisturbed runs'" for file in torn]
        code, said = site.make("verify")
        if "Traceback" in said or not said.strip():
            wrongs.append(f"verify does not say what is wrong: {said[-300:]}")
        if code == 0 and now not in self.undisturbed.values():
            wrongs.append("verify says OK of a mixture")
        return wrongs + self._misread(site, now)

    def _misread(self, site: Site, now: dict[str, str]) -> list[str]:
        wrongs = []
        for key in ("transactions", "rfm", "bgnbd", "gamma_gamma", "customers", "key_figures", "tracking"):
            notebook, file = ARTEFACTS[key].notebook, ARTEFACTS[key].file
            if file not in now or not chain.record_file(site.run, notebook).exists():
                continue
            with suppress(errors.IntegrityError):
                chain.require(site.run, notebook, file)
                behind = {file, *_records_behind(site.run, notebook)}
                if not any(all(now[part] == held.get(part) for part in behind) for held in self.undisturbed.values()):
                    wrongs.append(f"{file} is read although it was made from a mixture")
        return wrongs

    def repaired(self, site: Site, seed: int) -> list[str]:
        """Return what is wrong with a run after the next make."""
        code, said = site.make()
        if code != 0:
            return [f"the next make fails: {said[-300:]}"]
        wrongs = [] if site.make("verify")[0] == 0 else ["what was made again does not verify"]
        now, held = contents(site.run), self.undisturbed[seed]
        differing = sorted(file for file in now.keys() | held.keys() if now.get(file) != held.get(file))
        left = [file.name for file in site.run.rglob(".*") if file.name.endswith((".tmp", ".ipynb", ".chain"))]
        return wrongs + [f"{file} is not what an undisturbed run holds" for file in differing + left]


def _records_behind(run: Path, notebook: str) -> set[str]:
    known = chain.record(run, notebook)
    earlier = known.mark["made_from"]["records"] if known else {}
    own = chain.record_file(run, notebook).relative_to(run).as_posix()
    return {own}.union(*(_records_behind(run, name) for name in earlier))


# -- the faults --------------------------------------------------------------------------------------------------------


@dataclass
class Row:
    """One line of the table: a fault, how often it was planted and survived, what the user sees, what went wrong."""

    fault: str
    tried: int = 0
    survived: int = 0
    seen: str = ""
    wrongs: list[str] = field(default_factory=list)

    def count(self, wrongs: list[str], seen: str = "") -> None:
        """Note one planted fault."""
        self.tried += 1
        self.survived += not wrongs
        self.seen = seen or self.seen
        self.wrongs += wrongs


@dataclass
class Faults:
    """The undisturbed runs and their judge, the place for disturbed ones, and the table so far."""

    folder: Path
    kills: int
    chance: random.Random
    judge: Judge
    rows: list[Row] = field(default_factory=list)

    def copy(self, name: str, *, project: Path | None = None) -> Site:
        """Return a site with a copy of the finished first run."""
        site = Site(self.folder / name, *([project] if project else []))
        shutil.rmtree(site.outputs, ignore_errors=True)
        shutil.copytree(self.folder / str(ONE), site.outputs)
        return site

    def altered_project(self, name: str, file: str, alter: Callable[[str], str]) -> Path:
        """Return a copy of the project in which one file's text is another."""
        project = self.folder / name / "project"
        shutil.rmtree(project, ignore_errors=True)
        for part in ("clv", "notebooks"):
            shutil.copytree(artefacts.root() / part, project / part, ignore=shutil.ignore_patterns("__pycache__"))
        for part in ("Makefile", "pyproject.toml"):
            shutil.copy2(artefacts.root() / part, project / part)
        before = (project / file).read_text()
        after = alter(before)
        assert after != before, f"{file} could not be altered"
        (project / file).write_text(after)
        return project


def killed_once(judge: Judge, site: Site, moment: float) -> list[str]:
    """Kill make and the runner after so many seconds; return what is wrong then."""
    making = site.start()
    time.sleep(moment)
    assert making.poll() is None, making.communicate()[1]
    kill(making)
    return judge.wrongs(site)


def killed_at_random(faults: Faults) -> Row:
    """Kill reruns at random moments, over and over; after each third kill let the run end, and change the seed."""
    row, site, seed = Row("kill -9 at a random moment"), faults.copy("killed"), ONE
    third = Site(faults.folder / str(ONE)).seconds() / 3  # so that no run is done before its third kill
    while row.tried < faults.kills:
        seed = OTHER if seed == ONE else ONE
        site.set(seed)
        for _ in range(3):
            wrongs = killed_once(faults.judge, site, faults.chance.uniform(0.2, third))
            row.count(wrongs, "nothing, it was killed; the next make goes on")
        row.wrongs += faults.judge.repaired(site, seed)
    return row


def kernel_killed(faults: Faults) -> Row:
    """Kill the kernel alone, as the system does when memory runs out."""
    row, site = Row("kernel killed, as for memory"), faults.copy("kernel")
    site.set(OTHER)
    making = site.start()
    site.wait_for(making, "stage", "03_bgnbd_bayes")
    for process in kernels(site):
        os.kill(process, signal.SIGKILL)
    _, said = making.communicate(timeout=120)
    wrongs = faults.judge.wrongs(site) + _expected(said, "the kernel died, probably out of memory", site, "03")
    row.count(wrongs + faults.judge.repaired(site, OTHER), _last(said))
    return row


def interrupted(faults: Faults) -> Row:
    """Press Ctrl-C while NUTS samples."""
    row, site = Row("Ctrl-C while sampling"), faults.copy("interrupted")
    site.set(OTHER, method="nuts", draws=20_000)
    making = site.start()
    while not _samples(site):
        assert making.poll() is None, making.communicate()[1]
        time.sleep(0.05)
    said = kill(making, signal.SIGINT)
    time.sleep(2)
    wrongs = ["the kernel lives on"] if kernels(site) else []
    wrongs += [] if making.returncode else ["make does not fail"]
    wrongs += _expected(said, "interrupted: what was finished stays")
    site.set(OTHER)
    row.count(
        wrongs + faults.judge.repaired(site, OTHER), "interrupted: what was finished stays, the next make continues"
    )
    return row


def _samples(site: Site) -> bool:
    for file in site.run.glob(".03_bgnbd_bayes.*.progress"):
        with suppress(OSError):
            if '"advanced"' in file.read_text() and "sampl" in file.read_text():
                return True
    return False


def exits_in_a_cell(faults: Faults) -> Row:
    """Leave the kernel with sys.exit(0) in the middle of notebook 05."""

    def leave(text: str) -> str:
        book = json.loads(text)
        codes = [cell for cell in book["cells"] if cell["cell_type"] == "code"]
        codes[-2]["source"] = ["import sys\n", "sys.exit(0)"]
        return json.dumps(book)

    project = faults.altered_project("exit", "notebooks/05_segments.ipynb", leave)
    row, site = Row("sys.exit(0) in a cell"), faults.copy("exit/outputs", project=project)
    code, said = site.make()
    wrongs = faults.judge.wrongs(site) + _expected(said, "stopped before its end, at code cell", site, "05")
    shutil.copy2(artefacts.root() / "notebooks" / "05_segments.ipynb", project / "notebooks")
    row.count([*wrongs, *([] if code else ["make does not fail"]), *faults.judge.repaired(site, ONE)], _last(said))
    return row


def two_makers(faults: Faults) -> Row:
    """Start two makers of the same run at once, and one with other settings while another is at work."""
    row, site = Row("two makers at once"), faults.copy("two")
    site.set(OTHER)
    first = site.start()
    site.wait_for(first, "started", "01_generate")
    _, said = site.make()
    _, firsts = first.communicate(timeout=900)
    wrongs = _expected(said, "is being made by process") + ([] if first.returncode == 0 else [firsts[-300:]])
    row.count(wrongs + faults.judge.wrongs(site), _last(said))
    site.set(ONE)
    first = site.start()
    site.wait_for(first, "started", "03_bgnbd_bayes")
    site.set(OTHER)
    site.make()
    _, said = first.communicate(timeout=900)
    wrongs = ["the first maker mixed two settings"] if first.returncode == 0 else []
    row.count(wrongs + faults.judge.wrongs(site) + faults.judge.repaired(site, OTHER))
    return row


def disk_full(faults: Faults) -> Row:
    """Run on a small disk of its own: a first run with room for a part of it, a rerun with hardly any room beside."""
    row = Row("disk full")
    pages = sum(-(-file.stat().st_size // 4096) for file in (faults.folder / str(ONE)).rglob("*"))
    for share in (0.3, 0.6, 0.85, 1.03, 1.1):
        site = faults.copy("full")
        if share < 1:
            shutil.rmtree(site.run)
        site.set(OTHER)
        _, said = _on_small_disk(site, f"size={int(pages * share) * 4096}", "true")
        wrongs = faults.judge.wrongs(site) + _expected(said, "make room and run make again")
        row.count(wrongs + faults.judge.repaired(site, OTHER), _last(said))
    return row


def read_only(faults: Faults) -> Row:
    """Run in an outputs folder that cannot be written to."""
    row, site = Row("outputs cannot be written to"), faults.copy("read_only")
    site.set(OTHER)
    before = contents(site.run)
    _, said = _on_small_disk(site, "size=1g", "mount -o remount,ro,size=1g none")
    wrongs = faults.judge.wrongs(site) + _expected(said, "let it be written, or set CLV_OUTPUTS to another folder")
    wrongs += [] if contents(site.run) == before else ["something was written"]
    row.count(wrongs + faults.judge.repaired(site, OTHER), _last(said))
    return row


def _on_small_disk(site: Site, size: str, then: str) -> tuple[int, str]:
    """Run make while a small disk, seen by nobody else, lies over the outputs; copy back what it left."""
    kept = site.outputs.with_name(f"{site.outputs.name}.kept")
    shutil.rmtree(kept, ignore_errors=True)
    steps = (
        f"cp -a {site.outputs} {kept} && mount -t tmpfs -o {size} none {site.outputs} && "
        f"cp -a {kept}/. {site.outputs} && {then} {site.outputs if then != 'true' else ''} && "
        f'"$@"; code=$?; rm -rf {kept} && cp -a {site.outputs} {kept}; exit $code'
    )
    code, said = site.make(prefix=("unshare", "-rm", "sh", "-c", steps, "sh"))
    shutil.rmtree(site.outputs)
    kept.rename(site.outputs)
    return code, said


def can_mount() -> bool:
    """Tell whether this system lets us have a small disk of our own."""
    tried = ["unshare", "-rm", "sh", "-c", "mount -t tmpfs -o size=1m none /mnt"]
    return shutil.which("unshare") is not None and subprocess.run(tried, capture_output=True).returncode == 0


def mixed_by_hand(faults: Faults) -> Row:
    """Put a file of the other run in the place of this one's, spoil one, remove one, put another's record beside it."""
    row = Row("files mixed, spoilt or removed by hand")
    other = faults.folder / str(OTHER) / NAME
    mixtures: dict[str, Callable[[Site], object]] = {
        "posterior/bgnbd.nc": lambda site: shutil.copy2(other / "posterior/bgnbd.nc", site.run / "posterior/bgnbd.nc"),
        "data/customers.parquet": lambda site: (site.run / "data/customers.parquet").write_bytes(b"PAR1"),
        "exports/customers.csv": lambda site: (site.run / "exports/customers.csv").unlink(),
        "chain/04.json": lambda site: [
            shutil.copy2(other / file, site.run / file)
            for file in ("chain/04.json", "posterior/gamma_gamma.nc", "posterior/gamma_gamma_calibration.nc")
        ],
    }
    for forged, mix in mixtures.items():
        site = faults.copy("mixed")
        mix(site)
        code, said = site.make("verify")
        wrongs = [] if code and Path(forged).name.split(".")[0] in said else [f"verify does not name {forged}"]
        wrongs += faults.judge.wrongs(site, forged=[forged])
        row.count(wrongs + faults.judge.repaired(site, ONE), said.splitlines()[0])
    return row


def older_version(faults: Faults) -> Row:
    """Take the records from a finished run, as a version before them left it."""
    row, site = Row("outputs of an older version"), faults.copy("older")
    shutil.rmtree(site.run / "chain")
    verified, said = site.make("verify")
    wrongs = ["verify says OK"] if verified == 0 else []
    row.count(wrongs + faults.judge.wrongs(site) + faults.judge.repaired(site, ONE), said.splitlines()[0])
    return row


def refused_settings(faults: Faults) -> Row:
    """Ask for what notebook 02 refuses, after 01 has written its part: what an empty folder then holds of it."""
    row, site, empty = (
        Row("rerun refused at notebook 02"),
        faults.copy("refused"),
        Site(faults.folder / "refused_first"),
    )
    for each in (empty, site):
        each.set(OTHER, calibration_end="2024-01-20")
        _, said = each.make()
    judge = Judge({**faults.judge.undisturbed, REFUSED: contents(empty.run)})
    _, verified = site.make("verify")
    told = next((line for line in verified.splitlines() if line.startswith("report.html")), "")
    wrongs = _expected(told, "report.html is whole, but of an earlier state") + judge.wrongs(site)
    site.set(OTHER)
    row.count(wrongs + faults.judge.repaired(site, OTHER), f"{_last(said)} Then verify: {told}")
    return row


SLOWLY_IN_PLACE = """\
        content = unfinished.read_bytes()
        with path.open("wb") as torn:
            torn.write(content[: len(content) // 2])
            torn.flush()
            __import__("time").sleep(1)
            torn.write(content[len(content) // 2 :])
"""


def writes_in_place(faults: Faults) -> Row:
    """Plant a writer that does not put whole files in place, and kill it while it writes: the judge must object."""
    atomic = "        os.replace(unfinished, path)\n"
    project = faults.altered_project(
        "in_place", "clv/run/disk.py", lambda text: text.replace(atomic, SLOWLY_IN_PLACE, 1)
    )
    row, whole = Row("planted: a writer that writes in place"), Site(faults.folder / "in_place" / "whole", project)
    whole.set(OTHER)
    making = whole.start()
    whole.wait_for(making, "done", "01_generate")
    kill(making)
    judge = Judge({OTHER: contents(whole.run)})
    torn = Site(faults.folder / "in_place" / "torn", project)
    torn.set(OTHER)
    making = torn.start()
    while not contents(torn.run).items() - judge.undisturbed[OTHER].items():
        assert making.poll() is None, making.communicate()[1]
        time.sleep(0.02)
    kill(making)
    found = [wrong for wrong in judge.wrongs(torn) if wrong.startswith("data/")]
    row.count(
        [] if judge.wrongs(whole) == [] and found else ["nobody noticed"], f"this test says: {''.join(found[:1])}"
    )
    return row


ALL = (
    killed_at_random,
    kernel_killed,
    interrupted,
    exits_in_a_cell,
    two_makers,
    disk_full,
    read_only,
    mixed_by_hand,
    refused_settings,
    older_version,
    writes_in_place,
)


def _last(said: str) -> str:
    lines = [line for line in said.strip().splitlines() if not line.startswith("make")]
    return lines[-1] if lines else ""


def _expected(said: str, sentence: str, site: Site | None = None, number: str = "") -> list[str]:
    """Return whether the user is not told the sentence, or shown no page of the failed notebook."""
    wrongs = (
        [] if sentence in said and "Traceback" not in said else [f"the user is not told {sentence!r}: {said[-300:]}"]
    )
    if site:
        page = site.run / "failed" / f"{number}.html"
        if not page.exists() or "Here it stopped" not in page.read_text():
            wrongs.append(f"failed/{page.name} does not show the cell")
    return wrongs


def prepared(folder: Path, *, kills: int, seed: int) -> Faults:
    """Make the two undisturbed runs, or take those that stand there and verify."""
    held = {}
    for each in (ONE, OTHER):
        site = Site(folder / str(each))
        site.set(each)
        code, said = site.make()
        assert code == 0, said
        assert site.make("verify")[0] == 0
        held[each] = contents(site.run)
    assert held[ONE].keys() == held[OTHER].keys()
    for name in (
        "bgnbd",
        "gamma_gamma_calibration",
    ):  # the log is one; were draws, too, nobody could tell whose they are
        assert held[ONE][f"posterior/{name}.nc"] != held[OTHER][f"posterior/{name}.nc"]
    return Faults(folder, kills, random.Random(seed), Judge(held))


def main() -> int:
    """Plant the faults, print the table, and fail if one was not survived."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=[plant.__name__ for plant in ALL])
    options = parser.parse_args()
    faults = prepared(options.folder.resolve(), kills=options.kills, seed=options.seed)
    print("| fault | tried | survived | what the user sees |\n| --- | --- | --- | --- |", flush=True)
    for plant in (plant for plant in ALL if plant.__name__ in options.only):
        if plant in (disk_full, read_only) and not can_mount():
            print(f"| {plant.__name__} | 0 | 0 | not tried: this system lets us mount no small disk |", flush=True)
            continue
        row = plant(faults)
        faults.rows.append(row)
        print(f"| {row.fault} | {row.tried} | {row.survived} | {row.seen} |", flush=True)
        for wrong in row.wrongs:
            print(f"    {plant.__name__}: {wrong}", file=sys.stderr, flush=True)
    return 1 if any(row.wrongs for row in faults.rows) else 0


if __name__ == "__main__":
    sys.exit(main())
