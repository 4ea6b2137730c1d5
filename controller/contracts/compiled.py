"""What every template becomes: terms that boxes register, the first policy over them, and where both come from."""

import msgspec

from shared.wire.contract import ContractTerms, SpendingPolicy


class Compiled(msgspec.Struct, frozen=True, kw_only=True):
    """`parameters` is what was filled into the template, as JSON.

    `expires_at_height` is the deadline behind which another path opens: a refund, as a rule.
    """

    terms: ContractTerms
    policy: SpendingPolicy
    parameters: str
    expires_at_height: int | None = None
