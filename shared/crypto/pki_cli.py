"""`bes pki`: an authority of one's own, and certificates for the broker, the controller and every node.

Everything lies in one folder. Keep it away from the machines it serves: whoever holds `ca.key` can be any node.
"""

import re
import shutil
from pathlib import Path
from typing import Annotated

import typer
from cryptography.hazmat.primitives.asymmetric import ec

from shared.crypto.authority import Credential, Validity, issue_broker, issue_node, load, load_key, new_root, store
from shared.errors import SettingInvalid
from shared.wire.topics import is_level

Folder = Annotated[Path, typer.Option("--folder", "-f", help="where authority and certificates are kept")]
Days = Annotated[int, typer.Option("--days", min=1, max=7300, help="for how long it is valid")]

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False, no_args_is_help=True)

_HERE = Path("pki")
_HOST = re.compile(r"[A-Za-z0-9.:-]{1,253}")


@app.command("ca")
def make_authority(
    folder: Folder = _HERE,
    name: Annotated[str, typer.Option(help="its name in certificates")] = "BES authority",
    days: Days = 3650,
) -> None:
    """Make the authority; it is never overwritten."""
    if _authority_files(folder)[1].exists():
        raise SettingInvalid(f"{folder} holds an authority already; choose another --folder")
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    store(new_root(name, Validity.of_days(days)), *_authority_files(folder))
    typer.echo(f"{folder}/ca.pem goes to the broker and to every node; {folder}/ca.key goes nowhere")


@app.command("broker")
def certify_broker(
    names: Annotated[list[str], typer.Argument(help="DNS names and addresses by which nodes reach the broker")],
    folder: Folder = _HERE,
    days: Days = 397,
) -> None:
    """Issue or renew the broker's certificate."""
    for name in names:
        if not _HOST.fullmatch(name):
            raise SettingInvalid(f"{name!r} is neither an address nor an ASCII host name")
    place = folder / "broker"
    issued = issue_broker(_authority(folder), names, Validity.of_days(days), _kept(place / "broker.key"))
    _hand_out(folder, issued, place / "broker.pem", place / "broker.key")


@app.command("node")
def certify_node(
    node: Annotated[str, typer.Argument(help="the node's name in its settings; 'controller' for the controller")],
    site: Annotated[str, typer.Option("--site", "-s", help="the site that it belongs to")] = "all",
    folder: Folder = _HERE,
    days: Days = 90,
) -> None:
    """Issue or renew the certificate of a node or of the controller."""
    for level in (node, site):
        if not is_level(level):
            raise SettingInvalid(f"{level!r} may hold only a-z, 0-9 and hyphens")
    place = folder / "nodes" / node
    issued = issue_node(_authority(folder), node, site, Validity.of_days(days), _kept(place / "node.key"))
    _hand_out(folder, issued, place / "node.pem", place / "node.key")


def _authority_files(folder: Path) -> tuple[Path, Path]:
    return folder / "ca.pem", folder / "ca.key"


def _authority(folder: Path) -> Credential:
    return load(*_authority_files(folder))


def _kept(key_file: Path) -> ec.EllipticCurvePrivateKey | None:
    """A renewal keeps the key, so that certificate and key fit while one of the two is being copied."""
    return load_key(key_file) if key_file.exists() else None


def _hand_out(folder: Path, issued: Credential, certificate_file: Path, key_file: Path) -> None:
    store(issued, certificate_file, key_file)
    shutil.copyfile(folder / "ca.pem", certificate_file.parent / "ca.pem")
    ends = issued.certificate.not_valid_after_utc
    typer.echo(
        f"{certificate_file.parent}: {certificate_file.name}, {key_file.name}, ca.pem; valid until {ends:%Y-%m-%d}"
    )
