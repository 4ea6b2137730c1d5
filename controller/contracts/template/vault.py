"""Where the treasury rests: a quorum of people and boxes, and what opens when they are lost."""

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.lock import check_deadline, check_older, check_order, check_quorum, multi


class TreasuryVault(msgspec.Struct, frozen=True, kw_only=True, tag="treasury-vault"):
    """Any `needed` of `signers`; `recovery` alone where a coin lies still for `recovery_after_blocks`."""

    signers: tuple[str, ...]
    needed: int = 2
    recovery: str
    recovery_after_blocks: int = 4_320

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(self.needed, self.signers, "signers")
        check_older(self.recovery_after_blocks, "recovery")
        quorum = multi(self.needed, agreement.keys(self.signers))
        recovery = f"and_v(v:pkh({agreement.party(self.recovery).key}),older({self.recovery_after_blocks}))"
        return compiled(agreement, self, f"wsh(or_d({quorum},{recovery}))")


class DecayingQuorum(msgspec.Struct, frozen=True, kw_only=True, tag="decaying-quorum"):
    """`needed` of `signers`; one fewer where a coin lies still for `decays_after_blocks`."""

    signers: tuple[str, ...]
    needed: int
    decays_after_blocks: int = 12_960

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(self.needed, self.signers, "signers")
        check_quorum(self.needed - 1, self.signers, "signers after decay")
        check_older(self.decays_after_blocks, "decay")
        first, *others = agreement.keys(self.signers)
        signatures = ",".join((f"pk({first})", *(f"s:pk({key})" for key in others)))
        lock = f"sln:older({self.decays_after_blocks})"
        return compiled(agreement, self, f"wsh(thresh({self.needed},{signatures},{lock}))")


class StagedRecovery(msgspec.Struct, frozen=True, kw_only=True, tag="staged-recovery"):
    """Signers at once, deputies later, one key last."""

    signers: tuple[str, ...]
    needed: int = 2
    deputies: tuple[str, ...]
    deputies_needed: int = 2
    deputies_after_blocks: int = 4_320
    last: str
    last_after_blocks: int = 12_960

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(self.needed, self.signers, "signers")
        check_quorum(self.deputies_needed, self.deputies, "deputies")
        check_older(self.deputies_after_blocks, "deputies")
        check_older(self.last_after_blocks, "last key")
        check_order(self.deputies_after_blocks, self.last_after_blocks, "last key")
        quorum = multi(self.needed, agreement.keys(self.signers))
        deputies = multi(self.deputies_needed, agreement.keys(self.deputies))
        stages = f"or_d({quorum},and_v(v:{deputies},older({self.deputies_after_blocks})))"
        last = f"and_v(v:pkh({agreement.party(self.last).key}),older({self.last_after_blocks}))"
        return compiled(agreement, self, f"wsh(or_i({last},{stages}))")


class DatedReserve(msgspec.Struct, frozen=True, kw_only=True, tag="dated-reserve"):
    """Nobody before `opens_at_height`, then `needed` of `signers`: tax or a power bill that is put aside."""

    signers: tuple[str, ...]
    needed: int = 2
    opens_at_height: int

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(self.needed, self.signers, "signers")
        check_deadline(self.opens_at_height, agreement.birth_height, "reserve")
        quorum = multi(self.needed, agreement.keys(self.signers))
        return compiled(agreement, self, f"wsh(and_v(v:{quorum},after({self.opens_at_height})))")
