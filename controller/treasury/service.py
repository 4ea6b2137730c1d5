"""The treasury of a controller, from its settings to what runs."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from nacl.signing import SigningKey

from controller.contracts.calendar import Opening, calendar
from controller.contracts.forward import FORWARD_KIND, Forward, ForwardDelivery, ForwardService
from controller.contracts.model import Contract
from controller.contracts.proofs import ClaimKeeper
from controller.contracts.refusal import Refusal
from controller.contracts.registration import ACTOR, EFFECT_KIND, RegistrationDelivery
from controller.contracts.route import routes
from controller.contracts.service import ContractService
from controller.gateways.bitcoind import BitcoinNode, CookieLogin, JsonRpc, Login, PasswordLogin
from controller.gateways.bitcoind.coins import GAP
from controller.gateways.bitcoind.treasury import TreasuryChain
from controller.gateways.executors.pool import ExecutorProcess
from controller.journal import Dispatcher, Journal
from controller.journal.ports import Outbox
from controller.settings import TreasurySettings
from controller.signing.board import ProposalBoard
from controller.signing.conductor import Conductor, Office
from controller.signing.delivery import BoxDelivery, ChainDelivery
from controller.signing.execution.service import ExecutionService
from controller.signing.execution.watch import ExecutionWatch
from controller.signing.keeper import SigningKeeper
from controller.signing.ports import Contract as Spendable
from controller.signing.ports import SigningPublisher
from controller.signing.request import BROADCAST_KIND, SIGNING_KIND
from controller.signing.service import SigningService
from controller.signing.verdict import RuleVerdicts
from controller.treasury.book import SpendableContracts
from controller.treasury.boxes import BoxDirectory
from controller.treasury.desk import Desk
from controller.treasury.execution import ExecutionDesk
from controller.treasury.forward import ForwardDesk
from controller.treasury.post import Post
from controller.treasury.recovery import LedgerRecovery
from shared.bitcoin.kernel import Judge
from shared.clock import Clock
from shared.errors import ConfigError, Conflict, Denied, GatewayError, StorageError
from shared.log import get_logger

ASK_AGAIN_MS = 10 * 60_000
MOST_INDEXES = 1_024
"""Of a branch, for executions: a worker derives them all when it starts, at some milliseconds for each."""

log = get_logger("controller.treasury")


class Treasury:
    """`contracts` and `signing` are the two services that people use; `restore` before anything, then `run`."""

    def __init__(
        self,
        settings: TreasurySettings,
        journal: Journal,
        outbox: Outbox,
        publisher: SigningPublisher,
        key: SigningKey,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._outbox = outbox
        self._clock = clock
        self._publisher = publisher
        self._look_s = settings.look_s
        self._asked_ms: dict[str, int] = {}
        self._due: str | None = None
        self.on_recovery_due: Callable[[str], None] = _nobody
        """Told which coins are due, whenever that changes; empty where none is."""
        self.boxes = BoxDirectory((box.site, box.node, box.public_key) for box in settings.boxes)
        self.rpc = JsonRpc(settings.node_url, _login(settings))
        self.node = BitcoinNode(self.rpc, settings.network)
        self.chain = TreasuryChain(self.node)
        self.judge = Judge()
        self.claims = ClaimKeeper(journal)
        self.contracts = ContractService(journal, self.chain)
        self.board = ProposalBoard()
        spendable = SpendableContracts(self.contracts.book, self.boxes, lambda: self.chain.known_height)
        office = Office(spendable, self.chain, RuleVerdicts(self.board), self.judge)
        conductor = Conductor(journal, self.board, office, key, clock, round_s=settings.round_s)
        self.signing = SigningService(journal, self.board, office, conductor, clock)
        self.post = Post(publisher, self.boxes, key, clock)
        self.forwards = ForwardService(journal, self.contracts.book, self.chain, key, clock)
        self.post.bind(self.contracts, self.signing, self.forwards)
        self.forward_desk = ForwardDesk(self.forwards)
        recovery = LedgerRecovery(journal, self.boxes, self.post)
        self.desk = Desk(settings.network, self.contracts, self.signing, self.chain, self.boxes, self.claims, recovery)
        self.executions = self._executions(settings.execution_workers, spendable)
        self.execution_watch = ExecutionWatch(journal, self.board, self.chain, look_s=settings.look_s)
        self.execution_desk = ExecutionDesk(self.contracts.book, self.board.executions, self.executions)

    async def restore(self) -> None:
        """Read contracts and proposals from the journal, in one pass."""
        async for page in self._journal.since(0):
            self.contracts.book.fold(page)
            self.claims.book.fold(page)
            self.board.fold(page)
            self.forwards.book.fold(page)
        self._journal.subscribe(self.board.fold)
        with suppress(GatewayError):  # until the height is known no policy counts, and answers would find no contract
            await self.chain.tip()

    def parts(self) -> list[Coroutine[Any, Any, None]]:
        """What runs as long as the controller does."""
        registration = RegistrationDelivery(self.post, self.contracts.book)
        forwards = ForwardDelivery(
            self.post, self.chain, self.forwards.book, self.contracts.book, lambda: self.chain.known_height
        )
        to_boxes, to_chain = BoxDelivery(self._publisher, self._clock), ChainDelivery(self.chain)
        journal, outbox, clock = self._journal, self._outbox, self._clock
        return [
            Dispatcher(journal, outbox, EFFECT_KIND, registration.deliver, clock, registration.abandon).run(),
            Dispatcher(journal, outbox, SIGNING_KIND, to_boxes.deliver, clock).run(),
            Dispatcher(journal, outbox, BROADCAST_KIND, to_chain.deliver, clock).run(),
            Dispatcher(journal, outbox, FORWARD_KIND, forwards.deliver, clock, forwards.abandon).run(),
            SigningKeeper(self.signing, self.chain, clock, look_s=self._look_s).run(),
            self.execution_watch.run(),
            self.post.run(),
            *([] if self.executions is None else [self.executions.run()]),
            self._look_after_contracts(),
        ]

    async def aclose(self) -> None:
        self.judge.close()
        await self.rpc.aclose()

    async def judge_recovery(self) -> None:
        """Compare the coins of all contracts with the calendar. GatewayUnavailable where the node cannot be asked."""
        height, due = await self.chain.height(), []
        for contract in self.contracts.book.open():
            if not contract.policies:
                continue
            found = routes(contract.terms.descriptor, contract.terms.parties)
            dates = calendar(found, await self.chain.unspent(contract.terms), height)
            soon = [date for date in dates if date.state in (Opening.DUE, Opening.OPEN)]
            if soon:
                coins, first = len({(one.txid, one.vout) for one in soon}), soon[0].opens_at_height
                due.append(f"{contract.terms.name}: recovery of {coins} coins, of the first from block {first} on")
        problem = "; ".join(due)
        if problem != self._due:
            self._due = problem
            self.on_recovery_due(problem)

    async def ask_again(self, contract: Contract) -> None:
        """Tell the sealed policy again where a box that was heard lately has not answered it."""
        pending, now_ms = contract.pending, self._clock.now_ms()
        if pending is None or pending.sealed is None:
            return
        since_ms = now_ms - self._asked_ms.setdefault(contract.contract_id, now_ms)
        lately_ms = now_ms - ASK_AGAIN_MS
        heard = {box.address.box_id for box in self.boxes.listed() if (box.heard_at_ms or 0) > lately_ms}
        said_no = {box for box, no in pending.refusals.items() if no.rule != Refusal.UNDELIVERED}
        if since_ms >= ASK_AGAIN_MS and heard.intersection(contract.boxes) - pending.registered.keys() - said_no:
            self._asked_ms[contract.contract_id] = now_ms
            with suppress(Conflict, Denied):  # an answer came in between
                await self.contracts.ask_again(contract.contract_id, actor=ACTOR)

    async def look_after(self, forward: Forward) -> None:
        """A forward against the chain, and what can be done now."""
        with suppress(Conflict, Denied):  # somebody wrote in between, or no policy is in force: the next look will do
            await self.forwards.observe(forward.contract_id)
            await self.forwards.step(forward.contract_id)

    def _executions(self, workers: int, contracts: SpendableContracts) -> ExecutionService | None:
        """The processes start with the first batch."""
        if not workers:
            return None

        def indexes(contract: Spendable) -> int:
            watched = self.chain.watched(contract.terms)
            return min(-(-watched // GAP) * GAP, MOST_INDEXES)

        processes = [ExecutorProcess() for _ in range(workers)]
        return ExecutionService(self._journal, self.board, contracts, processes, self.chain.height, indexes)

    async def _look_after_contracts(self) -> None:
        """Headers to the boxes, and each contract against the chain. A node that cannot be asked only delays."""
        checked = False
        while True:
            try:
                if not checked:
                    await self.node.check()
                    checked, self.desk.node_trouble = True, ""
                await self.chain.tip()
                await self.post.tell_headers(self.node)
                for contract in self.contracts.book.open():
                    await self.contracts.observe(contract.contract_id)
                    await self.ask_again(contract)
                for forward in self.forwards.book.open():
                    await self.look_after(forward)
                await self.judge_recovery()
            except GatewayError as error:
                checked, self.desk.node_trouble = False, error.detail
                log.warning("treasury.node-unfit", code=error.code, detail=error.detail)
            except (StorageError, ConfigError) as error:
                log.warning("treasury.not-looked-after", code=error.code, detail=error.detail)
            await asyncio.sleep(self._look_s)


def _nobody(_problem: str) -> None:
    """Until somebody listens."""


def _login(settings: TreasurySettings) -> Login:
    if settings.cookie_file is not None:
        return CookieLogin(settings.cookie_file)
    assert settings.password is not None
    return PasswordLogin(settings.user, settings.password.get_secret_value())
