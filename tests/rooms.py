"""The rooms of the package as its files stand: who imports whom. `make rooms` prints it, CONTRIBUTING.md shows it."""

import ast
from collections import defaultdict
from functools import cache
from pathlib import Path

from clv.run.artefacts import root

# In the order of the notebooks; a room imports only rooms above it. Single files stand as rooms of their own.
ROOMS = (
    *("errors", "words", "units", "progress", "tables"),
    *("models", "transactions", "rfm", "checks", "forecast", "backtest", "decisions", "report", "run", "mlflow"),
)
MODULES = sorted(path for path in (root() / "clv").rglob("*.py") if path.stem not in ("__init__", "__main__"))
FOLDERS = [room for room in ROOMS if (root() / "clv" / room).is_dir()]


@cache
def name(path: Path) -> str:
    """Return a module's name within the package: `forecast.value`."""
    return ".".join(path.relative_to(root() / "clv").with_suffix("").parts)


def room(module: str) -> str:
    """Return the room of a module's name."""
    return module.partition(".")[0]


@cache
def tree(path: Path) -> ast.Module:
    """Return the module's syntax tree."""
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imported(path: Path) -> set[str]:
    """Return the full names of everything a module imports, also inside functions."""
    names: set[str] = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{name(path)}: imports of the package are absolute"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@cache
def own(path: Path) -> set[str]:
    """Return the modules of the package that a module imports, or takes names from."""
    known = {name(module) for module in MODULES}
    names = {full.removeprefix("clv.") for full in imported(path) if full.startswith("clv.")}
    return known & (names | {full.rpartition(".")[0] for full in names})


def listing() -> str:
    """Return a line per room: the rooms above that it imports."""
    above: dict[str, set[str]] = defaultdict(set)
    for path in MODULES:
        above[room(name(path))] |= {room(module) for module in own(path)} - {room(name(path))}
    width = max(map(len, ROOMS)) + 2
    return "\n".join(f"{at:{width}}{' '.join(sorted(above[at], key=ROOMS.index))}".rstrip() for at in ROOMS)


if __name__ == "__main__":
    print(listing())
