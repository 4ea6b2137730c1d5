import asyncio

import pytest

from agent.site.discovery.sweep import listens, walk
from shared.address_range import addresses, contains, network
from shared.errors import SettingInvalid

WRONG = (
    ("10.0.4", "write it like 10.0.4.0/22"),
    ("10.0.0.0/40", "write it like"),
    ("miners", "write it like"),
    ("10.0.0.0/8", "at most 65536"),
    ("2001:db8::/32", "at most 65536"),
)


@pytest.mark.parametrize(("text", "mend"), WRONG)
def test_a_range_that_cannot_be_swept_is_refused_by_name(text, mend):
    with pytest.raises(SettingInvalid, match=text.split("/")[0]) as error:
        network(text)
    assert mend in str(error.value)


def test_every_host_once_in_order_even_where_ranges_overlap():
    found = list(addresses(map(network, ("10.0.0.0/30", "10.0.0.0/29", "10.0.1.9/32", "10.0.0.5/30"))))
    assert found == [*(f"10.0.0.{n}" for n in range(1, 7)), "10.0.1.9"]


@pytest.mark.parametrize(
    ("address", "inside"), [("10.0.0.7", True), ("10.0.1.7", False), ("::1", False), ("nonsense", False), ("", False)]
)
def test_only_addresses_of_the_site_are_candidates(address, inside):
    assert contains([network("10.0.0.0/24")], address) is inside


async def test_a_walk_visits_each_once_and_no_more_than_so_many_at_once():
    here, most, seen = 0, 0, []

    async def visit(address: str) -> None:
        nonlocal here, most
        here += 1
        most = max(most, here)
        await asyncio.sleep(0)
        seen.append(address)
        here -= 1

    await walk([str(n) for n in range(50)], visit, at_once=7)
    assert sorted(seen, key=int) == [str(n) for n in range(50)]
    assert most == 7


async def test_listens_tells_an_open_port_from_a_closed_one():
    server = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    assert await listens("127.0.0.1", port)
    server.close()
    await server.wait_closed()
    assert not await listens("127.0.0.1", port)
