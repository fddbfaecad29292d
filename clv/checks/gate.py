"""The gate: checks of a run, each PASS, WARN or FAIL with a sentence; a FAIL that nobody acknowledged stops the run."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace

import pandas as pd

from clv.errors import GateError
from clv.rfm import support

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
_ACCEPTED = "Accepted by this run: "
TAKEN_OVER, SHAPE = "NUTS took over", "shape"


@dataclass(frozen=True)
class Check:
    """One question asked of a posterior: what was found, the limit it was held against, the verdict."""

    part: str
    name: str
    figure: float
    limit: str
    verdict: str
    sentence: str


def acknowledge(checks: list[Check], names: Sequence[str]) -> list[Check]:
    """Return the checks with those that the run accepts by name (params.ACKNOWLEDGEABLE) as warnings that say so."""
    return [
        replace(check, verdict=WARN, sentence=f"{_ACCEPTED}{check.sentence.removeprefix(_ACCEPTED)}")
        if check.name in names and check.verdict != PASS
        else check
        for check in checks
    ]


def judge_data(customers: pd.DataFrame, *, horizon_weeks: float) -> list[Check]:
    """Return what the data themselves can carry, as checks beside those of the posteriors."""
    verdicts = {support.ENOUGH: PASS, support.ROUGH: WARN, support.TOO_LITTLE: FAIL}
    found = support.judge(customers, horizon_weeks=horizon_weeks)
    return [Check("data", one.name, one.figure, one.limit, verdicts[one.answer], one.sentence) for one in found]


def verdict(checks: list[Check]) -> str:
    """Return the worst verdict among the checks; FAIL if there is none."""
    found = {check.verdict for check in checks}
    return next((worst for worst in (FAIL, WARN, PASS) if worst in found), FAIL)


def require(checks: list[Check]) -> None:
    """Raise `GateError` with the sentences of the checks that failed."""
    if verdict(checks) == FAIL:
        failed = " ".join(check.sentence for check in checks if check.verdict == FAIL)
        raise GateError(failed or "The posterior was not checked.")


def require_draws(checks: list[Check]) -> None:
    """Raise `GateError` where draws are missing or no numbers: not even a diagnostic figure can be made of them."""
    require([check for check in checks if check.name == SHAPE])


def table(checks: list[Check]) -> pd.DataFrame:
    """Return one row per check."""
    return pd.DataFrame([asdict(check) for check in checks])


def from_tables(*written: pd.DataFrame) -> list[Check]:
    """Return the checks that earlier notebooks made and wrote: nothing is judged a second time."""
    return [Check(**row) for rows in written for row in rows.to_dict("records")]
