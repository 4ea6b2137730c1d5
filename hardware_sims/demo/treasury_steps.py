"""The treasury's part of the story, in its order."""

from collections.abc import Callable, Iterator

from hardware_sims.demo import control, vault
from hardware_sims.demo.client import JsonClient
from hardware_sims.demo.treasury import Treasury
from hardware_sims.demo.wallet import paid_by_one_key

Told = Callable[[JsonClient, Treasury], str]


def steps() -> Iterator[tuple[str, Told]]:
    yield "vault registered", vault.vault_registered
    yield "vault funded", vault.vault_funded
    yield "payout by two boxes", vault.paid
    yield "control proven", control.proven
    yield "payment by one key", paid_by_one_key
    yield "attacks refused", vault.attacked
    yield "recovery rehearsed", vault.recovered
