"""What `clv` does, which is `python -m clv.run`, and what each command returns: `clv --help` lists them.

Exit codes: 0 done, 1 internal error, 2 input or parameters, 3 gate, 4 integrity, 5 busy, 130 interrupted.
"""

import argparse
import os
import shutil
import sys
import traceback
import warnings
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path

from clv.errors import ClvError, IntegrityError
from clv.run import artefacts, chain, failures, manifest, prepare, provenance, warned
from clv.run.execute import by_papermill, nobody_else
from clv.run.folder import Run
from clv.run.params import RUN_NAME
from clv.run.pipeline import bring_up_to_date
from clv.run.terminal import say

INTERRUPTED = 130
_COPIED = ("data", "posterior", "exports", "key_figures.json", "params")  # of a run, to experiment on


def main(arguments: Sequence[str] | None = None) -> int:
    """Do what the command line says and return the exit code; a refusal is printed as its one sentence."""
    options = _parser().parse_args(arguments)
    with warnings.catch_warnings(record=True) as told:
        code = _exit_code(options)
    name = getattr(options, "run", None) or Path(getattr(options, "params", "")).stem
    for each in warned.note(told, Run(name) if RUN_NAME.fullmatch(name) else None):
        if warned.are_errors():
            say(f"{each.kind}: {each.said}")
            code = code or ClvError.exit_code
    return code


def _exit_code(options: argparse.Namespace) -> int:
    try:
        os.environ.update(artefacts.home())  # kernels inherit it
        options.do(options)
    except ClvError as error:
        say(str(error))
        return error.exit_code
    except KeyboardInterrupt:
        say("interrupted: what was finished stays, the next make continues")
        return INTERRUPTED
    except Exception as error:
        if refusal := failures.from_disk(error):
            say(str(refusal))
        else:
            traceback.print_exc()
        return ClvError.exit_code
    return 0


def _do_check(options: argparse.Namespace) -> None:
    from clv.run.check_data import check

    page = check(options.params)
    say(f"the log can be used; see {artefacts.shown(page)}")


def _do_new_params(options: argparse.Namespace) -> None:
    from clv.run.new_params import new_params

    name = artefacts.shown(new_params(options.log, table=options.table))
    say(f"{name} is written: answer the questions in it, then make check-data PARAMS={name}")


def _do_verify(options: argparse.Namespace) -> None:
    run = Run(options.run)
    with nobody_else(run) if os.access(run.folder, os.W_OK) else nullcontext():
        found = manifest.verify(run, artefacts.notebooks_folder())
    for sentence in found:
        say(sentence)
    if found:
        raise IntegrityError(f"{artefacts.shown(run.folder)} does not belong together: {chain.remedy(run.name)}.")
    say(f"{artefacts.shown(run.folder)}: OK, every file belongs to run id {manifest.run_id(run)}")


def _do_lab(options: argparse.Namespace) -> None:
    """Copy a run's notebooks, with its parameters, and its artefacts; what is done to them does not touch the run."""
    folder = artefacts.notebooks_folder()
    run = prepare.prepare(options.params, folder)
    lab = run.folder / "lab"
    lab.mkdir(parents=True, exist_ok=True)
    for name in artefacts.NOTEBOOKS:
        copy, parameters = lab / f"{name}.ipynb", prepare.parameters(run, name)
        if copy.exists():
            os.replace(copy, lab / f"{name}.previous.ipynb")
        source = folder / f"{name}.ipynb"
        chosen = {key: parameters[key] for key in prepare.declared(source)}
        by_papermill(source, copy, parameters=chosen, prepare_only=True)
    others = {entry.name for entry in run.folder.iterdir()}.difference(_COPIED)
    left_out = {str(run.folder): others}
    shutil.copytree(
        run.folder, lab / "outputs" / run.name, dirs_exist_ok=True, ignore=lambda place, _: left_out.get(place, ())
    )
    # Copies have no records, so that they may be written over by hand: what they are copies of is said once, here.
    for name in filter(lambda name: chain.record(run.folder, name), artefacts.NOTEBOOKS):
        for fault in provenance.faults(run, folder / f"{name}.ipynb"):
            say(fault)


def _do_strip(options: argparse.Namespace) -> None:
    for notebook in sorted(artefacts.notebooks_folder().glob("*.ipynb")):
        if prepare.strip(notebook):
            print(f"stripped {notebook.name}", file=sys.stderr)


_COMMANDS: dict[str, tuple[Callable[[argparse.Namespace], None], str, str]] = {
    "report": (
        lambda options: bring_up_to_date(options.params),
        *("params", "run what has changed of the six notebooks, up to the report"),
    ),
    "refresh": (
        lambda options: bring_up_to_date(options.params, read_again=True),
        *("params", "the same, but read the source again though no file has changed: a database"),
    ),
    "check": (_do_check, "params", "check the log alone: a data-quality page"),
    "new-params": (_do_new_params, "log", "write a params file for a log: what its columns are, what is open"),
    "verify": (_do_verify, "run", "say whether every file of a run belongs to it"),
    "lab": (_do_lab, "params", "copy notebooks and artefacts of a run, to experiment on"),
    "strip": (_do_strip, "", "remove outputs and metadata from notebooks/"),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="clv", description="From a transaction log to a report.")
    commands = parser.add_subparsers(required=True)
    for name, (do, argument, does) in _COMMANDS.items():
        command = commands.add_parser(name, help=does)
        command.set_defaults(do=do)
        if argument:
            command.add_argument(argument, type=Path if argument == "params" else str)
        if argument == "log":
            command.add_argument("--table", help="which table of a database, or sheet of a spreadsheet")
    return parser
