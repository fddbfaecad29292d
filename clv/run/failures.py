"""What went wrong with a notebook: a sentence for a person, one for the log, and a page that shows where it stopped."""

import errno
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clv import errors
from clv.errors import ClvError, GateError
from clv.run import artefacts, disk
from clv.run.folder import Run

# nbformat and the renderer take seconds to import.
if TYPE_CHECKING:
    from nbformat import NotebookNode

PAPERMILLS_MARKS = {"papermill-error-cell-tag"}
# What the system says of a file that it will not write, and what helps.
NO_ROOM = "make room and run make again"
NO_RIGHT = "let it be written, or set CLV_OUTPUTS to another folder, and run make again"
REFUSED_BY_DISK = {os.strerror(number): NO_ROOM for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)} | {
    os.strerror(number): NO_RIGHT for number in (errno.EACCES, errno.EPERM, errno.EROFS)
}
OUT_OF_MEMORY = {"MemoryError", "_ArrayMemoryError"}


class NotebookError(ClvError):
    """A notebook did not run to its end, or not as it must."""

    def __init__(self, sentence: str, quoted: str = "") -> None:
        """End the sentence with what is quoted from the notebook, which may be about a customer."""
        super().__init__(sentence + quoted)
        self.unquoted = sentence + ("..." if quoted else "")


def from_disk(error: Exception) -> ClvError | None:
    """Return as a refusal of ours that a file could not be written; None if the error is another."""
    if isinstance(error, OSError) and (advice := _disk_advice(str(error))):
        file = Path(error.filename) if error.filename else None
        # The name of a file that is not yet in place says nothing to anyone.
        shown = artefacts.shown(file.parent if file.suffix == ".tmp" else file) if file else "A file"
        return ClvError(f"{shown} cannot be written ({error.strerror}): {advice}; what was finished stays.")
    return None


def for_log(error: BaseException) -> str:
    """Return why a notebook failed, for the log: without the rows and values that the sentence for people names."""
    if isinstance(error, NotebookError):
        return error.unquoted
    if isinstance(error, ClvError):
        return re.sub(r" \((first|found): .*\)", "", str(error), flags=re.DOTALL)
    said_by_system = error.strerror if isinstance(error, OSError) else None
    return ": ".join(filter(None, (type(error).__name__, said_by_system)))


def from_kernel(name: str, error: Any) -> ClvError:
    """Return what a cell raised as a refusal of ours: its own one, or a sentence that says in which cell."""
    kind = getattr(errors, error.ename, None)
    if isinstance(kind, type) and issubclass(kind, ClvError):
        return kind(error.evalue)
    message, where = " ".join(error.evalue.split()), f"{name}, cell [{error.exec_count}]"
    if advice := _disk_advice(message):
        return NotebookError(
            f"{where}: a file could not be written; {advice} ({error.ename}: ", quoted=f"{message[:300]})."
        )
    if error.ename in OUT_OF_MEMORY:
        return NotebookError(f"{where}: the memory did not suffice; lower memory_gib or predictive_draws.")
    return NotebookError(f"{where}: {error.ename}: ", quoted=message[:300])


def require_clean(notebook: "NotebookNode", name: str) -> None:
    """Refuse a notebook of which a cell did not run or failed."""
    # papermill reports success after sys.exit(0) in a cell, and when a kernel was killed between cells.
    code = _code_cells(notebook)
    if stopped := [number for number, cell in enumerate(code, start=1) if _is_broken(cell)]:
        raise NotebookError(f"{name}: stopped before its end, at code cell {stopped[0]} of {len(code)}.")


def page_of(run: Run, name: str) -> Path:
    return run.folder / "failed" / f"{name[:2]}.html"


def write_page(unfinished: Path, run: Run, name: str, error: BaseException) -> None:
    """Show the notebook as far as it came, with what went wrong on top; one that did not begin has no page."""
    if not unfinished.exists():
        return
    import nbformat

    from clv.report.page.html import render

    notebook = nbformat.read(unfinished, as_version=4)
    # papermill marks the failing cell with cells of its own, as HTML that a page shows as text.
    notebook.cells = [cell for cell in notebook.cells if not set(cell.metadata.get("tags", [])) & PAPERMILLS_MARKS]
    broken = next((cell for cell in _code_cells(notebook) if _is_broken(cell)), None)
    if broken is not None:
        for output in broken.outputs if not isinstance(error, NotebookError) else ():
            output.traceback = []  # the sentence says it all; behind it stands what a database quotes of its rows
        notebook.cells.insert(notebook.cells.index(broken), nbformat.v4.new_markdown_cell("**Here it stopped:**"))
    alert, footer = str(error) or "interrupted", f"Run {run.name}, notebook {name}"
    disk.write(page_of(run, name), render(notebook, title=name, show_code=True, footer=footer, alert=alert))
    if isinstance(error, NotebookError | GateError):
        error.args = (f"{str(error).rstrip('.')}. See {artefacts.shown(page_of(run, name))}.",)


def _disk_advice(message: str) -> str | None:
    return next((advice for said, advice in REFUSED_BY_DISK.items() if said in message), None)


def _code_cells(notebook: "NotebookNode") -> list["NotebookNode"]:
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def _is_broken(cell: "NotebookNode") -> bool:
    return cell.execution_count is None or any(output.output_type == "error" for output in cell.outputs)
