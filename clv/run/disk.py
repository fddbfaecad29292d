"""How files get onto the disk: whole or not at all."""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

from clv.errors import IntegrityError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a name to write to; afterwards the file stands complete at `path`, or on failure what stood there before."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield unfinished
        flush(unfinished)
        os.replace(unfinished, path)
        flush(path.parent)
    finally:
        unfinished.unlink(missing_ok=True)


def write(path: Path, text: str) -> None:
    """Write a text: whole or not at all."""
    with replacing(path) as unfinished:
        unfinished.write_text(text, encoding="utf-8")


def plain(value: Any, where: str) -> Any:
    """Return `value` in JSON's types; `where` names the place of a figure that is not a number."""
    if isinstance(value, Mapping):
        return {str(key): plain(item, f"{where}.{key}") for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, f"{where}[{place}]") for place, item in enumerate(value)]
    if isinstance(value, date):
        # A pandas Timestamp at midnight is a day.
        return str(value)[: len("2025-06-30")] if str(value).endswith("00:00:00") else value.isoformat()
    if hasattr(value, "tolist"):  # numpy's scalars and arrays
        return plain(value.tolist(), where)
    if isinstance(value, float) and not abs(value) < float("inf"):
        raise IntegrityError(f"{where} is {value}, not a number that can be reported.")
    return value


def flush(path: Path) -> None:
    """Have the system put a file or folder on the disk; Windows lets nobody who only reads ask for that."""
    if os.name == "nt":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
