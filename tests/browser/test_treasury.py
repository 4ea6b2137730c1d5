"""The treasury in a real browser: a pasted approval, a proposal, a phone, texts that can be read."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Console, SignIn

pytestmark = pytest.mark.browser

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
PAGES = ("", f"/contract/{'aa' * 32}", "/payment/p-waits", "/payment/p-signs", "/payment/p-refused")


def test_every_page_can_be_read_and_fits_a_phone(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    faint, wide = {}, []
    for path in PAGES:
        page.set_viewport_size({"width": 1600, "height": 1000})
        page.goto(f"{console.url}/console/treasury{path}")
        page.wait_for_function("window.did_handshake === true")
        expect(page.locator(".bes-main .bes-headline").first).to_be_visible()
        for scheme in ("light", "dark"):
            page.emulate_media(color_scheme=scheme)
            dark = str(scheme == "dark").lower()
            page.wait_for_function(f"document.body.classList.contains('body--dark') === {dark}")
            if found := page.evaluate(CONTRAST):
                faint[path, scheme] = found
        page.set_viewport_size({"width": 390, "height": 844})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert (faint, wide) == ({}, [])


def test_a_payment_is_proposed_approved_by_paste_and_goes_on(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    page.goto(f"{console.url}/console/treasury/contract/{'aa' * 32}")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_test_id("propose").click()
    dialog = page.get_by_test_id("dialog")
    dialog.get_by_label("To", exact=True).click()
    page.get_by_role("option").first.click()
    dialog.get_by_label("Amount").fill("0.125")
    expect(page.get_by_test_id("total")).to_contain_text("12,500,000")
    dialog.get_by_label("Reason").fill("power bill")
    page.get_by_test_id("send").click()
    expect(page.get_by_test_id("step-proposed")).to_have_attribute("aria-current", "step")
    page.get_by_test_id("signed-by").select_option("Ben")
    expect(page.get_by_test_id("to-sign")).to_have_text("d2hhdCB0aGUgcHJvcG9zZXIgc2lnbnMsIEJlbg==")
    page.get_by_test_id("sealed").fill("QW5uYQ==")
    page.get_by_test_id("seal").click()
    expect(page.get_by_test_id("step-sealed")).to_have_attribute("aria-current", "step")
    page.get_by_test_id("sealed").fill("Um9zYQ==")
    page.get_by_test_id("seal").click()
    expect(page.get_by_test_id("step-approved")).to_have_attribute("aria-current", "step")
    expect(page.get_by_test_id("sealed")).to_have_count(0)
