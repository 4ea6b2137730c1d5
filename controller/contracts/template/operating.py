"""The wallet of every day: all sign together as one key, and a script tree for the days on which one is missing."""

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.lock import check_older, check_quorum, multi_a


class OperatingWallet(msgspec.Struct, frozen=True, kw_only=True, tag="operating-wallet"):
    """All `signers` by MuSig2 (BIP-327), `fallback_needed` of them by script, `recovery` alone after a rest."""

    signers: tuple[str, ...]
    fallback_needed: int = 2
    recovery: str
    recovery_after_blocks: int = 4_320

    def compile(self, agreement: Agreement) -> Compiled:
        return compiled(agreement, self, self.descriptor(agreement))

    def descriptor(self, agreement: Agreement) -> str:
        """Denied `template.bad-quorum`, `template.bad-lock`, `template.no-such-party`."""
        check_quorum(self.fallback_needed, self.signers, "fallback")
        check_quorum(2, self.signers, "key path")
        check_older(self.recovery_after_blocks, "recovery")
        keys = agreement.keys(self.signers)
        recovery = f"and_v(v:pk({agreement.party(self.recovery).key}),older({self.recovery_after_blocks}))"
        return f"tr(musig({','.join(keys)}),{{{multi_a(self.fallback_needed, keys)},{recovery}}})"
