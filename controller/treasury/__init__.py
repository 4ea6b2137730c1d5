"""Ties contracts, the money door, signing boxes and a Bitcoin node together; every rule lives in one of those.

`boxes.py` knows the boxes and what they last said, `book.py` shows the money door the contracts that may spend,
`post.py` carries packets, `desk.py` is what console and API ask, `service.py` runs it all.
"""

from controller.treasury.service import Treasury

__all__ = ["Treasury"]
