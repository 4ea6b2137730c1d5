"""Prepaid power: the money waits between miner and supplier, and goes back when the deadline passes."""

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.lock import check_deadline, check_quorum, multi


class PowerEscrow(msgspec.Struct, frozen=True, kw_only=True, tag="power-escrow"):
    """Any two of miner, supplier and arbiter; from `deadline_height` on the miner's `refund` key alone.

    The refund key is another key of the miner, because one key may stand only once in a script.
    """

    miner: str
    supplier: str
    arbiter: str
    refund: str
    deadline_height: int

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(2, (self.miner, self.supplier, self.arbiter), "escrow")
        check_quorum(1, (self.refund,), "refund")
        check_deadline(self.deadline_height, agreement.birth_height, "refund")
        quorum = multi(2, agreement.keys((self.miner, self.supplier, self.arbiter)))
        refund = f"and_v(v:pkh({agreement.party(self.refund).key}),after({self.deadline_height}))"
        return compiled(agreement, self, f"wsh(or_d({quorum},{refund}))", expires_at_height=self.deadline_height)
