"""People who pay all the time: they propose, approve what they read, ask again after a failure, and never pay twice."""

import itertools
import re
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from benchmarks.signing_kills_contracts import PAYEE, Spendable
from benchmarks.signing_kills_stage import SigningStage
from hardware_sims.demo.contract import payee
from hardware_sims.demo.payment import document_of, text
from hardware_sims.demo.treasury import APPROVERS, PROPOSER
from shared.crypto.signing import seal
from shared.errors import GatewayRefused, GatewayUnavailable
from shared.wire.contract import APPROVAL_DOMAIN

IN_FLIGHT = 10
AMOUNT_SAT = 1_000_000
_EXPIRY_BLOCKS = 2_000
_LOOK_S = 0.2
_LISTED = 500
_ENDED = frozenset({"buried", "expired", "refused", "cancelled", "replaced"})


class Payment(msgspec.Struct):
    """What a person wants: its reason is known to nobody else. `txid` is what was approved."""

    number: int
    contract: Spendable
    proposal_id: str = ""
    txid: str = ""
    status: str = "wanted"
    rule: str = ""
    detail: str = ""

    @property
    def reason(self) -> str:
        return f"payment {self.number}"

    @property
    def over(self) -> bool:
        return self.status in _ENDED


class Payments:
    """Keeps `IN_FLIGHT` payments on their way, by turns from each contract, and mines a block every `block_s`.

    `all` are those that were ever wanted; `denied` counts proposals that were refused at once, by rule.
    """

    def __init__(self, stage: SigningStage, contracts: Sequence[Spendable], block_s: float) -> None:
        self.all: list[Payment] = []
        self.denied: Counter[str] = Counter()
        self.failed = ""
        self._stage = stage
        self._payee = payee(stage, PAYEE)
        self._turns: Iterator[Spendable] = itertools.cycle(contracts)
        self._block_s = block_s
        self._pay = threading.Event()
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._guarded, args=(work,), daemon=True) for work in (self._live, self._mine)
        ]

    def start(self) -> "Payments":
        self._pay.set()
        for thread in self._threads:
            thread.start()
        return self

    def pause(self) -> None:
        """What is on its way goes on; nothing new begins."""
        self._pay.clear()

    def stop(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    @property
    def open(self) -> list[Payment]:
        return [payment for payment in self.all if not payment.over]

    def _guarded(self, work: Any) -> None:
        try:
            work()
        except Exception as error:
            self.failed = f"{type(error).__name__}: {error}"
            raise

    def _live(self) -> None:
        while not self._over.wait(_LOOK_S):
            while self._pay.is_set() and len(self.open) < IN_FLIGHT:
                self.all.append(Payment(len(self.all) + 1, next(self._turns)))
            for payment in self.open:
                try:
                    self._carry_on(payment)
                except GatewayUnavailable:  # the controller is away
                    break

    def _mine(self) -> None:
        while not self._over.wait(self._block_s):
            try:
                self._stage.node.mine(1, self._stage.purse)
            except (GatewayUnavailable, GatewayRefused, OSError):  # the node is away or starting
                time.sleep(_LOOK_S)

    def _carry_on(self, payment: Payment) -> None:
        if not payment.proposal_id:
            view = self._found(payment) or self._proposed(payment)
            if view is None:
                return
            payment.proposal_id, payment.txid = view["proposal_id"], view["txid"]
        view = self._stage.api.get(f"/proposals/{payment.proposal_id}")
        payment.status, payment.rule, payment.detail = view["status"], view["rule"], view["detail"]
        if view["to_seal"]:
            self._give(payment, "seal", view["to_seal"][PROPOSER], PROPOSER)
        for person in APPROVERS:
            if view["to_sign"] is not None and person not in view["approved_by"]:
                self._give(payment, "approvals", view["to_sign"], person)

    def _found(self, payment: Payment) -> dict[str, Any] | None:
        """Whoever does not know whether it was proposed looks first."""
        views = self._stage.api.get(f"/contracts/{payment.contract.contract_id}/proposals")
        return next((view for view in views[:_LISTED] if view["reason"] == payment.reason), None)

    def _proposed(self, payment: Payment) -> dict[str, Any] | None:
        wish = {
            "path": payment.contract.path,
            "payments": [{"address": self._payee, "amount_sat": AMOUNT_SAT + payment.number, "name": PAYEE}],
            "reason": payment.reason,
            "fee_rate_sat_vb": 5,
            "expiry_blocks": _EXPIRY_BLOCKS,
        }
        try:
            view: dict[str, Any] = self._stage.api.post(f"/contracts/{payment.contract.contract_id}/proposals", wish)
        except GatewayRefused as refusal:
            self.denied[_why(refusal)] += 1
            return None
        return view

    def _give(self, payment: Payment, what: str, to_sign: str, person: str) -> None:
        """One person signs what the console shows, if it is the payment that was proposed."""
        document = document_of(to_sign)
        if document.txid != payment.txid:
            return
        sealed = seal(APPROVAL_DOMAIN, document, [self._stage.people.key(person)])
        try:
            self._stage.api.post(f"/proposals/{payment.proposal_id}/{what}", {"sealed": text(sealed)})
        except GatewayRefused as refusal:
            self.denied[_why(refusal)] += 1


def _why(refusal: GatewayRefused) -> str:
    """The rule by which the API refused, else the code."""
    found = dict(re.findall(r'"(code|rule)":"([^"]+)"', refusal.detail))
    return found.get("rule") or found.get("code") or refusal.detail
