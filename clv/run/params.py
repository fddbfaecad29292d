"""The settings of one run: a params file checked as a whole, and every refusal as one sentence."""

import difflib
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import fields
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pydantic import ValidationError, model_validator

from clv.errors import InputError
from clv.run import strict_yaml
from clv.run.settings.calendar import Stated
from clv.run.settings.decisions import Decisions
from clv.run.settings.generated import Generated
from clv.run.settings.kinds import Section
from clv.run.settings.log import Log
from clv.run.settings.look import Look
from clv.run.settings.model import Model
from clv.transactions.source import SourceSettings
from clv.units import PURCHASES, months_later

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_OF_A_MAPPING = {"missing": "must be given", "extra_forbidden": "is no key that is known"}
RUN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,63}")
RESERVED_NAMES = ("lab", "bench", "sbc", "misfit", "decisions", "faults")  # folders in outputs/ that are not runs


class Params(Generated, Look, Decisions, Stated, Model, Log):
    """All settings of one run, checked; keys are listed from the last section to the first, as pydantic reads them."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        end = self.end_if_known
        if self.calibration_end and end and self.calibration_end >= end:
            raise ValueError(f"calibration_end ({self.calibration_end}) must be before observation_end ({end})")
        for key in ("observation_end", "calibration_end") if self.source == "generate" else ():
            if (day := getattr(self, key)) and day <= self.generate_start:
                raise ValueError(f"{key} ({day}) must be after generate_start ({self.generate_start})")
        if self.counts_purchases and (self.campaign_cost_per_contact or self.acquisition_cost):
            raise ValueError(
                "a campaign and new customers cost money, and the log holds none: state typical_order_value, what a "
                "purchase is worth"
            )
        return self

    @property
    def end_if_known(self) -> date | None:
        """Last day observed as far as the settings tell: for a log of one's own the data may decide."""
        if self.observation_end or self.source != "generate":
            return self.observation_end
        return months_later(self.generate_start, self.generate_acquisition_months) - timedelta(days=1)

    @property
    def counts_purchases(self) -> bool:
        """Return whether value is a number of purchases: the log holds no money, and nobody says what one is worth."""
        return self.columns.get("amount", "") is None and not self.typical_order_value

    def refuse_future_end(self, today: date) -> None:
        """Refuse an end of observation that has not come: everybody would have been silent until then."""
        if self.source != "generate" and self.observation_end and self.observation_end > today:
            raise InputError(
                f"observation_end ({self.observation_end}) lies in the future: state the last day that the log holds."
            )

    def as_json(self) -> dict[str, Any]:
        """Return all settings in JSON's types; dates are ISO text."""
        values = self.model_dump(mode="json")
        values["observation_end"] = str(self.end_if_known) if self.end_if_known else None
        if self.counts_purchases:
            values |= {"currency": PURCHASES, "discount_rate_annual": 0.0, "gross_margin": 1.0}
        return values

    def for_notebooks(self) -> dict[str, Any]:
        """Return `as_json` with what belongs together packed: the log's keys, the campaign's, those of acquisition."""
        flat = self.as_json()
        apart = ("path", "observation_end", "exclude_ids")  # found, may be unknown, named by no notebook
        log = {field.name: flat[field.name] for field in fields(SourceSettings) if field.name not in apart}
        money = PURCHASES if self.counts_purchases else self.currency_sign or self.currency
        packed = {
            name: {key.removeprefix(f"{name}_"): value for key, value in flat.items() if key.startswith(f"{name}_")}
            for name in ("campaign", "acquisition")
        }
        return flat | {"currency": money, "log": log, **packed}


def day(text: str | None) -> date | None:
    """Return a day that a notebook was given as ISO text, or None."""
    return date.fromisoformat(text) if text else None


def load(path: Path | str) -> Params:
    """Return the settings in the YAML file `path`; refuse anything that is not exactly right, in one sentence."""
    path = Path(path)
    values = strict_yaml.read_mapping(path)
    unknown = [key for key in values if key not in Params.model_fields]
    faults = [_unknown_key(str(key), alone=len(unknown) == 1) for key in unknown]
    for section in (Log, Model, Stated, Decisions, Look, Generated):
        faults += _faults(section, {key: value for key, value in values.items() if key in section.model_fields})
    if not faults:
        faults = _faults(Params, values)
    if len(faults) > 1:
        said = " ".join(f"({number}) {fault}" for number, fault in enumerate(faults, start=1))
        raise InputError(f"{path} has {len(faults)} faults. {said}")
    if faults:
        raise InputError(f"{path}: {faults[0]}")
    return Params.model_validate(values)


def run_name(path: Path | str) -> str:
    """Return the run's name: the stem of its params file."""
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        raise InputError(f"{path}: a params file must end in .yaml.")
    if not RUN_NAME.fullmatch(path.stem):
        raise InputError(f"{path}: the file's name becomes the run's: use only letters, digits, - and _ (at most 64).")
    if path.stem in RESERVED_NAMES:
        raise InputError(f"{path}: the name {path.stem} is reserved; rename the params file.")
    return path.stem


def _unknown_key(key: str, *, alone: bool) -> str:
    near = difflib.get_close_matches(key, Params.model_fields, n=1, cutoff=0.5)
    others = f"known keys are {', '.join(Params.model_fields)}." if alone else "no key is called so."
    return f"unknown key {key[:60]}; {f'did you mean {near[0]}?' if near else others}"


def _faults(section: type[Section], values: Mapping[str, Any]) -> list[str]:
    try:
        section.model_validate(values)
    except ValidationError as error:
        return [_sentence(fault) for fault in error.errors(include_url=False)]
    return []


def _sentence(fault: "ErrorDetails") -> str:
    rule = re.sub(r"^(Value error, |(Input|String) should )", "", fault["msg"])
    rule = re.sub(r"^(be|have|match) ", r"must \1 ", rule)
    if not fault["loc"]:
        return f"{rule}."
    key, value = ".".join(str(part) for part in fault["loc"]), fault["input"]
    if fault["type"] in _OF_A_MAPPING:
        return f"{key} {_OF_A_MAPPING[fault['type']]}."
    if isinstance(value, dict):  # too long to be shown, and cut it would mislead
        return f"{key} {rule}."
    shown = "the given text" if "://" in str(value) else repr(value)[:60]
    return f"{key} is {shown}, but {rule}{_hint(value, fault['type'])}."


def _hint(value: object, kind: str) -> str:
    if kind == "string_type" and isinstance(value, int | float):
        return f' (YAML reads {value} as a number: write "{value}" in quotes)'
    if kind == "bool_type":
        return " (write true or false)"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        with suppress(ValueError):
            number = float(value)
            plain = int(number) if number.is_integer() else number
            return f" (YAML reads {value} as text: write {plain!r} without quotes)"
    return ""
