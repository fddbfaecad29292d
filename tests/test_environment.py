"""The three lists of packages say the same, and the lock can be installed by anybody."""

import re
import subprocess
import sys
import tomllib

import pytest
import yaml

from clv import __version__
from clv.run.artefacts import root

ON_CONDA_FORGE = {"duckdb": "python-duckdb", "kaleido": "python-kaleido"}  # packages whose names differ there
PROJECT = tomllib.loads((root() / "pyproject.toml").read_text(encoding="utf-8"))
LOCK = (root() / "requirements.lock").read_text(encoding="utf-8")
DOCS_LOCK = (root() / "docs" / "requirements.lock").read_text(encoding="utf-8")


def split(requirement: str) -> tuple[str, str]:
    """Return name and version range of a requirement."""
    name, versions = re.fullmatch(r"([A-Za-z0-9-]+)(?:\[[a-z]+\])?(.*)", requirement).groups()
    return name, versions


def test_conda_and_pip_users_get_the_same_packages():
    conda = yaml.safe_load((root() / "environment.yml").read_text(encoding="utf-8"))["dependencies"]
    pip = [split(requirement) for requirement in PROJECT["project"]["dependencies"]]
    renamed = {ON_CONDA_FORGE.get(name, name): versions for name, versions in pip}
    assert dict(map(split, conda)) == renamed | {"python": PROJECT["project"]["requires-python"]}


def pins(lock: str) -> dict[str, str]:
    """Return the version of every package in a lock."""
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;]+)", lock, flags=re.MULTILINE))


def test_every_package_we_ask_for_is_locked():
    asked = PROJECT["project"]["dependencies"] + PROJECT["dependency-groups"]["dev"]
    assert {split(requirement)[0].lower() for requirement in asked} <= set(pins(LOCK))
    assert {split(requirement)[0] for requirement in PROJECT["dependency-groups"]["docs"]} <= set(pins(DOCS_LOCK))


def test_what_builds_the_site_changes_no_package_of_a_run_and_comes_only_when_asked_for():
    both = set(pins(LOCK)) & set(pins(DOCS_LOCK))
    assert {name: pins(LOCK)[name] for name in both} == {name: pins(DOCS_LOCK)[name] for name in both}, (
        "see `make lock`"
    )
    assert "mkdocs" in set(pins(DOCS_LOCK)) - set(pins(LOCK))


@pytest.mark.parametrize("lock", [LOCK, DOCS_LOCK])
def test_every_locked_package_has_a_hash_and_none_an_address(lock):
    assert all("--hash=sha256:" in pin for pin in re.split(r"\n(?=\S)", lock.strip()))
    assert "://" not in lock


def test_the_python_version_is_one_that_the_project_allows():
    assert (root() / ".python-version").read_text().strip() in {"3.12", "3.13"}


def test_the_citation_names_this_version():
    assert yaml.safe_load((root() / "CITATION.cff").read_text(encoding="utf-8"))["version"] == __version__


def test_nothing_is_imported_at_once_that_windows_lacks():
    unknown = "import sys; sys.modules |= dict.fromkeys(('fcntl', 'resource', 'pwd', 'grp', 'termios')); "
    names = [".".join(file.relative_to(root()).with_suffix("").parts) for file in (root() / "clv" / "run").glob("*.py")]
    said = [f"import {name}" for name in names if not name.endswith("__")]
    subprocess.run([sys.executable, "-c", unknown + "; ".join(said)], check=True, cwd=root())
