"""The console without a mouse, for weak eyes, and in a hand: keyboard, contrast, a phone of 390 pixels."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from tests.browser.conftest import Console, SignIn

pytestmark = pytest.mark.browser

PAGES = ("", "/miners?q=state:hot", "/miners?q=state:purple", "/miner/m-02de00000020", "/miner/nope", "/energy",
         "/alarms", "/commands", "/nodes")  # fmt: skip
CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
PHONE = {"width": 390, "height": 844}
FOCUSED = """() => {
  const at = document.activeElement, style = getComputedStyle(at);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  return { name: at.dataset.testid || at.innerText || at.ariaLabel || at.tagName, test: at.dataset.testid || "",
           seen: ring || at.matches(".q-field__native, .ag-root-wrapper *, body") };
}"""


def opened(page: Page, console: Console, path: str) -> None:
    page.goto(f"{console.url}/console/site/west-1{path}")
    page.wait_for_function("window.did_handshake === true")
    expect(page.locator(".bes-main")).not_to_be_empty()


def curtail_from(page: Page, *, by_touch: bool) -> None:
    """Through the dialog to the button that sends, as a person types."""
    dialog = page.get_by_test_id("dialog")
    if by_touch:
        page.get_by_test_id("share-50").click()
    dialog.get_by_label("Reason").fill("price spike")
    typed = dialog.get_by_label(re.compile("Type .* to confirm"))
    wanted = re.search(r"Type (.*) to confirm", typed.get_attribute("aria-label") or "")
    assert wanted is not None
    typed.fill(wanted[1])
    page.get_by_test_id("send").click()


def test_every_text_can_be_read_in_both_themes(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    faint = {}
    for path in PAGES:
        opened(page, console, path)
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            page.wait_for_function(
                f"document.body.classList.contains('body--dark') === {str(scheme == 'dark').lower()}"
            )
            if found := page.evaluate(CONTRAST):
                faint[path, scheme] = found
    assert faint == {}


def test_the_contrast_check_finds_faint_text(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    page.evaluate(
        "document.querySelector('.bes-main').insertAdjacentHTML('beforeend', '<p style=color:#bbb>faint</p>')"
    )
    assert any("faint" in text for text in page.evaluate(CONTRAST))


def test_every_stop_of_the_tab_key_is_seen(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/energy")
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate(FOCUSED))
        if reached[-1]["test"] == "curtail":
            break
    assert [stop["name"] for stop in reached if not stop["seen"]] == []
    assert {"search", "sign-out", "curtail"} <= {stop["test"] for stop in reached}
    page.keyboard.press("Enter")
    dialog = page.get_by_role("dialog", name="Curtail West Texas 1")
    expect(dialog).to_be_visible()
    page.keyboard.press("Escape")
    expect(dialog).to_have_count(0)
    assert page.evaluate(FOCUSED)["test"] == "curtail"


def test_slash_searches_and_the_question_mark_explains(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    page.keyboard.press("/")
    expect(page.get_by_test_id("search")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("search")).not_to_be_focused()
    page.keyboard.press("g")
    page.keyboard.press("m")
    expect(page.get_by_test_id("match")).to_contain_text("of 200 match")
    page.keyboard.press("/")
    expect(page.get_by_role("textbox", name="Filter")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("?")
    expect(page.get_by_test_id("search-help")).to_contain_text("what a standing alarm touches")


def test_a_new_search_keeps_the_table_and_the_way_back(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/miners")
    expect(page.get_by_test_id("match")).to_have_text("200 of 200 match")
    page.get_by_test_id("grid").evaluate("element => (element.dataset.same = 'yes')")
    field = page.get_by_role("textbox", name="Filter")
    field.fill("state:unpowered")
    field.press("Enter")
    expect(page.get_by_test_id("match")).to_have_text("10 of 200 match")
    expect(page.get_by_test_id("grid")).to_have_attribute("data-same", "yes")
    page.wait_for_url("**/miners?q=state%3Aunpowered")
    field.fill("state:purple")
    field.press("Enter")
    expect(page.get_by_test_id("query-problem")).to_contain_text("no state 'purple'")
    expect(page.get_by_test_id("grid")).to_have_count(0)
    expect(page.get_by_test_id("order-sleep")).to_have_count(0)
    page.go_back()
    expect(page.get_by_test_id("match")).to_have_text("10 of 200 match")
    expect(field).to_have_value("state:unpowered")


def test_an_alarm_of_many_leads_to_exactly_its_miners(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, path="/alarms")
    link = page.get_by_test_id("row-a-4").get_by_role("link", name="136 miners")
    link.click()
    expect(page.get_by_test_id("match")).to_have_text("136 of 200 match")
    page.get_by_text("C01-R1-S1-02").click()
    expect(page.get_by_test_id("sentence")).to_be_visible()


def test_a_site_manager_in_the_container_has_all_in_the_hand(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    page.set_viewport_size(PHONE)
    opened(page, console, "")
    expect(page.get_by_test_id("alarm-bar")).to_be_in_viewport()
    row = page.get_by_test_id("row-a-2")
    acknowledge = row.get_by_role("button", name="Acknowledge")
    assert (acknowledge.bounding_box() or {})["height"] >= 44
    acknowledge.click()
    expect(row).to_contain_text("seen by anna")
    page.get_by_test_id("search").fill("C01-R1-S1-02")
    page.get_by_test_id("search").press("Enter")
    page.get_by_test_id("grid").get_by_text("C01-R1-S1-02").click()
    expect(page.get_by_test_id("sentence")).to_be_in_viewport()
    expect(page.get_by_role("table", name="Standing alarms")).to_contain_text("default password")
    page.get_by_role("link", name="Energy").click()
    page.get_by_test_id("curtail").click()
    curtail_from(page, by_touch=True)  # below the bar of an alarm that still stands
    expect(page.get_by_test_id("phase")).to_have_text("holding, confirmed by meter")
    page.get_by_test_id("restore").click()
    page.get_by_test_id("dialog").get_by_label("Reason").fill("price is back")
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("phase")).to_have_text(re.compile("restor"))


def test_nothing_is_cut_off_at_the_sides(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console)
    wide = []
    for path in PAGES:
        opened(page, console, path)
        for width in (390, 768, 1440, 2560):
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
            outer = page.evaluate("document.documentElement.scrollWidth")
            inner = page.evaluate(
                "[...document.querySelectorAll('.bes-scroll')].filter(it => it.scrollWidth > it.clientWidth + 1).length"
            )
            if outer > width or inner:
                wide.append((path, width, outer, inner))
    assert wide == []
