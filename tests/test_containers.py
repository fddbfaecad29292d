"""Where people work: both containers hold the locked packages, and once built they fetch nothing."""

import json
import re

from clv.run.artefacts import root
from clv.run.commands import _parser

DOCKERFILE = (root() / "Dockerfile").read_text(encoding="utf-8")
STEPS = re.findall(r"^([A-Z]+) (.*)$", DOCKERFILE.replace("\\\n", " "), re.MULTILINE)


def step(kind: str) -> str:
    """Return what the only step of this kind says."""
    (said,) = (said for name, said in STEPS if name == kind)
    return said


def test_the_container_has_the_python_of_the_project():
    assert step("FROM") == f"python:{(root() / '.python-version').read_text().strip()}-slim"


def test_its_packages_are_the_locked_ones_and_the_last_thing_that_is_fetched():
    assert [said for name, said in STEPS if name == "RUN"][-1] == "make env"
    makefile = (root() / "Makefile").read_text(encoding="utf-8")
    assert "pip sync -q -p .venv/bin/python --require-hashes --compile-bytecode requirements.lock" in makefile
    assert STEPS.index(("COPY", ". .")) < STEPS.index(("RUN", "make env"))


def test_nothing_of_the_host_s_environment_or_runs_gets_in():
    ignored = (root() / ".dockerignore").read_text(encoding="utf-8").split()
    assert {".git", ".uv", ".venv", "data", "outputs/*"} <= set(ignored)


def test_what_it_does_is_a_command_that_there_is_on_a_file_that_there_is():
    command, file = json.loads(step("CMD"))
    assert json.loads(step("ENTRYPOINT")) == ["clv"]
    assert command in _parser()._subparsers._group_actions[0].choices
    assert (root() / file).exists()


def test_the_development_container_is_the_same_one_with_its_environment_kept_apart_from_the_host_s():
    content = json.loads((root() / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))
    assert (root() / ".devcontainer" / content["build"]["dockerfile"]).resolve() == root() / "Dockerfile"
    assert content["workspaceFolder"] == step("WORKDIR")
    assert content["mounts"] == [f"source=clv-venv,target={step('WORKDIR')}/.venv,type=volume"]
    assert content["postCreateCommand"] == "make env"  # nothing to do, unless the checkout is newer than the image
