"""What every figure shares, whoever draws it: colours as roles, and the wording of numbers and intervals."""

# Okabe & Ito's palette (2008), told apart by colour-blind readers, and legible on light and dark pages alike.
OBSERVED = "#D55E00"  # what happened
MODEL = "#0072B2"  # what the model says
BAND = "#56B4E9"  # how sure it is
PRIOR = "#CC79A7"  # what was assumed before the data
REFERENCE = "#009E73"  # what to compare with: the truth, a cut, a perfect forecast

# Text and lines that only help to read: contrast above 3.9 on white and on near-black.
QUIET = "#6e7781"

# Heat maps, little to much: the hue keeps its role.
OBSERVED_RAMP = ("#fdeee2", "#f0a868", OBSERVED, "#6b2f00")
MODEL_RAMP = ("#e6f2fa", "#7fbce0", MODEL, "#00304d")

# Where something else is drawn on top: the same role, lighter.
OBSERVED_TINT = "#f5c79d"

# Before and after fitting: what a figure asks, what its bands are, and the role of their colour.
UNFITTED = "Before fitting: do the priors allow", "the priors allow", PRIOR
FITTED = "After fitting: does the model reproduce", "the model would produce", MODEL

# What stands where a figure of the backtest would be.
WITHOUT_BACKTEST = "This run has no backtest: calibration_end is null."


def fade(colour: str, opacity: float) -> str:
    """Return a colour `#rrggbb` as rgba text with this opacity (0 to 1)."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"
