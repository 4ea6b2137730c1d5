import asyncio
import json
import os
import resource
import signal
import sys
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from hardware_sims.cli import SimsOptions, allow_many_sockets, app, parse_mix, parse_network, parse_passwords, run
from hardware_sims.layout import LayoutOrder
from shared.errors import SettingInvalid
from shared.site import load_site


async def test_a_process_says_when_it_is_ready_and_stops_when_told(network, tmp_path):
    file = tmp_path / "site.toml"
    arguments = ["--miners", "6", "--network", str(network), "--site-file", str(file), "--time-factor", "10", "--mix"]
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "hardware_sims.cli", *arguments, "Antminer S21=1"),
        stdout=asyncio.subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
    )
    assert process.stdout is not None
    try:
        ready = json.loads(await asyncio.wait_for(process.stdout.readline(), 60))
        assert (ready["miners"], ready["site_id"], ready["site_file"]) == (6, "demo", str(file))
        assert list(ready["ranges"]) == list(load_site(file).ranges)
        assert set(ready["ports"]) == {"80", "502", "4028"}
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{ready['control_port']}") as client:
            assert (await client.get("/truth")).json()["factor"] == 10
    finally:
        process.send_signal(signal.SIGTERM)
    assert await asyncio.wait_for(process.wait(), 20) == 0


async def test_a_site_that_exists_is_simulated_as_it_is_written(network, tmp_path):
    order = LayoutOrder(miners=3, network=network, mix={"M60S": 1})
    ready = asyncio.get_running_loop().create_future()
    options = SimsOptions(layout=order, site_file=tmp_path / "a.toml")
    first = asyncio.create_task(run(options, ready=ready.set_result))
    await asyncio.wait_for(ready, 20)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    again = asyncio.get_running_loop().create_future()
    second = asyncio.create_task(run(SimsOptions(existing=tmp_path / "a.toml", cold=True), ready=again.set_result))
    line = await asyncio.wait_for(again, 20)
    assert (line.miners, line.ranges) == (3, ready.result().ranges)
    second.cancel()
    await asyncio.gather(second, return_exceptions=True)


def test_mix_and_network_are_read():
    assert parse_mix(["Antminer S21=3", " M60S =0.5"]) == {"Antminer S21": 3.0, "M60S": 0.5}
    assert str(parse_network("127.16.0.0/16")) == "127.16.0.0/16"


def test_passwords_are_read():
    assert parse_passwords(["whatsminer=a=b", "axeos="]) == {"whatsminer": "a=b", "axeos": ""}
    with pytest.raises(SettingInvalid, match="FAMILY=PASSWORD"):
        parse_passwords(["whatsminer"])


@pytest.mark.parametrize("entry", ["Antminer S21", "=", "M60S=many"])
def test_a_mix_that_cannot_be_read_is_refused(entry):
    with pytest.raises(SettingInvalid, match="MODEL=WEIGHT"):
        parse_mix([entry])


@pytest.mark.parametrize("text", ["127.16.0.1/16", "home", ""])
def test_a_network_that_cannot_be_read_is_refused(text):
    with pytest.raises(SettingInvalid, match=r"127\.16\.0\.0/16"):
        parse_network(text)


def test_help_names_the_options():
    reply = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200", "NO_COLOR": "1", "TERM": "dumb"})
    assert reply.exit_code == 0
    assert "--time-factor" in reply.output


def test_the_limit_of_open_files_is_raised():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(256, hard), hard))
        allow_many_sockets()
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == hard
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
