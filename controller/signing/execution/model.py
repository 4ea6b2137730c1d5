"""What goes to the workers and what comes back."""

import msgspec

from controller.signing.ports import Contract


class Execution(msgspec.Struct, frozen=True, array_like=True):
    """One spending of a registered contract, from bytes. `partials` are PSBTs of the signers; people sealed `proposal`
    and `approvals`.
    """

    execution_id: str
    contract_id: str
    path: str
    expiry_height: int
    base: bytes
    partials: tuple[bytes, ...]
    proposal: bytes
    approvals: tuple[bytes, ...]


class Executed(msgspec.Struct, frozen=True, array_like=True):
    """A final transaction that passed everything which one transaction alone can be asked under a version of policy."""

    txid: str
    proposer: str
    raw: bytes
    inputs: tuple[tuple[str, int], ...]
    external_sat: int
    fee_sat: int
    weight_wu: int
    predicted_wu: int
    policy_version: int


class Refused(msgspec.Struct, frozen=True, array_like=True):
    """`rule` is the refusal's id."""

    rule: str
    detail: str


class Brief(msgspec.Struct, frozen=True, array_like=True):
    """A contract as a worker has to know it, and how many indexes of each branch are its own."""

    contract: Contract
    indexes: int

    @property
    def version(self) -> tuple[int, int]:
        """What may differ between two briefs of one contract."""
        return self.contract.policy.policy_version, self.indexes


class Batch(msgspec.Struct, frozen=True, array_like=True):
    """Executions for one worker, at the height of the tip, and the contracts that they name, as they are in force."""

    height: int
    executions: tuple[Execution, ...]
    briefs: tuple[Brief, ...] = ()


class Verdict(msgspec.Struct, frozen=True, array_like=True):
    """Exactly one of the two."""

    executed: Executed | None = None
    refused: Refused | None = None
