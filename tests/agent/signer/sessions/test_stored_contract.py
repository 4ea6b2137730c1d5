"""What stands in the ledger from an earlier release is looked at by the checks of this one."""

import msgspec
import pytest

from agent.signer.ledger import EntryKind, Note
from shared.errors import Denied
from shared.wire.codec import encode
from shared.wire.contract import contract_id
from tests.agent.signer.attacks.asking import refused
from tests.agent.signer.scene import BIRTH, HEIGHT, Box, at, payment, policy, sealed_policy, terms


async def restarted(box: Box, folder) -> Box:
    await box.close()
    second = Box(folder)
    await second.ledger.open()
    await second.registry.load()
    return second


async def written(box: Box, contract, *policies) -> str:
    """As a release wrote it that checked less."""
    subject = contract_id(contract)
    await box.ledger.record(Note(kind=EntryKind.CONTRACT, subject=subject, body=encode(contract)), at(BIRTH))
    for document in policies:
        note = Note(
            kind=EntryKind.POLICY, subject=subject, policy_version=document.policy_version, body=sealed_policy(document)
        )
        await box.ledger.record(note, at(BIRTH))
    return subject


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        ({"paths": terms().paths[:1]}, "which no path declares"),
        ({"descriptor": terms().descriptor.partition("#")[0]}, "canonical form"),
        ({"network": "main"}, "this box signs on regtest"),
    ],
    ids=["an undeclared path", "a descriptor without checksum", "another network"],
)
async def test_a_contract_that_would_be_refused_today_is_not_signed_for(box, tmp_path, lie, why):
    contract = msgspec.structs.replace(terms(), name="other", **lie)
    subject = await written(box, contract, policy(contract_id(contract)))
    second = await restarted(box, tmp_path)
    assert why in second.registry.unfit[subject]
    answer = await refused(second, payment(), "contract.unfit", contract_id=subject)
    assert why in answer.detail
    assert (await second.ask(payment())).outcome == "signed", "the other contract is as it was"
    await second.close()
    await box.ledger.open()  # the fixture closes it


async def test_a_policy_that_would_be_refused_today_makes_its_contract_unfit(box, tmp_path):
    """And nobody begins its versions anew, which would bring an old policy back into force."""
    contract = msgspec.structs.replace(terms(), name="other")
    first = policy(contract_id(contract))
    subject = await written(box, contract, first, msgspec.structs.replace(first, policy_version=2, approvals_needed=9))
    second = await restarted(box, tmp_path)
    assert subject not in second.registry.contracts
    for taking in (
        second.registry.register(contract, sealed_policy(first), at(HEIGHT)),
        second.registry.change(subject, sealed_policy(msgspec.structs.replace(first, policy_version=3)), at(HEIGHT)),
    ):
        with pytest.raises(Denied) as caught:
            await taking
        assert caught.value.rule == "contract.unfit"
    await second.close()
    await box.ledger.open()


async def test_terms_that_cannot_be_read_any_more_do_not_end_the_start(box, tmp_path):
    await box.ledger.record(Note(kind=EntryKind.CONTRACT, subject="ab" * 32, body=b"\x91\x01"), at(BIRTH))
    note = Note(kind=EntryKind.POLICY, subject="ab" * 32, policy_version=1, body=sealed_policy(policy("ab" * 32)))
    await box.ledger.record(note, at(BIRTH))
    second = await restarted(box, tmp_path)
    assert list(second.registry.unfit) == ["ab" * 32]
    await second.close()
    await box.ledger.open()
