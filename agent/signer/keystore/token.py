"""One PKCS#11 token, found by label and serial number, with a session that survives a token that was pulled.

A token may lock for good after a few wrong PINs. So a PIN that it refused once is not shown to it again, and neither is
any PIN when only one try is left.
"""

import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

import msgspec
import pkcs11
from pkcs11 import exceptions as faults

from agent.signer.keystore.pin import Pin
from shared.errors import KeyUnsafe, PinRefused, TokenUnavailable
from shared.log import get_logger

T = TypeVar("T")
Work = Callable[[pkcs11.Session], T]

_SESSION_LOST = (
    faults.SessionHandleInvalid,
    faults.SessionClosed,
    faults.UserNotLoggedIn,
    faults.DeviceRemoved,
    faults.TokenNotPresent,
    faults.KeyHandleInvalid,
    faults.ObjectHandleInvalid,
)

log = get_logger(__name__)


class TokenAddress(msgspec.Struct, frozen=True):
    """Which token: `module` is the vendor's PKCS#11 library, `serial` as the vendor's tool prints it."""

    module: Path
    label: str
    serial: str


class Token:
    """Calls run one after another; PKCS#11 sessions are not made for threads. Use as a context manager."""

    def __init__(self, address: TokenAddress, pin: Pin) -> None:
        self.address = address
        self.sessions = 0  # counts openings: handles found in an earlier session are void
        self._pin = pin
        self._pin_refused = False
        self._session: pkcs11.Session | None = None
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        self.run(lambda _session: None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        with self._lock:
            session, self._session = self._session, None
            if session is not None:
                try:
                    session.close()
                except pkcs11.PKCS11Error as error:
                    log.info("keystore.close", reason=_name(error))

    def run(self, work: Work[T]) -> T:
        """`work` with an open, logged-in session; once more with a new one where the session was lost.

        TokenUnavailable where the token is away or fails, PinRefused where it does not take the PIN.
        """
        with self._lock:
            try:
                return work(self._opened())
            except _SESSION_LOST as error:
                log.warning("keystore.session-lost", reason=_name(error))
                self.close()
            except pkcs11.PKCS11Error as error:
                raise self._failed(error) from error
            try:
                return work(self._opened())
            except pkcs11.PKCS11Error as error:
                raise self._failed(error) from error

    def _opened(self) -> pkcs11.Session:
        if self._session is None:
            self._session = self._log_in(self._find())
            self.sessions += 1
        return self._session

    def _find(self) -> pkcs11.Token:
        address = self.address
        try:
            labelled = _labelled(address)
        except pkcs11.PKCS11Error as error:
            raise TokenUnavailable(f"{address.module}: {_name(error)} {error}".rstrip()) from error
        found = [token for token in labelled if _serial(token) == address.serial]
        if len(found) > 1:
            raise KeyUnsafe(f"two tokens have label {address.label!r} and serial {address.serial}; remove the copy")
        if not found:
            others = ", ".join(sorted(map(_serial, labelled))) or "none"
            raise TokenUnavailable(
                f"no token {address.label!r} with serial {address.serial} (serials of that label: {others}); "
                "connect it, or correct label and serial in the settings"
            )
        return found[0]

    def _log_in(self, token: pkcs11.Token) -> pkcs11.Session:
        place = f"token {self.address.label!r}"
        if self._pin_refused:
            raise PinRefused(f"{place} refused this PIN before; correct the PIN file and start the box again")
        if token.flags & pkcs11.TokenFlag.USER_PIN_LOCKED:
            raise PinRefused(f"{place} is locked after too many wrong PINs; its security officer has to unlock it")
        if token.flags & pkcs11.TokenFlag.USER_PIN_FINAL_TRY:
            raise PinRefused(f"{place} has one try left before it locks; log in by hand with the right PIN first")
        try:
            return token.open(user_pin=self._pin.reveal(), rw=True)
        except faults.UserAlreadyLoggedIn:  # another session of this process did
            return token.open(rw=True)
        except (faults.PinIncorrect, faults.PinInvalid, faults.PinLenRange) as error:
            self._pin_refused = True
            raise PinRefused(f"{place} refused the PIN; it is not tried again, so that it does not lock") from error
        except (faults.PinLocked, faults.PinExpired) as error:
            self._pin_refused = True
            raise PinRefused(f"{place}: {_name(error)}; its security officer has to set a new PIN") from error

    def _failed(self, error: Exception) -> TokenUnavailable:
        """The next call begins with a new session."""
        self.close()
        return TokenUnavailable(f"token {self.address.label!r}: {_name(error)} {error}".rstrip())


def _labelled(address: TokenAddress) -> list[pkcs11.Token]:
    """A module that lost its token may go on failing when it is back, until it begins anew: the next call does."""
    library = pkcs11.lib(str(address.module))
    try:
        return list(library.get_tokens(token_label=address.label))
    except pkcs11.PKCS11Error:
        with suppress(pkcs11.PKCS11Error):
            library.finalize()
        raise


def _serial(token: pkcs11.Token) -> str:
    return token.serial.decode("ascii", "backslashreplace").strip()


def _name(error: Exception) -> str:
    return type(error).__name__
