"""Addresses of the treasury's pages, below the console."""

from collections.abc import Awaitable, Callable

from controller.console.pages.treasury import box, contract, draft, forward, overview, payment, policy, proofs
from controller.console.pages.treasury.page import TreasuryPage

PAGES: dict[str, Callable[[TreasuryPage], Awaitable[None]]] = {
    "/treasury": overview.build,
    "/treasury/box/{subject}": box.build,
    "/treasury/contract/{subject}": contract.build,
    "/treasury/draft": draft.build,
    "/treasury/forward/{subject}": forward.build,
    "/treasury/policy/{subject}": policy.build,
    "/treasury/proofs": proofs.build,
    "/treasury/payment/{subject}": payment.build,
}
