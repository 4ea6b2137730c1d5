"""How many decisions a second one signing box makes: from a sealed packet to its sealed answer, by `SigningBox`.

Each decision opens the packet, reads the PSBT by three implementations, judges it by the policy with two approvals,
debits it in the ledger (fsync), has it signed by a token (SoftHSM2), lets Bitcoin Core's engine judge the transaction
that this completes, and writes the answer down (fsync). Only the header clock stands still. Beside it, in the same
run: what the token signs and what the ledger debits with nothing else to do. Every coin is a distinct one.
"""

import asyncio
import hashlib
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from agent.signer.clock.model import ChainTime, Taken
from agent.signer.keystore.hsm_key import HsmKeys
from agent.signer.keystore.musig_rounds import MusigRounds
from agent.signer.keystore.service import Keystore
from agent.signer.ledger import Ledger, Spend
from agent.signer.policy import Case, decide
from agent.signer.policy.form import read
from agent.signer.service import MOST_AT_ONCE, Equipment, Identity, SigningBox
from agent.signer.sessions.answering import note_of
from agent.signer.sessions.door import Door
from agent.signer.sessions.registry import Registry
from agent.signer.sessions.signatures import signed
from agent.signer.sessions.simulation import objections
from benchmarks.box_load import (
    BIRTH_HEIGHT,
    BOX,
    COIN_SAT,
    HEIGHT,
    NETWORK,
    NODE,
    NOW_MS,
    OPERATOR,
    OWNER,
    PAID_SAT,
    SITE,
    Load,
    packet,
)
from benchmarks.box_token import bare_signatures_per_s, new_key, soft_token
from benchmarks.options import Options
from shared.bitcoin.kernel import Judge
from shared.crypto.keys import key_id
from shared.crypto.signing import seal
from shared.errors import SettingInvalid
from shared.wire.codec import decode
from shared.wire.contract import MOST_SAT, Limits
from shared.wire.envelope import Envelope
from shared.wire.signing import Packet, SigningAnswer, SigningRequest, domain

NAME = "box"
SETTINGS = ("decisions", "widths", "folder")
_STEPS_OF = 100
_PATIENCE_S = 60.0


def run(options: Options) -> dict[str, object]:
    """Key `decisions_per_s` at the largest width; `widths` has each of them, with `p50_ms`, `p99_ms` and `cpu_us`
    (of the box's process, without the judge's). `steps_cpu_us` and `steps_wall_us` tell
    what single steps cost one after another.

    `all_signed` is False where any answer was no signature. Set `decisions` (of each width), `widths` (how many are on
    their way at a time, below 512) and `folder` (on the disk to measure).
    """
    count = options.number("decisions", 2_000, 64, least=2)
    widths = options.numbers("widths", (1, 16, 64, 256), (1, 16))
    if max(widths) >= MOST_AT_ONCE:
        raise SettingInvalid(f"--set widths: a box works on {MOST_AT_ONCE} requests at a time and refuses more")
    place = options.word("folder", tempfile.gettempdir())
    with tempfile.TemporaryDirectory(prefix="bes-box-", dir=place) as folder:
        found = asyncio.run(_measured(Path(folder), count, widths))
    return {**found, "conditions": {"decisions": count, "approvals_each": 2, "token": "SoftHSM2", "inputs_each": 1}}


async def _measured(folder: Path, count: int, widths: Sequence[int]) -> dict[str, object]:
    with soft_token(folder) as token, Judge() as judge:
        hsm = HsmKeys(token)
        key = new_key(hsm)
        keys = Keystore(hsm)
        keys.open([key])
        bench = await _Bench.open(folder, keys, judge, Load(key.public_key))
        try:
            await bench.decided(0, 2, 1)  # starts the judge
            cases = [await bench.decided(2 + number * count, count, width) for number, width in enumerate(widths)]
            steps = await _steps(bench, 2 + len(widths) * count, min(count, _STEPS_OF))
        finally:
            await bench.close()
        bare = {
            "hsm_signatures_per_s": round(bare_signatures_per_s(token, count)),
            "debits_per_s": await _debits_per_s(folder / "alone.db", count, 1),
            "debits_together_per_s": await _debits_per_s(folder / "together.db", count, max(widths)),
        }
    widest = max(cases, key=lambda case: int(str(case["width"])))
    return {
        "decisions_per_s": widest["decisions_per_s"],
        "all_signed": all(case["signed"] == count for case in cases),
        "widths": cases,
        **steps,
        **bare,
    }


class _StandingClock:
    """Headers are not what is measured."""

    def tip(self) -> ChainTime:
        return ChainTime(HEIGHT, NOW_MS // 1_000)

    def time(self) -> ChainTime:
        return self.tip()

    def bits_at(self, _height: int) -> int | None:
        return None

    def stale(self) -> str:
        return ""

    def take(self, headers: tuple[bytes, ...]) -> Taken:
        raise NotImplementedError(f"{len(headers)} headers for a clock that stands")


class _Bench:
    """The box and those who wait for its answers."""

    def __init__(self, ledger: Ledger, registry: Registry, keys: Keystore, judge: Judge, load: Load) -> None:
        self.load, self.registry, self.keys, self.judge = load, registry, keys, judge
        self.ledger = ledger
        self._waiting: dict[str, asyncio.Future[SigningAnswer]] = {}
        equipment = Equipment(
            ledger=ledger,
            registry=registry,
            clock=_StandingClock(),
            keys=keys,
            rounds=MusigRounds(keys),
            judge=judge,
            now_ms=lambda: NOW_MS,
            publish=self._heard,
            patience_s=1.0,
        )
        operators = {key_id(OPERATOR.verify_key): OPERATOR.verify_key}
        self._box = SigningBox(Identity(SITE, NODE, BOX), operators, equipment)

    @classmethod
    async def open(cls, folder: Path, keys: Keystore, judge: Judge, load: Load) -> "_Bench":
        ledger = Ledger(folder / "ledger.db", box_id=key_id(BOX.verify_key), boot_id="bench")
        await ledger.open()
        registry = Registry(ledger, NETWORK.value, [OWNER.verify_key], 1)
        await registry.register(load.terms, load.sealed_policy(), ChainTime(BIRTH_HEIGHT, 0))
        return cls(ledger, registry, keys, judge, load)

    async def close(self) -> None:
        await self._box.close()
        await self.ledger.close()

    async def decided(self, first: int, count: int, width: int) -> dict[str, object]:
        """`width` callers, each with one request on its way at a time."""
        requests = [(each.request_id, packet(each)) for each in self.load.requests(first, count)]
        todo = iter(requests)
        waits_ms: list[float] = []
        outcomes: list[str] = []

        async def call() -> None:
            for name, raw in todo:
                begun_s = time.perf_counter()
                heard = self._waiting[name] = asyncio.get_running_loop().create_future()
                await self._box.receive(raw)
                outcomes.append((await heard).outcome)
                waits_ms.append(1e3 * (time.perf_counter() - begun_s))

        started_s, used_s = time.perf_counter(), time.process_time()
        async with asyncio.timeout(_PATIENCE_S + count / 10), asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(call())
        took_s, used_s = time.perf_counter() - started_s, time.process_time() - used_s
        return {
            "width": width,
            "decisions_per_s": round(count / took_s),
            "signed": outcomes.count("signed"),
            "p50_ms": round(statistics.median(waits_ms), 2),
            "p99_ms": round(statistics.quantiles(waits_ms, n=100)[98], 2),
            "cpu_us": round(1e6 * used_s / count),
        }

    def _heard(self, raw: bytes) -> bool:
        said = decode(raw, Packet)
        answer = decode(decode(said.sealed, Envelope).payload, SigningAnswer)
        self._waiting.pop(answer.request_id).set_result(answer)
        return True


class _Stopwatch:
    """What each step took, one request after another: of all threads of this process, and on the wall."""

    def __init__(self) -> None:
        self._cpu_us: dict[str, list[float]] = {}
        self._wall_us: dict[str, list[float]] = {}

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        begun_s, used_s = time.perf_counter(), time.process_time()
        yield
        self._wall_us.setdefault(name, []).append(1e6 * (time.perf_counter() - begun_s))
        self._cpu_us.setdefault(name, []).append(1e6 * (time.process_time() - used_s))

    @property
    def medians(self) -> dict[str, dict[str, int]]:
        both = {"steps_cpu_us": self._cpu_us, "steps_wall_us": self._wall_us}
        return {
            name: {step: round(statistics.median(took)) for step, took in found.items()} for name, found in both.items()
        }


async def _steps(bench: _Bench, first: int, count: int) -> dict[str, dict[str, int]]:
    """The median of each step. The CPU of `judge` is without what the judge's own process works; `token` is a part of
    `sign`.
    """
    watch, door = _Stopwatch(), Door(SITE, NODE, {key_id(OPERATOR.verify_key): OPERATOR.verify_key})
    for request in bench.load.requests(first, count):
        raw = packet(request)
        with watch.step("open"):
            door.open(raw, {})
        with watch.step("parse"):
            case = _case(bench, request)
        with watch.step("policy"):
            permit = decide(case)
        with watch.step("debit"):
            await bench.ledger.debit(_spend(first), case.accepted.policy.limits, _StandingClock().tip())
        first += 1
        with watch.step("sign"):
            whole = signed(case, bench.keys)
        with watch.step("token"):
            bench.keys.sign_ecdsa(bench.keys.public_keys[0], bytes.fromhex(permit.txid))
        with watch.step("judge"):
            objections([(whole, case.coins)], bench.judge)
        answer = SigningAnswer(
            request_id=request.request_id, box_id="", txid=permit.txid, outcome="signed", psbt=whole.raw
        )
        with watch.step("record"):
            await bench.ledger.record(note_of(request, answer), _StandingClock().tip())
        with watch.step("seal"):
            seal(domain("answer"), answer, [BOX])
    return watch.medians


def _case(bench: _Bench, request: SigningRequest) -> Case:
    contract = bench.registry.contract(request.contract_id)
    accepted, path = contract.in_force(HEIGHT), contract.path(request.path)
    return Case(request, read(request.psbt), contract, accepted, path, HEIGHT)


async def _debits_per_s(path: Path, count: int, width: int) -> int:
    """A ledger with nothing else to do, `width` debits at a time."""
    ledger = Ledger(path, box_id=key_id(BOX.verify_key), boot_id="bench")
    await ledger.open()
    limits = Limits(COIN_SAT, MOST_SAT, 144, MOST_SAT, 50_000, 100, 40_000)
    todo = iter(range(count))

    async def call() -> None:
        for number in todo:
            await ledger.debit(_spend(number), limits, ChainTime(HEIGHT, NOW_MS // 1_000))

    started_s = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(call())
    took_s = time.perf_counter() - started_s
    await ledger.close()
    return round(count / took_s)


def _spend(number: int) -> Spend:
    digest = hashlib.sha256(number.to_bytes(8, "big"))
    return Spend(
        contract_id="00" * 32,
        request_id=f"request-{number}",
        request_digest=digest.digest(),
        txid=digest.hexdigest(),
        external_sat=PAID_SAT,
        external_digest=digest.digest(),
        fee_sat=2_000,
        outpoints=(f"{digest.hexdigest()}:0",),
        policy_version=1,
        reserved_until_height=HEIGHT + 1_008,
    )
