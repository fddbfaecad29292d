"""What a complete run says of itself: the run id, the hash of all it read and left behind; and whether that holds."""

import json
from pathlib import Path
from typing import Any

from clv.errors import IntegrityError
from clv.run import artefacts, chain, disk, provenance
from clv.run.artefacts import NOTEBOOKS
from clv.run.folder import Run
from clv.run.prepare import SETTINGS, parameters

REPORT = "report.html"


def manifest_file(run: Run) -> Path:
    return run.folder / "manifest.json"


def run_id(run: Run) -> str:
    """Return the hash of all that the report was made from."""
    return chain.identity(_record(run, NOTEBOOKS[-1]).mark)


def write_manifest(run: Run, notebooks: Path) -> str:
    """Write manifest.json for a run that holds together and return the run id; the same inputs give the same id."""
    if found := _faults(run, notebooks):
        raise IntegrityError(f"{run.name} is not whole: {found[0]}; {chain.remedy(run.name)}.")
    content = _content(run, notebooks)
    disk.write(manifest_file(run), _text(content))
    return content["run_id"]


def holds(run: Run, notebooks: Path) -> bool:
    """Tell whether manifest.json says of this run what its records say."""
    file = manifest_file(run)
    return file.exists() and file.read_text(encoding="utf-8", errors="replace") == _text(_content(run, notebooks))


def verify(run: Run, notebooks: Path) -> list[str]:
    """Return a sentence on each file that does not belong to a run, and on what that means for its report."""
    if not run.folder.exists():
        raise IntegrityError(f"outputs/{run.name} does not exist: {chain.remedy(run.name)}.")
    if not chain.is_recorded(run.folder):
        return [f"{run.name} was made by an older version, which kept no record of what it wrote"]
    found, strays = [*_faults(run, notebooks), *provenance.changed_sources(run)], provenance.strays(run)
    if found:
        return [*found, *strays, *_of_report(run)]
    if not manifest_file(run).exists():
        return [*strays, "manifest.json is missing: the run was not finished"]
    return strays if holds(run, notebooks) else [*strays, "manifest.json does not say what the records say: remove it"]


def _faults(run: Run, notebooks: Path) -> list[str]:
    return [fault for name in NOTEBOOKS for fault in provenance.faults(run, notebooks / f"{name}.ipynb")]


def _of_report(run: Run) -> list[str]:
    known, report = chain.record(run.folder, NOTEBOOKS[-1]), run.folder / REPORT
    if known is None or not report.exists() or chain.digest(report) != known.wrote.get(REPORT):
        return []
    state = f"of an earlier state (run id {chain.identity(known.mark)})"
    return [f"{REPORT} is whole, but {state}: what is named here is not in it"]


def _content(run: Run, notebooks: Path) -> dict[str, Any]:
    records = {name: _record(run, name) for name in NOTEBOOKS}
    settings, first, last = parameters(run, SETTINGS), records[NOTEBOOKS[0]], records[NOTEBOOKS[-1]]
    books = [notebooks / f"{name}.ipynb" for name in NOTEBOOKS]
    return {
        "run_id": run_id(run),
        "run": run.name,
        "seed": settings["seed"],
        "versions": last.mark["made_from"]["versions"],
        "params": settings,
        "sources": first.mark["made_from"]["sources"],
        "code": provenance.code() | {artefacts.shown(file): chain.digest(file) for file in books},
        "chain": {name: chain.digest(chain.record_file(run.folder, name)) for name in NOTEBOOKS},
        "artefacts": dict(sorted(item for record in records.values() for item in record.wrote.items())),
    }


def _record(run: Run, name: str) -> chain.Record:
    known = chain.record(run.folder, name)
    if known is None:
        raise IntegrityError(f"{run.name}: {name} left no record; {chain.remedy(run.name)}.")
    return known


def _text(content: dict[str, Any]) -> str:
    return json.dumps(content, indent=2) + "\n"
