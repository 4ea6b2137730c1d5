import os
import socket

import pytest

from shared.watchdog import Watchdog


@pytest.mark.parametrize("abstract", [False, True])
def test_says_ready_alive_and_stopping_as_datagrams(tmp_path, monkeypatch, abstract):
    name = f"@bes-test-{os.getpid()}" if abstract else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind("\0" + name[1:] if abstract else name)
        systemd.settimeout(2)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        watchdog = Watchdog()
        watchdog.ready()
        watchdog.alive("cycle 7, 12 miners")
        watchdog.stopping()
        said = [systemd.recv(256) for _ in range(3)]
    assert said == [b"READY=1", b"WATCHDOG=1\nSTATUS=cycle 7, 12 miners", b"STOPPING=1"]


def test_says_nothing_where_systemd_did_not_start_it(monkeypatch):
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    Watchdog().ready()


def test_a_node_outlives_a_service_manager_that_went_away(tmp_path, monkeypatch):
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "gone"))
    Watchdog().alive("still here")


@pytest.mark.parametrize(
    ("environment", "period_s"),
    [
        ({}, None),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": str(os.getpid())}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "1"}, None),
        ({"WATCHDOG_USEC": "soon"}, None),
    ],
)
def test_knows_how_often_it_is_wanted(monkeypatch, environment, period_s):
    for name in ("WATCHDOG_USEC", "WATCHDOG_PID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert Watchdog().period_s == period_s
