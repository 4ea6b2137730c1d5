"""The console in front of real processes: simulators, broker, agent and controller, met in a real browser."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from hardware_sims.demo.production import Wish, produce
from hardware_sims.demo.scene import SITE
from hardware_sims.demo.story import Stage, discovery, normal_running

pytestmark = pytest.mark.browser

MINERS = 40
FAR_OFF_S = 3_600  # the price stays quiet for as long as the test runs
STALE_WITHIN_MS = 6_000
SLOW_MACHINES = 2
WISH = Wish(
    miners=MINERS, containers=1, time_factor=10.0, network="127.88.0.0/16", spike_at_s=FAR_OFF_S, spike_for_s=60
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stage, str]]:
    """The stage with all its miners read, and the password of `admin`."""
    with ExitStack() as stack:
        stage, password = produce(stack, tmp_path_factory.mktemp("real"), WISH)
        discovery(stage)
        normal_running(stage)
        yield stage, password


@pytest.fixture(scope="module")
def page(browser: Browser, site: tuple[Stage, str]) -> Iterator[Page]:
    """Signed in, at the site's page; an error of a script fails the test that comes next."""
    stage, password = site
    problems: list[str] = []
    with browser.new_context(viewport={"width": 1600, "height": 1000}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"http://localhost:{stage.scene.web_port}/console")
        page.fill("[name=name]", "admin")
        page.fill("[name=password]", password)
        page.click("button")
        _settled(page)
        yield page
    assert problems == []


def test_the_fleet_is_live(page: Page, site: tuple[Stage, str], tmp_path: Path) -> None:
    power = page.get_by_test_id("power")
    before = power.inner_text()
    expect(power).not_to_have_text(before)
    expect(page.get_by_test_id("age")).to_contain_text(re.compile(r"live [0-2]\.\d s"))
    expect(page.get_by_test_id("reporting")).to_contain_text(f"{MINERS}")
    expect(page.get_by_test_id("tile-power")).to_contain_text("meter-site")
    expect(page.get_by_test_id("map")).to_have_attribute("data-painted", str(MINERS))
    page.screenshot(path=tmp_path / "site.png")
    legend = page.locator(".bes-legend a", has_text="as expected")
    counted = legend.locator("b").inner_text()
    legend.click()
    expect(page.get_by_test_id("match")).to_have_text(f"{counted} of {MINERS} match")


def test_a_miner_shows_its_boards_and_its_own_words(page: Page, site: tuple[Stage, str], tmp_path: Path) -> None:
    stage, _ = site
    rows = stage.api.get(f"/sites/{SITE}/miners?q=model:*S19*&limit=1")["rows"]
    _open(page, stage, f"miner/{rows[0]['device_id']}")
    expect(page.get_by_test_id("evidence")).to_contain_text("Nothing kept")
    page.get_by_test_id("order-read_now").click()
    orders = page.get_by_role("table", name="Orders")
    expect(orders.locator("tbody tr").first).to_contain_text("read now")
    expect(orders.locator("tbody tr").first).to_contain_text("confirmed")
    expect(page.get_by_test_id("evidence")).to_contain_text('"STATUS"')
    expect(page.get_by_role("table", name="Boards").locator("tbody tr")).to_have_count(3)
    page.screenshot(path=tmp_path / "miner.png")


def test_a_curtailment_lands_by_the_meter(page: Page, site: tuple[Stage, str], tmp_path: Path) -> None:
    stage, _ = site
    _open(page, stage, "energy")
    page.get_by_test_id("curtail").click()
    dialog = page.get_by_test_id("dialog")
    page.get_by_test_id("share-25").click()
    expect(dialog).to_contain_text("by meter")
    _confirm(page, "the grid operator calls")
    expect(page.get_by_test_id("phase")).to_have_text("holding, confirmed by meter", timeout=30_000)
    expect(page.get_by_test_id("time-to-target")).to_have_text(re.compile(r"\d\ss$"))
    page.screenshot(path=tmp_path / "curtailed.png")
    curtailed = stage.api.get(f"/sites/{SITE}/curtailments")[0]
    true_w = stage.truth.get("/truth")["feeders"]["site"]["power_w"]
    assert true_w <= 1.02 * curtailed["target_w"]


def test_the_outcomes_of_the_order_are_confirmed(page: Page, site: tuple[Stage, str], tmp_path: Path) -> None:
    """A machine that is slow to sleep may still be on its way; nothing may have gone another way."""
    stage, _ = site
    _open(page, stage, "commands")
    row = page.get_by_role("table", name="Commands").locator("tbody tr", has_text="sleep for").last
    asked = re.search(r"sleep for (\d+)", row.inner_text())
    assert asked is not None
    row.get_by_role("link").click()
    outcomes = page.get_by_role("table", name="Outcome of each device").locator("tbody tr")
    expect(outcomes).to_have_count(int(asked[1]))
    expect(outcomes.filter(has_text="acknowledged").nth(SLOW_MACHINES)).to_be_hidden(timeout=30_000)
    expect(outcomes.filter(has_text="confirmed").nth(int(asked[1]) - SLOW_MACHINES - 1)).to_be_visible()
    expect(outcomes.filter(has_text=re.compile("contradicted|refused|unknown"))).to_have_count(0)
    page.screenshot(path=tmp_path / "outcomes.png")


def test_the_end_of_a_curtailment_restores(page: Page, site: tuple[Stage, str], tmp_path: Path) -> None:
    stage, _ = site
    _open(page, stage, "energy")
    page.get_by_test_id("restore").click()
    _confirm(page, "the call is over")
    expect(page.get_by_test_id("phase")).to_have_text(re.compile("^restor"))
    expect(page.get_by_test_id("phase")).to_have_text("restored", timeout=75_000)
    page.screenshot(path=tmp_path / "restored.png")
    true_w = stage.truth.get("/truth")["feeders"]["site"]["power_w"]
    assert true_w >= 0.85 * stage.api.get(f"/sites/{SITE}/curtailments")[0]["baseline_w"]


def test_a_killed_controller_makes_the_page_stale_until_it_is_back(
    page: Page, site: tuple[Stage, str], tmp_path: Path
) -> None:
    stage, _ = site
    _open(page, stage, "energy")
    curtail = page.get_by_test_id("curtail")
    stage.controller.kill()
    try:
        expect(page.get_by_test_id("stale")).to_be_visible(timeout=STALE_WITHIN_MS)
        expect(page.get_by_test_id("stale")).to_contain_text("orders are off")
        assert curtail.evaluate("element => getComputedStyle(element).pointerEvents") == "none"
        page.screenshot(path=tmp_path / "stale.png")
    finally:
        stage.controller.start()
    expect(page.get_by_test_id("stale")).to_be_hidden(timeout=30_000)
    expect(page.get_by_test_id("age")).to_contain_text(re.compile(r"live [0-2]\.\d s"), timeout=15_000)
    curtail.click(timeout=15_000)
    expect(page.get_by_test_id("dialog")).to_be_visible()
    page.screenshot(path=tmp_path / "back.png")


def _open(page: Page, stage: Stage, path: str) -> None:
    page.goto(f"http://localhost:{stage.scene.web_port}/console/site/{SITE}/{path}")
    _settled(page)


def _settled(page: Page) -> None:
    page.wait_for_function("window.did_handshake === true")


def _confirm(page: Page, reason: str) -> None:
    """Give the reason, type what is asked where it is, and send."""
    dialog = page.get_by_test_id("dialog")
    dialog.get_by_label("Reason").fill(reason)
    typed = dialog.get_by_label(re.compile("Type .* to confirm"))
    if typed.count() and typed.is_visible():
        wanted = re.search(r"Type (.*) to confirm", typed.get_attribute("aria-label") or "")
        assert wanted is not None
        typed.fill(wanted[1])
    page.get_by_test_id("send").click()
    expect(dialog).to_be_hidden()
