"""The lock time of a version 2, which its inputs decide together (BIP-370, "Determining Lock Time")."""

from collections.abc import Sequence

from shared.errors import BitcoinMalformed


def lock_time(required: Sequence[tuple[int | None, int | None]], fallback: int | None) -> int:
    """The greatest lock of the kind that all inputs which name one can take; height before time; else the fallback.

    `required` holds (time, height) of each input. BitcoinMalformed where the inputs have no kind in common.
    """
    naming = [(time, height) for time, height in required if time is not None or height is not None]
    if not naming:
        return fallback or 0
    heights = [height for _, height in naming if height is not None]
    if len(heights) == len(naming):
        return max(heights)
    times = [time for time, _ in naming if time is not None]
    if len(times) == len(naming):
        return max(times)
    raise BitcoinMalformed("psbt: one input requires a height as lock time and another a time, so none fits both")
