"""Room that feeders have left, and who may use it when many want it at once."""

import numpy as np

from controller.mining.fleet.array import Bools, Ints, stable_order
from controller.mining.fleet.tree import FeederTree


def admit(tree: FeederTree, room_w: Ints, feeder: Ints, extra_w: Ints) -> Bools:
    """Which of the requests may be granted together; earlier ones go first.

    Request r asks for `extra_w[r]` more watts at `feeder[r]` and everything above it. Granting all of the answer
    leaves no feeder below zero. The first request that fits by itself is always granted; requests for nothing or less
    are granted without credit to others.
    """
    granted = tree.least_above(room_w)[feeder] >= extra_w
    asked_w = np.maximum(extra_w, 0)
    for depth in range(len(tree.levels)):
        above = tree.ancestor[depth][feeder]
        asking = np.flatnonzero(granted & (above >= 0) & (asked_w > 0))
        if not asking.size:
            continue
        feeder_here = above[asking]
        total = np.bincount(feeder_here, weights=asked_w[asking], minlength=len(tree)).astype(np.int64)
        asking = asking[(total > room_w)[feeder_here]]
        if asking.size:
            granted[asking] = _fits_in_turn(above[asking], asked_w[asking], room_w)
    return granted


def _fits_in_turn(feeder: Ints, asked_w: Ints, room_w: Ints) -> Bools:
    """For requests in order: does the sum up to and including each fit its feeder?"""
    order = stable_order(feeder)
    here, asked = feeder[order], asked_w[order]
    total = np.cumsum(asked)
    first = np.flatnonzero(np.diff(here, prepend=-1))
    length = np.diff(first, append=len(here))
    sum_here = total - np.repeat(total[first] - asked[first], length)
    fits = np.empty(len(feeder), np.bool_)
    fits[order] = sum_here <= room_w[here]
    return fits
