"""What the notebooks of a run would be made from now, and whether what stands on disk is what they wrote from that."""

import platform
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from clv import artefacts, chain
from clv.artefacts import NOTEBOOKS, Run
from clv.chain import Mark, Record
from clv.errors import IntegrityError, listed
from clv.prepare import SETTINGS, SOURCE_FILES, executed, expected, pages, parameters

LIBRARIES = ("arviz", "duckdb", "nutpie", "numpy", "pandas", "plotly", "pymc", "pymc-marketing", "scipy", "xarray")
RESULTS = ("data/*", "exports/*", "html/*", "notebooks/*", "posterior/*")
# The libraries are not among them: a run stays what it is when a package is renewed, and its record names the old ones.
CHANGES = {
    "parameters": "with other settings than params/{number}.json holds now",
    "notebook": "from another notebooks/{name}.ipynb than stands there now",
    "code": "by other code than clv/ holds now",
}


def mark(run: Run, notebook: Path) -> Mark:
    """Return the mark of the source `notebook`, were it executed now, before it has read anything."""
    name = notebook.stem
    hashes = {
        **_hashes(run, notebook),
        "sources": _sources(run) if name == NOTEBOOKS[0] else {},
        "versions": {"python": platform.python_version()} | {library: version(library) for library in LIBRARIES},
    }
    return {"run": run.name, "notebook": name, "made_from": {**hashes, "read": {}, "records": {}}}


def code() -> dict[str, str]:
    """Return the hash of every file of the package that a result may depend on."""
    package = artefacts.root() / "clv"
    files = sorted([*package.rglob("*.py"), *(package / "template").glob("*")])
    return {artefacts.shown(file): chain.digest(file) for file in files}


def require_unchanged(run: Run, notebook: Path, made: Mark) -> None:
    """Refuse what a notebook made if anything that it was made from changed meanwhile."""
    before, now = made["made_from"], mark(run, notebook)["made_from"]
    names = {"parameters": f"params/{notebook.stem[:2]}.json", "notebook": notebook.name, "code": "clv/"}
    changed = [name for key, name in names.items() if now[key] != before[key]]
    changed += sorted(file for file, found in now["sources"].items() if found != before["sources"].get(file))
    changed += [file for file, read in before["read"].items() if _hash(run.folder / file) != read]
    changed += [name for name, link in before["records"].items() if _hash(chain.record_file(run.folder, name)) != link]
    if changed:
        raise IntegrityError(f"{notebook.stem}: {listed(changed)} changed while it ran; {chain.remedy(run.name)}.")


def faults(run: Run, notebook: Path) -> list[str]:
    """Return what keeps the results of `notebook` from belonging to what stands on disk now, every byte read."""
    name = notebook.stem
    known = chain.record(run.folder, name)
    if known is None:
        return [f"{name} has no record of what it wrote: an older version made it, or it was never finished"]
    return [
        *_broken_files(run, name, known, every_byte=True),
        *_other_origins(run, notebook, known),
        *(f"{name} was made from another {file} than stands there now" for file in _other_sources(run, known)),
    ]


def strays(run: Run) -> list[str]:
    """Return the files among the results that no notebook of the run wrote."""
    records = [chain.record(run.folder, name) for name in NOTEBOOKS]
    known = {file for record in records if record for file in record.wrote}
    found = {
        file.relative_to(run.folder).as_posix()
        for pattern in RESULTS
        for file in run.folder.glob(pattern)
        if not file.name.startswith(".")
    }
    return [
        f"{file} does not belong here: no notebook of {run.name} wrote it; remove it" for file in sorted(found - known)
    ]


def is_recorded(run: Run) -> bool:
    """Tell whether a run was made by a version that records what notebooks wrote."""
    return (run.folder / "chain").exists()


def forget_stale(run: Run, notebooks: Path) -> list[str]:
    """Take the stamp of each notebook whose results do not belong to what stands on disk now, so make will renew it.

    Returns what is to be said of files that are not as they were left. Quick: a file that its times do not give away
    is not read, and neither are the source's files, whose size and time make watches.
    """
    stale, told = [], []
    for name in filter(lambda name: executed(run, name).exists(), NOTEBOOKS):
        known = chain.record(run.folder, name)
        broken = list(_broken_files(run, name, known, every_byte=False)) if known else []
        if broken or not known or any(_other_origins(run, notebooks / f"{name}.ipynb", known)):
            stale.append(executed(run, name))
        told += [f"{fault}; it is made again" for fault in broken[:1]]
    if stale and not is_recorded(run):
        told = [f"{run.name} was made by an older version, which kept no record of what it wrote: all is made again"]
    for stamp in stale:
        stamp.unlink()
    return told


def _hashes(run: Run, notebook: Path) -> dict[str, str]:
    handed = {key: value for key, value in parameters(run, notebook.stem).items() if key != SOURCE_FILES}
    return {
        "parameters": chain.digest_of(handed),
        "notebook": chain.digest(notebook),
        "code": chain.digest_of(code()),
    }


def _sources(run: Run) -> dict[str, str]:
    files = artefacts.source_files(parameters(run, SETTINGS)["source"])
    return {artefacts.shown(file): chain.digest(file) for file in files}


def _other_origins(run: Run, notebook: Path, known: Record) -> Iterator[str]:
    name, made_from = notebook.stem, known.mark["made_from"]
    for key, found in _hashes(run, notebook).items():
        if made_from.get(key) != found:
            yield f"{name} was made {CHANGES[key].format(name=name, number=name[:2])}"
    for earlier, link in made_from["records"].items():
        if _hash(chain.record_file(run.folder, earlier)) != link:
            yield f"{name} was made from an earlier {earlier} than stands here"


def _other_sources(run: Run, known: Record) -> list[str]:
    before, now = known.mark["made_from"].get("sources", {}), _sources(run)
    is_first = known.mark["notebook"] == NOTEBOOKS[0]
    return sorted(file for file in {*before, *now} if before.get(file) != now.get(file)) if is_first else []


def _broken_files(run: Run, name: str, known: Record, *, every_byte: bool) -> Iterator[str]:
    required = [*expected(run, name, parameters(run, SETTINGS)), *pages(run, name), executed(run, name)]
    for file in sorted({*known.wrote, *(file.relative_to(run.folder).as_posix() for file in required)}):
        if not (run.folder / file).exists():
            yield f"{file} is missing: {name} writes it"
        elif (every_byte or _looks_changed(run, name, file)) and (why := chain.stranger(run.folder, name, file)):
            yield f"{file} does not belong here: {why}"


def _looks_changed(run: Run, name: str, file: str) -> bool:
    # A notebook writes its files after its start, which is the age of its stamp, and before its record.
    places = (executed(run, name), run.folder / file, chain.record_file(run.folder, name))
    started, written, recorded = (place.stat().st_mtime_ns for place in places)
    return not started <= written <= recorded


def _hash(file: Path) -> str | None:
    return chain.digest(file) if file.exists() else None
