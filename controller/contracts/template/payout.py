"""Money that leaves on a schedule: what is due to each, or what comes in, split in a fixed proportion.

Bitcoin's script cannot fix proportions. Boxes hold the payees (allow-list) and the ceilings (limits); the proportion is
computed here and shown to every approver.
"""

from collections.abc import Mapping

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.refusal import Refusal
from controller.contracts.split import largest_remainder
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.operating import OperatingWallet
from shared.bitcoin.address import script_of
from shared.bitcoin.script import dust_sat
from shared.bitcoin.transaction import TxOut
from shared.errors import Denied


class BatchPayout(msgspec.Struct, frozen=True, kw_only=True, tag="batch-payout"):
    """An operating wallet that pays `payees` (names in the allow-list: pool members, landlord, power supplier).

    A batch is due every `every_blocks`.
    """

    wallet: OperatingWallet
    payees: tuple[str, ...]
    every_blocks: int

    def compile(self, agreement: Agreement) -> Compiled:
        if not self.payees or len(set(self.payees)) != len(self.payees):
            raise Denied(Refusal.BAD_SHARES, "name each payee once, at least one")
        if self.every_blocks < 1:
            raise Denied(Refusal.BAD_LOCK, f"a batch every {self.every_blocks} blocks; every block is the least")
        for payee in self.payees:
            _address(agreement, payee)
        return compiled(agreement, self, self.wallet.descriptor(agreement))

    def outputs(self, due_sat: Mapping[str, int], agreement: Agreement) -> tuple[TxOut, ...]:
        """One output for each payee that is owed something, in the order of `payees`.

        Denied `template.bad-destination` for somebody who is no payee, `template.bad-shares` for an amount that is
        not worth an output.
        """
        if strangers := sorted(set(due_sat) - set(self.payees)):
            raise Denied(Refusal.BAD_DESTINATION, f"{strangers[0]!r} is none of the payees of this contract")
        owed = [(payee, due_sat[payee]) for payee in self.payees if due_sat.get(payee, 0) != 0]
        return tuple(_output(agreement, payee, amount_sat) for payee, amount_sat in owed)

    def next_due_height(self, birth_height: int, height: int) -> int:
        """The first height of a batch that is not past."""
        batches = max(1, -(-(height - birth_height) // self.every_blocks))
        return birth_height + batches * self.every_blocks


class Share(msgspec.Struct, frozen=True):
    """`weight` parts of the whole for a destination of the allow-list."""

    payee: str
    weight: int


class RevenueSplit(msgspec.Struct, frozen=True, kw_only=True, tag="revenue-split"):
    """Hosting revenue: whatever came in is split in the proportion of `shares`, to the satoshi."""

    wallet: OperatingWallet
    shares: tuple[Share, ...]

    def compile(self, agreement: Agreement) -> Compiled:
        names = [share.payee for share in self.shares]
        if len(names) < 2 or len(set(names)) != len(names) or min(share.weight for share in self.shares) < 1:
            raise Denied(Refusal.BAD_SHARES, "a split has two payees or more, each once, each with a weight above zero")
        for name in names:
            _address(agreement, name)
        return compiled(agreement, self, self.wallet.descriptor(agreement))

    def outputs(self, amount_sat: int, agreement: Agreement) -> tuple[TxOut, ...]:
        """`amount_sat` (inputs less fee) in the order of `shares`; the outputs sum to it exactly.

        Denied `template.bad-shares` where a share is not worth an output.
        """
        parts = largest_remainder(amount_sat, [share.weight for share in self.shares])
        return tuple(_output(agreement, share.payee, part) for share, part in zip(self.shares, parts, strict=True))


def _output(agreement: Agreement, payee: str, amount_sat: int) -> TxOut:
    script = script_of(_address(agreement, payee), agreement.network)
    if amount_sat < dust_sat(script):
        raise Denied(
            Refusal.BAD_SHARES, f"{payee} would get {amount_sat:,} sat; less than {dust_sat(script)} sat is not relayed"
        )
    return TxOut(amount_sat, script)


def _address(agreement: Agreement, payee: str) -> str:
    found = next((listed.address for listed in agreement.allow_list if listed.name == payee), None)
    if found is None:
        raise Denied(Refusal.BAD_DESTINATION, f"{payee!r} is not in the allow-list, so that no box would pay it")
    return found
