"""What a form compiles to, a signing box registers: its own reading of the same documents finds nothing to refuse."""

import pytest
from nacl.signing import VerifyKey

from agent.signer.policy.document import check_policy, check_terms, descriptor_of, signed_policy
from agent.signer.policy.ownership import path_keys
from controller.contracts.template.free import FreePolicy
from shared.bitcoin.network import Network
from shared.wire.contract import contract_id
from tests.controller.contracts.scene import agreement, signed
from tests.controller.contracts.template.test_forward import FORWARD, PARTIES
from tests.controller.contracts.template.test_free import FIVE
from tests.controller.contracts.template.test_templates import CASES

TWICE = "or(9@thresh(2,pk(Anna),pk(Ben)),and(pk(Anna),older(1000)))"
FORMS = {
    **{name: template.compile(agreement(*parties)) for name, (template, parties, _) in CASES.items()},
    "forward": FORWARD.compile(PARTIES),
    "one key in two places": FreePolicy(policy=TWICE).compile(agreement(*FIVE[:2])),
    "tree without a key path": FreePolicy(policy=TWICE, taproot=True).compile(agreement(*FIVE[:2])),
}


@pytest.mark.parametrize("form", FORMS)
def test_a_box_registers_it(form):
    compiled = FORMS[form]
    descriptor = descriptor_of(compiled.terms, "regtest")
    check_terms(compiled.terms, descriptor)
    owners = [VerifyKey(owner) for owner in compiled.policy.owners]
    policy = signed_policy(signed(compiled.policy, 0, 1), owners, 2)
    check_policy(policy, contract_id(compiled.terms), 1, Network.REGTEST)


@pytest.mark.parametrize("form", FORMS)
def test_a_box_finds_a_key_of_every_signer_on_every_path(form):
    compiled = FORMS[form]
    descriptor = descriptor_of(compiled.terms, "regtest")
    derived = descriptor.derive(0, 7 if descriptor.is_ranged else 0)
    for path in compiled.terms.paths:
        assert len(path_keys(compiled.terms, path, descriptor, derived)) >= len(path.keys)
