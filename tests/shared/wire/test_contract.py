"""Documents about contracts have one form, one id, and nothing in them that the reader does not know."""

import hashlib

import msgspec
import pytest
from nacl.signing import SigningKey

from shared.crypto.keys import key_id
from shared.crypto.signing import seal, unseal
from shared.errors import DecodeFailed, SignatureInvalid, VersionUnsupported
from shared.wire.codec import decode, encode
from shared.wire.contract import (
    APPROVAL_DOMAIN,
    POLICY_DOMAIN,
    Approval,
    ContractTerms,
    Limits,
    SpendingPath,
    contract_id,
)

TERMS = ContractTerms(
    network="regtest",
    name="vault",
    template="treasury-vault",
    descriptor="wsh(pk(02))#abcdefgh",
    epoch=1,
    parties=(),
    paths=(SpendingPath("normal", "signer", ("a", "b"), 2),),
    birth_height=10,
)
APPROVAL = Approval("ab" * 32, "regtest", 1, "cd" * 32, 5_000, 200, "approver", "Ida")


def with_fields(document: msgspec.Struct, **changed: object) -> bytes:
    """The bytes of a document whose fields a careless or hostile writer chose."""
    fields = {name: getattr(document, name) for name in document.__struct_fields__} | changed
    return msgspec.msgpack.encode(list(fields.values()))


def test_the_id_is_the_tagged_hash_of_the_canonical_bytes():
    tag = hashlib.sha256(b"BES/contract/v1").digest()
    assert contract_id(TERMS) == hashlib.sha256(tag * 2 + encode(TERMS)).hexdigest()
    assert contract_id(decode(encode(TERMS), ContractTerms)) == contract_id(TERMS)


@pytest.mark.parametrize("changed", [{"epoch": 2}, {"network": "main"}, {"birth_height": 11}, {"paths": ()}])
def test_every_field_is_part_of_the_id(changed):
    assert contract_id(msgspec.structs.replace(TERMS, **changed)) != contract_id(TERMS)


@pytest.mark.parametrize("kind", [ContractTerms, Approval])
def test_a_document_with_more_than_we_know_is_refused(kind):
    known = TERMS if kind is ContractTerms else APPROVAL
    with pytest.raises(DecodeFailed):
        decode(with_fields(known, unknown="and only on Sundays"), kind)


@pytest.mark.parametrize(
    "changed",
    [
        {"external_sat": -1},
        {"external_sat": 21 * 10**14 + 1},
        {"external_sat": 1.0},
        {"txid": "CD" * 32},
        {"txid": "cd" * 31},
        {"network": "testnet3"},
        {"role": "owner"},
        {"initiator": ""},
        {"expiry_height": 500_000_000},
        {"policy_version": 0},
    ],
)
def test_values_out_of_their_bounds_are_refused(changed):
    with pytest.raises(DecodeFailed):
        decode(with_fields(APPROVAL, **changed), Approval)


def test_a_document_of_a_later_schema_is_refused():
    with pytest.raises(VersionUnsupported):
        decode(with_fields(APPROVAL, version=2), Approval)


def test_limits_are_whole_satoshis():
    with pytest.raises(DecodeFailed):
        decode(msgspec.msgpack.encode([1, 2, 0, 4, 5, 6, 7]), Limits)  # a window of no blocks


def test_an_approval_is_no_policy():
    key = SigningKey.generate()
    sealed = seal(APPROVAL_DOMAIN, APPROVAL, [key])
    with pytest.raises(SignatureInvalid):
        unseal(POLICY_DOMAIN, sealed, {key_id(key.verify_key): key.verify_key}, Approval)
