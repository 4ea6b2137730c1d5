"""What the console says while there is nothing yet, or nothing more: no site, no agent, no miner."""

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, SignIn

pytestmark = pytest.mark.browser

STALE_MS = 5_000


def test_the_first_agent_ends_the_first_run_by_itself(console: Console, sign_in: SignIn) -> None:
    with console.switched("unknown"):
        page = sign_in(console)
        page.goto(f"{console.url}/console/")
        expect(page.get_by_test_id("state")).to_contain_text("No site yet")
        page.wait_for_function(f"performance.now() > {STALE_MS + 2_000}")  # longer than a page without news may live
        expect(page.get_by_test_id("stale")).to_have_count(0)
    page.wait_for_url("**/console/site/west-1")
    expect(page.get_by_test_id("tile-power")).to_be_visible()


def test_a_site_that_nobody_hears_is_not_shown_as_of_now(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    expect(page.get_by_test_id("tile-power")).to_be_visible()
    expect(page.get_by_test_id("site-silent")).to_have_count(0)
    assert _stripes(page) == "none"
    with console.switched("silent"):
        bar = page.get_by_test_id("site-silent")
        expect(bar).to_contain_text("Nothing heard for 6")
        expect(bar).to_contain_text("bes doctor")
        assert "repeating-linear-gradient" in _stripes(page)
        expect(page.get_by_role("navigation")).to_contain_text("2 silent")
    expect(page.get_by_test_id("site-silent")).to_have_count(0)
    assert _stripes(page) == "none"


def test_what_is_not_there_says_what_to_do(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/miner/nope")
    state = page.get_by_test_id("state")
    expect(state).to_contain_text("No miner 'nope'")
    expect(state).to_contain_text("look for it with the search")
    state.get_by_role("link", name="Back to the site").click()
    expect(page.get_by_test_id("tile-power")).to_be_visible()


def _stripes(page: Page) -> str:
    found: str = page.get_by_test_id("power").evaluate("element => getComputedStyle(element).backgroundImage")
    return found
