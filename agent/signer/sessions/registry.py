"""The contracts that this box knows. All that it holds stands in the ledger, and is read from there at each start."""

from collections.abc import Mapping, Sequence

from nacl.signing import VerifyKey

from agent.signer.clock.model import ChainTime
from agent.signer.ledger import EntryKind, Ledger, Note
from agent.signer.policy.contract import Accepted, Contract
from agent.signer.policy.document import check_policy, signed_policy
from agent.signer.rule import CONTRACT_UNFIT, INPUT_UNREGISTERED, REGISTER_POLICY, REGISTER_VERSION
from agent.signer.sessions.stored_contract import new_contract, stored_contract
from shared.bitcoin.network import Network
from shared.crypto.keys import key_id
from shared.errors import Conflict, Denied, WireError
from shared.log import get_logger
from shared.wire.codec import decode, encode
from shared.wire.contract import ContractTerms, SpendingPolicy, contract_id
from shared.wire.envelope import Envelope

log = get_logger(__name__)


class Registry:
    """`owners` are the keys that the box was provisioned with; `owners_needed` of them sign a first policy."""

    def __init__(self, ledger: Ledger, network: str, owners: Sequence[VerifyKey], owners_needed: int) -> None:
        self._ledger = ledger
        self._network = network
        self.owners = tuple(owners)
        self.owners_needed = owners_needed
        self._contracts: dict[str, Contract] = {}
        self._unfit: dict[str, str] = {}
        self._peers: dict[str, VerifyKey] = {}

    async def load(self) -> None:
        """Every contract that was registered. One that does not pass the checks of today is not signed for, and `unfit`
        says why. Terms that a crash left without their policy are not registered.
        """
        for subject in await self._ledger.subjects(EntryKind.POLICY):
            row = await self._ledger.latest(EntryKind.CONTRACT, subject)
            assert row is not None, "a policy follows its terms"
            try:
                policies = await self._ledger.all_of(EntryKind.POLICY, subject)
                self._know(stored_contract(row, policies, self._network))
            except Denied as denied:
                log.warning("signer.contract-unfit", contract=subject, detail=denied.detail)
                self._unfit[subject] = denied.detail

    @property
    def unfit(self) -> Mapping[str, str]:
        """The registered contracts that are not signed for, and why."""
        return self._unfit

    @property
    def contracts(self) -> Mapping[str, Contract]:
        return self._contracts

    @property
    def peers(self) -> Mapping[str, VerifyKey]:
        """The boxes that any policy names as witnesses, by their ids; asked for every packet that comes."""
        return self._peers

    def contract(self, subject: str) -> Contract:
        self._require_fit(subject)
        found = self._contracts.get(subject)
        if found is None:
            raise Denied(INPUT_UNREGISTERED, f"contract {subject[:12]} is not registered on this box")
        return found

    async def register(self, terms: ContractTerms, sealed: bytes, now: ChainTime) -> Accepted:
        """A contract and its first policy. What was taken before is told again."""
        subject = contract_id(terms)
        self._require_fit(subject)
        known = self._contracts.get(subject)
        repeated = _repeated(known, sealed)
        if repeated is not None:
            return repeated
        if known is not None:
            raise Denied(
                REGISTER_VERSION, f"contract {subject[:12]} is registered; its policy changes by a policy change"
            )
        policy = signed_policy(sealed, self.owners, self.owners_needed)
        check_policy(policy, subject, 1, Network(self._network))  # first: the owners mean these terms, or none is read
        contract = new_contract(subject, terms, self._network)
        if await self._ledger.latest(EntryKind.CONTRACT, subject) is None:
            await self._ledger.record(Note(kind=EntryKind.CONTRACT, subject=subject, body=encode(terms)), now)
        return await self._take(contract, policy, sealed, now)

    async def change(self, subject: str, sealed: bytes, now: ChainTime) -> Accepted:
        """The next policy, signed by the owners whom the policy in force names: who still waits rules nothing."""
        contract = self.contract(subject)
        repeated = _repeated(contract, sealed)
        if repeated is not None:
            return repeated
        present, newest = contract.in_force(now.height).policy, contract.policies[-1].policy
        policy = signed_policy(sealed, [VerifyKey(owner) for owner in present.owners], present.owners_needed)
        check_policy(policy, subject, newest.policy_version + 1, contract.network)
        return await self._take(contract, policy, sealed, now)

    async def _take(self, contract: Contract, policy: SpendingPolicy, sealed: bytes, now: ChainTime) -> Accepted:
        before = await self._ledger.latest(EntryKind.POLICY, contract.id)
        version = policy.policy_version
        note = Note(kind=EntryKind.POLICY, subject=contract.id, policy_version=version, body=sealed)
        try:
            row = await self._ledger.record(note, now, follows_seq=before.seq if before else 0)
        except Conflict as error:
            raise Denied(REGISTER_VERSION, "another policy of this contract came at the same time") from error
        known = contract.with_policy(policy, row.height)
        self._know(known)
        return known.policies[-1]

    def _know(self, contract: Contract) -> None:
        self._contracts[contract.id] = contract
        for accepted in contract.policies:
            keys = map(VerifyKey, accepted.policy.witnesses)
            self._peers |= {key_id(key): key for key in keys}

    def _require_fit(self, subject: str) -> None:
        if subject in self._unfit:
            raise Denied(CONTRACT_UNFIT, self._unfit[subject])


def _repeated(contract: Contract | None, sealed: bytes) -> Accepted | None:
    """Found by its content, whoever signs it this time: it says nothing new."""
    try:
        payload = decode(sealed, Envelope).payload
    except WireError as error:
        raise Denied(REGISTER_POLICY, error.detail) from error
    policies = contract.policies if contract else ()
    return next((accepted for accepted in policies if encode(accepted.policy) == payload), None)
