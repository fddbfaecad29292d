"""What the notebooks of a run would be made from now, and whether what stands on disk is what they wrote from that."""

import platform
from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

from clv.errors import InputError, IntegrityError, listed
from clv.run import artefacts, chain, disk
from clv.run.artefacts import NOTEBOOKS
from clv.run.folder import Run
from clv.run.prepare import SETTINGS, SOURCE_FILES, expected, pages, parameter_file, parameters
from clv.run.prepare import executed as stamp

LIBRARIES = ("arviz", "duckdb", "nutpie", "numpy", "pandas", "plotly", "pymc", "pymc-marketing", "scipy", "xarray")
CODE = {".py", ".pyi", ".css", ".js", ".j2"}  # what of clv/ may change a result or a page
NO_RECORD = "{} has no record of what it wrote: it was not finished, or belongs to another run or version"
RESULTS = ("data/*", "exports/*", "figures/*", "html/*", "notebooks/*", "posterior/*")
# The libraries are not among them: a run stays what it is when a package is renewed, and its record names the old ones.
CHANGES = {
    "parameters": "with other settings than params/{number}.json holds now",
    "notebook": "from another notebooks/{name}.ipynb than stands there now",
    "code": "by other code than clv/ holds now",
}


def mark(run: Run, notebook: Path) -> chain.Mark:
    """Return the mark of the source `notebook`, were it executed now, before it has read anything."""
    versions = {"python": platform.python_version()} | {library: version(library) for library in LIBRARIES}
    made_from = _hashes(run, notebook) | {"sources": _sources(run, notebook), "versions": versions}
    return {"run": run.name, "notebook": notebook.stem, "made_from": made_from | {"read": {}, "records": {}}}


def code() -> dict[str, str]:
    """Return the hash of every file of the package that a result may depend on."""
    within = len(artefacts.PACKAGE.parent.as_posix()) + 1
    files = sorted((file for file in artefacts.PACKAGE.rglob("*") if file.suffix in CODE), key=str)
    return {file.as_posix()[within:]: chain.digest(file) for file in files}


def require_unchanged(run: Run, notebook: Path, made: chain.Mark) -> None:
    """Refuse what a notebook made if anything that it was made from changed meanwhile."""
    before, now = made["made_from"], _hashes(run, notebook)
    names = {"parameters": f"params/{notebook.stem[:2]}.json", "notebook": notebook.name, "code": "clv/"}
    changed = [name for key, name in names.items() if now[key] != before[key]]
    changed += [Path(file).name for file in _differing(before["sources"], _sources(run, notebook))]
    changed += [file for file, read in before["read"].items() if _hash(run.folder / file) != read]
    changed += [name for name, link in before["records"].items() if _hash(chain.record_file(run.folder, name)) != link]
    if changed:
        raise IntegrityError(f"{notebook.stem}: {listed(changed)} changed while it ran; {chain.remedy(run.name)}.")


def leave_record(run: Run, mark: chain.Mark, files: Iterable[Path], *, executed: Path) -> None:
    """Write the record of a notebook that ran to its end, and clear away what its earlier executions left behind.

    `executed` is the executed notebook, whole but not yet in its place.
    """
    name, earlier = mark["notebook"], chain.record(run.folder, mark["notebook"])
    wrote = {_inside(run, file): chain.digest(file) for file in files}
    record = chain.Record(mark, wrote | {_inside(run, stamp(run, name)): chain.digest(executed)})
    others = {_inside(run, file) for file in expected(run, name, parameters(run, SETTINGS), there=False)}
    for other in others.union(earlier.wrote if earlier else ()).difference(record.wrote):
        (run.folder / other).unlink(missing_ok=True)
    for written in map(run.folder.joinpath, record.wrote):
        for abandoned in written.parent.glob(f".{written.name}.*.tmp"):  # its writer was killed
            abandoned.unlink(missing_ok=True)
    disk.write(chain.record_file(run.folder, name), record.text())


def faults(run: Run, notebook: Path) -> list[str]:
    """Return what keeps the results of `notebook` from belonging to what stands on disk now, every byte read."""
    name = notebook.stem
    known = chain.record(run.folder, name)
    if known is None:
        return [NO_RECORD.format(name)]
    return [*_broken_files(run, name, known, every_byte=True), *_other_origins(run, notebook, known)]


def changed_sources(run: Run) -> list[str]:
    """Return what became of the source's files since they were read: a log may grow while a run goes on."""
    first, again = NOTEBOOKS[0], f"`make refresh PARAMS=params/{run.name}.yaml` reads it again"
    known = chain.record(run.folder, first)
    changed = _differing(known.mark["made_from"]["sources"], _sources(run, Path(first))) if known else []
    return [f"{first} was made from another {file} than stands there now: {again}" for file in changed]


def strays(run: Run) -> list[str]:
    """Return the files among the results that no notebook of a completely recorded run wrote."""
    records = [chain.record(run.folder, name) for name in NOTEBOOKS]
    if None in records:
        return []
    known = {file for record in records if record for file in record.wrote}
    found = (file for pattern in RESULTS for file in run.folder.glob(pattern) if not file.name.startswith("."))
    unknown = sorted({_inside(run, file) for file in found} - known)
    return [f"{file} does not belong here: no notebook of {run.name} wrote it; remove it" for file in unknown]


def staleness(run: Run, notebook: Path) -> str | None:
    """Return why the results of `notebook` do not belong to what stands on disk now: nothing of what was never made.

    None where they do. Quick: a file that was not touched since is not read, and of the source's files only size and
    time are looked at, which are among the parameters of the first notebook.
    """
    name = notebook.stem
    known, made = chain.record(run.folder, name), stamp(run, name)
    if not made.exists():
        return ""
    if known is None:
        return NO_RECORD.format(name)
    is_older = made.stat().st_mtime_ns < parameter_file(run, name).stat().st_mtime_ns
    older = f"{name} was made before its log or its settings were last changed" if is_older else None
    broken = next(_broken_files(run, name, known, every_byte=False), None)
    return broken or next(_other_origins(run, notebook, known), None) or older


def _hashes(run: Run, notebook: Path) -> dict[str, Any]:
    handed = {key: value for key, value in parameters(run, notebook.stem).items() if key != SOURCE_FILES}
    return {"parameters": chain.digest_of(handed), "notebook": chain.digest(notebook), "code": chain.digest_of(code())}


def _sources(run: Run, notebook: Path) -> dict[str, str]:
    if notebook.stem != NOTEBOOKS[0]:
        return {}
    files = artefacts.source_files(parameters(run, SETTINGS)["source"])
    try:
        return {artefacts.shown(file): chain.digest(file) for file in files}
    except OSError as error:
        name = Path(error.filename or "the log").name
        raise InputError(f"{name} cannot be opened ({error.strerror}): check that it may be read.") from error


def _differing(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return sorted(file for file in {*before, *now} if before.get(file) != now.get(file))


def _other_origins(run: Run, notebook: Path, known: chain.Record) -> Iterator[str]:
    name, made_from = notebook.stem, known.mark["made_from"]
    for key, found in _hashes(run, notebook).items():
        if made_from.get(key) != found:
            yield f"{name} was made {CHANGES[key].format(name=name, number=name[:2])}"
    for earlier, link in made_from["records"].items():
        if _hash(chain.record_file(run.folder, earlier)) != link:
            yield f"{name} was made from an earlier {earlier} than stands here"


def _broken_files(run: Run, name: str, known: chain.Record, *, every_byte: bool) -> Iterator[str]:
    required = [*expected(run, name, parameters(run, SETTINGS)), *pages(run, name), stamp(run, name)]
    # The time of change of content, name or times cannot be set back: copies and edits that keep a file's age show.
    recorded = chain.record_file(run.folder, name).stat().st_ctime_ns
    for file in sorted({*known.wrote, *(_inside(run, file) for file in required)}):
        place = run.folder / file
        if not place.exists():
            yield f"{file} is missing"
        elif (every_byte or place.stat().st_ctime_ns > recorded) and (why := chain.stranger(run.folder, name, file)):
            yield f"{file} does not belong: {why}"


def _inside(run: Run, file: Path) -> str:
    return file.relative_to(run.folder).as_posix()


def _hash(file: Path) -> str | None:
    return chain.digest(file) if file.exists() else None
