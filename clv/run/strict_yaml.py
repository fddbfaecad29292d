"""YAML without its surprises: a params file is read as plain words and numbers without secrets, or refused."""

import re
from pathlib import Path
from typing import Any, ClassVar

import yaml

from clv.errors import InputError

MAX_BYTES = 64 * 1024
# Each is the beginning of something that only its owner should know.
SECRETS = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://[^/\s@]*:[^/\s@]+@                      # user:password@ in an address
    | (?:password|passwd|pwd|secret|token|api_?key)\s*[=:]\s*\S  # as in a connection string
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                             # Amazon's access keys
    | \bgh[pousr]_[A-Za-z0-9]{20,} | \bgithub_pat_ | \bsk-[A-Za-z0-9_-]{20,} | \bxox[abpr]-
    | \beyJ[A-Za-z0-9_-]{10,}\.eyJ                              # a signed web token
    | -----BEGIN\ [A-Z ]*PRIVATE\ KEY
    """,
    re.VERBOSE | re.IGNORECASE,
)
SECRET_KEYS = re.compile(r"password|passwd|secret|token|api_?key|credential", re.IGNORECASE)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what the file at `path` says as a mapping; an empty file is an empty mapping.

    Of a setting that looks like a secret the refusal names the key and never the value.
    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror}); copy params/default.yaml to begin.") from error
    if len(raw) > MAX_BYTES:
        raise InputError(f"{path}: has {len(raw)} bytes, a params file may have {MAX_BYTES}.")
    try:
        values = yaml.load(raw.decode("utf-8-sig"), Loader=_Loader)  # a SafeLoader that allows less
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: is not UTF-8 text (byte {error.start}).") from error
    except yaml.YAMLError as error:
        raise InputError(f"{path}: {_sentence(error)}") from error
    except ValueError as error:  # more digits than Python turns into a number
        raise InputError(f"{path}: holds a number that is too long.") from error
    except RecursionError as error:
        raise InputError(f"{path}: is nested too deeply; params are flat.") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise InputError(f"{path}: must hold lines like `horizon_weeks: 52`, found {type(values).__name__}.")
    for key, value in values.items():
        if SECRET_KEYS.search(str(key)) or SECRETS.search(str(value)):
            raise InputError(
                f"{path}: {str(key)[:60]} looks like it holds a password or key: keep secrets in the environment and "
                "name the variable as database_url_env."
            )
    return values


def _sentence(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = getattr(error, "problem", None) or "cannot be read as YAML"
    quotes = "; put the value in quotes" if re.search(r"character '[%@`]' that cannot start", problem) else ""
    return f"line {mark.line + 1}: {problem}{quotes}." if mark else f"{problem}{quotes}."


def _refusal(problem: str, culprit: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=culprit.start_mark)


class _Loader(yaml.SafeLoader):
    """YAML without its surprises: no aliases, no repeated keys, no `no` as false, `012` as ten or `12:30` as 750."""

    yaml_implicit_resolvers: ClassVar[dict[str, Any]] = {}  # type: ignore[misc]

    def compose_node(self, parent: Any, index: Any) -> Any:
        """Refuse anchors and aliases, which can blow a small file up."""
        event = self.peek_event()
        if getattr(event, "anchor", None) is not None:
            raise _refusal("anchors and aliases (& and *) are not read", event)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        """Refuse a key that stands twice, and one that is no word."""
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                raise _refusal("a key must be a word", key)
            if key.value in seen:
                raise _refusal(f"{key.value} stands here a second time", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


for _tag, _pattern, _first in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?(0|[1-9][0-9]*)", list("-+0123456789")),
    ("float", r"[-+]?[0-9]+\.[0-9]*([eE][-+]?[0-9]+)?", list("-+0123456789")),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(rf"^(?:{_pattern})$"), _first)
