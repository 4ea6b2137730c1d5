"""The same ending, put together by an implementation of the DLC specification that shares no code with ours."""

from dataclasses import replace

import msgspec
from btclib.tx.tx import Tx
from btclib_wallet.dlc import OracleAttestation, complete_cet, funding_script

from shared.bitcoin.dlc import encrypt
from shared.bitcoin.signature import ORDER, sign_ecdsa
from shared.forward.promise import opened, settled
from tests.shared.forward.scene import BUYER, EVENT, MINER, TERMS, attestation, the_deal

TURNED = msgspec.structs.replace(TERMS, miner_key=TERMS.buyer_key, buyer_key=TERMS.miner_key)
"""dlcspecs orders keys by their bytes; with these our order is the same."""


def test_a_settlement_is_the_same_to_the_last_byte():
    deal = replace(the_deal(), terms=TURNED)
    assert funding_script(TURNED.miner_key, TURNED.buyer_key) == deal.witness_script
    word = attestation(120_000)
    attested = EVENT.attested(word)
    settlement = deal.settlements[settled(deal.settlements, attested)]
    adaptor = encrypt(MINER, settlement.digest, settlement.point)
    ours = sign_ecdsa(BUYER, settlement.digest)
    whole = deal.complete(settlement.transaction, {"miner": ours, "buyer": opened(settlement, adaptor, attested)})
    signatures = OracleAttestation.parse(word).signatures[: len(settlement.prefix)]
    bare = settlement.transaction
    unsigned = replace(bare, inputs=(replace(bare.inputs[0], witness=(deal.witness_script,)),))
    theirs = complete_cet(
        Tx.parse(unsigned.raw),
        local_pub_key=TURNED.miner_key,
        local_sig=ours + b"\x01",
        remote_pub_key=TURNED.buyer_key,
        remote_adaptor_sig=adaptor,
        decryption_key=sum(int.from_bytes(one[32:], "big") for one in signatures) % ORDER,
    )
    assert theirs.serialize(include_witness=True) == whole.raw
