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

# What stands where a figure of the backtest would be.
WITHOUT_BACKTEST = "This run has no backtest: calibration_end is null."


def level(share: float) -> str:
    """Return a share in words for labels: 0.9 is `90 %`."""
    return f"{100 * share:.3g} %"


def futures(interval: float) -> str:
    """Name the interval of a realised value: the one that a single future should fall into."""
    return f"{level(interval)} of the model's futures"


def possible(interval: float) -> str:
    """Name the interval of a total that allows for the model being wrong."""
    return f"{level(interval)}, allowing for past errors"


def if_right(interval: float) -> str:
    """Name the interval of a total that knows of no other error than luck and uncertain parameters."""
    return f"{level(interval)} if the model is right"


def short_number(value: float) -> str:
    """Return a number as an axis shows it: 1,250,000 is `1.25M`; three digits at most."""
    for size, letter in ((1e9, "B"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= 0.9995 * size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def fade(colour: str, opacity: float) -> str:
    """Return a colour `#rrggbb` as rgba text with this opacity (0 to 1)."""
    red, green, blue = (int(colour[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity:g})"
