"""Is the right model of purchases chosen, and the default kept where nothing is gained? choice.json, .md and .png.

    python tests/studies/choice.py [--only regular ...] [--datasets 40] [--seed 20260101] [--folder outputs/choice]

Shops of known truth are simulated, read by the day, and forecast half a year ahead after three past half years, by the
model that those windows choose as `purchase_model: auto` does, and by the default beside it. Both are held against what
came: single customers by their CRPS, all purchases by their error and by the interval a run shows.
"""

import sys
import time
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import bench
import numpy as np
import pandas as pd
from misfit import AHEAD, CHAINS, CUSTOMERS, DRAWS, INTERVAL, RUN_DRAWS, TUNE, WEEKS_SEEN, World, known_at, log_of

from clv.models.registry import DEFAULT
from clv.report.figures.style import MODEL, OBSERVED

KEEPS, TAKES, INSIDE = 0.95, 0.90, 0.85  # least shares of shops
# Which model is right, None where whichever forecasts better may be taken.
RIGHT = {"own": DEFAULT, "cohort": "rhythm", "regular": None, "seldom": None, "at_once": None, "daily": None}
WORLDS = {
    "own": World("the default's own"),
    "seldom": World("regular intervals (Erlang-2), seldom", regularity=2, mean_rate=0.25),
    "at_once": World("some leave after their first purchase", leaves_at_once=True),
    "daily": World("near-daily buyers, merged by day", mean_rate=2.0),
    "regular": World("regular intervals (Erlang-2), weekly", regularity=2, mean_rate=1.0, leaving=0.06),
    "cohort": World(
        "the same, all come within a quarter", regularity=2, mean_rate=1.0, leaving=0.06, weeks_coming=13.0
    ),
}


def forecast(number: int, *, world: str, seed: int) -> dict[str, Any]:
    """Return one shop's choice today from the windows that are over, and how it and the default forecast the next."""
    from clv import backtest
    from clv.models import sampling

    seeds = np.random.SeedSequence([seed, list(WORLDS).index(world), number])
    log, one_seed = log_of(WORLDS[world], seeds), int(seeds.generate_state(1)[0])
    settings = sampling.Settings(CHAINS, RUN_DRAWS, TUNE, one_seed, workers=1, method="laplace")
    rolling = pd.concat([known_at(log, cut) for cut in np.arange(AHEAD, WEEKS_SEEN + 1, AHEAD)], ignore_index=True)
    today = rolling["origin"].max()
    options: dict[str, Any] = {"draws": DRAWS, "interval": INTERVAL}
    choice = backtest.choose("auto", rolling[rolling["origin"] == today], rolling, settings, **options)
    rows = choice.table[choice.table["origin"] == today].set_index("model")
    chosen = str(rows["chosen_then"].iloc[0])
    groups = backtest.score_windows(rolling, choice.past.draws, None, seed=one_seed, workers=1, **options).groups
    total = groups[(groups["origin"] == today) & (groups["grouping"] == "base")].iloc[0]
    return {
        "chosen": chosen,
        "log_error": rows.loc[chosen, "log_error"],
        "log_error_default": rows.loc[DEFAULT, "log_error"],
        "crps_ratio": float(np.exp(rows.loc[chosen, "log_ratio"])),
        "best_crps_ratio": float(np.exp(rows["log_ratio"].min())),
        "inside": bool(total["lower_with_misfit"] <= total["actual"] <= total["upper_with_misfit"]),
    }


def judged(found: pd.DataFrame) -> dict[str, Any]:
    """Return what a world's shops came to: which models were taken, and how their forecasts were off."""
    errors = found[["log_error", "log_error_default"]].abs().mean()
    return {
        "data_sets": len(found),
        "chosen": found["chosen"].value_counts(normalize=True).to_dict(),
        "mean_error": float(errors["log_error"]),
        "mean_error_default": float(errors["log_error_default"]),
        "inside": float(found["inside"].mean()),
        "crps_ratio": float(np.exp(np.log(found["crps_ratio"]).mean())),
        "best_crps_ratio": float(np.exp(np.log(found["best_crps_ratio"]).mean())),
    }


def passed(worlds: Mapping[str, Mapping[str, Any]]) -> bool:
    """Return whether the right model was taken, customers are forecast no worse by it, and totals hold."""
    return all(
        found["inside"] >= INSIDE
        and found["crps_ratio"] <= 1.005
        and (
            RIGHT[name] is None or found["chosen"].get(RIGHT[name], 0.0) >= (KEEPS if RIGHT[name] == DEFAULT else TAKES)
        )
        for name, found in worlds.items()
    )


def main(arguments: Sequence[str] | None = None) -> int:
    """Judge what the command line asks for and write the three files; 1 if the choice is not what it should be."""
    parser = bench.judging(__doc__ or "", datasets="shops of each kind", default=40, name="choice", parts=WORLDS)
    options, clock = parser.parse_args(arguments), time.perf_counter()
    worlds = {world: judged(found) for world, found in bench.in_worlds(options, forecast, name="choice")}
    figures = bench.about(options.seed, clock) | {"passed": passed(worlds), "worlds": worlds}
    bench.leave(options.folder / "choice", figures, page(figures), partial(draw, worlds))
    return int(not figures["passed"])


def page(figures: Mapping[str, Any]) -> str:
    """Return the figures as Markdown for people."""
    parts = [
        *bench.opening("choice", "Which model is chosen", figures),
        bench.filled(
            f"""Each shop has {CUSTOMERS:,} customers who come over {WEEKS_SEEN:.0f} weeks. Three past windows of
            {AHEAD:.0f} weeks choose as `purchase_model: auto` does; the {AHEAD:.0f} weeks after them are forecast by
            the model taken and by the default, and had no part in the choice. It passes where the default is kept in
            {KEEPS:.0%} of its own shops, rhythm taken in {TAKES:.0%} of those in the last row, all purchases lie inside
            the interval a run shows in {INSIDE:.0%} of each kind, and single customers are forecast no worse. An error
            is the logarithm of what came over what was expected; CRPS are ratios to the default's, below 1 is
            better, and the best is what knowing the outcome would have chosen."""
        ),
        "![The CRPS of customers beside the default's, of the model taken and of the best](choice.png)",
        bench.table(map(_row, figures["worlds"], figures["worlds"].values()), COLUMNS),
        bench.filled(
            """Where another model gains little the default is kept more often, since three windows cannot tell such a
            gain from chance. What that costs is the distance between the last two columns."""
        ),
    ]
    return "\n\n".join(parts) + "\n"


COLUMNS = {
    **{"world": "customers", "data_sets": "shops", "chosen": "models taken", "inside": "total inside its 90 %"},
    **{"mean_error": "mean error of totals", "mean_error_default": "the default's"},
    **{"crps_ratio": "CRPS of customers", "best_crps_ratio": "the best"},
}


def _row(world: str, found: Mapping[str, Any]) -> dict[str, Any]:
    taken = ", ".join(f"{name} {share:.0%}" for name, share in found["chosen"].items())
    return {**found, "world": WORLDS[world].says, "chosen": taken, "inside": f"{found['inside']:.0%}"}


def draw(worlds: Mapping[str, Mapping[str, Any]], file: Path) -> None:
    """Draw the CRPS beside the default's for each kind of shop: of the model taken, and of the best one."""
    with bench.picture(file, columns=1, size=(8, 3.2)) as axes:
        (place,) = axes[0]
        says = [WORLDS[world].says for world in worlds]
        best, taken = ([found[name] for found in worlds.values()] for name in ("best_crps_ratio", "crps_ratio"))
        place.plot(best, says, "o", color=OBSERVED, fillstyle="none", markersize=9, label="the best, known afterwards")
        place.plot(taken, says, "o", color=MODEL, markersize=5, label="the model taken")
        place.invert_yaxis()
        place.set_xlabel("CRPS of customers, as a multiple of the default's")
        place.legend(frameon=False, fontsize=8)


if __name__ == "__main__":
    sys.exit(main())
