"""The treasury in a real browser: a pasted approval, a proposal, a phone, texts that can be read."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import Console, SignIn

pytestmark = pytest.mark.browser

CONTRAST = (Path(__file__).parent / "contrast.js").read_text(encoding="utf-8")
CONTRACT = "aa" * 32
PAGES = (
    "",
    f"/contract/{CONTRACT}",
    f"/policy/{CONTRACT}",
    "/draft",
    "/proofs",
    "/box/box-two",
    f"/forward/{'ee' * 32}",
    f"/forward/{'ff' * 32}",
    "/payment/p-waits",
    "/payment/p-signs",
    "/payment/p-refused",
    "/payment/p-stuck",
    "/payment/p-proven",
)
ROSA = "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"  # the generator of secp256k1
HOSTILE = "<img src=x onerror=window.hacked=1>"


def test_every_page_can_be_read_and_fits_a_phone(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    faint, wide = {}, []
    for path in PAGES:
        page.set_viewport_size({"width": 1600, "height": 1000})
        page.goto(f"{console.url}/console/treasury{path}")
        page.wait_for_function("window.did_handshake === true")
        expect(page.locator(".bes-main .bes-card").first).to_be_visible()
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


def test_a_draft_is_judged_while_it_is_written_and_nothing_is_lost(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    page.goto(f"{console.url}/console/treasury/draft")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_test_id("form-reset").click()
    page.get_by_test_id("agreement.name").fill(HOSTILE)
    page.get_by_test_id("add-agreement.parties").click()
    for key, text in {"name": "Rosa", "person": "Rosa", "key": ROSA}.items():
        page.get_by_test_id(f"agreement.parties-3-{key}").fill(text)
    for name in ("edge-1", "edge-2", "edge-3"):
        page.get_by_test_id("field-template.signers").get_by_label(name).check()
    page.get_by_test_id("field-template.recovery").locator("select").select_option("Rosa")
    page.get_by_test_id("agreement.owners").fill("\n".join(digit * 64 for digit in "abc"))
    for index, name in enumerate(("Anna", "Ben", "Carl")):
        page.get_by_test_id("add-agreement.approvers").click()
        for key, text in {"name": name, "person": name, "public_key": str(index + 1) * 64}.items():
            page.get_by_test_id(f"agreement.approvers-{index}-{key}").fill(text)
    expect(page.get_by_test_id("path-signers")).to_contain_text("Any two of edge-1, edge-2 and edge-3, at once.")
    expect(page.locator(".bes-tree-root")).to_contain_text(HOSTILE)
    page.get_by_test_id("template.recovery_after_blocks").fill("70000")
    expect(page.get_by_test_id("form-refusal")).to_contain_text("a lock counts 1 to 65,535 blocks")
    expect(page.get_by_test_id("form-send")).to_be_disabled()
    expect(page.get_by_test_id("path-signers")).to_have_count(0)
    page.reload()
    page.wait_for_function("window.did_handshake === true")
    expect(page.get_by_test_id("agreement.parties-3-key")).to_have_value(ROSA)
    page.get_by_test_id("template.recovery_after_blocks").fill("4,320")
    expect(page.get_by_test_id("form-send")).to_be_enabled()
    page.get_by_test_id("form-send").click()
    expect(page.get_by_role("heading", name="Payouts 2027")).to_be_visible()
    assert page.evaluate("window.hacked") is None


def test_a_psbt_is_saved_and_a_signed_file_comes_back(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    page.goto(f"{console.url}/console/treasury/payment/p-signs")
    page.wait_for_function("window.did_handshake === true")
    with page.expect_download() as download:
        page.get_by_test_id("save-psbt").click()
    saved = Path(download.value.path()).read_bytes()
    assert (download.value.suggested_filename, saved[:5]) == ("4f" * 32 + ".psbt", b"psbt\xff")
    page.get_by_test_id("file").set_input_files({"name": "wrong.bin", "mimeType": "", "buffer": b"\x00\x01"})
    page.get_by_test_id("file-send").click()
    expect(page.get_by_test_id("notice")).to_contain_text("answer.malformed")
    expect(page.get_by_test_id("file-text")).to_have_value("AAE=")
    page.get_by_test_id("file").set_input_files({"name": "signed.psbt", "mimeType": "", "buffer": saved})
    expect(page.get_by_test_id("file-said")).to_have_text("signed.psbt was read; nothing is handed in yet.")
    page.get_by_test_id("file-send").click()
    expect(page.get_by_test_id("file-text")).to_have_value("")


def test_the_address_is_a_picture_and_a_text(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    page.goto(f"{console.url}/console/treasury/contract/{CONTRACT}")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_test_id("receive").click()
    expect(page.get_by_test_id("qr")).to_be_visible()
    expect(page.get_by_test_id("place")).to_contain_text("0/17")
    page.keyboard.press("Escape")
    expect(page.get_by_test_id("qr")).to_have_count(0)


def test_a_forward_is_offered_from_its_page(console: Console, sign_in: SignIn) -> None:
    page = sign_in(console, user="tess")
    page.goto(f"{console.url}/console/treasury/contract/{'ff' * 32}")
    page.wait_for_function("window.did_handshake === true")
    page.get_by_test_id("forward").click()
    expect(page.get_by_test_id("sentence")).to_have_text("Nothing was offered yet.")
    page.get_by_test_id("offer").click()
    dialog = page.get_by_test_id("dialog")
    dialog.get_by_test_id("stake").fill("mine")
    dialog.get_by_test_id("their-desk").fill("51" * 32)
    dialog.get_by_test_id("file-name").select_option("buyer")
    dialog.get_by_test_id("file-text").fill("b3JhY2xl")
    dialog.get_by_test_id("file-send").click()
    expect(dialog.get_by_test_id("refusal")).to_contain_text(f"{HOSTILE} is no coin [forward.other-terms]")
    expect(dialog.get_by_test_id("file-text")).to_have_value("b3JhY2xl")
    dialog.get_by_test_id("stake").fill("ab" * 32 + ":0")
    dialog.get_by_test_id("file-send").click()
    expect(page.get_by_test_id("step-offered")).to_have_attribute("aria-current", "step")
    with page.expect_download() as download:
        page.get_by_test_id("save-offer").click()
        page.get_by_test_id("save-document").click()
    assert Path(download.value.path()).read_bytes() == b"sealed\xffoffer"
    assert page.evaluate("window.hacked") is None
