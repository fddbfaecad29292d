"""Before a run: checks its settings and hands each notebook the ones it declares, as a file of its own."""

import ast
import base64
import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import Any

from clv.errors import ClvError, InputError, IntegrityError
from clv.run import artefacts, chain, disk, params
from clv.run.artefacts import ALWAYS, ARTEFACTS, BACKTESTED, GENERATED, NOTEBOOKS
from clv.run.folder import Run
from clv.transactions.source import DATABASE

SETTINGS = "run"  # params/run.json: all settings, for the record
LETTERHEAD = "letterhead"  # in params/06.json: title, logo and accent of the page
_LOGOS = {b"\x89PNG": "image/png", b"\xff\xd8\xff": "image/jpeg", b"<svg": "image/svg+xml", b"<?xml": "image/svg+xml"}
_LARGEST_LOGO = 200_000  # bytes: the page is to be mailed
SOURCE_FILES = "source_files"  # in params/01.json: size and time of each, which tell of a change
KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def prepare(params_file: Path, notebooks: Path) -> Run:
    """Write outputs/<run>/params/NN.json for every notebook; a file whose content stays the same is not touched."""
    run = Run(params.run_name(params_file))
    loaded = params.load(params_file)
    loaded.refuse_future_end(date.today())
    settings = loaded.as_json()
    sources = _fingerprints(params_file, settings["source"])
    known = loaded.for_notebooks() | {"run": run.name}
    handed = {name: _handed(notebooks / f"{name}.ipynb", known) for name in NOTEBOOKS}
    # Not declared by the notebook, which would show them, but part of what it depends on.
    handed[NOTEBOOKS[0]] |= {SOURCE_FILES: sources, "exclude_ids": settings["exclude_ids"]}
    logo = settings["report_logo"] and _logo(params_file, artefacts.root() / Path(settings["report_logo"]).expanduser())
    head = {"title": settings["report_title"], "accent": settings["report_accent"], "logo": logo}
    handed[NOTEBOOKS[-1]][LETTERHEAD] = head
    for name, content in {SETTINGS: settings, **handed}.items():
        file, text = parameter_file(run, name), json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            disk.write(file, text)
    return run


def parameter_file(run: Run, notebook: str) -> Path:
    return run.folder / "params" / f"{notebook[:2] if notebook in NOTEBOOKS else notebook}.json"


def parameters(run: Run, notebook: str) -> dict[str, Any]:
    """Return what `prepare` wrote for `notebook`, or all settings for `SETTINGS`."""
    file = parameter_file(run, notebook)
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(f"{run.name} has not been prepared: {chain.remedy(run.name)}.") from error
    except ValueError as error:
        raise IntegrityError(f"{artefacts.shown(file)} was changed by hand: {chain.remedy(run.name)}.") from error


def expected(run: Run, notebook: str, settings: Mapping[str, Any], *, there: bool = True) -> list[Path]:
    """Return the artefacts that `notebook` must write under these settings, or those it writes under others alone."""
    exists = {ALWAYS: True, GENERATED: settings["source"] == "generate"}
    exists[BACKTESTED] = settings["calibration_end"] is not None
    own = {key: one for key, one in ARTEFACTS.items() if one.notebook == notebook}
    return [run.path(key) for key, one in own.items() if exists[one.when] == there]


def executed(run: Run, notebook: str) -> Path:
    """Return the place of the executed notebook: put there last, so it is the stamp of all it wrote."""
    return run.folder / "notebooks" / f"{notebook}.ipynb"


def pages(run: Run, notebook: str) -> list[Path]:
    """Return the HTML pages made from `notebook`: the report's stands among the others and where it is looked for."""
    report = [run.folder / "report.html"] if notebook == NOTEBOOKS[-1] else []
    return [*report, run.folder / "html" / f"{notebook}.html"]


def _handed(notebook: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    names = declared(notebook)
    unknown = [name for name in names if name not in settings]
    if unknown:
        raise ClvError(f"{notebook.name} declares the parameter {unknown[0]}, which clv.params does not know.")
    return {name: settings[name] for name in names}


def _fingerprints(params_file: Path, source: str) -> dict[str, dict[str, int]]:
    files = artefacts.source_files(source)
    if not files and source not in ("generate", DATABASE):
        raise InputError(f"{params_file}: source {source} matches no file; paths start at the project folder.")
    return {artefacts.shown(file): {"size": file.stat().st_size, "mtime_ns": file.stat().st_mtime_ns} for file in files}


def _logo(params_file: Path, file: Path) -> str:
    """Return a picture as the data URI that a page carries."""
    where = f"{params_file}: report_logo {artefacts.shown(file)}"
    try:
        content = file.read_bytes()
    except OSError as error:
        raise InputError(f"{where} cannot be read ({error.strerror}); paths start at the project folder.") from error
    kind = next((kind for start, kind in _LOGOS.items() if content.lstrip().startswith(start)), None)
    if kind is None or len(content) > _LARGEST_LOGO:
        found = f"{len(content) / 1000:,.0f} kB" if kind else "neither PNG, JPEG nor SVG"
        raise InputError(f"{where} is {found}: give a PNG, JPEG or SVG of at most {_LARGEST_LOGO / 1000:,.0f} kB.")
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"


def declared(notebook: Path) -> dict[str, Any]:
    """Return the parameters that `notebook` declares, with their defaults.

    The cell tagged `parameters` holds one annotated literal per line; papermill's own reader misses some of these.
    """
    try:
        content = json.loads(notebook.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ClvError(f"notebooks/{notebook.name} is missing: the checkout is not complete.") from error
    except ValueError as error:
        raise ClvError(f"notebooks/{notebook.name} is not a notebook file ({error}).") from error
    cells = [cell for cell in content["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ClvError(f"{notebook.name} must have exactly one cell tagged parameters, found {len(cells)}.")
    return dict(_declaration(notebook, line) for line in ast.parse("".join(cells[0]["source"])).body)


def strip(notebook: Path) -> bool:
    """Remove outputs and needless metadata from the file `notebook`; return whether that changed it."""
    before = notebook.read_text(encoding="utf-8")
    content = json.loads(before)
    for cell in content["cells"]:
        cell["metadata"] = {key: value for key, value in cell["metadata"].items() if key == "tags" and value}
        if cell["cell_type"] == "code":
            cell.update(outputs=[], execution_count=None)
    content["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    after = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if after != before:
        notebook.write_text(after, encoding="utf-8")
    return after != before


def _declaration(notebook: Path, line: ast.stmt) -> tuple[str, Any]:
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
        with suppress(ValueError):
            return line.target.id, ast.literal_eval(line.value)
    raise ClvError(f"{notebook.name}: parameters cell, line {line.lineno}: must be like `horizon_weeks: int = 52`.")
