"""Ties contracts, the money door, signing boxes and a Bitcoin node together; every rule lives in one of those.

`boxes.py` knows the boxes and what they last said, `coins.py` follows the chain for the contracts' coins, `chain.py`
and `book.py` fill the ports of contracts and signing, `post.py` carries packets, `service.py` runs it all.
"""

from controller.treasury.service import Treasury

__all__ = ["Treasury"]
