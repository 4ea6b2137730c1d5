"""The console as people meet it: a real browser, a real server, a fake site."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, SignIn

pytestmark = pytest.mark.browser


def number(page: Page, test_id: str) -> int:
    return int(re.sub(r"\D", "", page.get_by_test_id(test_id).inner_text().split(" of ")[0]))


def test_values_move_and_carry_their_age(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    power = page.get_by_test_id("power")
    before = power.inner_text()
    expect(power).not_to_have_text(before)
    expect(page.get_by_test_id("age")).to_contain_text(re.compile(r"live [0-2]\.\d s"))
    expect(page.get_by_test_id("tile-power")).to_contain_text("meter m-site")


def test_a_frozen_server_makes_the_page_stale_and_orders_dead(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/energy")
    curtail = page.get_by_test_id("curtail")
    expect(curtail).to_be_visible()
    console.freeze()
    try:
        expect(page.get_by_test_id("stale")).to_be_visible(timeout=6000)
        expect(page.get_by_test_id("stale")).to_contain_text("orders are off")
        assert curtail.evaluate("element => getComputedStyle(element).pointerEvents") == "none"
        curtail.focus()
        page.keyboard.press("Enter")
    finally:
        console.thaw()
    expect(page.get_by_test_id("stale")).to_be_hidden()
    expect(page.get_by_test_id("dialog")).to_be_hidden()
    curtail.click()
    expect(page.get_by_test_id("dialog")).to_be_visible()


def test_after_sign_out_elsewhere_a_click_has_no_effect(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="ada", path="/miner/m-02de00000020")
    other = page.context.new_page()
    other.goto(f"{console.url}/console/site/west-1/alarms")
    other.get_by_test_id("sign-out").click()
    other.wait_for_url("**/login")
    if page.url.endswith("/login"):
        return
    button = page.get_by_test_id("order-sleep")
    if button.count():
        button.click(timeout=500, no_wait_after=True)
    page.wait_for_url("**/login", timeout=8000)
    watcher = sign_in(console, user="otto", path="/miner/m-02de00000020")
    expect(watcher.get_by_text("Nothing has been ordered yet.")).to_be_visible()


def test_a_hostile_name_is_only_text(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/miners")
    expect(page.get_by_test_id("grid")).to_contain_text("<img src=x onerror")
    page.goto(f"{console.url}/console/site/west-1/miner/m-02de00000000")
    expect(page.get_by_role("heading", level=1)).to_contain_text("<img src=x onerror")
    page.get_by_test_id("order-locate").click()
    expect(page.get_by_text("confirmed", exact=True)).to_be_visible()
    page.goto(f"{console.url}/console/site/west-1/miners?q=%22%3Cimg%20src%22")
    expect(page.get_by_test_id("match")).to_contain_text("1 of 200")
    assert page.evaluate("window.hacked") is None


def test_the_count_behind_a_link_is_the_count_on_it(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/miners")
    chip = page.get_by_test_id("chip-unpowered")
    counted = int(re.sub(r"\D", "", chip.inner_text()))
    chip.click()
    expect(page.get_by_test_id("match")).to_have_text(f"{counted} of 200 match")
    rows = page.locator(".ag-center-cols-container .ag-row:not(.ag-row-loading)")
    expect(rows).to_have_count(counted)
    assert "q=state%3Aunpowered" in page.url


def test_ten_thousand_rows_scroll_and_keep_their_selection(large_console: Console, sign_in: SignIn) -> None:
    page = sign_in(large_console, path="/miners")
    expect(page.get_by_test_id("match")).to_have_text("10,000 of 10,000 match")
    page.get_by_role("checkbox", name="Press Space to toggle row selection").first.click()
    expect(page.get_by_text("1 selected")).to_be_visible()
    page.locator(".ag-body-viewport").evaluate("element => element.scrollTo(0, 9500 * 30)")
    expect(page.get_by_text("C20-R1-S1-01")).to_be_visible()
    page.locator(".ag-body-viewport").evaluate("element => element.scrollTo(0, 0)")
    expect(page.locator(".ag-row-selected").first).to_be_visible()
    expect(page.get_by_text("1 selected")).to_be_visible()


def test_the_map_paints_every_miner(large_console: Console, sign_in: SignIn) -> None:
    page = sign_in(large_console)
    expect(page.get_by_test_id("map")).to_have_attribute("data-painted", "10000")
    expect(page.get_by_test_id("map")).to_have_attribute("aria-label", re.compile("silent: 1"))
    page.get_by_role("button", name="Chip temperature").click()
    assert "map=chip_temp_c" in page.url
    elements = page.evaluate("document.querySelectorAll('#app *').length")
    assert elements < 1200


def test_curtail_lands_by_the_meter_and_is_restored(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/energy")
    page.get_by_test_id("curtail").click()
    dialog = page.get_by_test_id("dialog")
    page.get_by_test_id("share-50").click()
    expect(dialog).to_contain_text("Not included")
    send = page.get_by_test_id("send")
    expect(send).to_be_disabled()
    dialog.get_by_label("Reason").fill("price spike")
    expect(send).to_be_disabled()
    typed = dialog.get_by_label(re.compile("Type .* to confirm"))
    wanted = re.search(r"Type (.*) to confirm", typed.get_attribute("aria-label") or "")
    assert wanted is not None
    typed.fill(wanted[1])
    expect(send).to_be_enabled()
    send.click()
    expect(page.get_by_test_id("phase")).to_have_text("shedding")
    expect(page.get_by_test_id("phase")).to_have_text("holding, confirmed by meter")
    expect(page.get_by_test_id("time-to-target")).to_have_text(re.compile(r"^\d\.\d\ss$"))
    page.get_by_test_id("restore").click()
    dialog.get_by_label("Reason").fill("price is back")
    send.click()
    expect(page.get_by_test_id("phase")).to_have_text(re.compile("restor"))


def test_a_viewer_sees_and_cannot_order(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="vera", path="/energy")
    expect(page.get_by_test_id("trend-price")).to_be_visible()
    expect(page.get_by_test_id("curtail")).to_have_count(0)
    page.goto(f"{console.url}/console/site/west-1/miner/m-02de00000020")
    expect(page.get_by_test_id("sentence")).to_be_visible()
    expect(page.locator(".bes-main .bes-order")).to_have_count(0)


def test_the_keyboard_reaches_search_and_pages(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    page.keyboard.press("g")
    page.keyboard.press("n")
    page.wait_for_url("**/nodes")
    page.keyboard.press("Control+k")
    page.keyboard.type("state:silent")
    page.keyboard.press("Enter")
    page.wait_for_url("**/miners?q=state%3Asilent")
    expect(page.get_by_test_id("match")).to_contain_text("of 200 match")


def test_both_themes_at_three_widths(console: Console, sign_in: SignIn, tmp_path: Path) -> None:
    page = sign_in(console)
    backgrounds = set()
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        for width in (1920, 1024, 390):
            page.set_viewport_size({"width": width, "height": 900})
            expect(page.get_by_test_id("tile-power")).to_be_visible()
            page.screenshot(path=tmp_path / f"{scheme}-{width}.png")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        backgrounds.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
    assert backgrounds == {"rgb(233, 236, 239)", "rgb(18, 22, 26)"}
    assert page.evaluate("document.documentElement.lang").startswith("en")
    unnamed = page.evaluate(
        "[...document.querySelectorAll('button, a[href], input, select')].filter(element => "
        "!(element.innerText || element.ariaLabel || element.labels?.length || element.title)).length"
    )
    assert unnamed == 0
