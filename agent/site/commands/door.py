"""Who may order what: an envelope becomes a command, or a refusal with a rule's id.

The checks stand in the order of the threat model: size, known key, signature, decode, addressed to me, counter,
expiry, second person. The first that fails wins. The counter comes before the time, because clocks lie: `open_command`
refuses what lies below the ledger's floor, the ledger knows what was used above it, then `admit` looks at the time.
"""

from collections.abc import Mapping
from typing import NamedTuple, Protocol

from nacl.signing import VerifyKey

from agent.site.commands.refusal import EXPIRED, MALFORMED, NOT_ADDRESSED, REPLAYED, SECOND_PERSON, SIGNATURE, TOO_MANY
from agent.site.commands.trusted_time import TrustedTime
from shared.actions import SetPools
from shared.crypto.signing import unseal
from shared.errors import Denied, SignatureInvalid, WireError
from shared.wire.command import DOMAIN, PLAN_DOMAIN, Command, SitePlan

MAX_ORDERS = 20_000
_TWO_PERSON_ACTIONS = (SetPools,)


class Counters(Protocol):
    def floor(self, key_id: str) -> int:
        """No counter of that key up to this one is accepted any more; 0 where every one may be."""
        ...


class Opened(NamedTuple):
    """A command that is somebody's: `key_id` is the operator's key, whose counter it uses."""

    command: Command
    key_id: str
    signed_by: tuple[str, ...]


class Door:
    """`operators` may order; `approvers` may also give the second signature. Both map key ids to public keys."""

    def __init__(
        self,
        site: str,
        node: str,
        operators: Mapping[str, VerifyKey],
        approvers: Mapping[str, VerifyKey],
        counters: Counters,
        time: TrustedTime,
    ) -> None:
        self._site = site
        self._node = node
        self._operators = operators
        self._approvers = approvers
        self._trusted = {**operators, **approvers}
        self._counters = counters
        self._time = time

    def open_command(self, sealed: bytes) -> Opened:
        """`Denied` where nobody can be believed."""
        try:
            command, signed_by = unseal(DOMAIN, sealed, self._trusted, Command)
        except SignatureInvalid as error:
            raise Denied(SIGNATURE, error.detail) from error
        except WireError as error:
            raise Denied(MALFORMED, error.detail) from error
        key_id = self._operator(signed_by)
        self._check_address(command.site, command.node)
        self._check_counter(key_id, command.counter)
        return Opened(command, key_id, signed_by)

    def admit(self, opened: Opened) -> None:
        """`Denied` where the command may not be carried out, or not any more."""
        command = opened.command
        self._check_time(command.issued_at_ms, command.expires_at_ms)
        if len(command.orders) > MAX_ORDERS:
            raise Denied(TOO_MANY, f"{len(command.orders)} orders in one command, at most {MAX_ORDERS}")
        self._check_second_person(command, opened.signed_by)

    def open_plan(self, sealed: bytes) -> tuple[SitePlan, str]:
        """The site plan and its key, checked in the same way."""
        try:
            plan, signed_by = unseal(PLAN_DOMAIN, sealed, self._trusted, SitePlan)
        except SignatureInvalid as error:
            raise Denied(SIGNATURE, error.detail) from error
        except WireError as error:
            raise Denied(MALFORMED, error.detail) from error
        key_id = self._operator(signed_by)
        self._check_address(plan.site, plan.node)
        self._check_counter(key_id, plan.counter)
        self._check_time(plan.issued_at_ms, plan.valid_until_ms)
        return plan, key_id

    def _operator(self, signed_by: tuple[str, ...]) -> str:
        for key_id in signed_by:
            if key_id in self._operators:
                return key_id
        raise Denied(SIGNATURE, "signed, but by nobody who may order")

    def _check_address(self, site: str, node: str) -> None:
        if (site, node) != (self._site, self._node):
            raise Denied(NOT_ADDRESSED, f"addressed to {site}/{node}, this is {self._site}/{self._node}")

    def _check_counter(self, key_id: str, counter: int) -> None:
        floor = self._counters.floor(key_id)
        if counter <= floor:
            raise Denied(REPLAYED, f"counter {counter} is not above {floor}, up to which all are refused")

    def _check_time(self, issued_at_ms: int, until_ms: int) -> None:
        self._time.heard(issued_at_ms)
        late_s = (self._time.now_ms() - until_ms) / 1000
        if late_s > 0:
            raise Denied(EXPIRED, f"expired {late_s:.0f} s ago by this site's clock")

    def _check_second_person(self, command: Command, signed_by: tuple[str, ...]) -> None:
        needs_two = any(isinstance(order.action, _TWO_PERSON_ACTIONS) for order in command.orders)
        if needs_two and not any(key_id in self._approvers for key_id in signed_by):
            raise Denied(SECOND_PERSON, "changing pools needs the signature of an approver as well")
