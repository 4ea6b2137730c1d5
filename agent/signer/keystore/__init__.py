"""Keys that the box signs with, and the only code that touches them.

`HsmKeys` sign ECDSA inside a PKCS#11 token. Taproot, MuSig2 and forwards need signatures that tokens do not make:
`SoftwareKeys` are wrapped by a key of the token and unwrapped for one signature.
"""

from agent.signer.keystore.hardening import Hardening, harden
from agent.signer.keystore.hsm_key import HsmKey, HsmKeys
from agent.signer.keystore.musig_rounds import MusigRounds, Slot
from agent.signer.keystore.pin import Pin, read_pin
from agent.signer.keystore.service import Keystore
from agent.signer.keystore.software_key import Promise, SoftwareKey, SoftwareKeys
from agent.signer.keystore.token import Token, TokenAddress
from agent.signer.keystore.wrap_key import WrapKey

__all__ = [
    "Hardening",
    "HsmKey",
    "HsmKeys",
    "Keystore",
    "MusigRounds",
    "Pin",
    "Promise",
    "Slot",
    "SoftwareKey",
    "SoftwareKeys",
    "Token",
    "TokenAddress",
    "WrapKey",
    "harden",
    "read_pin",
]
