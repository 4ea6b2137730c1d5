"""rust-miniscript, by way of bdk: is a descriptor sane, and which script does it come to?"""

from functools import lru_cache

from bdkpython import Descriptor as BdkDescriptor
from bdkpython import DescriptorError, MiniscriptError, NetworkKind

from shared.bitcoin.network import Network
from shared.errors import BitcoinDisagreement, InsaneScript


def check_sane(text: str, network: Network) -> None:
    """`text` has no multipath step and no musig()."""
    descriptor = _parsed(text, network)
    try:
        descriptor.sanity_check()
    except (DescriptorError, MiniscriptError) as error:
        raise InsaneScript(
            "descriptor: btclib finds its scripts sane and bdk does not; simplify it or lay its parts out differently"
        ) from error


def script(text: str, index: int, network: Network) -> bytes:
    try:
        return bytes(_parsed(text, network).derive_address(index, network.bdk).script_pubkey().to_bytes())
    except DescriptorError as error:
        raise BitcoinDisagreement(f"descriptor: bdk derives no script at index {index}") from error


@lru_cache(maxsize=256)
def _parsed(text: str, network: Network) -> BdkDescriptor:
    try:
        return BdkDescriptor(text, NetworkKind.MAIN if network is Network.MAIN else NetworkKind.TEST)
    except DescriptorError as error:
        raise BitcoinDisagreement(
            "descriptor: btclib reads it and bdk does not, so nobody can check it; write multi_a for sortedmulti_a"
        ) from error
