import pytest

from agent.site.drivers.miners import Credentials, identify
from shared.errors import DeviceError

LOGINS = {"antminer-stock": Credentials("root", "s3cret")}
ANTMINER_PAGE = (401, b"")
REALM = b'WWW-Authenticate: Basic realm="antMiner Configuration"'


@pytest.fixture
def antminer(socket_device, web_device, recorded):
    socket_device.answers["version"] = {
        "STATUS": [{"STATUS": "S"}],
        "VERSION": [{"Type": "Antminer S19j Pro", "API": "3.1"}],
    }
    web_device.answers.update(
        {"headers": [REALM], "GET /": ANTMINER_PAGE, "GET /cgi-bin/get_system_info.cgi": recorded("antminer_system")}
    )


@pytest.fixture
def whatsminer(socket_device, recorded):
    for name in ("devdetails", "get_version", "get_miner_info", "summary"):
        socket_device.answers[name] = recorded(f"whatsminer_{name}")


async def test_antminer(antminer, ports):
    found = await identify("127.0.0.1", ports, LOGINS)
    assert found is not None
    family, identity = found
    assert (family, identity.mac, identity.model) == ("antminer-stock", "02:42:ac:11:00:07", "Antminer S19j Pro")


async def test_antminer_that_sleeps_with_a_closed_socket(antminer, socket_device, ports):
    await socket_device.stop()
    found = await identify("127.0.0.1", ports, LOGINS)
    assert found is not None
    assert found[0] == "antminer-stock"


async def test_antminer_without_a_login_has_no_mac(antminer, web_device, ports):
    web_device.answers["GET /cgi-bin/get_system_info.cgi"] = (401, b"")
    found = await identify("127.0.0.1", ports, {})
    assert found is not None
    assert (found[1].mac, found[1].model) == ("", "Antminer S19j Pro")


@pytest.mark.parametrize("page", [b"<title>AnthillOS</title>", b"Braiins OS+", b"<h1>Luxor Firmware</h1>"])
async def test_other_firmware_on_an_antminer(antminer, web_device, ports, page):
    web_device.answers["GET /"] = (200, page)
    assert await identify("127.0.0.1", ports, LOGINS) is None


@pytest.mark.parametrize(
    "version",
    [
        {"VERSION": [{"BOSer": "boser-openwrt 0.1.0"}]},
        {"VERSION": [{"LUXminer": "2024.5.1", "Type": "Antminer S19"}]},
        {"VERSION": [{"PROD": "AvalonMiner 1246", "MODEL": "1246"}]},
        {"VERSION": [{"BDMiner": "1"}]},
    ],
)
async def test_other_families_end_the_search(socket_device, web_device, ports, version):
    socket_device.answers["version"] = version
    assert await identify("127.0.0.1", ports, LOGINS) is None
    assert web_device.asked == []


@pytest.mark.parametrize("refusal", [b"", b'{"STATUS":"E","Code":14,"Msg":"invalid cmd"}', b"HTTP/1.1 400 Bad\r\n\r\n"])
async def test_whatsminer_that_refuses_version(whatsminer, socket_device, web_device, ports, refusal):
    socket_device.answers["version"] = refusal
    found = await identify("127.0.0.1", ports, {})
    assert found is not None
    assert (found[0], found[1].mac, found[1].model) == ("whatsminer-v2", "c4:11:04:00:11:22", "M50S+_VH30")
    assert web_device.asked == []


async def test_whatsminer_by_its_api_version(whatsminer, socket_device, ports):
    socket_device.answers["devdetails"] = {"STATUS": "E", "Code": 14, "Msg": "invalid cmd"}
    found = await identify("127.0.0.1", ports, {})
    assert found is not None
    assert found[0] == "whatsminer-v2"


@pytest.mark.parametrize("page", [b"<title>AxeOS</title>", (200, b"\x1f\x8b packed"), (404, b"")])
async def test_axeos(socket_device, web_device, recorded, ports, page):
    await socket_device.stop()
    web_device.answers.update({"GET /": page, "GET /api/system/info": recorded("axeos_info")})
    found = await identify("127.0.0.1", ports, {})
    assert found is not None
    assert (found[0], found[1].mac) == ("axeos", "f0:9e:9e:10:20:30")


async def test_nobody_and_strangers(socket_device, web_device, ports):
    assert await identify("127.0.0.1", ports, LOGINS) is None
    web_device.answers["GET /"] = (200, b"<title>Printer</title>")
    assert await identify("127.0.0.1", ports, LOGINS) is None
    await socket_device.stop()
    await web_device.stop()
    assert await identify("127.0.0.1", ports, LOGINS) is None


async def test_a_silent_host_costs_few_deadlines(socket_device, web_device, ports):
    socket_device.answers["version"] = "hang"
    web_device.answers["GET /"] = "hang"
    web_device.answers["GET /api/system/info"] = "hang"
    assert await identify("127.0.0.1", ports, LOGINS) is None
    assert len(socket_device.asked) == 1


async def test_identification_writes_nothing(antminer, web_device, ports):
    await identify("127.0.0.1", ports, LOGINS)
    assert web_device.posts() == []


async def test_other_errors_pass(antminer, web_device, ports):
    web_device.answers["GET /cgi-bin/get_system_info.cgi"] = (500, b"")
    with pytest.raises(DeviceError):
        await identify("127.0.0.1", ports, LOGINS)
