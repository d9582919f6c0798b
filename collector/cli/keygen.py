"""`collector keygen`: a new key pair, of which Binance gets the public part only."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from collector.cli.context import complain
from collector.errors import ConfigError, UsageError

NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL  # also refuses a link, wherever it leads


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    default=Path("binance-ed25519.pem"),
    metavar="FILE",
    help="Where to write the private key; by default binance-ed25519.pem in this folder.",
)
@click.option("--encrypt", is_flag=True, help="Ask for a passphrase that the private key is encrypted with.")
@click.option("--passphrase-file", type=click.Path(path_type=Path), metavar="FILE", help="Read the passphrase there.")
def keygen(*, out: Path, encrypt: bool, passphrase_file: Path | None) -> None:
    """Make an Ed25519 key pair: the private part into a file, the public part to stdout, to paste into Binance."""
    from collector.binance.key_pairs import new_key_pair

    target = out.expanduser().absolute()
    with suppress(OSError):  # asked before a passphrase is; what counts is the check when it is opened
        if target.exists():
            raise _is_there(target)
    passphrase = _passphrase(encrypt=encrypt, file=passphrase_file)
    pair = new_key_pair(passphrase)
    _write(target, pair.private_pem)
    click.echo(pair.public_pem, nl=False)
    complain(f"the private key is in {target}, readable by you alone: keep a copy in a safe place")
    complain(
        "paste the public key above into Binance: API Management, Create API, Self-generated; "
        "allow that key nothing but reading"
    )
    encrypted = "" if passphrase is None else " and its passphrase as passphrase_file"
    complain(
        "then configure the API key that Binance shows as api_key, "
        f"this file as private_key_file{encrypted}, and run `collector check`"
    )


def _passphrase(*, encrypt: bool, file: Path | None) -> str | None:
    from collector.config.secretfiles import read_secret

    if encrypt and file:
        raise UsageError("the passphrase comes either from --passphrase-file or from you (--encrypt): take one away")
    if file:
        try:
            return read_secret(file.expanduser())
        except ValueError as e:
            raise ConfigError(f"--passphrase-file {e}") from None
    return _asked() if encrypt else None


def _asked() -> str:
    if not sys.stdin.isatty():
        raise UsageError("there is no terminal to ask for a passphrase: give --passphrase-file instead of --encrypt")
    text = str(click.prompt("passphrase", hide_input=True, confirmation_prompt=True, err=True))
    if text != text.strip():
        raise UsageError("the passphrase begins or ends with a blank, which a configuration would lose: choose another")
    return text


def _write(path: Path, private_pem: str) -> None:
    try:
        descriptor = os.open(path, NEW_FILE, 0o600)
    except FileExistsError:
        raise _is_there(path) from None
    except OSError as e:
        raise ConfigError(f"the file {path} can't be made: {e.strerror}") from e
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(private_pem)
            file.flush()
            os.fchmod(descriptor, 0o600)  # the umask may have taken too much
            os.fsync(descriptor)
    except OSError as e:
        path.unlink(missing_ok=True)
        raise ConfigError(f"the file {path} can't be written: {e.strerror}") from e


def _is_there(path: Path) -> UsageError:
    return UsageError(f"{path} is there already, and a private key is never overwritten: choose another --out")
