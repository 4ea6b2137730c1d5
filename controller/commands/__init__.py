"""The power door: the one way in which the controller changes what a site draws.

Orders are checked, given the authority that their reach needs, written into the journal, signed and counted per node,
and handed to the broker from the outbox. Nodes answer step by step; a command ends when every order is confirmed,
contradicted, refused or unknown, and never earlier. Everything here rebuilds from the journal.
"""

from controller.commands.authority import AuthorityPolicy
from controller.commands.delivery import Delivery
from controller.commands.hold import Hold, HoldBook
from controller.commands.inbox import Arrival, OutcomeInbox
from controller.commands.keeper import CommandKeeper
from controller.commands.model import Actor, CommandHandle, Confirmation, OrderState, Origin, Status
from controller.commands.plan import PlanRequest
from controller.commands.seal import EFFECT_KIND, CommandKeys
from controller.commands.service import CommandService
from controller.commands.view import Cause, CommandSummary, CommandView, OrderTrail

__all__ = [
    "EFFECT_KIND",
    "Actor",
    "Arrival",
    "AuthorityPolicy",
    "Cause",
    "CommandHandle",
    "CommandKeeper",
    "CommandKeys",
    "CommandService",
    "CommandSummary",
    "CommandView",
    "Confirmation",
    "Delivery",
    "Hold",
    "HoldBook",
    "OrderState",
    "OrderTrail",
    "Origin",
    "OutcomeInbox",
    "PlanRequest",
    "Status",
]
