"""`collector keygen`: the private key stays in a file of its own, and only the public one is shown."""

import os
import pty
import stat
import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key, load_pem_public_key

from collector.binance.client import BinanceClient, Credentials, wall_clock_ms
from collector.binance.signing import load_private_key
from collector.sandbox.accounts import ed25519_account
from collector.sandbox.server import Sandbox
from tests.processes import COMMAND, NOWHERE, clean_environment, collector


def pair_of(file: Path, public_pem: str, passphrase: bytes | None = None) -> bool:
    """Whether the file holds the private half of the public key."""
    key = load_pem_private_key(file.read_bytes(), passphrase)
    assert isinstance(key, Ed25519PrivateKey)
    return key.public_key() == load_pem_public_key(public_pem.encode())


def lines_of(pem: str) -> list[str]:
    """The lines of a PEM that are the key."""
    return [line for line in pem.splitlines() if line and not line.startswith("-----")]


def test_the_file_has_the_private_key_and_stdout_the_public_one(tmp_path: Path) -> None:
    """The public part can be piped into a file, and nothing private is ever printed."""
    done = collector("keygen", "--out", "main.pem", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    private = (tmp_path / "main.pem").read_text()
    assert done.stdout.startswith("-----BEGIN PUBLIC KEY-----\n")
    assert done.stdout.endswith("-----END PUBLIC KEY-----\n")
    assert private.startswith("-----BEGIN PRIVATE KEY-----\n")
    assert pair_of(tmp_path / "main.pem", done.stdout)
    assert not [line for line in lines_of(private) if line in done.stdout + done.stderr]


def test_only_its_owner_can_read_the_file_whatever_the_umask(tmp_path: Path) -> None:
    """A private key that others can read is none."""
    for umask in (0o000, 0o077, 0o777):
        before = os.umask(umask)
        try:
            done = collector("keygen", "--out", f"{umask}.pem", cwd=tmp_path)
        finally:
            os.umask(before)
        assert done.returncode == 0, done.stderr
        assert stat.S_IMODE((tmp_path / f"{umask}.pem").stat().st_mode) == 0o600


def test_stderr_says_what_to_do_next(tmp_path: Path) -> None:
    """The pair is worth nothing before Binance and the configuration know it."""
    done = collector("keygen", cwd=tmp_path)
    where, paste, configure = done.stderr.splitlines()
    assert where == (
        f"collector: the private key is in {tmp_path}/binance-ed25519.pem, readable by you alone:"
        " keep a copy in a safe place"
    )
    assert paste == (
        "collector: paste the public key above into Binance: API Management, Create API, Self-generated;"
        " allow that key nothing but reading"
    )
    assert configure == (
        "collector: then configure the API key that Binance shows as api_key, this file as private_key_file,"
        " and run `collector check`"
    )


def test_each_pair_is_a_new_one(tmp_path: Path) -> None:
    """It comes from the system's random numbers."""
    first, second = (collector("keygen", "--out", name, cwd=tmp_path).stdout for name in ("a", "b"))
    assert first != second


@pytest.mark.parametrize("what", ["file", "folder", "link", "dangling link"])
def test_nothing_is_ever_overwritten(tmp_path: Path, what: str) -> None:
    """A private key that is lost can't be made again, and a link might lead anywhere."""
    target, elsewhere = tmp_path / "main.pem", tmp_path / "elsewhere"
    if what != "dangling link":
        elsewhere.write_text("precious")
    match what:
        case "file":
            elsewhere.rename(target)
        case "folder":
            target.mkdir()
        case _:
            target.symlink_to(elsewhere)
    done = collector("keygen", "--out", str(target))
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"collector: {target} is there already, and a private key is never overwritten: choose another --out\n"
    )
    assert what == "folder" or not elsewhere.exists() or elsewhere.read_text() == "precious"
    assert what != "dangling link" or not elsewhere.exists()


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    """A misspelt path is a user's mistake."""
    done = collector("keygen", "--out", "nowhere/main.pem", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"collector: the file {tmp_path}/nowhere/main.pem can't be made: No such file or directory\n"
    long = "x" * 300
    done = collector("keygen", "--out", long, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"collector: the file {tmp_path}/{long} can't be made: File name too long\n"


def test_a_full_disk_leaves_no_half_of_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that is there would be kept and configured."""
    from collector.cli import keygen  # noqa: PLC0415 - as the command line imports it
    from collector.errors import ConfigError  # noqa: PLC0415

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(ConfigError, match=r"main\.pem can't be written: No space left on device"):
        keygen._write(tmp_path / "main.pem", "half of a key")
    assert list(tmp_path.iterdir()) == []


def test_a_passphrase_from_a_file_encrypts_the_key(tmp_path: Path) -> None:
    """As the configuration reads it: without blanks and line ends around it."""
    (tmp_path / "words").write_text("  correct horse \n")
    done = collector("keygen", "--passphrase-file", "words", "--out", "main.pem", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "main.pem").read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n")
    assert pair_of(tmp_path / "main.pem", done.stdout, b"correct horse")
    assert "this file as private_key_file and its passphrase as passphrase_file, and run" in done.stderr


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "names words, which can't be read: No such file or directory"),
        ("\n", "names words, which is empty"),
    ],
)
def test_a_passphrase_file_without_a_passphrase_is_refused(tmp_path: Path, content: str | None, sentence: str) -> None:
    """The key would be readable by whoever finds it, against its owner's wish."""
    if content is not None:
        (tmp_path / "words").write_text(content)
    done = collector("keygen", "--passphrase-file", "words", "--out", "main.pem", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == f"collector: --passphrase-file {sentence}\n"
    assert not (tmp_path / "main.pem").exists()


def test_two_sources_of_a_passphrase_are_refused(tmp_path: Path) -> None:
    """Nobody could tell later which one it was."""
    done = collector("keygen", "--encrypt", "--passphrase-file", "words", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert "take one away" in done.stderr


def test_without_a_terminal_nobody_is_asked(tmp_path: Path) -> None:
    """A script must not hang, nor echo what is typed."""
    done = subprocess.run(
        [*COMMAND, "keygen", "--encrypt"],
        env=clean_environment(),
        cwd=tmp_path,
        input="words\nwords\n",
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "there is no terminal to ask for a passphrase" in done.stderr
    assert list(tmp_path.iterdir()) == []


def typed(tmp_path: Path, *answers: str) -> tuple[int, str, str]:
    """Exit code, stdout, and what the terminal showed when `keygen --encrypt` was answered like this."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [*COMMAND, "keygen", "--encrypt", "--out", "main.pem"],
        env=clean_environment(),
        cwd=tmp_path,
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=theirs,
        start_new_session=True,  # else getpass would ask the terminal of whoever runs the tests
    )
    os.close(theirs)
    shown = b""
    for answer in answers:
        while not shown.endswith(b": "):
            shown += os.read(ours, 1024)
        os.write(ours, f"{answer}\n".encode())
        shown += b"\n"
    out, _ = process.communicate(timeout=60)
    shown += _rest(ours)
    os.close(ours)
    return process.returncode, out.decode(), shown.decode()


def _rest(descriptor: int) -> bytes:
    rest = b""
    while True:
        try:
            read = os.read(descriptor, 1024)
        except OSError:  # nobody writes any more
            return rest
        if not read:
            return rest
        rest += read


def test_a_passphrase_is_asked_for_twice_and_not_shown(tmp_path: Path) -> None:
    """A slip of a finger would lock the key for ever."""
    code, public, shown = typed(tmp_path, "correct horse", "corect horse", "correct horse", "correct horse")
    assert code == 0, shown
    assert pair_of(tmp_path / "main.pem", public, b"correct horse")
    assert "do not match" in shown
    assert "horse" not in shown


def test_a_passphrase_that_a_configuration_would_lose_is_refused(tmp_path: Path) -> None:
    """There, blanks around a secret are ignored."""
    code, public, shown = typed(tmp_path, "correct horse ", "correct horse ")
    assert (code, public) == (2, "")
    assert "begins or ends with a blank" in shown
    assert not (tmp_path / "main.pem").exists()


@pytest.mark.parametrize("passphrase", [None, "correct horse"])
def test_the_exchange_accepts_what_the_key_signs(tmp_path: Path, passphrase: str | None) -> None:
    """From the new file to a snapshot: the private half here, the public half at the exchange."""
    options = []
    if passphrase:
        (tmp_path / "words").write_text(passphrase)
        options = ["--passphrase-file", "words"]
    public = collector("keygen", "--out", "main.pem", *options, cwd=tmp_path).stdout
    account = ed25519_account("main", public_key_pem=public)
    signer = load_private_key((tmp_path / "main.pem").read_bytes(), passphrase)
    with Sandbox([account]) as exchange, BinanceClient(exchange.base_url) as client:
        credentials = Credentials(api_key=account.api_key, signer=signer)
        reply = client.fetch_user_assets(credentials, deadline_ms=wall_clock_ms() + 20_000)
    assert reply.snapshot.balances


def test_each_option_is_a_variable_too(tmp_path: Path) -> None:
    """As for every command."""
    (tmp_path / "words").write_text("correct horse")
    done = collector(
        "keygen",
        env={"COLLECTOR_KEYGEN_OUT": "main.pem", "COLLECTOR_KEYGEN_PASSPHRASE_FILE": "words", "HOME": NOWHERE},
        cwd=tmp_path,
    )
    assert pair_of(tmp_path / "main.pem", done.stdout, b"correct horse")
