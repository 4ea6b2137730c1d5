"""What the site refuses and does by itself, on machines that really get hot and feeders that really carry."""

import pytest

from agent.site.drivers.pdus import OutletPdu
from agent.site.safety import feeder
from shared.actions import Sleep, SwitchOutlet, Wake
from shared.wire.command import Order
from tests.integration.edge.desk import eventually

pytestmark = pytest.mark.broker

SIMS = (8, {"Antminer S21": 4, "M60S": 3, "BitAxe Gamma": 1})


@pytest.mark.parametrize("phases", [(2,), (2, 3), (1, 2, 3)])
async def test_reversed_transformers_are_told_and_never_used_for_control(start, sims, desk, phases):
    agent = await start()
    await sims.fault("meter-site", "ct_reversed", phases=phases)
    await eventually(lambda: desk.alarms("meter.fault", "meter-site") == [True], 5, "it was told")
    text = next(event.text for event in desk.events if event.code == "meter.fault")
    assert "L2" in text
    load = agent.app.interlocks.loads()["site"]
    assert not load.measured
    assert load.load_w > 0.8 * (await sims.truth())["feeders"]["site"]["power_w"]
    await sims.heal()
    await eventually(lambda: desk.alarms("meter.fault", "meter-site") == [True, False], 5, "its end")


async def test_a_measured_overload_is_shed_until_the_meter_fits_again(start, sims, desk, tmp_path, monkeypatch):
    monkeypatch.setattr(feeder, "GRACE_S", 3.0)
    drawn_w = (await sims.truth())["feeders"]["site"]["power_w"]
    limit_w = int(drawn_w) - 5_000
    site = next(f for f in sims.site.feeder if f.id == "site")
    assert drawn_w < limit_w / site.continuous_factor  # above the limit, not above the rating: there is a grace
    await start(site_file=sims.changed(tmp_path, limit_w=limit_w))
    await eventually(lambda: desk.alarms("interlock.feeder-overload", "site") == [True], 5, "the overload")
    await eventually(lambda: desk.alarms("interlock.feeder-overload", "site") == [True, False], 18, "the relief")
    truth = await sims.truth()
    assert truth["feeders"]["site"]["power_w"] <= 1.01 * limit_w  # by the meter, which is of class 1
    asleep = truth["miners"]["state"].count("sleeping")
    assert asleep == 2, "5 kW above the limit are two machines"
    locals_ = {row.device_id for command_id, row in desk.rows if command_id.startswith("local-")}
    assert len(locals_) == asleep


async def test_an_outlet_gives_back_the_room_that_it_reserved(start, sims, desk, monkeypatch):
    monkeypatch.setattr(OutletPdu, "holds_s", lambda _pdu, *, on: 0.0)  # the simulated minute is a second
    agent = await start()
    placed = next(p for p in sims.site.placement if p.model == "BitAxe Gamma")
    await sims.run_at(60)
    for on in (False, True):
        command = desk.order(Order(placed.pdu, SwitchOutlet(outlet=placed.outlet, on=on)))
        ends = await desk.until_ended(command, 1)
        assert ends[placed.pdu].state != "refused", ends
    await eventually(lambda: not any(agent.app.interlocks.promised_w().values()), 15, "what was promised is drawn")


async def test_hot_air_raises_one_alarm_and_no_machine_is_woken_into_it(start, sims, desk, tmp_path):
    path = sims.changed(tmp_path, inlet_max_c=34.0, inlet_resume_c=28.0)
    await start(site_file=path)
    miner = sims.miners_of("Antminer S21")[0]
    await desk.until_ended(desk.order(Order(miner, Sleep())), 1)
    await sims.run_at(60)
    await sims.ask("POST", "/ambient", {"inlet_c": 35.0})
    await eventually(lambda: desk.alarms("interlock.inlet-high") == [True], 10, "hot air")
    ends = await desk.until_ended(desk.order(Order(miner, Wake())), 1)
    assert ends[miner].rule == "interlock.inlet-high"
    assert (await sims.device(miner))["state"] == "sleeping"
    await sims.ask("POST", "/ambient", {"inlet_c": 15.0})
    await eventually(lambda: desk.alarms("interlock.inlet-high") == [True, False], 10, "cool air")
    ends = await desk.until_ended(desk.order(Order(miner, Wake())), 1)
    assert ends[miner].rule != "interlock.inlet-high"
    await sims.ask("POST", "/ambient", {"inlet_c": None})
