"""Kinds of output that a page draws itself."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

PLOTLY = "application/vnd.plotly.v1+json"
WHAT_IF = "application/vnd.clv.what-if+json"
DOWNLOADS = "application/vnd.clv.downloads+json"  # name and text of each file


@dataclass(frozen=True)
class Downloads:
    """Files that a page carries within itself and offers as links: file name to text."""

    files: Mapping[str, str]

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        files = [{"name": name, "text": text} for name, text in self.files.items()]
        return {DOWNLOADS: files, "text/plain": ", ".join(self.files)}
