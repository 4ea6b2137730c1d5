"""Who, when and how in plain English, told from the paths of the compiled descriptor, so that no sentence can lie."""

from collections.abc import Sequence

from controller.contracts.route import Route
from shared.wire.contract import SpendingPath

BLOCKS_PER_DAY = 144
_NUMBERS = ("no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")


def sentences(found: Sequence[Route]) -> tuple[str, ...]:
    """One for each way to spend, in their order."""
    return tuple(sentence(route.path) for route in found)


def sentence(path: SpendingPath) -> str:
    """As "Any two of Anna, Ben and the offline key, at once."."""
    when = _when(path)
    who = _who(path)
    if when == "at once":
        return f"{who}, at once."
    return f"{when}, {_lower(who)}."


def age(blocks: int) -> str:
    """As "4,320 blocks (about 30 days)": ten minutes are taken for a block."""
    days = blocks / BLOCKS_PER_DAY
    if days >= 1.5:
        about = f"{days:,.0f} days"
    elif blocks >= 9:
        about = f"{blocks / 6:,.0f} hours"
    else:
        about = f"{10 * blocks} minutes"
    return f"{blocks:,} block{'s' if blocks != 1 else ''} (about {about})"


def listed(names: Sequence[str]) -> str:
    """As "Anna, Ben and Rosa"."""
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _who(path: SpendingPath) -> str:
    if len(path.keys) == 1:
        return f"{path.keys[0]} alone"
    if path.needed == len(path.keys):
        together = "as one key" if path.leaf is None and path.name == "key path" else "together"
        return f"{listed(path.keys)} {together}"
    return f"Any {_number(path.needed)} of {listed(path.keys)}"


def _when(path: SpendingPath) -> str:
    parts = []
    if path.after_height is not None:
        parts.append(f"From height {path.after_height:,} on")
    if path.older_blocks is not None:
        resting = f"{age(path.older_blocks)} without a refresh"
        parts.append(f"and after {resting}" if parts else f"After {resting}")
    return " ".join(parts) if parts else "at once"


def _lower(who: str) -> str:
    return f"any{who[3:]}" if who.startswith("Any ") else who


def _number(count: int) -> str:
    return _NUMBERS[count] if count < len(_NUMBERS) else f"{count:,}"
