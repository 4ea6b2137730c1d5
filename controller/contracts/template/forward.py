"""A hash-rate forward: miner and buyer lock collateral; the difficulty at a height decides how it is shared."""

import msgspec

from controller.contracts.compilation import compiled
from controller.contracts.compiled import Compiled
from controller.contracts.refusal import Refusal
from controller.contracts.template.agreement import Agreement, check_address
from controller.contracts.template.lock import check_deadline, check_quorum, multi
from shared.bitcoin.address import script_of
from shared.bitcoin.descriptor import Descriptor
from shared.bitcoin.network import Network
from shared.bitcoin.script import dust_sat
from shared.errors import Denied
from shared.forward.curve import Step, steps
from shared.forward.oracle import REFUND_MARGIN_BLOCKS
from shared.wire.contract import ContractTerms
from shared.wire.forward import ForwardTerms, Hedge

ORACLE_KEY_BYTES = 32
MOST_OUTCOMES = 1 << 40


class HashrateForward(msgspec.Struct, frozen=True, kw_only=True, tag="hashrate-forward"):
    """Settles by the difficulty of the block at `settle_height`, as `oracle_key` (x-only) attests it.

    The oracle tells difficulty divided by `unit`, rounded down, in `nb_digits` digits of `base`. Both sides sign one
    transaction per digit prefix before anything is paid in; without the oracle's word the collateral goes back from
    `refund_height` on. Payouts are rounded to `rounding_sat`.
    """

    miner: str
    buyer: str
    hedge: Hedge
    oracle_key: bytes
    event_id: str
    unit: int
    base: int = 2
    nb_digits: int = 20
    rounding_sat: int = 10_000
    settle_height: int
    refund_height: int
    miner_address: str
    buyer_address: str
    fee_rate_sat_vb: int

    @property
    def outcomes(self) -> int:
        return int(self.base**self.nb_digits)

    def compile(self, agreement: Agreement) -> Compiled:
        check_quorum(2, (self.miner, self.buyer), "forward")
        check_deadline(self.settle_height, agreement.birth_height, "settlement")
        check_deadline(self.refund_height, self.settle_height + REFUND_MARGIN_BLOCKS, "refund")
        self._check_oracle()
        self._check_hedge(agreement)
        quorum = multi(2, agreement.keys((self.miner, self.buyer)))
        return compiled(agreement, self, f"wsh({quorum})", expires_at_height=self.refund_height)

    def payouts(self) -> tuple[Step, ...]:
        """What every outcome pays, in the fewest steps. Denied `template.too-many-outcomes`."""
        try:
            return steps(self.hedge, unit=self.unit, outcomes=self.outcomes, rounding_sat=self.rounding_sat)
        except Denied as error:
            raise Denied(Refusal.TOO_MANY_OUTCOMES, error.detail) from error

    def terms(self, contract: ContractTerms) -> ForwardTerms:
        """As both sides seal them. Keys are those of the contract's first address: a forward is funded once."""
        derived = Descriptor.parse(contract.descriptor, Network(contract.network)).derive(0, 0)
        miner_key, buyer_key = derived.keys
        told = {name: getattr(self, name) for name in ForwardTerms.__struct_fields__ if hasattr(self, name)}
        return ForwardTerms(**told, network=contract.network, miner_key=miner_key, buyer_key=buyer_key)

    def _check_oracle(self) -> None:
        if len(self.oracle_key) != ORACLE_KEY_BYTES or not self.event_id:
            raise Denied(Refusal.BAD_ORACLE, "name the oracle's event and its x-only key of 32 bytes")
        digits_fit = self.base >= 2 and self.nb_digits >= 1 and self.outcomes <= MOST_OUTCOMES
        if self.unit < 1 or not digits_fit:
            raise Denied(Refusal.BAD_ORACLE, f"{self.nb_digits} digits of base {self.base} are no number that fits")

    def _check_hedge(self, agreement: Agreement) -> None:
        hedge = self.hedge
        if min(hedge.hashrate_ghs, hedge.duration_s, hedge.reward_sat, hedge.price_sat, self.rounding_sat) < 1:
            raise Denied(Refusal.BAD_COLLATERAL, "hash rate, duration, reward, price and rounding are at least 1")
        for name, address in ((self.miner, self.miner_address), (self.buyer, self.buyer_address)):
            check_address(address, agreement.network, name)
        least = max(dust_sat(script_of(one, agreement.network)) for one in (self.miner_address, self.buyer_address))
        if min(hedge.miner_collateral_sat, hedge.buyer_collateral_sat) < least or self.fee_rate_sat_vb < 1:
            raise Denied(Refusal.BAD_COLLATERAL, f"each side locks at least {least} sat, at a fee of 1 sat/vB or more")
        if len(self.payouts()) < 2:
            raise Denied(Refusal.BAD_COLLATERAL, "every difficulty that the oracle can tell pays the same")
