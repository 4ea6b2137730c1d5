"""New proposals: coins are chosen, a transaction is built and written down. Its proposer signs it next."""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Sequence
from random import Random

from controller.journal import Append, Commit, Journal
from controller.signing.board import ProposalBoard
from controller.signing.conductor import Office
from controller.signing.control import ControlRequest, control_proposed
from controller.signing.event import SpendingDenied, SpendingProposed, codec, proposal_stream
from controller.signing.model import Coin, Payment, Person
from controller.signing.ports import Contract
from controller.signing.progress import ProposalProgress
from controller.signing.refusal import SigningRefusal
from controller.signing.replacement import child_of, replaced
from controller.signing.spending import (
    Draft,
    SpendingRequest,
    Terms,
    check_ripe,
    coins_by_outpoint,
    descriptor_of,
    drafted,
    fallbacks_of,
    spending_path,
)
from controller.signing.unsigned import base_psbt
from shared.clock import Clock
from shared.errors import Denied

LONGEST_EXPIRY_BLOCKS = 2_016


class Proposing:
    """A proposal is durable when a call returns; what was refused stands in the journal too."""

    def __init__(self, journal: Journal, board: ProposalBoard, office: Office, clock: Clock, random: Random) -> None:
        self._journal = journal
        self._board = board
        self._office = office
        self._clock = clock
        self._random = random
        self._choosing = asyncio.Lock()  # two proposals must not choose the same coins

    async def propose(self, request: SpendingRequest, person: Person) -> ProposalProgress:
        """Choose coins, build the transaction and write it down; its proposer signs it next (`seal`)."""
        return await self._denied_too(request.contract_id, person, lambda: self._propose(request, person))

    async def replace(
        self, proposal_id: str, fee_rate_sat_kvb: int, person: Person, reason: str, expiry_blocks: int = 144
    ) -> ProposalProgress:
        """The same payments at a higher fee, in the place of a transaction that does not confirm; approved anew."""
        former = self._board.progress(proposal_id)

        async def make(terms: Terms) -> Draft:
            free = await self._free(terms.contract)
            least = await self._office.chain.least_rate_sat_kvb()
            return replaced(terms, former, free, self._board, least, self._random)

        request = self._again(former, fee_rate_sat_kvb, reason, expiry_blocks)
        return await self._denied_too(
            request.contract_id, person, lambda: self._follow(request, person, former, make, replaces=True)
        )

    async def help(
        self, proposal_id: str, fee_rate_sat_kvb: int, person: Person, reason: str, expiry_blocks: int = 144
    ) -> ProposalProgress:
        """A child that pays for a stuck transaction and its unconfirmed ancestors; approved anew."""
        stuck = self._board.progress(proposal_id)

        async def make(terms: Terms) -> Draft:
            least = await self._office.chain.least_rate_sat_kvb()
            return child_of(terms, stuck, self._board, least, self._random)

        request = self._again(stuck, fee_rate_sat_kvb, reason, expiry_blocks, payments=())
        return await self._denied_too(
            request.contract_id, person, lambda: self._follow(request, person, stuck, make, replaces=False)
        )

    async def prove(self, request: ControlRequest, person: Person) -> ProposalProgress:
        """Ask for a proof of control over one address; sealed, approved and signed as a payment, and free."""
        return await self._denied_too(request.contract_id, person, lambda: self._prove(request, person))

    async def _propose(self, request: SpendingRequest, person: Person) -> ProposalProgress:
        if not request.payments and not request.coins:
            raise Denied(SigningRefusal.EMPTY, "a spending needs a payment, or coins to refresh")
        async with self._choosing:
            terms = await self._terms(request)
            free = await self._free(terms.contract)
            required = self._required(free, request, terms)
            check_ripe(required, terms)
            draft = drafted(terms, request.payments, free, required, self._random)
            return await self._written(request, terms, draft, person)

    async def _prove(self, request: ControlRequest, person: Person) -> ProposalProgress:
        contract = self._office.contract(request.contract_id)
        _check_words(request.reason, request.expiry_blocks)
        path, tip = spending_path(contract, request.path), await self._office.chain.tip()
        proposal_id = new_proposal_id(self._clock.now_ms())
        fact = control_proposed(contract, path, request, proposal_id, tip.height)
        append = Append(proposal_stream(proposal_id), (codec.encode(fact, person.name),), 0)
        await self._journal.commit(Commit(appends=(append,)))
        return self._board.progress(proposal_id)

    async def _follow(
        self,
        request: SpendingRequest,
        person: Person,
        former: ProposalProgress,
        make: Callable[[Terms], Awaitable[Draft]],
        *,
        replaces: bool,
    ) -> ProposalProgress:
        async with self._choosing:
            terms = await self._terms(request)
            if replaces and former.proposal.change_index is not None:
                terms = terms._replace(change_index=former.proposal.change_index)
            return await self._written(request, terms, await make(terms), person, former=former, replaces=replaces)

    def _again(
        self,
        former: ProposalProgress,
        rate: int,
        reason: str,
        expiry_blocks: int,
        payments: tuple[Payment, ...] | None = None,
    ) -> SpendingRequest:
        proposal = former.proposal
        return SpendingRequest(
            contract_id=proposal.contract_id,
            path=proposal.path,
            payments=proposal.payments if payments is None else payments,
            reason=reason,
            fee_rate_sat_kvb=rate,
            expiry_blocks=expiry_blocks,
        )

    async def _terms(self, request: SpendingRequest) -> Terms:
        contract = self._office.contract(request.contract_id)
        path = spending_path(contract, request.path)
        _check_words(request.reason, request.expiry_blocks)
        tip = await self._office.chain.tip()
        seen = await self._office.chain.next_change_index(contract)
        used = [one.proposal.change_index for one in self._board.listed(contract.contract_id)]
        wanted = max([seen, *(taken + 1 for taken in used if taken is not None)])
        index = descriptor_of(contract.terms.descriptor, contract.terms.network).indices(wanted + 1)[-1]
        return Terms(contract, path, tip.height, await self._rate(request), index)

    async def _rate(self, request: SpendingRequest) -> int:
        least = await self._office.chain.least_rate_sat_kvb()
        rate = request.fee_rate_sat_kvb
        if rate is None:
            rate = await self._office.chain.fee_rate_sat_kvb(request.target_blocks)
        if rate is None:
            detail = f"the node has no estimate for {request.target_blocks} blocks; name a fee rate"
            raise Denied(SigningRefusal.FEE_RATE_UNKNOWN, detail)
        return max(rate, least)

    async def _free(self, contract: Contract) -> list[Coin]:
        """What no open proposal holds."""
        reserved = self._board.reserved()
        return [coin for coin in await self._office.chain.coins(contract) if coin.outpoint not in reserved]

    def _required(self, free: Sequence[Coin], request: SpendingRequest, terms: Terms) -> list[Coin]:
        known = coins_by_outpoint(free)
        for outpoint in request.coins:
            if outpoint not in known:
                txid, vout = outpoint
                detail = f"{txid}:{vout} is no free coin of {terms.contract.terms.name}"
                raise Denied(SigningRefusal.INSUFFICIENT, detail)
        return [known[outpoint] for outpoint in request.coins]

    async def _written(
        self,
        request: SpendingRequest,
        terms: Terms,
        draft: Draft,
        person: Person,
        *,
        former: ProposalProgress | None = None,
        replaces: bool = False,
    ) -> ProposalProgress:
        contract, selection = terms.contract, draft.selection
        least = await self._office.chain.least_rate_sat_kvb()
        family: tuple[str, ...] = ()
        if former is not None and replaces:
            family = (*former.proposal.family, former.proposal.txid)
        proposal_id = new_proposal_id(self._clock.now_ms())
        fact = SpendingProposed(
            proposal_id=proposal_id,
            contract_id=contract.contract_id,
            network=contract.terms.network,
            policy_version=contract.policy.policy_version,
            path=request.path,
            fallbacks=fallbacks_of(contract, terms.path, draft, least),
            psbt=base_psbt(contract, draft),
            txid=draft.tx.txid,
            inputs=tuple(coin.outpoint for coin in draft.coins),
            places=tuple((coin.branch, coin.index) for coin in draft.coins),
            payments=request.payments,
            external_sat=sum(payment.amount_sat for payment in request.payments),
            fee_sat=selection.fee_sat,
            change_sat=selection.change_sat,
            change_index=None if draft.change_place is None else draft.change_index,
            change_place=draft.change_place,
            weight_wu=selection.weight_wu,
            expiry_height=terms.height + request.expiry_blocks,
            reason=request.reason.strip(),
            replaces=former.proposal_id if former is not None and replaces else "",
            family=family,
            helps=former.proposal_id if former is not None and not replaces else "",
            depth=contract.depth,
        )
        append = Append(proposal_stream(proposal_id), (codec.encode(fact, person.name),), 0)
        await self._journal.commit(Commit(appends=(append,)))
        return self._board.progress(proposal_id)

    async def _denied_too(
        self, contract_id: str, person: Person, work: Callable[[], Awaitable[ProposalProgress]]
    ) -> ProposalProgress:
        """What was refused stands in the journal as well."""
        try:
            return await work()
        except Denied as denied:
            fact = SpendingDenied(contract_id, denied.rule, denied.detail)
            await self._journal.append("proposal-denied", [codec.encode(fact, person.name)])
            raise


def new_proposal_id(now_ms: int) -> str:
    """Sorts by time; request ids are made of it (`request.request_id`)."""
    return f"s-{now_ms:012x}-{secrets.token_hex(4)}"


def _check_words(reason: str, expiry_blocks: int) -> None:
    """Denied `spending.reason-missing`, `spending.bad-expiry`."""
    if not reason.strip():
        raise Denied(SigningRefusal.REASON_MISSING, "say why; the reason stays with the proposal")
    if not 1 <= expiry_blocks <= LONGEST_EXPIRY_BLOCKS:
        raise Denied(SigningRefusal.BAD_EXPIRY, f"choose an expiry of 1 to {LONGEST_EXPIRY_BLOCKS} blocks")
