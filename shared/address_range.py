"""Address ranges of a site's file: checked alike by whoever reads the file and by whoever walks through them."""

import ipaddress
from collections.abc import Iterable, Iterator

from shared.errors import SettingInvalid

MAX_ADDRESSES = 65_536

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network(text: str) -> Network:
    """SettingInvalid names the range and the mend."""
    try:
        found = ipaddress.ip_network(text, strict=False)
    except ValueError as error:
        raise SettingInvalid(f"range {text!r}: {error}; write it like 10.0.4.0/22") from error
    if found.num_addresses > MAX_ADDRESSES:
        raise SettingInvalid(f"range {text!r} has {found.num_addresses} addresses, at most {MAX_ADDRESSES}")
    return found


def addresses(networks: Iterable[Network]) -> Iterator[str]:
    """Every host address, in order, without repetition."""
    seen: set[ipaddress.IPv4Address | ipaddress.IPv6Address] = set()
    for one in networks:
        for address in one.hosts():
            if address not in seen:
                seen.add(address)
                yield str(address)


def contains(networks: Iterable[Network], address: str) -> bool:
    """Is it an address of these ranges? False for a text that is none."""
    try:
        wanted = ipaddress.ip_address(address)
    except ValueError:
        return False
    return any(wanted in one for one in networks)
