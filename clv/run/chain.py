"""The chain of a run: per notebook a record of what it was made from and what it wrote, each hashed into the next.

    chain/03.json   run, notebook
                    made_from   hashes of its parameters, its notebook, the code and the source's files; versions of the
                                libraries; every file it read; the records of the notebooks that wrote those
                    wrote       the hash of every file, the executed notebook among them

The hash of a record so stands for everything behind it, and the run id is the hash of what the report was made from.
All of a record but `wrote` is the notebook's mark.

The kernel learns its mark from the runner, and tells it what is read and written, through a journal: a file that the
environment variable CLV_CHAIN names. A kernel that somebody started by hand, in JupyterLab, has none: what it writes
leaves no record, and may be read wherever no runner left any. Where there are records, they hold for every reader.
"""

import errno
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from clv.errors import IntegrityError

VARIABLE = "CLV_CHAIN"
SHOWN_DIGITS = 12  # of a hash, to people: enough to tell any two apart

# What `made_from` holds: a hash, or things by name with their hashes (of libraries their versions).
MADE_FROM = {"parameters": str, "notebook": str, "code": str} | dict.fromkeys(
    ("sources", "versions", "read", "records"), dict
)

Mark = dict[str, Any]


@dataclass(frozen=True)
class Record:
    """What a notebook was made from, and the hash of each file that it wrote, by its path in the run's folder."""

    mark: Mark
    wrote: dict[str, str]

    def text(self) -> str:
        return json.dumps(self.mark | {"wrote": dict(sorted(self.wrote.items()))}, indent=2) + "\n"


def digest(file: Path) -> str:
    """Return the SHA-256 of a file; one that stays as it is is read once."""
    status = file.stat()
    return _digest(file, (status.st_ctime_ns, status.st_size, status.st_ino))


@cache
def _digest(file: Path, _: tuple[int, ...]) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def digest_of(content: Any) -> str:
    """Return the SHA-256 of what can be written as JSON, however its keys are ordered."""
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def identity(mark: Mapping[str, Any]) -> str:
    """Return a short name for all that a mark says; of the report's notebook it is the run id."""
    return digest_of(mark)[:SHOWN_DIGITS]


def record_file(folder: Path, notebook: str) -> Path:
    return folder / "chain" / f"{notebook[:2]}.json"


def is_recorded(folder: Path) -> bool:
    """Tell whether a runner that keeps records made the run in this folder, or began to."""
    return record_file(folder, "").parent.exists()


def record(folder: Path, notebook: str) -> Record | None:
    """Return the record of `notebook`; None if the run of this folder has none that can be read."""
    try:
        content = json.loads(record_file(folder, notebook).read_text(encoding="utf-8"))
        wrote, made_from = content.pop("wrote"), content["made_from"]
        whole = all(isinstance(made_from[key], kind) for key, kind in MADE_FROM.items())
        belongs = (content["run"], content["notebook"]) == (folder.name, notebook)
        inside = not any(".." in Path(file).parts or Path(file).is_absolute() for file in wrote)
    except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError):
        return None
    return Record(content, dict(wrote)) if whole and belongs and inside else None


def torn(folder: Path, notebook: str) -> tuple[str, str] | None:
    """Return a notebook at or behind `notebook`, and one it was made from that has been made again since."""
    known = record(folder, notebook)
    for earlier, link in known.mark["made_from"]["records"].items() if known else ():
        file = record_file(folder, earlier)
        if not file.exists() or digest(file) != link:
            return notebook, earlier
        if found := torn(folder, earlier):
            return found
    return None


def stranger(folder: Path, notebook: str, file: str) -> str:
    """Return why a file is not the one that `notebook` wrote; nothing if it is, or if there is no record of it."""
    known = record(folder, notebook)
    if known is None or digest(folder / file) == known.wrote.get(file):
        return ""
    belongs = f"{notebook} of {folder.name} ({identity(known.mark)})"
    return f"it is not what {belongs} wrote" if file in known.wrote else f"{belongs} did not write it"


def remedy(run: str) -> str:
    """Return what makes again all of a run that does not belong to it."""
    return f"run `make report PARAMS=params/{run}.yaml`"


def require(folder: Path, notebook: str, file: str) -> None:
    """Refuse a file that `notebook` did not write, or from what is no longer there; tell the runner that it is read."""
    run, known, by_runner = folder.name, record(folder, notebook), VARIABLE in os.environ
    shown = f"outputs/{run}/{file}"
    if reason := stranger(folder, notebook, file):
        raise IntegrityError(f"{shown} does not belong here: {reason}; remove it and {remedy(run)}.")
    if known is None and (by_runner or is_recorded(folder)):
        name = record_file(folder, notebook).relative_to(folder)
        raise IntegrityError(
            f"{shown} has no record in {name}: an older version or a killed run made it; {remedy(run)}."
        )
    if pair := torn(folder, notebook):
        reason = f"{pair[0]} was made from an earlier {pair[1]} than stands here"
        raise IntegrityError(f"{shown} does not belong here: {reason}; {remedy(run)}.")
    if known and by_runner:
        link = digest(record_file(folder, notebook))
        _note(read=file, sha256=known.wrote[file], notebook=notebook, record=link)


@contextmanager
def journal(folder: Path, mark: Mark) -> Iterator[Path]:
    """Name a journal that begins with `mark` to every kernel that starts now, and give its place."""
    file = folder / f".{mark['notebook']}.{os.getpid()}.chain"
    # This process holds the notebook's lock. A kernel whose runner was killed lives for a second more: without its
    # journal it can write nothing over what is made now.
    for abandoned in folder.glob(f".{mark['notebook']}.*.chain"):
        abandoned.unlink(missing_ok=True)
    try:
        file.write_text(json.dumps(mark) + "\n", encoding="utf-8")
        os.environ[VARIABLE] = str(file)
        yield file
    finally:
        os.environ.pop(VARIABLE, None)
        file.unlink(missing_ok=True)


def told(file: Path) -> tuple[Mark, set[str]]:
    """Return the mark in a journal, with what was read so far, and the files that were written."""
    try:
        mark, *notes = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
    except FileNotFoundError as error:
        raise _orphaned() from error
    for note in notes:
        if "read" in note:  # what was read first holds: should it have changed in between, the runner will notice
            mark["made_from"]["read"].setdefault(note["read"], note["sha256"])
            mark["made_from"]["records"].setdefault(note["notebook"], note["record"])
    return mark, {note["wrote"] for note in notes if "wrote" in note}


def wrote(file: str) -> None:
    """Tell the runner, if there is one, that `file` of its run was written."""
    if VARIABLE in os.environ:
        _note(wrote=file)


def _note(**fields: str) -> None:
    try:
        descriptor = os.open(os.environ[VARIABLE], os.O_WRONLY | os.O_APPEND)  # not created
    except FileNotFoundError as error:
        raise _orphaned() from error
    line = (json.dumps(fields) + "\n").encode()
    try:
        if os.write(descriptor, line) < len(line):  # a line cut short would hide what comes after it
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    finally:
        os.close(descriptor)


def _orphaned() -> IntegrityError:
    return IntegrityError(
        "Whoever started this notebook is gone, and nothing more is written: run `make report` again."
    )
