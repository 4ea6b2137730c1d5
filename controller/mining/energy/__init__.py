"""Curtailment: what a grid or a person asks a feeder to shed, and what its meter proves of it.

Events (`event`) fold into states (`model`), meter samples into events (`verification`), all of them into a `ledger`
whose caps dispatch obeys; `preview` says beforehand what a target would cost.
"""

from controller.mining.energy.ledger import CurtailmentLedger
from controller.mining.energy.model import Curtailment, Phase
from controller.mining.energy.preview import CurtailmentPreview, preview
from controller.mining.energy.verification import MeterSample, Proof

__all__ = ["Curtailment", "CurtailmentLedger", "CurtailmentPreview", "MeterSample", "Phase", "Proof", "preview"]
