"""Settings from all sources: which one wins, and what is refused."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from collector.config.loading import default_database_file, find_config, load, user_config_file
from collector.config.values import Secret, Settings
from collector.errors import ConfigError, UsageError

PEM = "-----BEGIN PRIVATE KEY-----\nMC4CAQ==\n-----END PRIVATE KEY-----"
KEYS = 'api_key = "k"\napi_secret = "s"\n'
MAIN = {"BINANCE_API_KEY": "envkey", "BINANCE_API_SECRET": "envsecret"}


@pytest.fixture(autouse=True)
def _nothing_of_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No configuration but the test's own."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "etc"))
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setattr("collector.config.loading.SYSTEM_FILE", tmp_path / "system.toml")
    monkeypatch.chdir(tmp_path)


class Files:
    """Writes files of one test, and loads them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def write(self, name: str, text: str | bytes, mode: int = 0o600) -> Path:
        path = self.folder / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        path.chmod(mode)
        return path

    def load(
        self, toml: str, environ: Mapping[str, str] | None = None, flags: Mapping[str, str] | None = None
    ) -> Settings:
        return load(path=self.write("conf/config.toml", toml), environ=environ or {}, flags=flags)

    def refusal(self, toml: str, environ: Mapping[str, str] | None = None) -> str:
        """The sentence, with the configuration file's path as FILE."""
        with pytest.raises(ConfigError) as caught:
            self.load(toml, environ)
        assert "\n" not in str(caught.value)
        return str(caught.value).replace(str(self.folder / "conf/config.toml"), "FILE")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    """Files below the test's own folder."""
    return Files(tmp_path)


def source_of(settings: Settings, key: str) -> tuple[object, str]:
    """What `config show` tells of a key."""
    return next((line.value, line.source) for line in settings.sources if line.key == key)


def test_nothing_needs_to_be_configured_for_the_defaults(tmp_path: Path) -> None:
    """Reports work on the default database without any file."""
    settings = load(environ={})
    assert settings.interval_s == 300
    assert settings.database == f"sqlite:///{tmp_path}/data/collector/collector.db"
    assert settings.log_level == "info"
    assert settings.workers == 1
    assert settings.accounts == ()
    assert settings.binance.base_url == "https://api.binance.com"
    assert settings.binance.recv_window_ms == 5000
    assert settings.binance.weight_per_minute == 12_000
    assert settings.binance.headroom == 0.05
    assert settings.binance.btc_valuation is True
    assert settings.binance.allow_plain_http is False
    assert settings.config_file is None
    assert settings.warnings == ()
    assert {line.source for line in settings.sources} == {"default"}


def test_every_plain_key_can_stand_in_the_file(files: Files) -> None:
    """The file alone is enough."""
    settings = files.load(
        'interval = "30s"\ndatabase = "postgresql://u:pw@h/db"\nlog_level = "DEBUG"\nworkers = 7\n'
        '[binance]\nbase_url = "http://127.0.0.1:1/"\nrecv_window_ms = 60000\nweight_per_minute = 6000\n'
        "headroom = 0\nbtc_valuation = false\nallow_plain_http = true\n"
    )
    assert (settings.interval_s, settings.log_level, settings.workers) == (30, "debug", 7)
    assert settings.database == "postgresql+psycopg://u:pw@h/db"
    assert settings.binance.base_url == "http://127.0.0.1:1"
    assert settings.binance.recv_window_ms == 60_000
    assert settings.binance.weight_per_minute == 6000
    assert settings.binance.headroom == 0.0
    assert settings.binance.btc_valuation is False
    assert settings.binance.allow_plain_http is True
    assert settings.warnings == ()


def test_every_plain_key_can_stand_in_the_environment() -> None:
    """Containers have no file."""
    settings = load(
        environ={
            "COLLECTOR_INTERVAL": "1h",
            "COLLECTOR_DATABASE": "x.db",
            "COLLECTOR_LOG_LEVEL": "error",
            "COLLECTOR_WORKERS": "9",
            "COLLECTOR_BINANCE__BASE_URL": "https://api1.binance.com",
            "COLLECTOR_BINANCE__RECV_WINDOW_MS": "1000",
            "COLLECTOR_BINANCE__WEIGHT_PER_MINUTE": "100",
            "COLLECTOR_BINANCE__HEADROOM": "0.5",
            "COLLECTOR_BINANCE__BTC_VALUATION": "off",
            "COLLECTOR_BINANCE__ALLOW_PLAIN_HTTP": "yes",
        }
    )
    assert (settings.interval_s, settings.log_level, settings.workers) == (3600, "error", 9)
    assert settings.database == f"sqlite:///{Path.cwd()}/x.db"
    assert settings.binance.base_url == "https://api1.binance.com"
    assert settings.binance.recv_window_ms == 1000
    assert settings.binance.weight_per_minute == 100
    assert settings.binance.headroom == 0.5
    assert settings.binance.btc_valuation is False
    assert settings.binance.allow_plain_http is True


def test_a_flag_beats_the_environment_which_beats_the_file_which_beats_the_default(files: Files) -> None:
    """What is nearer to the user's fingers wins, and each value tells where it came from."""
    toml, environ, flags = 'interval = "1m"', {"COLLECTOR_INTERVAL": "2m"}, {"interval": "3m"}
    assert source_of(files.load(toml, environ, flags), "interval") == ("3m", "--interval")
    assert source_of(files.load(toml, environ), "interval") == ("2m", "COLLECTOR_INTERVAL")
    assert source_of(files.load(toml), "interval") == ("1m", str(files.folder / "conf/config.toml"))
    assert source_of(files.load(""), "interval") == ("5m", "default")


def test_an_empty_variable_counts_as_unset() -> None:
    """Compose files hand on variables that nobody set."""
    assert load(environ={"COLLECTOR_INTERVAL": "", "BINANCE_API_KEY": " "}) == load(environ={})


def test_a_relative_database_starts_at_the_file_that_names_it(files: Files) -> None:
    """The same file means the same database from every folder; on the command line a path means what a shell means."""
    assert files.load('database = "c.db"').database == f"sqlite:///{files.folder}/conf/c.db"
    assert load(environ={}, flags={"database": "c.db"}).database == f"sqlite:///{files.folder}/c.db"


def test_the_database_may_stand_in_a_secret_file(files: Files) -> None:
    """Its password is a secret like any other."""
    files.write("conf/url", "postgresql://u:pw@h/db\n")
    settings = files.load('database_file = "url"')
    assert settings.database == "postgresql+psycopg://u:pw@h/db"
    config = files.folder / "conf/config.toml"
    assert source_of(settings, "database") == (
        "postgresql+psycopg://u:***@h/db",
        f"{files.folder}/conf/url (database_file in {config})",
    )
    environ = {"COLLECTOR_DATABASE_FILE": str(files.folder / "conf/url")}
    assert load(environ=environ).database == "postgresql+psycopg://u:pw@h/db"


def test_no_text_of_settings_holds_a_secret(files: Files) -> None:
    """Settings end up in logs and tracebacks."""
    settings = files.load('database = "postgresql://u:hunter2@h/db"\n[accounts.a]\napi_key = "kkk"\napi_secret = "sss"')
    for text in (repr(settings), str(settings), f"{settings.accounts}", repr(settings.sources)):
        assert "hunter2" not in text
        assert "kkk" not in text
        assert "sss" not in text
    assert settings.database_shown == "postgresql+psycopg://u:***@h/db"


def test_a_secret_shows_itself_only_when_asked() -> None:
    """Everything that prints a value calls str, repr or format."""
    secret = Secret("text")
    assert (str(secret), repr(secret), f"{secret}", f"{secret!r:>5}") == ("***", "***", "***", "  ***")
    assert secret.reveal() == "text"
    assert secret == Secret("text")
    assert secret != Secret("other")
    assert secret != "text"
    assert len({secret, Secret("text")}) == 1


# --- accounts


def test_accounts_are_tables_sorted_by_name(files: Files) -> None:
    """Their order must not depend on the file's."""
    settings = files.load(
        f'[accounts.z]\n{KEYS}asset = "BTC"\npaused = true\n'
        f'[accounts."a.b"]\napi_key = "k2"\nprivate_key = """\n{PEM}\n"""\npassphrase = "p w"\n'
    )
    first, second = settings.accounts
    assert (first.name, second.name) == ("a.b", "z")
    assert first.private_key == Secret(PEM)
    assert first.passphrase == Secret("p w")
    assert (first.api_secret, first.asset, first.paused) == (None, None, False)
    assert (second.api_key, second.api_secret, second.private_key) == (Secret("k"), Secret("s"), None)
    assert (second.asset, second.paused) == ("BTC", True)


def test_binance_variables_alone_make_the_account_main() -> None:
    """The shortest start needs no file."""
    settings = load(environ=MAIN)
    (account,) = settings.accounts
    assert (account.name, account.api_key, account.api_secret) == ("main", Secret("envkey"), Secret("envsecret"))
    assert source_of(settings, "accounts.main.api_secret") == ("***", "BINANCE_API_SECRET")
    assert source_of(settings, "accounts.main.paused") == (False, "default")


def test_binance_variables_may_name_files(files: Files) -> None:
    """A private key is a file by nature."""
    environ = {
        "BINANCE_API_KEY_FILE": str(files.write("key", "\ufeffkkk \r\n")),
        "BINANCE_PRIVATE_KEY_FILE": str(files.write("pem", PEM + "\n")),
        "BINANCE_PRIVATE_KEY_PASSPHRASE": "pp",
    }
    (account,) = load(environ=environ).accounts
    assert account.api_key == Secret("kkk")
    assert account.private_key == Secret(PEM)
    assert account.passphrase == Secret("pp")


def test_a_private_key_may_stand_in_a_variable_with_written_line_ends() -> None:
    """Environment files have one line for each variable."""
    environ = {"BINANCE_API_KEY": "k", "BINANCE_PRIVATE_KEY": PEM.replace("\n", "\\n")}
    assert load(environ=environ).accounts[0].private_key == Secret(PEM)


def test_the_environment_completes_an_account_of_the_file(files: Files) -> None:
    """The file may be public while the secret is not; case and punctuation can't stand in a variable's name."""
    settings = files.load(
        '[accounts.My-Fund]\napi_key = "k"\nasset = "BTC"\n',
        {"COLLECTOR_ACCOUNTS__MY_FUND__API_SECRET": "s", "COLLECTOR_ACCOUNTS__MY_FUND__ASSET": "ETH"},
    )
    (account,) = settings.accounts
    assert (account.name, account.api_secret, account.asset) == ("My-Fund", Secret("s"), "ETH")


def test_an_account_of_the_environment_alone_has_a_small_name() -> None:
    """Variables are written in capitals, names are not; a name may hold two underscores."""
    environ = {"COLLECTOR_ACCOUNTS__MY__FUND__API_KEY": "k", "COLLECTOR_ACCOUNTS__MY__FUND__API_SECRET": "s"}
    assert load(environ=environ).accounts[0].name == "my__fund"


def test_binance_variables_complete_the_account_main_beside_others(files: Files) -> None:
    """They mean the account main, wherever it is declared."""
    settings = files.load(f'[accounts.main]\nasset = "BTC"\n[accounts.other]\n{KEYS}', MAIN)
    assert [account.name for account in settings.accounts] == ["main", "other"]
    assert settings.accounts[0].api_key == Secret("envkey")


def test_binance_variables_do_not_add_an_account_beside_configured_ones(files: Files) -> None:
    """They are often there for another program, and would join a stranger's wallet."""
    assert files.refusal(f"[accounts.other]\n{KEYS}", MAIN) == (
        "BINANCE_API_KEY belongs to the account main, but only other is configured: unset it, or add [accounts.main]"
    )


def test_there_are_as_many_workers_as_accounts_up_to_32(files: Files) -> None:
    """More threads than accounts would idle."""
    tables = [f"[accounts.a{n}]\n{KEYS}" for n in range(40)]
    assert files.load("".join(tables[:5])).workers == 5
    assert files.load("".join(tables)).workers == 32
    assert files.load("".join(["workers = 3\n", *tables])).workers == 3


def test_a_reader_of_the_database_needs_no_secrets(files: Files) -> None:
    """Reports may run as a user who can't read the keys."""
    config = files.write("config.toml", '[accounts.a]\napi_key_file = "/nowhere"\n')
    settings = load(path=config, environ={}, accounts=False)
    assert settings.accounts == ()
    assert all(not line.key.startswith("accounts") for line in settings.sources)


def test_collecting_without_any_account_says_how_to_add_one() -> None:
    """It is what everybody meets first."""
    with pytest.raises(ConfigError, match="no account is configured: set BINANCE_API_KEY and BINANCE_API_SECRET"):
        load(environ={}).require_accounts()
    settings = load(environ=MAIN)
    assert settings.require_accounts() == settings.accounts


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ('[accounts.main]\napi_secret = "s"', "account main has no api_key: set api_key or api_key_file in "),
        ('[accounts.main]\nasset = "BTC"', "or BINANCE_API_KEY"),
        ('[accounts.a-b]\nasset = "BTC"', "or COLLECTOR_ACCOUNTS__A_B__API_KEY"),
        (
            '[accounts.main]\napi_key = "k"',
            (
                "account main has accounts.main.api_key in FILE but neither an api_secret nor a private_key: "
                "set api_secret or api_secret_file in [accounts.main], or BINANCE_API_SECRET, or its private_key"
            ),
        ),
        (
            f'[accounts.a]\n{KEYS}private_key = "{PEM.splitlines()[0]}"',
            "account a has accounts.a.api_secret in FILE and accounts.a.private_key in FILE: remove one",
        ),
        (f'[accounts.a]\n{KEYS}passphrase = "p"', "accounts.a.passphrase in FILE but no private_key"),
        (
            f'[accounts.a]\n{KEYS}api_key_file = "x"',
            "accounts.a.api_key in FILE and accounts.a.api_key_file in FILE both give api_key: remove one",
        ),
        ('[accounts.a]\napi_key = ""', "accounts.a.api_key in FILE must not be empty"),
        ('[accounts.a]\napi_key = "PASTE-THE-API-KEY"', "accounts.a.api_key in FILE is still the placeholder"),
        ("[accounts.a]\napi_key = 5", "accounts.a.api_key in FILE must be text in quotes, not a whole number"),
        ("[accounts.a]\napi_key_file = 5", "accounts.a.api_key_file in FILE must be text in quotes"),
        ('[accounts.a]\napi_key = "k"\npaused = "no"', "accounts.a.paused in FILE must be true or false"),
        ('[accounts."a b"]', "accounts.a b in FILE has a name that can't be used: it must be up to 64 letters"),
        (
            f"[accounts.a-b]\n{KEYS}[accounts.A_b]\n{KEYS}",
            "accounts a-b and A_b in FILE are too much alike: rename one",
        ),
        ("accounts = 5", "accounts in FILE must be a table, like [accounts.main]"),
        ("[accounts]\nmain = 5", "accounts.main in FILE must be a table, like [accounts.main]"),
        ("binance = 5", "binance in FILE must be a table, like [binance]"),
        (f"[accounts.a.b]\n{KEYS}", """unknown key 'accounts.a.b' in FILE: quote a name that has dots"""),
        ('[accounts.a]\napi_keys = "k"', "unknown key 'accounts.a.api_keys' in FILE: did you mean 'api_key'?"),
        ('intervall = "5m"', "unknown key 'intervall' in FILE: did you mean 'interval'?"),
        ("zzz = 1", "unknown key 'zzz' in FILE: known are accounts, binance, binance.allow_plain_http,"),
        ("[account.a]", "unknown key 'account' in FILE: did you mean 'accounts'?"),
        (
            "[binance]\nrecv_window = 5",
            "unknown key 'binance.recv_window' in FILE: did you mean 'binance.recv_window_ms'?",
        ),
        ("prices = 'USDT'", "prices in FILE must be a list, not text in quotes"),
        (
            "prices = [1]",
            'prices in FILE must be codes of currencies in capital letters and digits, like ["USDT", "EUR"]',
        ),
        ("prices = ['usdt']", 'like ["USDT", "EUR"]; \'usdt\' is none'),
        ("prices = ['EUR', 'USDT', 'EUR']", "prices in FILE must not name a currency twice"),
        (f"prices = {[f'A{n}' for n in range(11)]}", "prices in FILE must name at most 10 currencies"),
        ("interval_file = 'x'", "unknown key 'interval_file' in FILE"),
        ("interval = 300", "interval in FILE must be text in quotes, not a whole number"),
        ("interval = '5 minutes'", "interval in FILE must be whole seconds, minutes, hours or days"),
        ("interval = 2024-01-01", "interval in FILE must be text in quotes, not a date or time"),
        ("[binance]\nrecv_window_ms = 60001", "binance.recv_window_ms in FILE must be from 1 to 60000; it is 60001"),
        ("a = \nb = 1", "the configuration file FILE is not valid TOML: invalid value (at line 1, column 5)"),
        ("x = " + "[" * 20_000, "the configuration file FILE is not valid TOML"),
        ("\n" + "a." * 201 + "a = 1", "line 2 of the configuration file FILE has more than 200 dots"),
        ("# " + "." * 300 + "\na.b = 1", "unknown key 'a' in FILE"),
        ("workers = " + "9" * 5000, "the configuration file FILE holds a number that is far too long"),
        ("database = 'mysql://h'", "database in FILE must be sqlite:///FILE or postgresql://USER@HOST/NAME"),
        (
            "database = 'a'\ndatabase_file = 'b'",
            "database in FILE and database_file in FILE both give database: remove one",
        ),
        ("database_file = 'nowhere'", "database_file in FILE names "),
    ],
)
def test_a_mistake_in_the_file_is_named_with_its_key(files: Files, toml: str, sentence: str) -> None:
    """One sentence has to be enough to mend it."""
    assert sentence in files.refusal(toml)


@pytest.mark.parametrize(
    ("environ", "sentence"),
    [
        (
            {"COLLECTOR_INTERVALL": "5m"},
            "unknown environment variable COLLECTOR_INTERVALL: did you mean 'COLLECTOR_INTERVAL'?",
        ),
        ({"COLLECTOR_INTER\rVAL": "1m"}, r"unknown environment variable 'COLLECTOR_INTER\rVAL': "),
        ({"COLLECTOR_binance__base_url": "x"}, "unknown environment variable COLLECTOR_binance__base_url: "),
        (
            {"COLLECTOR_ACCOUNTS__A__APIKEY": "k"},
            (
                "unknown environment variable COLLECTOR_ACCOUNTS__A__APIKEY: did you mean "
                "'COLLECTOR_ACCOUNTS__A__API_KEY'?"
            ),
        ),
        ({"COLLECTOR_ACCOUNTS__API_KEY": "k"}, "unknown environment variable COLLECTOR_ACCOUNTS__API_KEY"),
        ({"COLLECTOR_ACCOUNTS__a b__API_KEY": "k"}, "the account in COLLECTOR_ACCOUNTS__a b__API_KEY has a name"),
        ({"COLLECTOR_WORKERS": "many"}, "COLLECTOR_WORKERS must be a whole number; it is 'many'"),
        ({"COLLECTOR_DATABASE": "mysql://u:hunter2@h"}, "COLLECTOR_DATABASE must be sqlite:///FILE or postgresql://"),
        ({"COLLECTOR_DATABASE": "postgresql://u:hunter2@@h"}, "COLLECTOR_DATABASE must be like postgresql://"),
        ({"BINANCE_API_KEY": "k"}, "account main has BINANCE_API_KEY but neither an api_secret nor a private_key"),
        ({"BINANCE_API_SECRET": "s"}, "account main has no api_key"),
        (
            {**MAIN, "BINANCE_API_SECRET_FILE": "x"},
            "BINANCE_API_SECRET and BINANCE_API_SECRET_FILE both give api_secret: remove one",
        ),
        (
            {**MAIN, "COLLECTOR_ACCOUNTS__MAIN__API_KEY": "k"},
            "BINANCE_API_KEY and COLLECTOR_ACCOUNTS__MAIN__API_KEY both give api_key: remove one",
        ),
        ({**MAIN, "BINANCE_API_KEY": "hunter2 x"}, "BINANCE_API_KEY must be letters and digits without blanks"),
        ({"COLLECTOR_DATABASE": "a", "COLLECTOR_DATABASE_FILE": "b"}, "both give database: remove one"),
        ({"CREDENTIALS_DIRECTORY": "/nowhere"}, "the folder /nowhere in CREDENTIALS_DIRECTORY can't be read"),
        (
            {"COLLECTOR_CONFIG": "/nowhere.toml"},
            (
                "the configuration file /nowhere.toml named by COLLECTOR_CONFIG does not exist: write it with "
                "`collector config init --path /nowhere.toml`"
            ),
        ),
    ],
)
def test_a_mistake_in_the_environment_is_named_with_its_variable(environ: dict[str, str], sentence: str) -> None:
    """A misspelt variable would silently do nothing, and no value of a secret may be shown."""
    with pytest.raises(ConfigError) as caught:
        load(environ=environ)
    assert sentence in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert caught.value.__cause__ is None or "hunter2" not in str(caught.value.__cause__)


def test_two_sources_for_a_secret_of_an_account_are_refused_wherever_they_are(files: Files) -> None:
    """Nobody can tell which wallet was meant; both are named."""
    assert files.refusal(f"[accounts.main]\n{KEYS}", {"BINANCE_API_SECRET": "other"}) == (
        "BINANCE_API_SECRET and accounts.main.api_secret in FILE both give api_secret: remove one"
    )


def test_a_stronger_source_may_replace_the_database(files: Files) -> None:
    """`--database other.db` has to work beside a configured one, and so has a file in the environment."""
    url = files.write("url", "sqlite:////from-file.db")
    environ = {"COLLECTOR_DATABASE_FILE": str(url)}
    assert files.load('database = "postgresql://u:pw@h/db"', environ).database == "sqlite:////from-file.db"
    settings = files.load('database = "a"', environ, {"database": "/flag.db"})
    assert source_of(settings, "database") == ("sqlite:////flag.db", "--database")


def test_a_wrong_flag_is_a_mistake_of_usage() -> None:
    """It ends with 2 as any wrong flag does."""
    with pytest.raises(UsageError, match="--log-level must be debug, info, warning or error; it is 'loud'"):
        load(environ={}, flags={"log_level": "loud"})


@pytest.mark.parametrize(
    "variable",
    [
        "COLLECTOR_SERVICE_HOST",
        "COLLECTOR_SERVICE_PORT_HTTP",
        "COLLECTOR_PORT",
        "COLLECTOR_PORT_80_TCP_ADDR",
        "COLLECTOR_TEST_POSTGRES",
        "BINANCE_TESTNET",
        "PATH",
    ],
)
def test_variables_of_others_are_left_alone(variable: str) -> None:
    """Kubernetes sets some of them for a service that happens to be called collector."""
    assert load(environ={variable: "tcp://10.0.0.1:80"}) == load(environ={})


# --- the file


def test_the_file_is_looked_for_in_three_places(tmp_path: Path, files: Files) -> None:
    """Named by a variable, the user's own, the machine's: the first that is there."""
    assert find_config(None, {}) is None
    system = files.write("system.toml", "")
    assert find_config(None, {}) == system
    own = files.write("etc/collector/config.toml", "")
    assert user_config_file() == own
    assert find_config(None, {}) == own
    named = files.write("named.toml", "")
    assert find_config(None, {"COLLECTOR_CONFIG": "named.toml"}) == Path("named.toml")
    assert find_config(named, {"COLLECTOR_CONFIG": "/nowhere"}) == named
    assert default_database_file() == tmp_path / "data/collector/collector.db"


def test_a_file_named_by_a_flag_must_be_there() -> None:
    """A typo must not fall back to the defaults."""
    with pytest.raises(ConfigError, match=r"configuration file nowhere\.toml named by --config does not exist"):
        load(path=Path("nowhere.toml"), environ={})


def test_a_file_that_can_not_be_looked_at_is_a_sentence() -> None:
    """/etc/collector is often closed to others; here, as root may look everywhere, a name is too long."""
    name = "x" * 300
    with pytest.raises(ConfigError, match=rf"^the configuration file {name} can't be read: File name too long$"):
        load(path=Path(name), environ={})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(b"\xff\xfe", "is not UTF-8 text"), (None, "can't be read: Is a directory")],
)
def test_a_file_that_is_no_text_is_refused(tmp_path: Path, content: bytes | None, sentence: str) -> None:
    """Editors write UTF-16, and paths may be folders."""
    path = tmp_path / "c.toml"
    if content is None:
        path.mkdir()
    else:
        path.write_bytes(content)
    with pytest.raises(ConfigError, match=sentence):
        load(path=path, environ={})


def test_a_file_without_end_is_refused(tmp_path: Path) -> None:
    """A device, or the database itself, must not fill the memory before anybody is told of the mistake."""
    with pytest.raises(ConfigError, match=r"^the configuration file /dev/zero is longer than 4 MiB: name another one$"):
        load(path=Path("/dev/zero"), environ={})
    (tmp_path / "c.toml").write_text("#" * (4 * 2**20 - 1) + "\n")
    assert load(path=tmp_path / "c.toml", environ={}).interval_s == 300


def test_a_byte_order_mark_does_no_harm(files: Files) -> None:
    """Some editors put it there unasked."""
    assert files.load('\ufeffinterval = "1m"').interval_s == 60


# --- secret files


def test_a_relative_secret_file_starts_at_the_configuration(files: Files) -> None:
    """File and secrets can be moved together."""
    files.write("conf/s/secret", "sss\n")
    settings = files.load('[accounts.a]\napi_key = "k"\napi_secret_file = "s/secret"\n')
    assert settings.accounts[0].api_secret == Secret("sss")
    config = files.folder / "conf/config.toml"
    assert source_of(settings, "accounts.a.api_secret") == (
        "***",
        f"{files.folder}/conf/s/secret (accounts.a.api_secret_file in {config})",
    )


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b" \n", "which is empty"),
        (b"\xff", "which is not UTF-8 text"),
        (b"x" * 65_537, "which is too long for a secret"),
        (b"two words", "whose text must be letters and digits without blanks"),
        (b"PASTE-x", "whose text is still the placeholder"),
        (None, "which can't be read: No such file or directory"),
    ],
)
def test_a_secret_file_that_is_no_secret_is_named(files: Files, content: bytes | None, sentence: str) -> None:
    """The variable, the file, and what is wrong with it; never what it holds."""
    path = files.folder / "secret"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        load(environ={"BINANCE_API_KEY_FILE": str(path)})
    assert str(caught.value).startswith(f"BINANCE_API_KEY_FILE names {path}, {sentence}")
    assert "two words" not in str(caught.value)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_file_that_others_can_read_gives_one_warning(files: Files, mode: int) -> None:
    """It is a mistake that works, so nothing else would ever tell."""
    secret = files.write("secret", "sss", mode)
    toml = f'[accounts.a]\napi_key_file = "{secret}"\napi_secret_file = "{secret}"\n'
    assert files.load(toml).warnings == (f"others can read {secret}, which holds a secret: chmod 600 {secret}",)


def test_a_group_may_read_the_file_of_somebody_else(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    """root:collector 0640 is how a secret is handed to a service; chmod 600 would take it away."""
    files.write("conf/secret", "sss", 0o640)
    monkeypatch.setattr(os, "geteuid", lambda: 54_321)
    assert files.load('[accounts.a]\napi_key_file = "secret"\napi_secret_file = "secret"').warnings == ()


@pytest.mark.parametrize(
    ("toml", "warns"),
    [
        ("[accounts.a]\n" + KEYS, True),
        ('database = "postgresql://u:pw@h/db"', True),
        ('database = "postgresql://u@h/db"', False),
        ('database = "c.db"', False),
    ],
)
def test_a_configuration_file_that_holds_secrets_is_warned_of_too(files: Files, toml: str, warns: bool) -> None:  # noqa: FBT001
    """One without secrets may be public."""
    config = files.write("config.toml", toml, 0o644)
    sentence = f"others can read {config}, which holds a secret: chmod 600 {config}"
    assert load(path=config, environ={}).warnings == ((sentence,) if warns else ())


# --- systemd's credentials


def test_credentials_are_a_source(files: Files) -> None:
    """LoadCredential is how a unit with a dynamic user gets its secrets; systemd guards them."""
    files.write("creds/main.api_key", "k\n", 0o444)
    files.write("creds/main.private_key", PEM, 0o444)
    files.write("creds/main.passphrase", "p", 0o444)
    files.write("creds/a.b.api_key", "k2", 0o444)
    files.write("creds/a.b.api_secret", "s2", 0o444)
    files.write("creds/database", "postgresql://u:pw@h/db", 0o444)
    files.write("creds/unrelated", "x")
    files.write("creds/main.asset", "x")
    settings = files.load("", {"CREDENTIALS_DIRECTORY": str(files.folder / "creds")})
    other, main = settings.accounts
    assert (other.name, other.api_secret) == ("a.b", Secret("s2"))
    assert (main.api_key, main.private_key, main.passphrase) == (Secret("k"), Secret(PEM), Secret("p"))
    assert settings.database == "postgresql+psycopg://u:pw@h/db"
    assert source_of(settings, "database")[1] == str(files.folder / "creds/database")
    assert settings.warnings == ()


def test_a_relative_secret_file_is_looked_for_among_the_credentials(files: Files) -> None:
    """The configuration need not know where systemd puts them; naming one is not a second source for it."""
    files.write("creds/main.api_key", "k", 0o444)
    files.write("creds/secret", "s", 0o444)
    toml = '[accounts.main]\napi_key_file = "main.api_key"\napi_secret_file = "secret"\n'
    settings = files.load(toml, {"CREDENTIALS_DIRECTORY": str(files.folder / "creds")})
    assert settings.accounts[0].api_key == Secret("k")
    assert settings.accounts[0].api_secret == Secret("s")
    assert settings.warnings == ()


def test_a_credential_and_another_source_are_two(files: Files) -> None:
    """Both are named."""
    credential = files.write("creds/main.api_key", "k")
    environ = {**MAIN, "CREDENTIALS_DIRECTORY": str(files.folder / "creds")}
    assert files.refusal("", environ) == (
        f"BINANCE_API_KEY and the credential {credential} both give api_key: remove one"
    )


def test_a_credential_with_a_name_that_cannot_be_used_is_refused(files: Files) -> None:
    """A misspelt one would silently do nothing."""
    files.write("creds/a b.api_key", "k")
    assert "has a name that can't be used" in files.refusal("", {"CREDENTIALS_DIRECTORY": str(files.folder / "creds")})


# --- transport


@pytest.mark.parametrize("word", ["verify", "tls_verify", "ssl_verify", "insecure", "verify_ssl", "tls", "ca_bundle"])
def test_there_is_no_key_that_switches_the_verification_of_tls_off(files: Files, word: str) -> None:
    """A certificate that is not checked is worth nothing, and somebody would leave it so."""
    for key in (word, f"binance.{word}"):
        assert f"unknown key '{key}'" in files.refusal(f"{key} = false")
        variable = f"COLLECTOR_{key.upper().replace('.', '__')}"
        assert f"unknown environment variable {variable}" in files.refusal("", {variable: "false"})


def test_plain_http_to_another_host_needs_a_word_and_is_warned_of(files: Files) -> None:
    """A signed request over plain http shows the key to everyone on the way."""
    toml = '[binance]\nbase_url = "http://exchange.test:80"\n'
    assert files.refusal(toml) == (
        "binance.base_url in FILE must begin with https:// "
        "(plain http is only for this machine, unless binance.allow_plain_http is true)"
    )
    settings = files.load(toml + "allow_plain_http = true")
    assert settings.warnings == (
        "binance.allow_plain_http is on: keys and balances travel unencrypted to http://exchange.test:80",
    )


@pytest.mark.parametrize(
    ("toml", "environ", "expected", "shown"),
    [
        ("", {}, (), ("none", "default")),
        ("prices = []", {}, (), None),
        ("prices = ['USDT', 'EUR']", {}, ("USDT", "EUR"), None),
        ("prices = ['USDT']", {"COLLECTOR_PRICES": "none"}, (), ("none", "COLLECTOR_PRICES")),
        ("prices = ['USDT']", {"COLLECTOR_PRICES": "EUR , TRY"}, ("EUR", "TRY"), ("EUR, TRY", "COLLECTOR_PRICES")),
    ],
)
def test_prices_are_a_list_in_the_file_and_separated_by_commas_in_the_variable(
    files: Files, toml: str, environ: dict[str, str], expected: tuple[str, ...], shown: tuple[str, str] | None
) -> None:
    """Both are what people write without looking it up."""
    settings = files.load(toml, environ)
    assert settings.prices == expected
    assert shown is None or source_of(settings, "prices") == shown


@pytest.mark.parametrize("value", [",", "USDT,", "USDT,,EUR", "USDT;EUR"])
def test_a_variable_that_lists_no_currencies_is_refused(files: Files, value: str) -> None:
    """Nothing is dropped in silence."""
    assert "COLLECTOR_PRICES must be codes of currencies" in files.refusal("", {"COLLECTOR_PRICES": value})


def test_a_variable_in_the_form_of_the_file_is_told_its_own(files: Files) -> None:
    """What stands between brackets in the file stands between commas in the variable."""
    refusal = files.refusal("", {"COLLECTOR_PRICES": '["USDT", "EUR"]'})
    assert "COLLECTOR_PRICES must be separated by commas, without brackets, like USDT,EUR" in refusal


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("api_secret", "Nq7" * 20),
        ("api_key", "Nq7" * 20),
        ("api_secret", "Nq7" * 100),
        ("private_key", PEM),
        ("private_key", PEM.replace("\n", "\\n")),
        ("passphrase", "first line\nsecond line"),
    ],
)
def test_a_secret_in_the_place_of_its_files_name_is_not_shown(files: Files, key: str, value: str) -> None:
    """A slip that everyone makes once; the message is what they send to whoever helps them."""
    variable = f"COLLECTOR_ACCOUNTS__MAIN__{key.upper()}_FILE"
    told = files.refusal("[accounts.main]\npaused = true", {variable: value})
    assert told == f"{variable} must name a file, and looks like the secret itself: that is what {key} is for"


def test_a_file_may_be_called_like_a_key(files: Files) -> None:
    """If it is there."""
    name = "Nq7" * 20
    files.write(f"conf/{name}", "thesecret")
    settings = files.load(f"[accounts.main]\napi_key = 'k'\napi_secret_file = '{name}'")
    assert settings.accounts[0].api_secret == Secret("thesecret")
