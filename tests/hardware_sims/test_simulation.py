import time

import numpy as np
import pytest
from msgspec.structs import replace

from hardware_sims.faults import Fault, FaultDetail
from hardware_sims.layout import LayoutOrder, draw_up
from hardware_sims.miners.machine import MachineState
from hardware_sims.physics.build import NO_WEAR
from hardware_sims.simulation import LONGEST_STEP_S, Simulation, SimulationOptions, UnknownDevice
from shared.errors import SettingInvalid
from shared.site import Feeder, Instrument, Placement, Site


def test_an_outlet_switches_the_machine_that_is_plugged_in(simulation, run_for):
    placed, machine = simulation.site.placement[0], simulation.machines[0]
    bank = simulation.banks[placed.pdu]
    bank.order(placed.outlet - 1, False)
    run_for(simulation, 2)
    assert machine.state is MachineState.OFF
    assert simulation.machines[1].state is MachineState.HASHING
    bank.order(placed.outlet - 1, True)
    run_for(simulation, 400)
    assert machine.state in (MachineState.TUNING, MachineState.HASHING)


def test_the_meter_sees_what_an_outlet_takes_away(simulation, run_for):
    run_for(simulation, 5)
    meters = [meter.id for meter in simulation.site.meter]
    feeder = simulation.site.placement[0].container
    at = meters.index(f"meter-{feeder}")
    before_w, machine_w = simulation.metering.sample(at).total_w, simulation.machines[0].drawn_w
    simulation.machines[0].set_outlet(False)
    run_for(simulation, 1)
    assert before_w - simulation.metering.sample(at).total_w == pytest.approx(machine_w, rel=0.15)


def test_a_stuck_relay_keeps_its_machine_hashing(simulation, run_for):
    placed = simulation.site.placement[0]
    simulation.faults[placed.pdu].set(Fault.STUCK_RELAY, FaultDetail(outlet=placed.outlet - 1))
    simulation.banks[placed.pdu].order(placed.outlet - 1, False)
    run_for(simulation, 5)
    assert not simulation.banks[placed.pdu].sample(placed.outlet - 1).on
    assert simulation.machines[0].state is MachineState.HASHING


def test_a_feeder_takes_miners_and_pdus_below_it_along(simulation, run_for):
    simulation.switch_feeder("c1", on=False)
    run_for(simulation, 2)
    for placed, machine in zip(simulation.site.placement, simulation.machines, strict=True):
        assert (machine.state is MachineState.OFF) == (placed.container == "c1")
        assert simulation.banks[placed.pdu].answering == (placed.container != "c1")
    assert simulation.tree.total_w("c1") == 0
    simulation.switch_feeder("c1", on=True)
    run_for(simulation, 2)
    assert {machine.state for machine in simulation.machines} == {MachineState.BOOTING, MachineState.HASHING}


def test_outlets_restored_in_sequence_come_on_as_time_passes(simulation, run_for):
    placed = simulation.site.placement[0]
    bank = simulation.banks[placed.pdu]
    bank.order(placed.outlet - 1, False)
    bank.order_later(placed.outlet - 1, True, 5)
    run_for(simulation, 4)
    assert simulation.machines[0].state is MachineState.OFF
    run_for(simulation, 2)
    assert simulation.machines[0].state is MachineState.BOOTING


@pytest.mark.parametrize("factor", [0.0, 0.5, 1.0, 60.0, 1000.0])
def test_advancing_takes_whole_steps_up_to_the_moment(simulation, factor):
    simulation.advance_to(30.0, factor)
    if factor == 0:
        assert simulation.now_s == 0
    else:
        assert 30.0 - LONGEST_STEP_S <= simulation.now_s <= 30.0


def test_a_thousand_miners_step_in_a_small_share_of_a_core(network):
    wide = type(network)((int(network.network_address) & ~0xFFFF, 16))
    simulation = Simulation(draw_up(LayoutOrder(miners=1000, containers=4, network=wide)), SimulationOptions())
    began = time.process_time()
    for _ in range(40):
        simulation.step(0.25)
    assert (time.process_time() - began) / 10 < 0.1  # seconds of a core per simulated second at factor 1


def test_same_seed_same_site_same_figures(simulation, run_for):
    twin = Simulation(simulation.site, SimulationOptions(seed=3, wear=NO_WEAR))
    for moving in (simulation, twin):
        run_for(moving, 20)
        moving.machines[2].set_power_mode("low")
        run_for(moving, 20)
    assert np.array_equal(simulation.tree.power_w, twin.tree.power_w)
    assert simulation.metering.sample(0) == twin.metering.sample(0)


ROOT = Feeder(id="root", kind="site", meter="m")
METER = Instrument(id="m", profile="eastron.sdm630", address="127.1.1.1")


PLACED = Placement(
    mac="02:00:00:00:00:01", feeder="root", container="c", rack=1, shelf=1, slot=1, model="M60S", address="127.1.1.2"
)
WHOLE = Site(id="t", name="t", feeder=(ROOT,), meter=(METER,), placement=(PLACED,))


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"meter": (replace(METER, profile="acme.x"),)}, "acme.x"),
        ({"feeder": (replace(ROOT, meter=None),)}, "measures no feeder"),
        ({"pdu": (Instrument(id="p", profile="x", address="127.1.1.3"),)}, "PDU 'p'"),
        ({"placement": (replace(PLACED, model=None),)}, "cannot be simulated"),
        ({"placement": ()}, "nothing to simulate"),
    ],
)
def test_sites_that_cannot_be_simulated_are_refused(change, match):
    with pytest.raises(SettingInvalid, match=match):
        Simulation(replace(WHOLE, **change), SimulationOptions())


def test_an_unknown_machine_is_named(simulation):
    with pytest.raises(UnknownDevice, match="m-00"):
        simulation.machine("m-00")


def test_passwords_are_set_by_family():
    made = Simulation(WHOLE, SimulationOptions(passwords={"whatsminer": "k33p1t"}))
    assert made.machines[0].password == "k33p1t"
    with pytest.raises(SettingInvalid, match="axeos"):
        Simulation(WHOLE, SimulationOptions(passwords={"whatsmyner": "x"}))
