"""All adapters put together: what API and console ask, over the services that know."""

from collections.abc import Mapping
from dataclasses import dataclass

from controller.commands import AuthorityPolicy, CommandService
from controller.fleet import AlarmDesk, EventStore, FleetService
from controller.journal import Journal
from controller.mining.energy import CurtailmentLedger
from controller.mining.fleet import FleetTwin
from controller.operations.alarms import AlarmGroups, LiveAlarms
from controller.operations.command_log import CommandLog
from controller.operations.commands import LiveCommands
from controller.operations.curtailment_book import CurtailmentBook
from controller.operations.curtailments import CurtailmentParts, LiveCurtailments
from controller.operations.decision_book import DecisionBook
from controller.operations.decisions import LiveDecisions
from controller.operations.dispatch import LiveDispatch
from controller.operations.energy import LiveEnergy
from controller.operations.events import LiveEvents
from controller.operations.fleet import LiveFleet
from controller.operations.history import LiveHistory
from controller.operations.holds import LiveHolds
from controller.operations.journal import LiveJournal
from controller.operations.moment import Moments
from controller.operations.nodes import HostBook, LiveNodes
from controller.operations.ports import PriceFeed, SiteDispatch, Telemetry
from controller.views.ports import Operations
from shared.clock import Clock


@dataclass(frozen=True, kw_only=True)
class Services:
    """What the adapters stand on. `dispatch` is read at every question, so sites may join later; `policy` is that of
    the power door.
    """

    clock: Clock
    twin: FleetTwin
    fleet: FleetService
    alarms: AlarmDesk
    events: EventStore
    commands: CommandService
    journal: Journal
    telemetry: Telemetry
    prices: PriceFeed
    ledger: CurtailmentLedger
    dispatch: Mapping[str, SiteDispatch]
    decisions: DecisionBook
    policy: AuthorityPolicy


class LiveOperations:
    """`ports` is what API and console are built on; `hosts` is a sink of ingest.

    Make it before anything is written to the journal, `restore` before anything is asked, `watch` every second.
    """

    def __init__(self, services: Services) -> None:
        clock = services.clock
        groups = AlarmGroups(services.alarms, services.fleet, clock)
        moments = Moments(services.twin, clock, groups.marks, services.commands.holds.of)
        history = LiveHistory(moments, services.telemetry)
        self.hosts = HostBook()
        self._log = CommandLog(services.journal)
        self._decisions = services.decisions
        self._book = CurtailmentBook(services.ledger, services.journal)
        self._curtailments = LiveCurtailments(
            CurtailmentParts(
                moments=moments,
                book=self._book,
                prices=services.prices,
                dispatch=services.dispatch,
                board=services.commands.board,
                holds=services.commands.holds,
                log=self._log,
                policy=services.policy,
                clock=clock,
            )
        )
        self.ports = Operations(
            clock=clock,
            fleet=LiveFleet(moments, services.fleet, self._log),
            energy=LiveEnergy(moments, services.ledger, services.prices, clock),
            history=history,
            dispatch=LiveDispatch(moments, services.dispatch),
            decisions=LiveDecisions(moments, services.decisions, self._log),
            commands=LiveCommands(moments, services.commands, self._log, history, clock),
            holds=LiveHolds(moments, services.commands.holds),
            curtailments=self._curtailments,
            alarms=LiveAlarms(moments, groups, services.alarms),
            events=LiveEvents(moments, services.events),
            nodes=LiveNodes(moments, services.fleet, self.hosts, services.telemetry, clock),
            journal=LiveJournal(services.journal),
        )

    async def restore(self, sites: tuple[str, ...]) -> None:
        """Bring back curtailments, the latest decisions and the latest commands of devices from the journal."""
        await self._book.restore(sites)
        await self._decisions.restore(sites)
        await self._log.restore()

    async def watch(self) -> None:
        """Let the meters judge the curtailments."""
        await self._curtailments.watch()
