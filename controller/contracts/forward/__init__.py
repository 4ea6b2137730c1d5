"""Hash-rate forwards: from the first document to the last block.

Two companies exchange three documents (`document`): offer, accept, sign. Each side's owners seal a deed, people
approve, and the box makes promises for every outcome before it brings its stake in (`service`). What happened stands in
the stream `forward/<contract id>` (`event`, `model`); the transactions follow from the terms (`shared.forward`).
"""

from controller.contracts.forward.book import ForwardBook
from controller.contracts.forward.delivery import FORWARD_KIND, ForwardDelivery
from controller.contracts.forward.model import Forward, ForwardPhase
from controller.contracts.forward.ports import BoxWord, ForwardAsk
from controller.contracts.forward.service import ForwardService

__all__ = [
    "FORWARD_KIND",
    "BoxWord",
    "Forward",
    "ForwardAsk",
    "ForwardBook",
    "ForwardDelivery",
    "ForwardPhase",
    "ForwardService",
]
