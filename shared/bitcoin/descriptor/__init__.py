"""Output descriptors (BIP-380 to 386, 389, 390), derived by two implementations that have to agree."""

from shared.bitcoin.descriptor.derived import Aggregate, Derived, Leaf
from shared.bitcoin.descriptor.descriptor import MAX_INDEX, Descriptor
from shared.bitcoin.descriptor.key import KeyExpression

__all__ = ["MAX_INDEX", "Aggregate", "Derived", "Descriptor", "KeyExpression", "Leaf"]
