"""`bes doctor`: looks at a node as an experienced colleague would, offline where it can, and says what to do."""

import os
import resource
import socket
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import psutil

from agent.health.certificate import CHECK as CERTIFICATE
from agent.health.certificate import certificate
from agent.health.clock_quality import kernel_report
from agent.health.file_mode import CHECK as FILE_MODES
from agent.health.file_mode import file_modes
from agent.health.finding import Finding, Grade
from agent.health.lan import CHECK as MINERS
from agent.health.lan import miners
from agent.settings import NodeSettings, SignerSettings, SiteSettings
from agent.site_file import site_of
from shared.crypto.keys import parse_public
from shared.errors import BesError, GatewayUnavailable, GatewayUntrusted
from shared.mqtt import MqttSettings
from shared.mqtt.trust import knock
from shared.profiles import load
from shared.states import ClockQuality, DeviceKind

DISK_LOW_MB = 2_048
FSYNC_SLOW_MS = 50.0
DESCRIPTORS = 4_096
_FSYNCS = 20
_VERDICT_S = 1.0  # a broker that does not take our certificate says so at once


def examine(settings: NodeSettings) -> Iterator[Finding]:
    """Every check; one that breaks is a finding itself."""
    checks: dict[str, Callable[[], Finding]] = {
        "python": _python,
        "state directory": lambda: _state_directory(settings.state_directory),
        FILE_MODES: lambda: file_modes(settings.state_directory),
        "disk": lambda: _disk(settings),
        "fsync": lambda: _fsync(settings),
        "file descriptors": _descriptors,
        "clock": _clock,
        "operators": lambda: _trusted_keys(settings),
        "broker": lambda: _broker(settings.mqtt),
        CERTIFICATE: lambda: certificate(settings.mqtt, settings.node),
    }
    if isinstance(settings, SiteSettings):
        checks["site file"] = partial(_site_file, settings)
        checks[MINERS] = partial(_miners, settings)
    if isinstance(settings, SignerSettings):
        from agent.health.doctor_signer import signing_checks  # a site's installation has no PKCS#11

        checks.update(signing_checks(settings))
    for name, check in checks.items():
        try:
            yield check()
        except (OSError, BesError, ValueError) as error:
            yield Finding(name, Grade.BAD, str(error), "mend what the message names")


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    return Finding("python", Grade.GOOD, version)


def _state_directory(directory: Path) -> Finding:
    if not directory.is_dir():
        return Finding("state directory", Grade.BAD, f"{directory} is missing", f"mkdir -p -m 700 {directory}")
    if not os.access(directory, os.W_OK):
        return Finding("state directory", Grade.BAD, f"{directory} cannot be written", "give it to the service's user")
    return Finding("state directory", Grade.GOOD, str(directory))


def _disk(settings: NodeSettings) -> Finding:
    free_mb = psutil.disk_usage(str(_existing(settings.state_directory))).free / (1 << 20)
    if free_mb < DISK_LOW_MB:
        mend = f"free {DISK_LOW_MB} MB or lower spool_max_mb; a full disk thins out what waits for the controller"
        return Finding("disk", Grade.WEAK, f"{free_mb:.0f} MB free", mend)
    return Finding("disk", Grade.GOOD, f"{free_mb:.0f} MB free")


def _fsync(settings: NodeSettings) -> Finding:
    """How long a durable write takes; it bounds how fast the spool can accept."""
    with tempfile.TemporaryFile(dir=_existing(settings.state_directory)) as file:
        started_s = time.perf_counter()
        for _ in range(_FSYNCS):
            file.write(b"\0" * 4096)
            file.flush()
            os.fsync(file.fileno())
        each_ms = (time.perf_counter() - started_s) / _FSYNCS * 1000
    if each_ms > FSYNC_SLOW_MS:
        return Finding("fsync", Grade.WEAK, f"{each_ms:.1f} ms", "use an industrial SD card or an SSD for the state")
    return Finding("fsync", Grade.GOOD, f"{each_ms:.1f} ms")


def _descriptors() -> Finding:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < DESCRIPTORS:
        return Finding("file descriptors", Grade.WEAK, f"{soft} of {hard}", f"LimitNOFILE={DESCRIPTORS} in the unit")
    return Finding("file descriptors", Grade.GOOD, f"{soft} of {hard}")


def _clock() -> Finding:
    report = kernel_report()
    if report.quality is ClockQuality.SYNCHRONISED:
        return Finding("clock", Grade.GOOD, f"synchronised within {report.error_ms or 0:.0f} ms")
    mend = "apt-get install chrony; until then expiry follows the controller's signed time and samples are flagged"
    return Finding("clock", Grade.WEAK, report.quality.name.lower(), mend)


def _trusted_keys(settings: NodeSettings) -> Finding:
    for text in (*settings.operators, *settings.approvers):
        parse_public(text)
    if not settings.operators:
        return Finding("operators", Grade.BAD, "no key may order anything", "put the controller's key into operators")
    if not settings.approvers:
        return Finding("operators", Grade.WEAK, "no approver", "pools cannot be changed until approvers has a key")
    return Finding("operators", Grade.GOOD, f"{len(settings.operators)} operators, {len(settings.approvers)} approvers")


def _broker(broker: MqttSettings) -> Finding:
    where = f"{broker.host}:{broker.port}"
    try:
        started_s = time.perf_counter()
        socket.create_connection((broker.host, broker.port), timeout=broker.answer_timeout_s).close()
        answer_ms = (time.perf_counter() - started_s) * 1000
        if broker.tls is not None:
            knock(broker, broker.tls.context(), _VERDICT_S)
    except GatewayUntrusted as error:
        return Finding("broker", Grade.BAD, error.detail, "do what follows the colon; docs/tls.md explains it")
    except (OSError, GatewayUnavailable) as error:
        mend = "check address, firewall and that mosquitto runs; the site goes on, and its data waits in the spool"
        return Finding("broker", Grade.BAD, f"{where}: {type(error).__name__} {error}", mend)
    return Finding("broker", Grade.GOOD, f"{where} answers in {answer_ms:.0f} ms")


def _miners(settings: SiteSettings) -> Finding:
    return miners(site_of(settings), settings.ports)


def _site_file(settings: SiteSettings) -> Finding:
    """Read as the agent reads it, with the profiles that it names."""
    site = site_of(settings)
    for kind, instruments in ((DeviceKind.METER, site.meter), (DeviceKind.PDU, site.pdu)):
        for profile in {instrument.profile for instrument in instruments}:
            load(kind, profile)
    counts = f"{len(site.placement)} miners, {len(site.meter)} meters, {len(site.pdu)} PDUs, {len(site.ranges)} ranges"
    if not site.ranges:
        return Finding("site file", Grade.WEAK, counts, "add ranges, or a miner that moves is not found again")
    return Finding("site file", Grade.GOOD, counts)


def _existing(directory: Path) -> Path:
    while not directory.exists():
        directory = directory.parent
    return directory
