"""Contracts of a mining treasury: who may spend, when, how much, to whom, and what happens when somebody is lost.

A form (`template`) compiles to a descriptor; what it means (`route`, `sentence`), costs (`cost`) and when it opens
(`calendar`) is read back from that descriptor. Events (`event`) fold into states (`model`): owners sign the policy,
boxes register it, the chain funds it (`service`). Money leaves through `controller.signing` only.
"""

from controller.contracts.book import ContractBook
from controller.contracts.compiled import Compiled
from controller.contracts.model import Contract, Phase
from controller.contracts.ports import Coins, ContractCoin, Registrar
from controller.contracts.registration import EFFECT_KIND, RegistrationDelivery
from controller.contracts.service import BoxAnswer, ContractService

__all__ = [
    "EFFECT_KIND",
    "BoxAnswer",
    "Coins",
    "Compiled",
    "Contract",
    "ContractBook",
    "ContractCoin",
    "ContractService",
    "Phase",
    "Registrar",
    "RegistrationDelivery",
]
