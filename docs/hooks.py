"""Pages of the site that have their home elsewhere: README, notebooks, settings, and the doors of the rooms."""

import html
import json
import os
import re
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert

from clv.run.artefacts import NOTEBOOKS, notebooks_folder, outputs, root
from clv.run.params import Params
from clv.tables import Table

ROOMS = ("models", "transactions", "rfm", "checks", "forecast", "backtest", "decisions", "report", "run")
RUN = os.environ.get("CLV_DOCS_RUN", "cdnow")  # whose executed notebooks and report can be opened from the site
# Links of the files at the project's top, and where they lead on the site.
MOVED = {r"docs/": "", r"notebooks/(\w+)\.ipynb": r"method/\1.md", r"CONTRIBUTING\.md": "contributing.md"}


def on_files(files: Any, config: Any) -> Any:
    """Add what is written nowhere in docs/."""
    from mkdocs.structure.files import File  # no test needs it

    for place, text in pages():
        files.append(File.generated(config, place, content=text))
    for file in [*_made(), *(root() / "params").glob("*.yaml")]:
        folder = "params" if file.suffix == ".yaml" else "run"
        files.append(File.generated(config, f"{folder}/{file.name}", abs_src_path=str(file)))
    return files


def on_page_markdown(text: str, **_: Any) -> str:
    """Lead links from docs/ to params files, which stand beside it, to their copies."""
    return text.replace("](../params/", "](params/")


def on_post_page(output: str, page: Any, **_: Any) -> str:
    """Refuse a page that would fetch anything from a network."""
    if fetched := re.search(r'<(?:script|img|link|iframe)[^>]* (?:src|href)="?(?:https?:)?//[^ >]*', output):
        raise ValueError(f"{page.file.src_uri} would fetch {fetched[0]}")
    return output


def on_page_content(content: str, **_: Any) -> str:
    """Set formulas as MathML, which needs no script, and a sentence on what is returned as text, not as code."""
    content = re.sub(r"<code>([^<]* [^<]*)</code>\s*–\s*<div class=.doc-md-description.>\s*</div>", r"\1", content)
    content = re.sub(
        r'<div class="arithmatex">\\\[(.*?)\\\]</div>', lambda found: _math(found[1], "block"), content, flags=re.S
    )
    return re.sub(
        r'<span class="arithmatex">\\\((.*?)\\\)</span>', lambda found: _math(found[1], "inline"), content, flags=re.S
    )


def _math(escaped: str, display: str) -> str:
    return convert(html.unescape(escaped), display=display)


def pages() -> Iterator[tuple[str, str]]:
    """Yield place and text of every page whose home is elsewhere."""
    for place, name in {
        "index.md": "README.md",
        "contributing.md": "CONTRIBUTING.md",
        "changelog.md": "CHANGELOG.md",
    }.items():
        yield place, _top(root() / name)
    yield "settings.md", _settings()
    yield "gallery.md", _gallery()
    for name in NOTEBOOKS:
        yield f"method/{name}.md", _notebook(notebooks_folder() / f"{name}.ipynb")
    for room in ROOMS:
        yield f"reference/{room}.md", "\n\n".join(_reference(room))


def _made() -> list[Path]:
    """Return the pages of a finished run, if there is one."""
    run = outputs() / RUN
    if not (run / "manifest.json").exists():
        return []
    return [*sorted((run / "html").glob("*.html")), run / "report.html", *sorted((run / "figures").glob("*.png"))]


def _gallery() -> str:
    """Return the charts of a finished run, under the sections of its report in which they stand."""
    pictures = [file for file in _made() if file.suffix == ".png"]
    told = [f"[The report of the run {RUN}](run/report.html) draws them, each with its table."] if pictures else []
    told = told or [f"Made by `make report PARAMS=params/{RUN}.yaml` where there is a Chromium, and `make docs` again."]
    section = ""
    for picture in pictures:
        before, section = section, picture.stem.partition("-")[2].replace("-", " ").capitalize()
        told += [f"## {section}"] if section != before else []
        told.append(f"![A chart of {section}](run/{picture.name})")
    return "\n\n".join(["# Every chart of a report", *told])


def _top(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    for before, after in MOVED.items():
        text = re.sub(rf"\]\({before}", f"]({after}", text)
    return text


def _notebook(file: Path) -> str:
    """Return a notebook's text and code, and the link to its page in a run, where its results are."""
    cells = json.loads(file.read_text(encoding="utf-8"))["cells"]
    title, *told = [_cell(cell["cell_type"], "".join(cell["source"])) for cell in cells if cell["source"]]
    executed = f"[Executed, for the run {RUN}](../run/{file.stem}.html)" if _made() else ""
    return "\n\n".join([title, executed, *told])


def _cell(kind: str, source: str) -> str:
    if kind == "code":
        return f"```python\n{source}\n```"
    return re.sub(r"\[([^]]*)\]\((?!https?:|#)[^)]*\)", r"\1", source)  # files that only a run has


def _settings() -> str:
    told = [
        "# Every setting",
        "Keys of a params file, and arguments of `clv.fit`. Those without a default must be given.",
    ]
    schema = Params.model_json_schema()
    for section in reversed(Params.__bases__):
        told += [
            f"## {section.__name__}",
            section.__doc__ or "",
            "| key | values | default | what it is |\n| --- | --- | --- | --- |",
        ]
        told[-1] += "".join(_setting(key, schema["properties"][key]) for key in section.model_fields)
    return "\n\n".join(told)


def _setting(key: str, known: dict[str, Any]) -> str:
    default = json.dumps(known["default"]) if "default" in known else ""
    cells = (f"`{key}`", _values(known), default and f"`{default}`", " ".join(known["description"].split()))
    return "\n| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _values(known: dict[str, Any]) -> str:
    """Return what a key may hold, in words: its kinds and their limits."""
    if "anyOf" in known:
        return " or ".join(_values(kind) for kind in known["anyOf"])
    if "$ref" in known:
        return "mapping"
    if "enum" in known or "const" in known:
        return ", ".join(map(str, known.get("enum", [known.get("const")])))
    signs = {"minimum": "≥", "exclusiveMinimum": ">", "maximum": "≤", "exclusiveMaximum": "<"}
    limits = [f"{sign} {known[name]:g}" for name, sign in signs.items() if name in known]
    kinds = {"array": "list", "object": "mapping", "string": known.get("format", "text"), "null": "null"}
    return " ".join([kinds.get(known["type"], known["type"]), *limits])


def _reference(room: str) -> Iterator[str]:
    face = import_module(f"clv.{room}")
    yield f"# clv.{room}"
    yield face.__doc__ or ""
    stub = Path(str(face.__file__)).with_suffix(".pyi").read_text(encoding="utf-8")
    for module, name in re.findall(r"^from \.([\w.]*) import (\w+)", stub, re.MULTILINE):
        if name.isupper() and module == "tables":
            yield _table(name, getattr(face, name))
        else:  # read, not imported: that takes half a minute
            yield "::: " + ".".join(filter(None, (f"clv.{room}", module, name)))


def _table(name: str, table: Table) -> str:
    rows = [f"| `{column}` | {one.kind} | {one.meaning} |" for column, one in table.columns.items()]
    key = ", ".join(f"`{column}`" for column in table.key)
    head = f"## {name}\n\nTable `{table.name}`" + (f"; one row per {key}." if key else ".")
    return "\n".join([head, "", "| column | kind | meaning |", "| --- | --- | --- |", *rows])
