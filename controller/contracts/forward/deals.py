"""What follows from a forward's terms and both sides' signatures; nothing here is decided or written."""

from controller.contracts.forward.event import ClosingReady, FundingReady
from controller.contracts.forward.model import Forward
from shared.bitcoin.dlc import Attested
from shared.bitcoin.transaction import OutPoint, Transaction
from shared.errors import BitcoinMalformed, Denied
from shared.forward.oracle import announced
from shared.forward.promise import check_adaptors, opened, settled
from shared.forward.rule import ORACLE
from shared.forward.settlement import Deal
from shared.wire.forward import Side, other


class Deals:
    """Each is remembered, because its settlements are many, and derived again for another stake."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, str], Deal] = {}

    def of(self, state: Forward) -> Deal:
        deed, key = state.deed, (state.contract_id, state.their_stake)
        if key not in self._known:
            event = announced(deed.terms, deed.announcement)
            self._known[key] = Deal(deed.terms, _outpoint(deed.miner_stake), _outpoint(deed.buyer_stake), event)
        return self._known[key]

    def attested(self, state: Forward, attestation: bytes) -> Attested:
        """Denied `forward.oracle` for a word that is not the announced oracle's on the announced event."""
        try:
            return self.of(state).event.attested(attestation)
        except BitcoinMalformed as error:
            raise Denied(ORACLE, error.detail) from error

    def check_promise(self, state: Forward) -> None:
        """Settlements, refund and, where they sent it, the funding: all enforceable against the other side. Blocks for
        as long as the adaptors take.
        """
        assert state.theirs is not None
        deal, theirs = self.of(state), other(state.opened.side)
        check_adaptors(deal.settlements, deal.terms.key(theirs), state.theirs.adaptors)
        deal.check(theirs, deal.digest(deal.refund), state.theirs.refund, "the refund")
        if not state.opened.offered:
            deal.check(theirs, deal.funding_digest(theirs), state.theirs.funding, "the funding")

    def funding(self, state: Forward) -> FundingReady:
        """Both stakes signed in."""
        assert state.theirs is not None
        signatures = {state.opened.side: state.stake_signature, other(state.opened.side): state.theirs.funding}
        return FundingReady(state.contract_id, self.of(state).funded(signatures["miner"], signatures["buyer"]).raw)

    def settlement(self, state: Forward, ours: bytes) -> ClosingReady:
        """Our signature, and what the oracle's word makes of theirs."""
        assert state.attested is not None
        assert state.theirs is not None
        deal, attested = self.of(state), self.attested(state, state.attested.attestation)
        place = settled(deal.settlements, attested)
        settlement = deal.settlements[place]
        theirs = opened(settlement, state.theirs.adaptors[place], attested)
        tx = _completed(deal, settlement.transaction, state.opened.side, ours, theirs)
        return ClosingReady(state.contract_id, "settlement", tx.txid, tx.raw)

    def refund(self, state: Forward) -> ClosingReady:
        assert state.ours is not None
        assert state.theirs is not None
        deal = self.of(state)
        tx = _completed(deal, deal.refund, state.opened.side, state.ours.refund, state.theirs.refund)
        return ClosingReady(state.contract_id, "refund", tx.txid, tx.raw)

    def way_back(self, state: Forward, ours: bytes) -> ClosingReady:
        tx = self.of(state).taken_back(state.opened.side, ours)
        return ClosingReady(state.contract_id, "return", tx.txid, tx.raw)


def _completed(deal: Deal, tx: Transaction, side: Side, ours: bytes, theirs: bytes) -> Transaction:
    return deal.complete(tx, {side: ours, other(side): theirs})


def _outpoint(text: str) -> OutPoint:
    txid, vout = text.split(":")
    return OutPoint(txid, int(vout))
