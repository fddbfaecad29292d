"""Kinds of output that a page draws itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"
WHAT_IF = "application/vnd.clv.what-if+json"
DOWNLOADS = "application/vnd.clv.downloads+json"  # name and text of each file


@dataclass(frozen=True)
class Drawn:
    """An output that pages draw by its kind; JupyterLab shows the text that stands for it."""

    kind: str
    content: Any
    text: str

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {self.kind: self.content, "text/plain": self.text}


def downloads(files: Mapping[str, str]) -> Drawn:
    """Return files that a page carries within itself and offers as links: file name to text."""
    return Drawn(DOWNLOADS, [{"name": name, "text": text} for name, text in files.items()], ", ".join(files))
