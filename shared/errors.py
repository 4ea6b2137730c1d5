"""Every error of the suite, in one tree.

    BesError
    ├── ConfigError     SettingMissing  SettingInvalid  ProfileInvalid
    ├── WireError       DecodeFailed  SignatureInvalid  Expired  Replayed  VersionUnsupported  NotAddressed
    ├── DeviceError     Unreachable  DeviceTimeout  AuthFailed  ProtocolViolation  Unsupported  Rejected
    │                   WritesDisabled  IncompleteRead  IdentityChanged  DeviceUntrusted
    ├── SafetyError     InterlockTripped  LimitExceeded
    ├── PolicyError     Denied
    ├── KeystoreError   TokenUnavailable  PinRefused  KeyUnsafe
    ├── ContractError   BitcoinMalformed (PreviousMismatch)  BitcoinDisagreement  InsaneScript
    ├── SwapError
    ├── RiskError
    ├── StorageError    Conflict  StorageUnavailable (StorageFull)  Corrupt
    ├── RequestError    NotFound  Malformed  TooLarge
    ├── AccessError     SignInRequired  SignInFailed  PasswordExpired  TooManyAttempts  OriginRefused  Forbidden
    └── GatewayError    GatewayUnavailable  GatewayRefused  GatewayUntrusted

`code` is API: it is never renamed and never reused. `retryable` says whether the same call may succeed later without
anybody changing anything. `expected` tells "the world said no" (log the code) from "we have a bug" (log the
traceback).
Adapters translate the errors of their library where they call it; nothing above them sees a library's exception.
"""

from typing import ClassVar


class BesError(Exception):
    """Root of the tree. `detail` is one sentence that names the place and, where there is one, the mend."""

    code: ClassVar[str] = "bes.error"
    retryable: ClassVar[bool] = False
    expected: ClassVar[bool] = True

    def __init__(self, detail: str) -> None:
        super().__init__(detail)
        self.detail = detail

    def __str__(self) -> str:
        return f"{self.detail} [{self.code}]"


class ConfigError(BesError):
    code = "config.error"


class SettingMissing(ConfigError):
    code = "config.setting-missing"


class SettingInvalid(ConfigError):
    code = "config.setting-invalid"


class ProfileInvalid(ConfigError):
    code = "config.profile-invalid"


class WireError(BesError):
    code = "wire.error"


class DecodeFailed(WireError):
    code = "wire.decode-failed"


class SignatureInvalid(WireError):
    code = "wire.signature-invalid"


class Expired(WireError):
    code = "wire.expired"


class Replayed(WireError):
    code = "wire.replayed"


class VersionUnsupported(WireError):
    code = "wire.version-unsupported"


class NotAddressed(WireError):
    code = "wire.not-addressed"


class DeviceError(BesError):
    code = "device.error"


class Unreachable(DeviceError):
    code = "device.unreachable"
    retryable = True


class DeviceTimeout(DeviceError):
    code = "device.timeout"
    retryable = True


class AuthFailed(DeviceError):
    code = "device.auth-failed"


class ProtocolViolation(DeviceError):
    """The device answered with something that its protocol does not allow: truncated, endless, garbage, wrong type."""

    code = "device.protocol-violation"
    retryable = True


class Unsupported(DeviceError):
    code = "device.unsupported"


class Rejected(DeviceError):
    """The device understood and said no."""

    code = "device.rejected"


class WritesDisabled(DeviceError):
    """The operator has to enable the write API on the device with the vendor's own tool."""

    code = "device.writes-disabled"


class IncompleteRead(DeviceError):
    """A read that a write depends on failed or was incomplete, so nothing was written."""

    code = "device.incomplete-read"
    retryable = True


class IdentityChanged(DeviceError):
    """Another device answers at this address."""

    code = "device.identity-changed"


class DeviceUntrusted(DeviceError):
    """The device's certificate is not the one that its settings pin, nor signed by the authority that they name."""

    code = "device.untrusted"


class SafetyError(BesError):
    code = "safety.error"


class InterlockTripped(SafetyError):
    code = "safety.interlock-tripped"


class LimitExceeded(SafetyError):
    code = "safety.limit-exceeded"


class PolicyError(BesError):
    code = "policy.error"


class Denied(PolicyError):
    code = "policy.denied"

    def __init__(self, rule: str, detail: str) -> None:
        super().__init__(detail)
        self.rule = rule


class KeystoreError(BesError):
    code = "keystore.error"


class TokenUnavailable(KeystoreError):
    code = "keystore.token-unavailable"
    retryable = True


class PinRefused(KeystoreError):
    code = "keystore.pin-refused"


class KeyUnsafe(KeystoreError):
    """The token's key is not the one that was pinned, is there twice, or could leave the token."""

    code = "keystore.key-unsafe"


class ContractError(BesError):
    code = "contract.error"


class BitcoinMalformed(ContractError):
    """Bytes or text that do not follow Bitcoin's formats exactly."""

    code = "bitcoin.malformed"


class BitcoinDisagreement(ContractError):
    """Two independent implementations read the same bytes differently, so nothing may be signed."""

    code = "bitcoin.disagreement"
    expected = False


class PreviousMismatch(BitcoinMalformed):
    """A PSBT's previous transaction is not the one that the input spends, or contradicts what is said of the coin."""

    code = "bitcoin.previous-mismatch"


class InsaneScript(ContractError):
    """A script that can be spent otherwise than its author means: malleable, mixed time locks, repeated keys."""

    code = "bitcoin.insane-script"


class ClaimImpossible(ContractError):
    """What should be proven is not true, or not known for every slot."""

    code = "contract.claim-impossible"


class SwapError(BesError):
    code = "swap.error"


class RiskError(BesError):
    code = "risk.error"


class StorageError(BesError):
    code = "storage.error"


class Conflict(StorageError):
    """Somebody else wrote first: read again and decide again."""

    code = "storage.conflict"
    retryable = True


class StorageUnavailable(StorageError):
    code = "storage.unavailable"
    retryable = True


class StorageFull(StorageUnavailable):
    """No room: the disk is full, or the file has reached its own limit."""

    code = "storage.full"


class Corrupt(StorageError):
    code = "storage.corrupt"
    expected = False


class GatewayError(BesError):
    code = "gateway.error"


class GatewayUnavailable(GatewayError):
    code = "gateway.unavailable"
    retryable = True


class GatewayRefused(GatewayError):
    code = "gateway.refused"


class GatewayUntrusted(GatewayError):
    """One side of a TLS connection does not accept the other's certificate."""

    code = "gateway.untrusted"


class RequestError(BesError):
    """What a person or a program asked for cannot be answered as asked."""

    code = "request.error"


class NotFound(RequestError):
    code = "request.not-found"


class Malformed(RequestError):
    code = "request.malformed"


class TooLarge(RequestError):
    code = "request.too-large"


class AccessError(BesError):
    """Who asks is not known, or may not."""

    code = "access.error"


class SignInRequired(AccessError):
    code = "access.sign-in-required"


class SignInFailed(AccessError):
    code = "access.sign-in-failed"


class PasswordExpired(AccessError):
    """A one-time password opens nothing but the page where it is replaced."""

    code = "access.password-expired"


class TooManyAttempts(AccessError):
    code = "access.too-many-attempts"
    retryable = True


class OriginRefused(AccessError):
    """The request was sent by a page of another site."""

    code = "access.origin-refused"


class Forbidden(AccessError):
    code = "access.forbidden"
