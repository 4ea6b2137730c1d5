"""Ties contracts, the money door, signing boxes and a Bitcoin node together; every rule lives in one of those.

`boxes.py` knows the boxes and what they last said, `book.py` shows the money door the contracts that may spend,
`post.py` carries packets, `recovery.py` is the ceremony of a box that lost rows. `desk.py` is what console and API ask,
with `execution.py` for many at once and `forward.py` for forwards; `view.py` turns states into what people see.
`service.py` runs it all.
"""

from controller.treasury.service import Treasury

__all__ = ["Treasury"]
