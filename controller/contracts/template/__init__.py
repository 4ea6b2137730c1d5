"""What a treasurer fills in: one frozen, checked form for each kind of contract.

Each `compile` answers with terms and a first policy, or is Denied with the reason. What a contract means is never read
from the form again: paths and sentences come from the descriptor that it became.
"""
