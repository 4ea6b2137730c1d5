"""What a signing box decides for itself: pure checks of one transaction against one registered contract.

Nothing here reads a clock, a file or a key. A `Case` holds all that a decision may depend on, each check looks at one
side of it, the first refusal wins, and a case for which no rule speaks is refused.
"""

from agent.signer.policy.case import Case
from agent.signer.policy.contract import Accepted, Contract
from agent.signer.policy.decision import Permit, decide

__all__ = ["Accepted", "Case", "Contract", "Permit", "decide"]
