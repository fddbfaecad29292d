"""Generated customers: how many, from when on, and the true parameters they follow."""

from datetime import date

from pydantic import Field

from clv.run.settings.kinds import Day, Positive, Section


class Generated(Section):
    """Keys of the customers that are generated when the source is `generate`."""

    generate_customers: int = Field(5000, ge=10, le=10_000_000)
    """Customers to generate."""
    generate_start: Day = date(2024, 1, 1)
    """First day on which generated customers come."""
    generate_acquisition_months: int = Field(24, ge=1, le=240)
    """Months during which new generated customers come."""
    generate_r: Positive = 0.8
    """True shape of the purchase rates: small is uneven."""
    generate_alpha_weeks: Positive = 8.0
    """True rate of the purchase rates; r / alpha is the mean of purchases per week."""
    generate_a: Positive = 0.8
    """True dropout: a / (a + b) is the mean after each purchase."""
    generate_b: Positive = 4.0
    """True dropout: a / (a + b) is the mean after each purchase."""
    generate_p: Positive = 5.0
    """True shape of one customer's amounts: large is regular."""
    generate_q: float = Field(4.0, gt=1)
    """True shape of mean spend between customers."""
    generate_v: Positive = 24.0
    """True scale of spend in the currency: p v / (q - 1) is the mean amount."""
    generate_mess_share: float = Field(0.03, ge=0, le=0.2)
    """Share of realistic mess in the generated log; cleaning must remove it."""
