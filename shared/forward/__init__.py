"""A hash-rate forward as both sides and each box compute it alike: curve, stakes, settlements, promises (DLC).

Controller and signing box derive everything here from `ForwardTerms`, two stakes and the oracle's announcement, each by
itself; what one of them claims the other recomputes.
"""
