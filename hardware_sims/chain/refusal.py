"""What the node says no with. Reasons are the words of Bitcoin Core, because callers decide by them."""

from shared.errors import ContractError


class TransactionRefused(ContractError):
    """`reason` is stable ("non-final"); `explanation` holds the figures of this case, or nothing."""

    code = "chain.transaction-refused"

    def __init__(self, reason: str, explanation: str = "") -> None:
        super().__init__(f"{reason}, {explanation}" if explanation else reason)
        self.reason = reason
        self.explanation = explanation


class InputsMissing(TransactionRefused):
    """An input is unknown or spent: another transaction may have to come first."""

    code = "chain.inputs-missing"


class PackageRefused(ContractError):
    """Of transactions that come together the one named `wtxid` does not enter, so none does."""

    code = "chain.package-refused"

    def __init__(self, wtxid: str, refusal: TransactionRefused) -> None:
        super().__init__(refusal.detail)
        self.wtxid = wtxid
        self.refusal = refusal


class BlockRefused(ContractError):
    """The consensus engine does not take the block; `reason` is one of Bitcoin Core's words for a class of faults."""

    code = "chain.block-refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def money(amount_sat: int) -> str:
    """As Bitcoin Core writes money in these texts: without trailing zeros after the second decimal."""
    whole, part = divmod(amount_sat, 100_000_000)
    decimals = f"{part:08d}".rstrip("0").ljust(2, "0")
    return f"{whole}.{decimals}"
