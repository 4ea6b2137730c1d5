"""One key with coins, for tests, benchmarks and the demo: it takes block rewards and pays with them."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.bitcoin.address import address_of
from shared.bitcoin.network import Network
from shared.bitcoin.script import p2wpkh, p2wpkh_script_code
from shared.bitcoin.sighash import SIGHASH_ALL, Sighasher
from shared.bitcoin.signature import public_key_of, sign_ecdsa
from shared.bitcoin.transaction import OutPoint, Transaction, TxIn, TxOut

REPLACEABLE = 0xFFFFFFFD


@dataclass(frozen=True, slots=True)
class PurseCoin:
    outpoint: OutPoint
    amount_sat: int


class Purse:
    """A P2WPKH key on regtest. `secret` is 32 bytes and no secret."""

    def __init__(self, secret: bytes = bytes(31) + b"\x01") -> None:
        self._secret = secret
        self._public_key = public_key_of(secret)
        self.script = p2wpkh(self._public_key)
        self.address = address_of(self.script, Network.REGTEST) or ""

    def coins_in(self, tx: Transaction) -> tuple[PurseCoin, ...]:
        """The outputs of a transaction that pay this key."""
        return tuple(
            PurseCoin(OutPoint(tx.txid, vout), output.amount_sat)
            for vout, output in enumerate(tx.outputs)
            if output.script == self.script
        )

    def paid(
        self,
        coins: Sequence[PurseCoin],
        outputs: Sequence[TxOut],
        *,
        sequence: int = REPLACEABLE,
        lock_time: int = 0,
        version: int = 2,
    ) -> Transaction:
        """A signed transaction of exactly these coins and outputs: what is left over is the fee."""
        bare = Transaction(
            version, tuple(TxIn(coin.outpoint, sequence=sequence) for coin in coins), tuple(outputs), lock_time
        )
        sighasher = Sighasher(bare, [TxOut(coin.amount_sat, self.script) for coin in coins])
        code = p2wpkh_script_code(self.script)
        inputs = []
        for index, one in enumerate(bare.inputs):
            signature = sign_ecdsa(self._secret, sighasher.segwit_v0(index, code)) + bytes((SIGHASH_ALL,))
            inputs.append(TxIn(one.outpoint, sequence=one.sequence, witness=(signature, self._public_key)))
        return Transaction(version, tuple(inputs), bare.outputs, lock_time)

    def moved(self, coin: PurseCoin, fee_sat: int, *, sequence: int = REPLACEABLE, lock_time: int = 0) -> Transaction:
        """One coin to this key itself."""
        output = TxOut(coin.amount_sat - fee_sat, self.script)
        return self.paid([coin], [output], sequence=sequence, lock_time=lock_time)
