"""What other packages warn of: noted in the run's log, shown on no page or terminal, and no reason to stop.

In tests and in the smoke run each is a failure (CLV_WARNINGS=error). What numpy says of arithmetic in `clv` itself is
one in every run: a figure may be wrong.
"""

import os
import re
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from clv.errors import GateError
from clv.run import artefacts
from clv.run.failures import NotebookError
from clv.run.folder import Run

VARIABLE, AS_ERRORS = "CLV_WARNINGS", "error"
# As Python prints one; the line of source that follows is indented.
_PRINTED = re.compile(r"^(?P<file>.+?):(?P<line>\d+): (?P<kind>\w+): (?P<said>.*)$")
_PACKAGES = re.compile(r"^.*/(?:site-packages|lib/python[\d.]+)/")


@dataclass(frozen=True)
class Warned:
    """What was written to stderr: of a warning its kind and place; the number of the notebook's cell, if it is one."""

    said: str
    kind: str = ""
    place: str = ""
    cell: int | None = None


def silence(executed: Path, run: Run, notebook: str) -> list[Warned]:
    """Take what an executed notebook wrote to stderr out of its file, note it in the log of `run` and return it."""
    import nbformat

    book = nbformat.read(executed, as_version=4)
    told: dict[Warned, None] = {}
    for cell in (cell for cell in book.cells if cell.cell_type == "code"):
        written = [output for output in cell.outputs if output.get("name") == "stderr"]
        cell.outputs = [output for output in cell.outputs if output.get("name") != "stderr"]
        told |= dict.fromkeys(each for output in written for each in _parsed(output.text, cell.execution_count))
    if told:
        nbformat.write(book, executed)
        _note(told, run, notebook)
    return list(told)


def refuse(told: Iterable[Warned], notebook: str) -> None:
    """Refuse what is a failure of the notebook."""
    for each in told:
        where = f"{notebook}, cell [{each.cell}]"
        if each.kind == "RuntimeWarning" and each.place.startswith("clv/"):
            raise GateError(f"{where}: {each.said} in {each.place}: a figure may be wrong, so none is shown.")
        if are_errors():
            raise NotebookError(f"{where} wrote a warning: ", quoted=f"{each.kind}: {each.said}".removeprefix(": "))


def note(told: Iterable[warnings.WarningMessage], run: Run | None) -> list[Warned]:
    """Note warnings of this process in the log of `run`, if it is known, and return them."""
    found = [Warned(str(each.message), each.category.__name__, _place(each.filename, each.lineno)) for each in told]
    if run:
        _note(found, run, None)
    return found


def are_errors() -> bool:
    """Tell whether warnings of other packages are failures here."""
    return os.environ.get(VARIABLE) == AS_ERRORS


def _parsed(text: str, cell: int | None) -> list[Warned]:
    """Return the warnings in what a cell wrote; other text is one without kind and place."""
    lines = [line for line in text.splitlines() if line.strip()] or ["an empty line"]
    matches = [match for line in lines if (match := _PRINTED.match(line))]
    if not matches:
        return [Warned(lines[-1].strip()[-300:], cell=cell)]
    return [Warned(m["said"][:300], m["kind"], _place(m["file"], int(m["line"])), cell) for m in matches]


def _place(file: str, line: int) -> str:
    """Return file and line from the package on: where it is installed is nobody's business."""
    inside = Path(file).is_relative_to(artefacts.PACKAGE)
    name = artefacts.shown(Path(file)) if inside else _PACKAGES.sub("", file)
    return f"{name if not name.startswith(('/', '<')) else Path(name).name}:{line}"


def _note(told: Iterable[Warned], run: Run, notebook: str | None) -> None:
    from clv.transactions.connection import harmless

    for each in told:
        # A warning may quote a customer: neither what stands in quotes is noted, nor a word with a digit or @ in it.
        text = re.sub(r"\S*[@\d]\S*", "…", harmless(each.said, ()))
        run.log("warning", notebook=notebook, cell=each.cell, kind=each.kind, place=each.place, text=text)
