"""What if: what a page says with other settings is what a rerun with them says, within Monte-Carlo error."""

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from forecasts import customers as histories
from forecasts import typed_draws
from nbformat.v4 import new_code_cell, new_notebook, new_output
from playwright.sync_api import Page, sync_playwright
from test_browser import CHROMIUM, QUIET
from test_report import FIGURES

from clv.backtest.ahead import monthly_draws
from clv.forecast.future import simulate
from clv.forecast.horizon import Calendar, Groups, yearly_horizon
from clv.report.page import form
from clv.report.page.form import what_if
from clv.report.page.html import render
from clv.report.page.mime import WHAT_IF

EDGES = np.array([0.0, 4, 9, 13, 26, 39, 52])
BASE = pd.concat(
    [histories((6, 40, 42, 30)), histories((0, 0, 30, 0)).assign(first_amount=20.0)] * 60, ignore_index=True
)
SEGMENTS = np.array(["Champions", "Lost"] * 60)
NEWCOMER = {
    "mean": 50.0,
    "quantiles": np.linspace(1, 100, 100).tolist(),
    "may_cost": {"0.50": 50.0, "0.80": 20.0, "0.95": 5.0},
}


def draws(n: int = 1500):
    generator = np.random.default_rng(3)
    names = {"r": 0.8, "alpha": 6.0, "a": 0.8, "b": 2.5}
    return typed_draws(**{name: value * np.exp(0.05 * generator.normal(size=n)) for name, value in names.items()})


def totals(horizon, *, seed: int, edges: np.ndarray = EDGES):
    """Return the joint totals of everybody and of both segments, whose months stand on the calendar."""
    codes = np.unique(SEGMENTS, return_inverse=True)[1]
    calendar = Calendar(edges, codes.astype(np.int64), 2, np.zeros(len(BASE), bool))
    groups = Groups(np.column_stack([np.zeros_like(codes), codes + 1]).astype(np.int16), 3)
    return simulate(BASE, draws(), horizon, seed=seed, groups=groups, calendar=calendar)


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Page:
    """Return a page with the form of a run at a margin of 1, 10 % a year, 52 weeks, that has no misfit."""
    found = totals(yearly_horizon(52, discount_rate_annual=0.1, gross_margin=1.0), seed=1)
    result = SimpleNamespace(of_segments=found, customers=pd.DataFrame({"rfm_segment": SEGMENTS}))
    by_segment = found.revenue.sum(axis=2).mean(axis=0)
    quantiles = np.quantile(found.value, [0.05, 0.95], axis=0)
    groups = pd.DataFrame(
        {
            "grouping": ["base", "rfm_segment", "rfm_segment"],
            "group": ["all customers", "Champions", "Lost"],
            "customers": [120, 60, 60],
            "clv_mean": [by_segment.sum(), *by_segment],
            "clv_lower": quantiles[0],
            "clv_upper": quantiles[1],
        }
    )
    errors = pd.MultiIndex.from_product(
        [groups["group"], EDGES[1:], np.arange(0.5, 100) / 100], names=["group", "weeks", "probability"]
    ).to_frame(index=False)
    filled = what_if(
        FIGURES | {"gross_margin": 1.0, "new_customer": NEWCOMER},
        groups,
        monthly_draws(result),
        errors.assign(factor=1.0),
    )
    cell = new_code_cell("form", outputs=[new_output("display_data", {WHAT_IF: filled.content})])
    file = tmp_path_factory.mktemp("form") / "page.html"
    file.write_text(render(new_notebook(cells=[cell]), title="x", show_code=False), encoding="utf-8")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        opened = chromium.new_page()
        opened.goto(file.as_uri())
        opened.locator("form.whatif").wait_for()
        yield opened
        chromium.close()


def asked(page: Page, **settings: float) -> dict:
    usual = {
        "group": 0,
        "margin": 1,
        "rate": 0.1,
        "months": 5,
        "cost": 0,
        "effect": 0.1,
        "budget": 0,
        "acquisition": 40,
    }
    return page.evaluate("(set) => document.querySelector('form.whatif').ask(set)", usual | settings)


@pytest.mark.parametrize("group", [0, 1, 2])
def test_another_margin_discount_and_horizon_give_what_a_rerun_gives(page, group):
    said = asked(page, group=group, margin=0.4, rate=0.3, months=3)
    again = totals(yearly_horizon(26, discount_rate_annual=0.3, gross_margin=0.4), seed=2, edges=EDGES[:5])
    rerun = again.value[:, group]
    for name, share in (("lower", 0.05), ("upper", 0.95)):
        near = np.quantile(rerun, [share - 0.03, share + 0.03])  # four standard errors of two runs of 1,500 draws
        assert near[0] <= said[name] <= near[1], name
    usual = totals(yearly_horizon(52, discount_rate_annual=0.1, gross_margin=1.0), seed=1).value[:, group]
    closed_form = asked(page, group=group)["expected"]  # what the run is told to expect
    assert said["expected"] / closed_form == pytest.approx(rerun.mean() / usual.mean(), rel=0.04)


@pytest.mark.parametrize("group", [0, 1, 2])
def test_at_the_runs_own_settings_the_form_says_what_the_report_says(page, group):
    value = totals(yearly_horizon(52, discount_rate_annual=0.1, gross_margin=1.0), seed=1).value[:, group]
    said = asked(page, group=group)
    assert [said["lower"], said["upper"]] == pytest.approx(np.quantile(value, [0.05, 0.95]), rel=1e-9)


def test_the_form_begins_with_what_customers_chosen_at_random_would_earn():
    """Of 200 contacts for 400 that leave 600 by the plan, and 450 less by lot, each gains 2.75 of a mean of 50."""
    plan = {"contacts": 200, "cost": 400.0, "profit": {"mean": 600.0}, "rules": {"random": {"regret": 450.0}}}
    figures = {"campaign": plan, "n_customers": 1000, "total_clv": {"mean": 50_000.0}}
    assert form._of_anybody(figures) == pytest.approx(2.75 / 50)
    nobody = {"contacts": 0, "effect_mean": 0.2, "response_share": 0.3}
    assert form._of_anybody({"campaign": nobody}) == pytest.approx(0.06)


def test_a_contact_that_changes_nothing_loses_its_cost_and_a_free_one_nothing(page):
    nothing = asked(page, cost=1, effect=0)
    assert (nothing["contacts"], nothing["profit"], nothing["loss"]) == (120, -120, 1)
    assert asked(page, cost=0)["loss"] == 0
    limited = asked(page, cost=1, budget=30)
    assert (limited["contacts"], limited["spent"]) == (30, 30)
    pays = asked(page, cost=1)["breakEven"]
    assert asked(page, cost=1, effect=pays)["profit"] == pytest.approx(0, abs=1e-6)


def test_what_a_new_customer_may_cost_follows_the_margin(page):
    usual, half = asked(page, acquisition=40), asked(page, acquisition=40, margin=0.5)
    assert usual["earns"] == 0.6 and usual["mayCost"] == [50, 20, 5]
    assert half["earns"] == 0.2 and half["mayCost"] == [25, 10, 2.5]


def test_the_answer_stands_in_words_and_follows_the_keyboard(page):
    first = page.locator(".answer p").first
    before = first.inner_text()
    assert before.startswith("All customers: ")
    page.locator("[name=margin]").focus()
    page.keyboard.press("ArrowLeft")
    assert first.inner_text() != before and "99" in page.locator("[name=margin-said]").inner_text()
    page.locator("[name=group]").select_option(label="Champions")
    assert first.inner_text().startswith("Champions: ")
