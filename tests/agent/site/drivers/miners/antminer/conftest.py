"""An Antminer that stores what is posted, and restarts its process then."""

import json

import pytest

from agent.site.drivers.miners import Credentials, Unwritten, miner_profiles
from agent.site.drivers.miners.antminer import AntminerStock, order

LOGIN = Credentials("root", "s3cret")
OK = {"stats": "success", "code": "M000", "msg": "OK!"}
GET_CONF, SET_CONF = "GET /cgi-bin/get_miner_conf.cgi", "POST /cgi-bin/set_miner_conf.cgi"


class Antminer:
    """Firmware that stores what is posted under the mode key that it obeys, and restarts its process then. A mode under
    another key, or of another type than `wants` where that is set, is one that the document does not name: normal.
    """

    def __init__(self, socket_device, web_device, recorded):
        self.socket, self.web, self.recorded = socket_device, web_device, recorded
        self.conf = recorded("antminer_conf")
        self.system = recorded("antminer_system")
        self.key = "bitmain-work-mode"
        self.wants = None
        self.obeys = True
        self.elapsed_s = 86_412
        self.rate_ghs = 104_512.33
        socket_device.answers.update(
            summary=self.summary, stats=recorded("antminer_stats"), pools=recorded("antminer_pools")
        )
        web_device.answers.update(
            {
                GET_CONF: lambda _: self.conf,
                SET_CONF: self.store,
                "GET /cgi-bin/get_system_info.cgi": lambda _: self.system,
                "GET /cgi-bin/summary.cgi": recorded("antminer_web_summary"),
                "POST /cgi-bin/blink.cgi": self.blink,
                "GET /cgi-bin/get_blink_status.cgi": {"blink": False},
                "POST /cgi-bin/reboot.cgi": OK,
            }
        )

    def summary(self, _request):
        reply = self.recorded("antminer_summary")
        reply["SUMMARY"][0] |= {"Elapsed": self.elapsed_s, "GHS 5s": self.rate_ghs}
        return reply

    def store(self, body):
        posted = json.loads(body)
        mode = posted.get(self.key, "0")
        if self.wants is not None and not isinstance(mode, self.wants):
            mode = "0"
        self.conf = self.conf | {"pools": posted["pools"], "bitmain-work-mode": str(mode)}
        if self.obeys:
            self.elapsed_s = 2
            self.rate_ghs = 0.0 if str(mode) == "1" else 104_000.0
        return OK

    def blink(self, body):
        on = b"true" in body
        self.web.answers["GET /cgi-bin/get_blink_status.cgi"] = {"blink": on}
        return {"code": "B000" if on else "B100"}

    def stored(self):
        return [body for asked, body in self.web.posts() if asked == SET_CONF]


@pytest.fixture
def machine(socket_device, web_device, recorded, monkeypatch):
    monkeypatch.setattr(order, "_SETTLES_WITHIN_S", 0.0)
    return Antminer(socket_device, web_device, recorded)


@pytest.fixture
def lessons():
    return Unwritten()


@pytest.fixture
async def driver(machine, ports, lessons):
    driver = AntminerStock("127.0.0.1", ports, LOGIN, miner_profiles()["antminer-stock"], lessons=lessons)
    yield driver
    await driver.aclose()
