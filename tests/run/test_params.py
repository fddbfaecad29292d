"""The settings of a run: what is accepted, and the one sentence with which the rest is refused."""

import json
from datetime import date
from pathlib import Path

import pytest

from clv.errors import InputError
from clv.run import params
from clv.run.artefacts import root
from clv.run.params import Params
from clv.units import months_later

CAMPAIGN = """
campaign_cost_per_contact: 2.0
campaign_effect: survival
campaign_effect_mean: 0.10
campaign_effect_sd: 0.05
campaign_response_share: 0.5
"""


@pytest.fixture
def refused(tmp_path: Path):
    """A function that returns the sentence with which a YAML text is refused, without the file's name."""

    def sentence(text: str | bytes) -> str:
        file = tmp_path / "x.yaml"
        file.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(InputError) as refusal:
            params.load(file)
        return str(refusal.value).removeprefix(f"{file}: ")

    return sentence


@pytest.mark.parametrize("name", ["default", "cdnow", "smoke"])
def test_the_params_files_that_ship_are_valid(name):
    file = root() / "params" / f"{name}.yaml"
    assert params.run_name(file) == name
    assert params.load(file).calibration_end is not None


def test_an_empty_file_means_the_defaults(tmp_path):
    (tmp_path / "x.yaml").write_text("")
    assert params.load(tmp_path / "x.yaml") == Params()


def test_every_setting_says_who_changes_it():
    assert all(field.description for field in Params.model_fields.values())


def test_a_campaign_needs_no_budget_and_an_acquisition_no_plan(tmp_path):
    (tmp_path / "x.yaml").write_text(CAMPAIGN + "acquisition_cost: 30.0")
    settings = params.load(tmp_path / "x.yaml")
    assert settings.campaign_budget is settings.acquisition_per_month is None


def test_a_calendar_names_its_months_or_numbers_them(tmp_path):
    for months in ("{december: 2}", "[1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2]"):
        (tmp_path / "x.yaml").write_text(f"calendar: {{months: {months}}}")
        stated = params.load(tmp_path / "x.yaml").as_json()["calendar"]
        assert stated == {"months": [1.0] * 11 + [2.0], "spans": [], "uncertainty": 0.15}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{months: [1, 1]}", "calendar.months is [1, 1], but must hold twelve numbers, from January to December, or"),
        ("{months: {dezember: 2}}", "names dezember, but months are january, february, march,"),
        ("{months: {may: -1}}", "calendar.months.4 is -1, but must be greater than or equal to 0."),
        ("{}", "calendar must state months or spans; without any leave it out."),
        ("3", "calendar is 3, but must be a valid dictionary"),
        (
            "{spans: [{from: '2025-02-03', to: '2025-02-01', factor: 0}]}",
            "must end (to: 2025-02-01) no earlier than it",
        ),
        ("{spans: [{from: '2025-02-03', to: '2025-02-30', factor: 0}]}", "must be a day that exists"),
        ("{spans: [{from: '2025-02-03', factor: 0}]}", "calendar.spans.0.to must be given."),
        ("{month: {may: 2}}", "calendar.month is no key that is known."),
    ],
)
def test_a_calendar_that_says_nothing_clear_is_refused(refused, text, sentence):
    assert sentence in refused(f"calendar: {text}")


def test_a_misspelt_key_is_answered_with_the_right_one(refused):
    assert refused("disount_rate_annual: 0.1") == "unknown key disount_rate_annual; did you mean discount_rate_annual?"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "discount_rate_annual: 1e-3",
            "discount_rate_annual is '1e-3', but must be a valid number "
            "(YAML reads 1e-3 as text: write 0.001 without quotes).",
        ),
        (
            "seed: 012",
            "seed is '012', but must be a valid integer (YAML reads 012 as text: write 12 without quotes).",
        ),
        ("horizon_weeks: 52.0", "horizon_weeks is 52.0, but must be a valid integer."),
        ("draws: true", "draws is True, but must be a valid integer."),
        ("discount_rate_annual: -1", "discount_rate_annual is -1, but must be greater than or equal to 0."),
        ("generate_r: .inf", "generate_r is '.inf', but must be a valid number."),
        ("currency: usd", "currency is 'usd', but must be three capital letters like USD."),
        ("method: advi", "method is 'advi', but must be 'nuts', 'laplace' or 'auto'."),
        ("refunds: keep", "refunds is 'keep', but must be 'net', 'drop' or 'reject'."),
        (
            "calibration_end: 2025-02-30",
            "calibration_end is '2025-02-30', but must be a day that exists, written like \"2025-06-30\".",
        ),
        (
            "exclude_pattern: '['",
            "exclude_pattern is '[', but must be a regular expression (unterminated character set at position 0).",
        ),
        (
            "source: my.csv",
            "columns must say which column of the log holds customer_id, date, amount, or quantity and "
            "unit_price (amount: null, if the log holds no money).",
        ),
        (
            "source: x.csv\ncolumns: {customer_id: a, date: b, amount: c, quantity: d}",
            "columns must map either amount or quantity and unit_price, not amount and quantity.",
        ),
        (
            "source: cdnow\nshape: line_items",
            "shape line_items can only be used where columns says which column of the log holds order_id.",
        ),
        (
            "source: cdnow\ncountries: [France]",
            "countries and exclude_countries can only be used where columns says which column of the log holds country.",  # noqa: E501
        ),
        ("timezone: Berlin", "timezone is 'Berlin', but must be a time zone like Europe/Berlin or America/New_York."),
        ('timezone: ""', "timezone is '', but must be a time zone like Europe/Berlin or America/New_York."),
        ("encoding: klingon", "encoding is 'klingon', but must be a text encoding like latin-1, cp1252 or utf-16."),
        ("thousands: .", "thousands and decimal cannot both be '.'."),
        ("date_format: unix_seconds", "date_format unix_seconds needs a timezone, whose days count."),
        (
            "source: postgresql\ncolumns: {customer_id: a, date: b, amount: c}",
            "source postgresql needs database_url_env, the name of the environment variable with its address.",
        ),
        (
            "source: postgresql\ncolumns: {customer_id: a, date: b, amount: c}\ndatabase_url_env: CLV_DATABASE",
            "source postgresql needs the name of a table, or a query.",
        ),
        ("database_url_env: CLV_DATABASE", "database_url_env is only read for source postgresql."),
        ("table: a\nquery: SELECT 1", "either table or query can be given, not both."),
        (
            "columns: {customer_id: a, date: a, amount: b}",
            "columns uses one column of the log twice.",
        ),
        (
            "observation_end: '2025-06-30'\ncalibration_end: '2025-06-30'",
            "calibration_end (2025-06-30) must be before observation_end (2025-06-30).",
        ),
        (
            "method: laplace\ndraws: 200\npredictive_draws: 800",
            "method laplace needs chains x draws of at least 1000, not 800.",
        ),
        (
            "campaign_cost_per_contact: 2.0",
            "a campaign needs campaign_cost_per_contact, campaign_effect, campaign_effect_mean, campaign_effect_sd, "
            "campaign_response_share; there is no campaign_effect.",
        ),
        (
            "campaign_budget: 2.0",
            "a campaign needs campaign_cost_per_contact, campaign_effect, campaign_effect_mean, campaign_effect_sd, "
            "campaign_response_share; there is no campaign_cost_per_contact.",
        ),
        (
            CAMPAIGN.replace("0.10", "-0.10"),
            "campaign_effect_mean (-0.1) is a share of leavings undone or won back: from 0 to below 1.",
        ),
        (CAMPAIGN.replace("0.05", "0.4"), "campaign_effect_sd (0.4) is too large for a share with mean 0.1."),
        (
            CAMPAIGN.replace("survival", "magic"),
            "campaign_effect is 'magic', but must be 'rate', 'survival' or 'win_back'.",
        ),
        (
            "acquisition_months: 6",
            "customers still to come need acquisition_cost, acquisition_per_month, acquisition_months, all three.",
        ),
        (
            "acquisition_cost: 20.0\nacquisition_per_month: 6",
            "customers still to come need acquisition_cost, acquisition_per_month, acquisition_months, all three.",
        ),
        ("acquisition_cost: 0.0", "acquisition_cost is 0.0, but must be greater than 0."),
        ("report_accent: blue", "report_accent is 'blue', but must match pattern '^#[0-9A-Fa-f]{6}$'."),
        ("currency_sign: 5 €", r"currency_sign is '5 €', but must match pattern '^[^\s\d]{1,3}$'."),
        ("draws: 200\npredictive_draws: 1000", "predictive_draws (1000) must not exceed chains x draws (800)."),
    ],
)
def test_nonsense_is_refused_in_one_sentence_naming_key_value_and_rule(refused, text, sentence):
    assert refused(text) == sentence


def test_all_faults_of_a_file_are_said_at_once(tmp_path):
    (tmp_path / "x.yaml").write_text(
        "disount_rate_annual: 0.1\nxyzzy: 1\ninterval: 2\ncurrency: dollars\ndraws: 200\nacquisition_months: 3\n"
    )
    with pytest.raises(InputError) as refusal:
        params.load(tmp_path / "x.yaml")
    assert str(refusal.value) == (
        f"{tmp_path}/x.yaml has 5 faults."
        " (1) unknown key disount_rate_annual; did you mean discount_rate_annual?"
        " (2) unknown key xyzzy; no key is called so."
        " (3) currency is 'dollars', but must be three capital letters like USD."
        " (4) interval is 2, but must be less than or equal to 0.99."
        " (5) customers still to come need acquisition_cost, acquisition_per_month, acquisition_months, all three."
    )
    (tmp_path / "x.yaml").write_text(
        "draws: 200\npredictive_draws: 1000\nacquisition_months: 3\n"
    )  # each right by itself
    with pytest.raises(
        InputError, match=r"has 2 faults\. \(1\) predictive_draws \(1000\) must not exceed .* \(2\) customers"
    ):
        params.load(tmp_path / "x.yaml")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("seed: 1\nseed: 2", "line 2: seed stands here a second time."),
        ("columns: &a {}\nsource: *a", "line 1: anchors and aliases (& and *) are not read."),
        ("- 1", "must hold lines like `horizon_weeks: 52`, found list."),
        ("? [a]\n: b", "line 1: a key must be a word."),
        ("[" * 4000, "is nested too deeply; params are flat."),
        ("#" * 70_000, "has 70000 bytes, a params file may have 65536."),
        (b"\xff\xfe", "is not UTF-8 text (byte 0)."),
    ],
)
def test_yaml_that_could_surprise_is_refused(refused, text, sentence):
    assert refused(text) == sentence


def test_python_objects_in_yaml_are_refused(refused):
    assert "could not determine a constructor" in refused("seed: !!python/object/apply:os.getcwd []")


def test_a_password_in_the_source_is_not_repeated(refused):
    assert "s3cret" not in refused("source: postgresql://bob:s3cret@host/db")
    assert "name the environment variable that holds one" in refused("source: postgresql://host/db")


SECRETS = [
    "postgresql://bob:s3cret@host/db",
    "host=db password=s3cret",
    "AKIAIOSFODNN7EXAMPLE",
    "ghp_0123456789abcdefghijABCDEFGHIJ012345",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.s3cret",
    "-----BEGIN RSA PRIVATE KEY-----",
]


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("text", ["query: '{}'", "columns: {{customer_id: '{}'}}", "exclude_ids: [a, '{}']", "x: '{}'"])
def test_what_looks_like_a_secret_is_refused_wherever_it_stands_and_not_repeated(refused, text, secret):
    sentence = refused(text.format(secret))
    assert "looks like it holds a password or key: keep secrets in the environment" in sentence
    assert secret[-6:] not in sentence


def test_a_key_that_asks_for_a_secret_is_refused(refused):
    assert "s3cret" not in refused("database_password: s3cret")


def test_ordinary_settings_are_no_secrets(tmp_path):
    text = "source: x.csv\ncolumns: {customer_id: token_id, date: d, amount: a}\nexclude_pattern: '^(test|pwd)@'\n"
    (tmp_path / "x.yaml").write_text(text)
    assert params.load(tmp_path / "x.yaml").columns["customer_id"] == "token_id"


def test_a_missing_file_is_one_sentence(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        params.load(tmp_path / "none.yaml")


@pytest.mark.parametrize("name", ["lab.yaml", "bench.yaml", "a b.yaml", "-x.yaml", "a.b.yaml", "x.txt", "é.yaml"])
def test_a_name_that_cannot_be_a_folder_or_is_reserved_is_refused(name):
    with pytest.raises(InputError):
        params.run_name(Path("params") / name)


def test_dates_may_stand_with_or_without_quotes(tmp_path):
    (tmp_path / "x.yaml").write_text("observation_end: '2025-06-30'\ncalibration_end: 2025-01-31")
    loaded = params.load(tmp_path / "x.yaml")
    assert (loaded.observation_end, loaded.calibration_end) == (date(2025, 6, 30), date(2025, 1, 31))


def test_generated_customers_are_observed_to_the_end_of_the_last_acquisition_month():
    settings = Params(generate_start=date(2024, 1, 1), generate_acquisition_months=14)
    assert settings.as_json()["observation_end"] == "2025-02-28"


def test_cdnow_and_generated_logs_describe_themselves():
    assert Params(source="cdnow").columns == {"customer_id": "id", "date": "date", "amount": "amount"}
    assert Params().columns["order_id"] == "order_id"


NO_MONEY = "source: my.csv\ncolumns: {customer_id: id, date: day, amount: null}\n"


def test_a_sign_stands_for_the_currency_in_the_report_and_not_in_what_reads_the_log(tmp_path):
    (tmp_path / "x.yaml").write_text("currency: EUR\ncurrency_sign: €\n")
    handed = params.load(tmp_path / "x.yaml").for_notebooks()
    assert (handed["currency"], handed["log"]["currency"]) == ("€", "EUR")


def test_a_log_without_money_is_forecast_in_purchases_or_at_a_stated_value_of_each(tmp_path):
    (tmp_path / "x.yaml").write_text(NO_MONEY + "discount_rate_annual: 0.1\ngross_margin: 0.5")
    counted = params.load(tmp_path / "x.yaml").for_notebooks()
    assert [counted[key] for key in ("currency", "discount_rate_annual", "gross_margin")] == ["purchases", 0.0, 1.0]
    (tmp_path / "x.yaml").write_text(NO_MONEY + "typical_order_value: 25.0\ngross_margin: 0.5")
    valued = params.load(tmp_path / "x.yaml").for_notebooks()
    assert [valued[key] for key in ("currency", "gross_margin")] == ["USD", 0.5]
    assert valued["log"]["typical_order_value"] == 25.0


def test_what_costs_money_needs_a_value_of_a_purchase(refused):
    assert refused(NO_MONEY + "acquisition_cost: 20.0").startswith("a campaign and new customers cost money")
    assert refused(NO_MONEY.replace("date: day", "date: null")) == (
        "columns must say which column of the log holds date, or leave it out."
    )


def test_settings_survive_json():
    settings = Params().as_json()
    assert json.loads(json.dumps(settings)) == settings


def test_a_month_after_the_last_of_january_is_the_last_of_february():
    assert months_later(date(2025, 1, 31), 1) == date(2025, 2, 28)
    assert months_later(date(2024, 11, 15), 14) == date(2026, 1, 15)
