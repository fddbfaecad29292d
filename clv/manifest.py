"""The chain readers check: hashes of a run's files, code, settings and source, and the run id over all of them."""

import hashlib
import json
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clv import artefacts
from clv.artefacts import NOTEBOOKS, Run
from clv.errors import IntegrityError
from clv.prepare import SETTINGS, executed, expected, pages, parameters

LIBRARIES = ("arviz", "duckdb", "nutpie", "numpy", "pandas", "plotly", "pymc", "pymc-marketing", "scipy", "xarray")
RESULTS = ("*.html", "*.md", "*.json", "data/*", "exports/*", "html/*", "notebooks/*", "posterior/*")


def manifest_file(run: Run) -> Path:
    """Return the place of the manifest."""
    return run.folder / "manifest.json"


def write_manifest(run: Run) -> str:
    """Write manifest.json for a complete run and return the run id; the same results give the same id."""
    settings = parameters(run, SETTINGS)
    _require_complete(run, settings)
    chain = _chain(run, settings)
    run_id = hashlib.sha256(_canonical(chain)).hexdigest()[:12]
    with artefacts.replacing(manifest_file(run)) as unfinished:
        unfinished.write_text(json.dumps({"run_id": run_id, **chain}, indent=2) + "\n", encoding="utf-8")
    return run_id


def _chain(run: Run, settings: dict[str, Any]) -> dict[str, Any]:
    code = [*(artefacts.root() / "clv").rglob("*.py"), *(artefacts.root() / "clv" / "template").glob("*")]
    notebooks = [artefacts.root() / "notebooks" / f"{name}.ipynb" for name in NOTEBOOKS]
    results = {file for pattern in RESULTS for file in run.folder.glob(pattern) if not file.name.startswith(".")}
    return {
        "run": run.name,
        "seed": settings["seed"],
        "versions": {"python": platform.python_version()} | {name: version(name) for name in LIBRARIES},
        "params": settings,
        "sources": {artefacts.shown(file): _hash(file) for file in artefacts.source_files(settings["source"])},
        "code": {artefacts.shown(file): _hash(file) for file in sorted(code) + notebooks if file.exists()},
        "artefacts": {
            file.relative_to(run.folder).as_posix(): _hash(file) for file in sorted(results - {manifest_file(run)})
        },
    }


def _require_complete(run: Run, settings: dict[str, Any]) -> None:
    for name in NOTEBOOKS:
        for file in (executed(run, name), *pages(run, name), *expected(run, name, settings)):
            if not file.exists():
                raise IntegrityError(f"{file.relative_to(run.folder)} is missing in {run.name}: run {name} first.")


def _hash(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _canonical(chain: dict[str, Any]) -> bytes:
    return json.dumps(chain, sort_keys=True, separators=(",", ":")).encode()
