"""Secrets have no place in a params file: what looks like one is refused."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from clv.errors import InputError

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


def refuse_secrets(values: Mapping[str, Any], path: Path | str) -> None:
    """Refuse settings of which one looks like a secret; the sentence names the key and never the value."""
    for key, value in values.items():
        if SECRET_KEYS.search(str(key)) or SECRETS.search(str(value)):
            raise InputError(
                f"{path}: {str(key)[:60]} looks like it holds a password or key: keep secrets in the environment and "
                "name the variable as database_url_env."
            )
