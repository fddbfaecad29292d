"""Notebooks tell: stripped, parametrised, short, and free of what belongs into the package."""

import ast
import json
from pathlib import Path
from typing import Any

import pytest

from clv.run import params, prepare
from clv.run.artefacts import NOTEBOOKS, root
from clv.run.settings.decisions import Decisions

FILES = sorted((root() / "notebooks").glob("*.ipynb"))
SMOKE = params.load(root() / "params" / "smoke.yaml").for_notebooks() | {"run": "lab"}
MOST_CODE_CELLS = dict(zip(NOTEBOOKS, (13, 12, 15, 13, 16, 20), strict=True))
MOST_CHARACTERS = 96  # a page cuts longer lines
FORBIDDEN = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Lambda,
    ast.For,
    ast.While,
    ast.If,
    ast.Try,
    ast.With,
)

each_notebook = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def book(file: Path) -> dict[str, Any]:
    """Return the notebook's content."""
    return json.loads(file.read_text(encoding="utf-8"))


def code(file: Path) -> list[str]:
    """Return the source of every code cell."""
    return ["".join(cell["source"]) for cell in book(file)["cells"] if cell["cell_type"] == "code"]


def nodes(file: Path) -> list[ast.AST]:
    """Return every piece of syntax in the notebook's code; magics do not parse, so they fail here."""
    return [node for source in code(file) for node in ast.walk(ast.parse(source))]


def test_there_are_six_notebooks_in_order():
    assert [file.stem for file in FILES] == list(NOTEBOOKS)


@each_notebook
def test_it_is_committed_without_outputs_and_needless_metadata(file, tmp_path):
    copy = tmp_path / file.name
    copy.write_bytes(file.read_bytes())
    assert not prepare.strip(copy), "run `make strip`"


@each_notebook
def test_it_opens_with_its_title_and_what_it_reads_and_writes(file):
    first = book(file)["cells"][0]
    text = "".join(first["source"])
    assert first["cell_type"] == "markdown"
    assert text.startswith("# ")
    # 06 is read by people who do not care for files.
    assert file.stem == NOTEBOOKS[-1] or all(word in text for word in ("*Reads*", "*Writes*", "*Run time*"))


@each_notebook
def test_its_parameters_are_those_of_the_smoke_run(file):
    declared = prepare.declared(file)
    assert declared == {name: SMOKE[name] for name in declared}


@each_notebook
def test_its_parameters_cell_has_several_lines(file):
    # IPython takes a cell with the single line `run: str = "lab"` for its magic %run.
    assert len(prepare.declared(file)) > 1


@each_notebook
def test_it_uses_every_parameter_it_declares(file):
    used = {node.id for node in nodes(file) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    assert set(prepare.declared(file)) <= used


@each_notebook
def test_it_is_short(file):
    assert len(code(file)) <= MOST_CODE_CELLS[file.stem]


@each_notebook
def test_its_lines_fit_a_page(file):
    assert [line for source in code(file) for line in source.splitlines() if len(line) > MOST_CHARACTERS] == []


@each_notebook
def test_it_defines_loops_and_branches_nowhere(file):
    assert not [ast.unparse(node) for node in nodes(file) if isinstance(node, FORBIDDEN)]


@each_notebook
def test_it_imports_in_one_cell(file):
    with_imports = [source for source in code(file) if any(map(is_import, ast.parse(source).body))]
    assert len(with_imports) == 1


@each_notebook
def test_it_filters_no_warnings_and_names_no_file(file):
    texts = [node.value for node in nodes(file) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    assert not [text for text in texts if "../" in text or text.startswith(("/", "outputs", "data/"))]
    assert not [source for source in code(file) if "warnings" in source or "os.path" in source or "Path(" in source]


def is_import(node: ast.stmt) -> bool:
    """Tell whether a statement is an import."""
    return isinstance(node, ast.Import | ast.ImportFrom)


def test_what_finance_changes_touches_only_the_last_two_notebooks():
    decided = {"campaign", "acquisition", *Decisions.model_fields} - {
        "horizon_weeks"
    }  # how far ahead: windows of the past are as long
    touched = {file.stem for file in FILES if decided & set(prepare.declared(file))}
    assert touched == {NOTEBOOKS[4], NOTEBOOKS[5]}
