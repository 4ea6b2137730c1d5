"""A real site agent (`bes agent`) with a configuration written for a simulated site."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from nacl.signing import SigningKey

from benchmarks.process import Child, bes
from benchmarks.simulated_site import SimulatedSite

NODE = "agent-1"
LOGINS = {
    "antminer-stock": ("root", "root"),
    "whatsminer-v2": ("admin", "operator"),
    "raritan.xerus": ("admin", "raritan"),
}
"""Those of the simulated devices; a Whatsminer takes orders only where its default password was changed."""

_CONFIG = """\
site = "{site}"
node = "{node}"
state_directory = "{state}"
site_file = "{site_file}"
operators = ["{operator}"]
log_level = "warning"

[mqtt]
port = {broker}

[polling]
warm_s = {warm_s}

[ports]
{ports}
{logins}
"""


@contextmanager
def agent_process(
    folder: Path,
    simulated: SimulatedSite,
    *,
    broker_port: int,
    operator: SigningKey,
    warm_s: float = 5.0,
    cores: Sequence[int] = (),
) -> Iterator[Child]:
    """`operator` signs commands and receipts. The site's id is the topic's site."""
    config = folder / "agent.toml"
    config.write_text(
        _CONFIG.format(
            site=simulated.site.id,
            node=NODE,
            state=folder / "agent-state",
            site_file=simulated.site_file,
            operator=operator.verify_key.encode().hex(),
            broker=broker_port,
            warm_s=warm_s,
            ports="\n".join(f"{standard} = {used}" for standard, used in simulated.ports.items()),
            logins="\n".join(
                f'[logins."{name}"]\nuser = "{user}"\npassword = "{password}"'
                for name, (user, password) in LOGINS.items()
            ),
        ),
        encoding="utf-8",
    )
    with Child(bes("agent", "--config", str(config)), log=folder / "agent.log", cores=cores) as child:
        yield child
