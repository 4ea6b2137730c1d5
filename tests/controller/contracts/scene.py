"""Parties with real keys, owners who can sign, and a chain that is told what it holds."""

from collections.abc import Callable

import msgspec
import pytest
import wallycore
from nacl.signing import SigningKey

from controller.contracts.ports import ContractCoin
from controller.contracts.service import BoxAnswer
from controller.contracts.template.agreement import Agreement
from controller.contracts.template.vault import TreasuryVault
from shared.bitcoin.network import Network
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.contract import (
    POLICY_DOMAIN,
    Approver,
    ContractTerms,
    Destination,
    Limits,
    Party,
    SpendingPolicy,
)

OWNERS = tuple(SigningKey(bytes([70 + number]) * 32) for number in range(3))
LIMITS = Limits(
    per_tx_sat=10**8,
    window_sat=2 * 10**8,
    window_blocks=144,
    lifetime_sat=10**10,
    fee_sat=100_000,
    fee_rate_sat_vb=200,
    weight_wu=40_000,
)
PEOPLE = ("Anna", "Ben", "Carl", "Rosa", "Dora", "Emil", "Fay")


class FakeClock:
    def __init__(self) -> None:
        self.ms = 1_700_000_000_000

    def now_ms(self) -> int:
        return self.ms

    def monotonic_s(self) -> float:
        return self.ms / 1000


class FakeCoins:
    """What the chain holds; `tip` is its height."""

    def __init__(self) -> None:
        self.tip = 800_000
        self.held: list[ContractCoin] = []

    async def height(self) -> int:
        return self.tip

    async def unspent(self, terms: ContractTerms) -> tuple[ContractCoin, ...]:
        return tuple(self.held)

    def add(self, number: int, height: int | None, amount_sat: int = 10**6) -> ContractCoin:
        coin = ContractCoin(txid=f"{number:064x}", vout=0, amount_sat=amount_sat, height=height, branch=0, index=number)
        self.held.append(coin)
        return coin


def secret(number: int) -> bytes:
    return bytes([number + 1]) * 32


def static_key(number: int) -> str:
    """A compressed public key, as a box's token holds it."""
    return bytes(wallycore.ec_public_key_from_private_key(secret(number))).hex()


def extended_key(number: int) -> str:
    """A public BIP-32 key with two branches."""
    key = wallycore.bip32_key_from_seed(secret(number), wallycore.BIP32_VER_TEST_PRIVATE, 0)
    return f"{wallycore.bip32_key_to_base58(key, wallycore.BIP32_FLAG_KEY_PUBLIC)}/<0;1>/*"


def party(name: str, number: int, role: str = "signer", key: Callable[[int], str] = extended_key) -> Party:
    return Party(name, name, key(number), role)  # type: ignore[arg-type]


VAULT_PARTIES = (
    party("Anna", 0),
    party("Ben", 1),
    party("the offline key", 2, "offline"),
    party("Rosa", 3, "recovery"),
)
VAULT = TreasuryVault(signers=("Anna", "Ben", "the offline key"), recovery="Rosa")


def destination(name: str, number: int) -> Destination:
    program = bytes([0, 20]) + bytes([number]) * 20
    return Destination(name, wallycore.addr_segwit_from_bytes(program, "bcrt", 0), 700_000)


AGREEMENT = Agreement(
    network=Network.REGTEST,
    name="Cold treasury",
    epoch=1,
    birth_height=790_000,
    parties=VAULT_PARTIES,
    owners=tuple(bytes(key.verify_key) for key in OWNERS),
    owners_needed=2,
    approvers=tuple(
        Approver(name, name, role, bytes(SigningKey(bytes([number + 9]) * 32).verify_key))
        for number, (name, role) in enumerate((("Anna", "approver"), ("Ben", "approver"), ("Rosa", "recovery")))
    ),
    approvals_needed=2,
    allow_list=(destination("Power Inc", 1), destination("Landlord", 2), destination("Pool member", 3)),
    cooling_blocks=144,
    limits=LIMITS,
    recovery_role_people=("Rosa",),
)


def agreement(*parties: Party, **changes: object) -> Agreement:
    return msgspec.structs.replace(AGREEMENT, parties=parties or AGREEMENT.parties, **changes)


def signed(policy: SpendingPolicy, *owners: int) -> bytes:
    return seal(POLICY_DOMAIN, policy, [OWNERS[owner] for owner in owners])


def answer(contract_id: str, box: str, policy_version: int = 1, **changes: object) -> BoxAnswer:
    told = BoxAnswer(
        contract_id=contract_id,
        policy_version=policy_version,
        box_id=box,
        effective_height=800_000,
        ledger_seq=7,
        ledger_head="ab" * 32,
    )
    return msgspec.structs.replace(told, **changes)


def denied(rule: str) -> "pytest.RaisesExc[Denied]":
    return pytest.raises(Denied, check=lambda error: error.rule == rule)
