"""Partially signed transactions: read strictly, built, merged, finalised (BIP-174, 370, 371, 373)."""
