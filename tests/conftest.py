"""What several test files need: notebooks made of a few cells, and an outputs folder of one's own."""

import os
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from hypothesis import settings

from clv.run import warned
from clv.run.prepare import KERNEL

SETTINGS_CELL = '# settings\nrun: str = "lab"'  # IPython would take a single line `run: ...` for its %run

os.environ[warned.VARIABLE] = warned.AS_ERRORS  # also for what tests start
settings.register_profile("untimed", deadline=None)  # how long an example takes is the machine's affair
settings.load_profile("untimed")


@pytest.fixture
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty outputs folder that this test's runs, and their kernels, write to."""
    folder = tmp_path / "outputs"
    monkeypatch.setenv("CLV_OUTPUTS", str(folder))
    return folder


@pytest.fixture
def toy(tmp_path: Path) -> Callable[..., Path]:
    """A function that writes a notebook: a title, a parameters cell, and the given cells."""

    def write(name: str, *cells: str, parameters: str = SETTINGS_CELL, folder: Path | None = None) -> Path:
        book = nbformat.v4.new_notebook(metadata={"kernelspec": KERNEL})
        declares = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
        book.cells = [nbformat.v4.new_markdown_cell(f"# {name}"), declares, *map(nbformat.v4.new_code_cell, cells)]
        file = (folder or tmp_path / "notebooks") / f"{name}.ipynb"
        file.parent.mkdir(parents=True, exist_ok=True)
        nbformat.write(book, file)
        return file

    return write
