import httpx
import pytest

from hardware_sims.faults import Fault
from hardware_sims.pdus import ShellyServer


@pytest.fixture
async def client(bank, faults, stopping) -> httpx.AsyncClient:
    server = ShellyServer(bank, faults, mac="02:b5:ff:00:00:0a")
    await server.start("127.0.0.1", lambda _standard: 0)
    stopping.push_async_callback(server.stop)
    made = httpx.AsyncClient(base_url=f"http://127.0.0.1:{server.ports[80]}")
    stopping.push_async_callback(made.aclose)
    return made


async def test_set_says_what_was(client, lamps):
    assert (await client.get("/rpc/Switch.Set?id=2&on=false")).json() == {"was_on": True}
    assert (await client.get("/rpc/Switch.Set?id=2&on=false")).json() == {"was_on": False}
    assert [lamp.on for lamp in lamps] == [True, True, False, True]


async def test_status_of_one_switch_and_of_all(client):
    one = (await client.get("/rpc/Switch.GetStatus?id=1")).json()
    assert one["output"] is True
    assert one["apower"] == pytest.approx(1_000, rel=0.01)
    assert one["aenergy"]["total"] == pytest.approx(5_000, rel=0.01)
    everything = (await client.get("/rpc/Shelly.GetStatus")).json()
    assert list(everything) == ["switch:0", "switch:1", "switch:2", "switch:3"]


async def test_a_frame_posted_to_rpc(client, lamps):
    frame = {"id": 5, "src": "t", "method": "Switch.Set", "params": {"id": 0, "on": False}}
    reply = (await client.post("/rpc", json=frame)).json()
    assert reply == {"id": 5, "src": "shellypro4pm-02b5ff00000a", "result": {"was_on": True}}
    assert not lamps[0].on


async def test_parameters_posted_to_a_method(client, lamps):
    assert (await client.post("/rpc/Switch.Set", json={"id": 3, "on": False})).json() == {"was_on": True}
    assert not lamps[3].on


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/rpc/Switch.Set?id=0", 500, -103),
        ("/rpc/Switch.Set?id=0&on=maybe", 500, -103),
        ("/rpc/Switch.Set?on=false", 500, -103),
        ("/rpc/Switch.Set?id=4&on=false", 500, -105),
        ("/rpc/Switch.Explode", 404, 404),
    ],
)
async def test_refusals_switch_nothing(client, lamps, path, status, code):
    reply = await client.get(path)
    assert (reply.status_code, reply.json()["code"]) == (status, code)
    assert not any(lamp.history for lamp in lamps)


async def test_frames_that_cannot_be_read(client):
    assert (await client.post("/rpc", content=b"{")).status_code == 400
    refused = (await client.post("/rpc", json={"id": 1, "method": "Nothing"})).json()
    assert refused["error"]["code"] == 404


async def test_it_says_who_it_is(client):
    info = (await client.get("/rpc/Shelly.GetDeviceInfo")).json()
    assert info == (await client.get("/shelly")).json()
    assert (info["gen"], info["mac"], info["auth_en"]) == (2, "02B5FF00000A", False)


async def test_a_device_that_ignores_still_says_what_was(client, lamps, faults):
    faults.set(Fault.ACCEPTS_AND_IGNORES)
    assert (await client.get("/rpc/Switch.Set?id=0&on=false")).json() == {"was_on": True}
    assert lamps[0].on
