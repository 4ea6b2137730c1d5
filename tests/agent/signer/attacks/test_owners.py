"""Contracts and policies that the owners did not sign, or that a box must not take even from them."""

import msgspec
import pytest
from nacl.signing import SigningKey

from agent.signer.sessions import registry
from shared.crypto.signing import seal
from shared.errors import Denied
from shared.wire.contract import POLICY_DOMAIN, Approver, Destination, contract_id
from tests.agent.signer.scene import (
    ANN,
    BOB,
    HEIGHT,
    IDA,
    OWNERS,
    WSH,
    Box,
    at,
    policy,
    public,
    sealed_policy,
    terms,
)

APPROVERS = (Approver("ann", "Ann", "approver", public(ANN)), Approver("bob", "Bob", "approver", public(BOB)))


class TestOwners:
    """Registration: whoever changes the rules must be who may."""

    async def refused(self, box: Box, rule: str, sealed: bytes, contract=None) -> None:
        rows = await box.rows()
        if contract is None:
            taking = box.registry.change(box.subject, sealed, at(HEIGHT))
        else:
            taking = box.registry.register(contract, sealed, at(HEIGHT))
        with pytest.raises(Denied) as caught:
            await taking
        assert caught.value.rule == rule, caught.value.detail
        assert await box.rows() == rows

    @pytest.mark.parametrize(
        "signers",
        [OWNERS[:1], (OWNERS[0], OWNERS[0]), (OWNERS[0], SigningKey(b"\x55" * 32))],
        ids=["one", "one twice", "one and a stranger"],
    )
    async def test_too_few_owners(self, box, signers):
        await self.refused(box, "register.owners", sealed_policy(policy(box.subject, policy_version=2), signers))

    async def test_a_contract_by_strangers(self, box):
        other = terms(WSH.replace("older(144)", "older(288)"))
        other = msgspec.structs.replace(other, paths=(other.paths[0],))

        sealed = sealed_policy(policy(contract_id(other)), [SigningKey.generate(), SigningKey.generate()])
        await self.refused(box, "register.owners", sealed, other)

    @pytest.mark.parametrize("version", [1, 3])
    async def test_versions_rise_by_one(self, box, version):
        document = policy(box.subject, policy_version=version, approvals_needed=1)
        await self.refused(box, "register.version", sealed_policy(document))

    @pytest.mark.parametrize(
        "changed",
        [
            {"approvers": ()},
            {"approvals_needed": 4},
            {"approvers": APPROVERS[:2]},  # whoever proposes is missing among those who approve
            {"approvers": (APPROVERS[0], msgspec.structs.replace(APPROVERS[1], person=" a\u200bNN "))},
            {"approvers": (*APPROVERS, Approver("nobody", " \u200b", "proposer", public(IDA)))},
            {"owners": ()},
            {"owners": (public(OWNERS[0]),) * 2},
            {"witnesses_needed": 1},
            {"recovery_role_people": ("Ann",)},
            {"allow_list": (Destination("main", "bc1qw508d6qejxtdg4y5r3zarvary0c5xw7kv8f3t4", 0),)},
            {"contract_id": "ab" * 32},
        ],
        ids=str,
    )
    async def test_a_policy_that_could_not_be_kept(self, box, changed):
        document = policy(box.subject, policy_version=2, **changed)
        await self.refused(box, "register.policy", sealed_policy(document))

    async def test_a_policy_with_more_than_we_know(self, box):
        document = policy(box.subject, policy_version=2)
        fields = [getattr(document, name) for name in document.__struct_fields__]

        longer = msgspec.defstruct("Longer", [*document.__struct_fields__, "extra"], array_like=True)

        sealed = seal(POLICY_DOMAIN, longer(*fields, "except on Sundays"), OWNERS[:2])
        await self.refused(box, "register.policy", sealed)

    @pytest.mark.parametrize(
        "changed",
        [
            {"network": "main"},
            {"paths": ()},
            {"parties": ()},
            {"descriptor": terms().descriptor.partition("#")[0]},
            {"descriptor": "wsh(multi(1,{0},{0}))".format("02" + "11" * 32)},
        ],
        ids=str,
    )
    async def test_terms_that_are_not_what_they_say(self, box, changed):

        other = msgspec.structs.replace(terms(), **changed)
        await self.refused(box, "register.terms", sealed_policy(policy(contract_id(other))), other)

    async def test_terms_that_no_owner_means_are_not_even_read(self, box, monkeypatch):
        """To read a large descriptor and all its ways takes seconds; an old policy would do for a seal."""
        monkeypatch.setattr(registry, "new_contract", None)
        other = msgspec.structs.replace(terms(), descriptor="wsh(" + "a" * 32_000 + ")")
        await self.refused(box, "register.policy", sealed_policy(policy(box.subject)), other)

    async def test_the_same_policy_again_says_nothing_new(self, box):
        rows = await box.rows()
        again = await box.registry.register(box.terms, sealed_policy(policy(box.subject)), at(HEIGHT))
        assert again.policy.policy_version == 1
        assert await box.rows() == rows

    async def test_owners_of_a_policy_that_waits_own_nothing_yet(self, box):
        """Whoever stole a quorum of keys and puts in owners of his own cannot stop the others from mending it."""
        thieves = [SigningKey(bytes([60 + n]) * 32) for n in range(3)]
        taken = policy(box.subject, policy_version=2, owners=tuple(map(public, thieves)))
        await box.registry.change(box.subject, sealed_policy(taken), at(HEIGHT))
        document = policy(box.subject, policy_version=3)
        await self.refused(box, "register.owners", sealed_policy(document, thieves[:2]))
        mended = await box.registry.change(box.subject, sealed_policy(document), at(HEIGHT + 1))
        assert (mended.policy, mended.effective_height) == (document, HEIGHT + 1)
