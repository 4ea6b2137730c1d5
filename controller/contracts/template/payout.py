"""Money that leaves on a schedule: what is due to each, or what comes in, split in a fixed proportion.

Bitcoin's script cannot fix proportions. Boxes hold the payees (allow-list) and the ceilings (limits); the proportion is
computed here and shown to every approver. A share that is too small for an output is refused where it is proposed.
"""

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.refusal import Refusal
from controller.contracts.split import largest_remainder
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.operating import OperatingWallet
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

    def parts(self, amount_sat: int) -> tuple[tuple[str, int], ...]:
        """(payee, satoshi) in the order of `shares`; they sum to `amount_sat` exactly."""
        parts = largest_remainder(amount_sat, [share.weight for share in self.shares])
        return tuple((share.payee, part) for share, part in zip(self.shares, parts, strict=True))


def _address(agreement: Agreement, payee: str) -> str:
    found = next((listed.address for listed in agreement.allow_list if listed.name == payee), None)
    if found is None:
        raise Denied(Refusal.BAD_DESTINATION, f"{payee!r} is not in the allow-list, so that no box would pay it")
    return found
