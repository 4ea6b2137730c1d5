"""`bes box`: set a signing box up, by the person who stands beside it."""

import secrets
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from agent.settings import SignerSettings, SigningSettings
from shared import log
from shared.crypto.keys import key_id, load_or_create, parse_public
from shared.errors import BesError, SettingMissing

if TYPE_CHECKING:
    from agent.signer.keystore import Token

FAILED = 1
_KEY_ID_BYTES = 8

app = typer.Typer(help="Set up a signing box: who it is, and its keys in the token.", no_args_is_help=True)
Config = Annotated[Path, typer.Option("--config", "-c", help="the box's TOML file")]


@app.callback()
def box() -> None:
    """Set up a signing box: who it is, and its keys in the token."""
    log.configure(level="warning")


@app.command()
def identity(config: Config = Path("/etc/bes/signer.toml")) -> None:
    """Print the box's id and the public key that goes into the controller's settings; made at the first time."""
    try:
        settings = SignerSettings.load(config)
        key = load_or_create(settings.state_directory / "node.key").verify_key
    except (BesError, OSError) as error:
        raise _failed(error) from error
    typer.echo(f"{key_id(key)} {key.encode().hex()}")


@app.command("new-keys")
def new_keys(
    config: Config = Path("/etc/bes/signer.toml"),
    count: Annotated[int, typer.Option(min=1, max=1000)] = 1,
) -> None:
    """Make signing keys inside the token. Prints the lines that pin them; they belong into the box's TOML file."""
    from agent.signer.keystore import HsmKeys

    try:
        with ExitStack() as stack:
            keys = HsmKeys(_token(_signing(config), stack))
            made = [keys.generate(name, f"bes-{name}") for name in (_new_id() for _ in range(count))]
    except (BesError, OSError) as error:
        raise _failed(error) from error
    for key in made:
        typer.echo(f'[[signing.keys]]\nid = "{key.key_id}"\npublic_key = "{key.public_key.hex()}"')


@app.command("new-wrap-key")
def new_wrap_key(config: Config = Path("/etc/bes/signer.toml")) -> None:
    """Make the key inside the token that wraps Taproot keys. Prints the line of section [signing] that names it."""
    from agent.signer.keystore import WrapKey

    name = _new_id()
    try:
        with ExitStack() as stack:
            WrapKey(_token(_signing(config), stack), name).generate(f"bes-{name}")
    except (BesError, OSError) as error:
        raise _failed(error) from error
    typer.echo(f'wrap_key = "{name}"')


@app.command("new-taproot-key")
def new_taproot_key(config: Config = Path("/etc/bes/signer.toml"), purpose: str = "operating") -> None:
    """Make a key for Taproot and MuSig2, wrapped by the token and kept in the box's folder. Prints its public key."""
    from agent.signer.keystore import SoftwareKeys, WrapKey

    try:
        signing = _signing(config)
        if not signing.wrap_key:
            raise SettingMissing(f"{config}: section [signing] names no wrap_key; make it with 'bes box new-wrap-key'")
        with ExitStack() as stack:
            folder = SignerSettings.load(config).state_directory / "keys"
            made = SoftwareKeys(folder, WrapKey(_token(signing, stack), signing.wrap_key)).generate(_new_id(), purpose)
    except (BesError, OSError) as error:
        raise _failed(error) from error
    typer.echo(made.public_key.hex())


@app.command("key-book")
def key_book(file: Path, config: Config = Path("/etc/bes/signer.toml")) -> None:
    """Write the list of the pinned keys, each proven by the token, into FILE; for whoever builds a contract."""
    from agent.signer.keystore import HsmKey, HsmKeys
    from agent.signer.keystore.key_book import sealed, written

    try:
        settings, signing = SignerSettings.load(config), _signing(config)
        box_key = load_or_create(settings.state_directory / "node.key")
        pinned = [HsmKey(key.id, bytes.fromhex(key.public_key)) for key in signing.keys]
        with ExitStack() as stack:
            keys = HsmKeys(_token(signing, stack))
            keys.open(pinned)
            book = written(keys, pinned, key_id(box_key.verify_key), signing.token.serial)
        file.write_bytes(sealed(book, box_key))
    except (BesError, OSError) as error:
        raise _failed(error) from error
    typer.echo(f"{file}: {len(book.keys)} keys of box {book.box_id}")


@app.command("check-key-book")
def check_key_book(
    file: Path, public_key: Annotated[str, typer.Argument(help="the box's, as 'bes box identity' printed it")]
) -> None:
    """Check a list of keys anywhere, without a token; prints each key's id and public key."""
    from agent.signer.keystore.key_book import opened

    try:
        box = parse_public(public_key)
        book = opened(file.read_bytes(), {key_id(box): box})
    except (BesError, OSError) as error:
        raise _failed(error) from error
    for key in book.keys:
        typer.echo(f"{key.key_id} {key.public_key.hex()}")


def _signing(config: Path) -> SigningSettings:
    signing = SignerSettings.load(config).signing
    if signing is None:
        raise SettingMissing(f"{config}: section [signing] is missing; it names the token")
    return signing


def _token(signing: SigningSettings, stack: ExitStack) -> "Token":
    from agent.signer.keystore import Token, TokenAddress, read_pin

    place = signing.token
    return stack.enter_context(Token(TokenAddress(place.module, place.label, place.serial), read_pin(place.pin)))


def _new_id() -> str:
    return secrets.token_hex(_KEY_ID_BYTES)


def _failed(error: BesError | OSError) -> typer.Exit:
    typer.echo(str(error), err=True)
    return typer.Exit(FAILED)
