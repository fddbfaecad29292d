"""The report's charts as picture files for slides, drawn by the Chrome or Chromium of this machine, if it has one."""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from clv.report.page.mime import PLOTLY
from clv.run import artefacts, disk
from clv.run.folder import Run

if TYPE_CHECKING:
    from nbformat import NotebookNode

FOLDER, TASK, DRAWING = "figures", "charts.json", "image/svg+xml"
WIDTH, SCALE = 1000, 2  # pixels, and how many real ones for each
SECONDS = 90.0  # for the browser to draw all of them; a dozen take seven
NO_BROWSER, FAILED = 3, "figures/*.png could not be drawn"
REASONS = {0: "", NO_BROWSER: "no Chrome or Chromium was found to draw figures/*.png with"}


def write_pictures(notebook: "NotebookNode", run: Run) -> tuple[list[Path], str]:
    """Write every chart of an executed notebook as figures/NN-section.png in place of those that stood there.

    Each also becomes a drawing beside the chart in the notebook, for whoever runs no script. Returned are the files,
    and what to say where there are none though there are charts: pictures are a convenience, so a browser that is
    missing or fails costs nobody the report.
    """
    folder, drawn = run.folder / FOLDER, _charts(notebook)
    found, reason = [], ""
    for abandoned in run.folder.glob(".figures.*"):  # whoever drew there was killed
        shutil.rmtree(abandoned, ignore_errors=True)
    if drawn:
        with tempfile.TemporaryDirectory(dir=run.folder, prefix=".figures.") as unfinished:
            reason = _draw(drawn, Path(unfinished))
            folder.mkdir(exist_ok=True)
            for name, output in drawn.items() if not reason else ():
                drawing = (Path(unfinished) / name).with_suffix(".svg").read_text(encoding="utf-8")
                output.data[DRAWING] = _named_anew(drawing)
            for picture in sorted(Path(unfinished).glob("*.png")) if not reason else ():
                disk.flush(picture)
                os.replace(picture, folder / picture.name)
                found.append(folder / picture.name)
    for old in folder.glob("*.png"):
        if old not in found:
            old.unlink()
    return found, reason


def _named_anew(drawing: str) -> str:
    """Return an SVG whose random names, one of itself and one per trace, are its places: the same each time."""
    names = dict.fromkeys(re.findall(r"(?:-|-cb|\btrace|\bcb)([0-9a-f]{6})\b", drawing))
    for place, name in enumerate(names):
        drawing = re.sub(rf"(?<=[a-z-]){name}", f"n{place}", drawing)
    return drawing


def _charts(notebook: "NotebookNode") -> dict[str, "NotebookNode"]:
    """Return the outputs of a notebook that are charts, by names of files: a number, and their section."""
    found: dict[str, NotebookNode] = {}
    section = ""
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            headings = re.findall(r"^#{1,4} +(.+)$", cell.source, flags=re.MULTILINE)
            section = headings[-1] if headings else section
        for output in cell.get("outputs", []):
            if output.get("data", {}).get(PLOTLY, {}).get("data"):  # some have nothing to draw
                slug = re.sub(r"[^a-z0-9]+", "-", section.lower()).strip("-")
                found[f"{len(found) + 1:02d}-{slug}.png"] = output
    return found


def _draw(charts: Mapping[str, "NotebookNode"], folder: Path) -> str:
    """Let a process of its own draw the charts into `folder`; return why it could not, in words."""
    task = folder / TASK
    task.write_text(json.dumps({name: output.data[PLOTLY] for name, output in charts.items()}), encoding="utf-8")
    command, nothing = [sys.executable, "-m", "clv.run.pictures", str(folder)], subprocess.DEVNULL
    with subprocess.Popen(command, cwd=artefacts.root(), stdin=nothing, stdout=nothing, stderr=nothing) as drawing:
        try:
            reason = REASONS.get(drawing.wait(timeout=SECONDS), FAILED)
        except subprocess.TimeoutExpired:
            reason = f"figures/*.png took more than {SECONDS:g} seconds to draw"
        finally:
            drawing.kill()  # its browser ends with it
    task.unlink()
    return f"{reason}; the page's buttons save pictures as well" if reason else ""


def main(folder: Path) -> int:
    """Draw the charts of the task in `folder`; return 0, or `NO_BROWSER`. Kaleido knows no deadline for all it does."""
    import kaleido
    from kaleido.errors import ChromeNotFoundError

    charts = json.loads((folder / TASK).read_text(encoding="utf-8"))
    specifications = [
        {
            "path": str((folder / name).with_suffix(f".{kind}")),
            "fig": {"data": chart["data"], "layout": {**chart["layout"], "paper_bgcolor": "#fff", **changed}},
            "opts": {"format": kind, "width": WIDTH, "height": chart["layout"]["height"] + 40, "scale": scale},
        }
        for name, chart in charts.items()
        for kind, scale, changed in (("png", SCALE, {}), ("svg", 1, {"title": None}))  # pages write the title
    ]
    # The library that the page carries too; nothing is fetched, and what a browser asks of its own accord ends nowhere.
    options = {
        "plotlyjs": str(files("plotly") / "package_data" / "plotly.min.js"),
        "mathjax": False,
        "proxy_server": "http://127.0.0.1:9",
        "enable_sandbox": os.geteuid() != 0,  # as root Chromium starts without it only
    }
    try:
        kaleido.write_fig_from_object_sync(specifications, cancel_on_error=True, kopts=options)
    except ChromeNotFoundError:
        return NO_BROWSER
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
