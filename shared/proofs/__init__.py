"""Claims about metered energy that show no profile: commitments that a node signs, and proofs over their sum.

`commitment.py` hides a value, `slot.py` is what a node signs for one interval, `claim.py` what an owner proves of many,
and `verifier.py` checks it alone, without this package or any other.
"""
