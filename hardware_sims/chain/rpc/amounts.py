"""Money in JSON as Bitcoin Core writes it: bitcoin with eight decimals, never through a float."""

from decimal import Decimal, InvalidOperation

import msgspec

from hardware_sims.chain.rpc.failure import Code, RpcFailure
from shared.bitcoin.transaction import COIN_SAT, MAX_MONEY_SAT


def btc(amount_sat: int) -> msgspec.Raw:
    """A JSON number, `0.00010000`."""
    sign, amount_sat = ("-", -amount_sat) if amount_sat < 0 else ("", amount_sat)
    return msgspec.Raw(f"{sign}{amount_sat // COIN_SAT}.{amount_sat % COIN_SAT:08d}".encode())


def sat(value: float | str) -> int:
    """From a number or a string in bitcoin."""
    try:
        amount = Decimal(str(value)) * COIN_SAT
    except InvalidOperation as error:
        raise RpcFailure(Code.TYPE, "Invalid amount") from error
    if amount != int(amount):
        raise RpcFailure(Code.TYPE, "Invalid amount")
    if not 0 <= amount <= MAX_MONEY_SAT:
        raise RpcFailure(Code.TYPE, "Amount out of range")
    return int(amount)
