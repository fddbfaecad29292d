"""Notebook files as they stand on disk: which parameters they declare, and how to strip them for git."""

import ast
import json
from pathlib import Path
from typing import Any

from clv.errors import ClvError

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def declared(notebook: Path) -> dict[str, Any]:
    """Return the parameters that `notebook` declares, with their defaults.

    The cell tagged `parameters` holds one annotated literal per line; papermill's own reader misses some of these.
    """
    cells = [cell for cell in _read(notebook)["cells"] if "parameters" in cell["metadata"].get("tags", [])]
    if len(cells) != 1:
        raise ClvError(f"{notebook.name} must have exactly one cell tagged parameters, found {len(cells)}.")
    return dict(_declaration(notebook, line) for line in ast.parse("".join(cells[0]["source"])).body)


def strip(notebook: Path) -> bool:
    """Remove outputs and needless metadata from the file `notebook`; return whether that changed it."""
    before = notebook.read_text(encoding="utf-8")
    content = json.loads(before)
    content["cells"] = [_bare_cell(cell) for cell in content["cells"]]
    content["metadata"] = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    after = json.dumps(content, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
    if after != before:
        notebook.write_text(after, encoding="utf-8")
    return after != before


def _read(notebook: Path) -> dict[str, Any]:
    try:
        return json.loads(notebook.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ClvError(f"notebooks/{notebook.name} is missing: the checkout is not complete.") from error
    except ValueError as error:
        raise ClvError(f"notebooks/{notebook.name} is not a notebook file ({error}).") from error


def _declaration(notebook: Path, line: ast.stmt) -> tuple[str, Any]:
    if isinstance(line, ast.AnnAssign) and isinstance(line.target, ast.Name) and line.value is not None:
        try:
            return line.target.id, ast.literal_eval(line.value)
        except ValueError:
            pass
    raise ClvError(f"{notebook.name}: parameters cell, line {line.lineno}: must be like `horizon_weeks: int = 52`.")


def _bare_cell(cell: dict[str, Any]) -> dict[str, Any]:
    tags = cell["metadata"].get("tags")
    bare = {**cell, "metadata": {"tags": tags} if tags else {}}
    if cell["cell_type"] == "code":
        bare |= {"outputs": [], "execution_count": None}
    return bare
