"""What several test files need: notebooks made of a few cells, and an outputs folder of one's own."""

from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest

from clv import artefacts
from clv.artefacts import ARTEFACTS, Run
from clv.errors import ClvError


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty outputs folder that this test's runs, and their kernels, write to."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("CLV_OUTPUTS", str(folder))
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a notebook: a title, a parameters cell, and the given cells."""

    def write(name: str, *cells: str, parameters: str = '# settings\nrun: str = "lab"', folder: Path | None = None) -> Path:
        book = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
        declares = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        book.cells = [nbformat.v4.new_markdown_cell(f"# {name}"), declares, *map(nbformat.v4.new_code_cell, cells)]
        for number, cell in enumerate(book.cells):
            cell.id = f"toy-{number}"
        file = (folder or tmp_path) / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, file)
        return file

    return write


def writes(name: str) -> str:
    """Return a cell that writes every artefact of notebook `name`, with the time so that no two are alike."""
    keys = [key for key, artefact in ARTEFACTS.items() if artefact.notebook == name]
    return (
        "import time\nfrom clv.artefacts import Run\n"
        f"files = [Run(run).path(key) for key in {keys}]\n"
        "made = [file.parent.mkdir(parents=True, exist_ok=True) for file in files]\n"
        "written = [file.write_text(str(time.time_ns())) for file in files]"
    )


def failing(attempt: Callable[[], object], kind: type[ClvError] = ClvError) -> str:
    """Return the sentence with which `attempt` is refused."""
    with pytest.raises(kind) as refusal:
        attempt()
    return str(refusal.value)


__all__ = ["Run", "artefacts", "failing", "writes"]
