"""A contract with coins, and software keys that sign for it, in the place of boxes and people."""

import base64
from dataclasses import replace

import msgspec
from nacl.signing import SigningKey

from controller.people.model import Actor, Permission
from controller.treasury import Treasury
from controller.views.treasury import ProposalView
from shared.bitcoin.extended_key import ExtendedKey
from shared.bitcoin.network import Network
from shared.bitcoin.psbt.psbt import Psbt
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import sign_ecdsa
from tests.controller.contracts.scene import AGREEMENT, LIMITS, secret
from tests.controller.treasury.conftest import House

ADA = Actor(name="ada", permissions=frozenset(Permission), key="a")
ANNA, BEN, ROSA = (SigningKey(bytes([number + 9]) * 32) for number in range(3))


def text(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def partials(treasury: Treasury, asked: ProposalView) -> list[bytes]:
    """What the software keys of Anna and Ben make of a base."""
    psbt = Psbt.parse(base64.b64decode(asked.psbt))
    hasher = Sighasher(psbt.tx, [entry.spent for entry in psbt.inputs])
    places = treasury.board.find(asked.proposal_id).proposal.places
    made = []
    for number in (0, 1):
        inputs = []
        for index, entry in enumerate(psbt.inputs):
            key = ExtendedKey.from_seed(secret(number), Network.REGTEST).derive(places[index])
            signature = sign_ecdsa(key.secret, hasher.segwit_v0(index, entry.witness_script)) + bytes((SIGHASH_ALL,))
            inputs.append(replace(entry, partial_signatures={key.public_key: signature}))
        made.append(replace(psbt, inputs=tuple(inputs)).raw)
    return made


async def funded(house: House, **limited: int) -> str:
    """A contract in force with five mature coins."""
    listed = tuple(msgspec.structs.replace(one, added_at_height=0) for one in AGREEMENT.allow_list)
    limits = msgspec.structs.replace(LIMITS, **limited)
    await house.treasury.restore()
    contract = await house.registered(allow_list=listed, cooling_blocks=0, birth_height=1, limits=limits)
    of = contract.contract_id
    address = (await house.treasury.desk.receive(of, ADA)).address
    await house.rpc.call(tuple[str, ...], "generatetoaddress", 5, address)
    await house.mine(110)
    await house.treasury.chain.tip()
    await house.treasury.contracts.observe(of)
    return of
