"""When two names are those of one person."""

import unicodedata
from functools import lru_cache

_INVISIBLE = "Cf"
"""The Unicode category of characters that only format: zero-width spaces, joiners, direction marks."""


@lru_cache(maxsize=4_096)
def folded(person: str) -> str:
    """A name as people are counted: neither case, spaces, invisible characters nor another encoding of the same letters
    (compatibility form NFKC of UAX 15) make another person. Letters that only look alike do.
    """
    visible = "".join(letter for letter in _composed(person) if unicodedata.category(letter) != _INVISIBLE)
    return _composed(" ".join(visible.casefold().split()))


def _composed(text: str) -> str:
    return unicodedata.normalize("NFKC", text)
