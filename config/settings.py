"""The settings: one frozen object, resolved once.

Precedence: flag, else environment variable (`NAME_FILE` names a file that holds the value),
else the settings file, else the default. An empty environment variable counts as not set.
"""

import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from config import readers
from config.readers import nearest, unknown_variables, why
from domain.errors import SluiceError

PREFIX = "SLUICE_"
HIDDEN = "***"


def _setting(
    default: Any, read: Callable[[str], Any], purpose: str, *, secret: bool = False
) -> Any:
    metadata = {"read": read, "help": purpose, "secret": secret}
    return field(default=default, metadata=metadata, repr=not secret)


@dataclass(frozen=True)
class Settings:
    """Every setting of a process. Bytes, seconds and counts are told by the names."""

    stream: str = _setting(
        "embedded://", readers.stream, "embedded:// or kafka://host:9092,host2:9092"
    )
    data_dir: Path = _setting(
        Path("data"), readers.folder, "folder of the embedded log, RocksDB, SQLite, archive"
    )
    app_id: str = _setting(
        "sluice", readers.name, "prefix of the consumer group and the internal topics"
    )
    topic_prefix: str = _setting("", readers.name, "prefix of every other topic")
    partitions: int = _setting(4, readers.whole(1, 10_000), "partitions of topics it creates")
    replication: int = _setting(1, readers.whole(1, 100), "replicas of topics it creates")
    documents: str = _setting(
        "", readers.url("mongodb", "mongodb+srv"), "store of FDDs and campaigns; empty: SQLite"
    )
    negatives: str = _setting("", readers.url("mysql"), "store of negatives; empty: SQLite")
    archive: str = _setting(
        "", readers.folder_or_s3, "folder or s3://bucket/prefix; empty: in the data directory"
    )
    tables_root: str = _setting(
        "", readers.folder_or_s3, "folder or s3://bucket/prefix; empty: in the data directory"
    )
    s3_endpoint: str = _setting(
        "", readers.url("http", "https"), "S3 server of s3:// addresses; empty: that of AWS"
    )
    s3_region: str = _setting("", readers.name, "its region; empty: as AWS's tools find it")
    s3_access_key: str = _setting(
        "", readers.text, "key for S3; empty: as AWS's tools find one (environment, role)"
    )
    s3_secret_key: str = _setting("", readers.text, "secret of that key", secret=True)
    web_host: str = _setting("127.0.0.1", readers.host, "address the console listens on")
    web_port: int = _setting(
        6066, readers.whole(0, 65_535), "port of the console; 0 takes a free one and prints it"
    )
    kafka_security_protocol: str = _setting(
        "PLAINTEXT",
        readers.one_of("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
        "how to talk to Kafka",
    )
    kafka_sasl_mechanism: str = _setting(
        "", readers.one_of("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"), "how to sign in to Kafka"
    )
    kafka_sasl_username: str = _setting("", readers.text, "user name for Kafka")
    kafka_sasl_password: str = _setting("", readers.text, "password for Kafka", secret=True)
    kafka_ca_file: Path | None = _setting(
        None, readers.folder, "certificates that Kafka's is checked against; empty: the system's"
    )
    log_format: str = _setting(
        "", readers.one_of("text", "json"), "empty: text on a terminal, else json"
    )
    log_level: str = _setting(
        "info", readers.one_of("debug", "info", "warning", "error"), "least level that is logged"
    )
    max_record_bytes: int = _setting(
        1 << 20, readers.whole(1, 1 << 30), "largest record that is taken in"
    )
    dead_letter_streak: int = _setting(
        10_000,
        readers.whole(0, 10**9),
        "records refused in a row on a partition above which the worker stops; 0: never",
    )
    dead_letter_share: int = _setting(
        50,
        readers.whole(0, 100),
        "percent of a partition's last records refused above which the worker stops; 0: never",
    )
    dead_letter_window: int = _setting(
        10_000, readers.whole(1, 10**9), "how many last records that share is of, at least"
    )
    max_upload_bytes: int = _setting(
        1 << 32, readers.whole(1, 1 << 40), "largest file over HTTP: of a campaign, or of numbers"
    )
    max_unzipped_bytes: int = _setting(
        1 << 38, readers.whole(1, 1 << 50), "what one impressions file may unzip to"
    )
    impressions_incoming: str = _setting(
        "",
        readers.folder_or_s3,
        "where new impressions files are put; empty: below the tables' root, beside `tables`",
    )
    impressions_poll: float = _setting(
        60.0, readers.seconds(0.1, 86_400), "seconds between two looks for new impressions files"
    )
    impressions_due: str = _setting(
        "12:00",
        readers.time_of_day,
        "time of day (UTC) by which the impressions of the day before are to be there",
    )
    outbound_allow: tuple[str, ...] = _setting(
        (), readers.listed, "hosts and networks to be reached besides public ones"
    )
    clock: str = _setting("", readers.clock, "trial:FILE; empty: the system clock")
    state_memory_bytes: int = _setting(
        64 << 20, readers.whole(1 << 20, 1 << 40), "memory of RocksDB, a partition"
    )
    cache_rows: int = _setting(20_000, readers.whole(0, 10**9), "rows kept decoded, a partition")
    standby: int = _setting(
        0, readers.whole(0, 10), "other workers that keep a copy of a partition's state"
    )
    batch_records: int = _setting(40_000, readers.whole(1, 10**6), "records of a batch at most")
    batch_bytes: int = _setting(4 << 20, readers.whole(1 << 10, 1 << 30), "bytes of a fetch")
    session_timeout_s: float = _setting(
        10.0, readers.seconds(1, 300), "silence after which another worker takes the partitions"
    )
    instance: str = _setting(
        "", readers.name, "name of this worker that a restart keeps and no other has: of its pod"
    )
    commit_interval_s: float = _setting(
        1.0, readers.seconds(0.05, 60), "time between two commits of offsets"
    )
    tick_interval_s: float = _setting(
        0.2, readers.seconds(0.01, 0.2), "time between two looks for what is due"
    )
    sql_seconds: float = _setting(10.0, readers.seconds(0.1, 600), "time that a statement has")
    sql_rows: int = _setting(100_000, readers.whole(1, 10**7), "rows that a statement answers with")
    sql_memory_mb: int = _setting(
        512, readers.whole(16, 1 << 16), "memory that a statement has, in megabytes"
    )
    server: str = _setting(
        "http://127.0.0.1:6066", readers.url("http", "https"), "system that commands act on"
    )
    token: str = _setting("", readers.text, "token that commands sign in with", secret=True)
    feed_tokens: tuple[str, ...] = _setting(
        (),
        readers.listed,
        "tokens that open the feeds of figures, with commas between",
        secret=True,
    )
    smtp_url: str = _setting(
        "", readers.url("smtp", "smtps"), "mail server, with user and password", secret=True
    )
    mail_from: str = _setting("", readers.text, "sender of mails")
    admins: tuple[str, ...] = _setting(
        (), readers.listed, "mail addresses that always get failing calls, with commas between"
    )
    sms_url: str = _setting(
        "", readers.url("http", "https"), "gateway of text messages", secret=True
    )
    webhook_secret: str = _setting(
        "", readers.text, "signs the webhooks of alerts: whsec_ and base64", secret=True
    )
    admin_password: str = _setting(
        "", readers.text, "makes the user `admin` when there is no user yet", secret=True
    )
    oidc_issuer: str = _setting(
        "", readers.url("http", "https"), "OpenID Connect provider that people may sign in with"
    )
    oidc_client_id: str = _setting("", readers.text, "who the console is for that provider")
    oidc_client_secret: str = _setting("", readers.text, "its secret there", secret=True)
    oidc_role_claim: str = _setting(
        "roles", readers.text, "claim of the ID token with the role; dots lead into objects"
    )
    cluster_secret: str = _setting(
        "", readers.text, "signs the calls between workers; the same for all of them", secret=True
    )

    @property
    def brokers(self) -> tuple[str, ...]:
        """host:port of each Kafka broker to ask first; empty on the embedded stream."""
        if not self.stream.startswith("kafka://"):
            return ()
        hosts = self.stream.removeprefix("kafka://").split(",")
        # A port stands after the last colon, unless that is inside an IPv6 address.
        return tuple(h if ":" in h.rpartition("]")[2] else f"{h}:9092" for h in hosts)


class Setting(NamedTuple):
    """What is known about one setting."""

    name: str
    env: str
    flag: str
    help: str
    secret: bool
    default: Any
    read: Callable[[str], Any]


SETTINGS: Mapping[str, Setting] = {
    f.name: Setting(
        f.name,
        PREFIX + f.name.upper(),
        "--" + f.name.replace("_", "-"),
        f.metadata["help"],
        f.metadata["secret"],
        f.default,
        f.metadata["read"],
    )
    for f in fields(Settings)
}


class SettingProblem(NamedTuple):
    """One wrong setting. `origin` says where it was written; a secret `value` is hidden."""

    name: str
    origin: str
    value: str
    expected: str

    def __str__(self) -> str:
        return f"{self.name} is {self.value!r} ({self.origin}), expected {self.expected}"


class SettingsError(SluiceError):
    """The settings are wrong: all problems at once, a line each (exit 2)."""

    exit_code = 2

    def __init__(self, problems: Iterable[SettingProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


@dataclass(frozen=True)
class Resolved:
    """The settings with the place each came from, and remarks that stop nobody."""

    settings: Settings
    origins: Mapping[str, str]
    warnings: tuple[str, ...] = ()

    def shown(self, name: str) -> str:
        """The value of a setting as a person may see it: secrets are hidden."""
        value = getattr(self.settings, name)
        if isinstance(value, tuple):
            value = ",".join(value)
        return _shown(SETTINGS[name], "" if value is None else str(value))


class _Given(NamedTuple):
    origin: str
    value: str


def resolve(
    flags: Mapping[str, str | None] | None = None,
    environ: Mapping[str, str] = os.environ,
    settings_file: Path | None = None,
) -> Resolved:
    """The settings of this process; raises SettingsError with everything that is wrong.

    `flags` is by setting name, None for a flag not given; an unknown name is a KeyError.
    """
    problems: list[SettingProblem] = []
    given = _from_file(settings_file, problems) if settings_file else {}
    given |= _from_environment(environ, problems)
    given |= _from_flags(flags or {})
    values: dict[str, Any] = {}
    for name, (origin, value) in given.items():
        if value == "":
            continue  # empty means the default, whatever it overrides
        try:
            values[name] = SETTINGS[name].read(value)
        except ValueError as error:
            shown = _shown(SETTINGS[name], value)
            problems.append(SettingProblem(name, origin, shown, str(error)))
    settings = Settings(**values)
    origins = {name: given[name].origin if name in given else "default" for name in SETTINGS}
    wrong = {problem.name for problem in problems}
    problems += (p for p in _together(settings, origins) if p.name not in wrong)
    if problems:
        raise SettingsError(problems)
    known = {s.env: s.name for s in SETTINGS.values()}
    return Resolved(settings, origins, tuple(unknown_variables(environ, known, PREFIX)))


def _shown(setting: Setting, value: str) -> str:
    if setting.secret and value:
        return HIDDEN
    return readers.masked(value)


def _from_flags(flags: Mapping[str, str | None]) -> dict[str, _Given]:
    given = {}
    for name, value in flags.items():
        setting = SETTINGS[name]
        if value is None:
            continue
        if name == "clock" and value and not value.startswith("trial:"):
            value = f"trial:{value}"  # the flag is --clock FILE
        given[name] = _Given(f"flag {setting.flag}", value)
    return given


def _from_environment(
    environ: Mapping[str, str], problems: list[SettingProblem]
) -> dict[str, _Given]:
    given = {}
    for name, setting in SETTINGS.items():
        value, file = environ.get(setting.env, ""), environ.get(f"{setting.env}_FILE", "")
        if value and file:
            expected = f"only one of {setting.env} and {setting.env}_FILE"
            shown = _shown(setting, value)
            problems.append(SettingProblem(name, f"environment {setting.env}", shown, expected))
        elif value:
            given[name] = _Given(f"environment {setting.env}", value)
        elif file:
            origin = f"environment {setting.env}_FILE"
            try:
                text = Path(file).read_text(encoding="utf-8")
            except (OSError, UnicodeDecodeError) as error:
                expected = f"a file that can be read: {why(error)}"
                problems.append(SettingProblem(name, origin, file, expected))
            else:
                given[name] = _Given(origin, text.rstrip("\r\n"))
    return given


def _from_file(path: Path, problems: list[SettingProblem]) -> dict[str, _Given]:
    origin = f"file {path}"
    try:
        # BaseLoader leaves every scalar the text it is: `no` stays `no`, 010 stays 010.
        data = yaml.load(path.read_text(encoding="utf-8"), Loader=yaml.BaseLoader)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        expected = f"a YAML file that can be read: {why(error)}"
        problems.append(SettingProblem("settings", "flag --settings", str(path), expected))
        return {}
    if not isinstance(data, dict):
        wrong = "a mapping of setting names to values"
        problems.extend([SettingProblem("settings", origin, HIDDEN, wrong)] if data else ())
        return {}
    given: dict[str, _Given] = {}
    names = {each.env: name for name, each in SETTINGS.items()}
    for key, value in data.items():
        name = names.get(str(key), str(key))  # `stream`, or as in the environment: SLUICE_STREAM
        hidden = name not in SETTINGS or SETTINGS[name].secret  # a mistyped one may be a secret
        shown, wrong = HIDDEN if hidden else str(value)[:40], ""
        if name not in SETTINGS:
            wrong = f"the name of a setting, {nearest(name, (*SETTINGS, *names))}".rstrip(", ")
        elif name in given:
            wrong = f"only one of {name} and {SETTINGS[name].env}"
        elif isinstance(value, dict) or (isinstance(value, list) and name != "outbound_allow"):
            wrong = "a single value"
        if wrong:
            problems.append(SettingProblem(str(key), origin, shown, wrong))
        else:
            texts = value if isinstance(value, list) else [value]
            given[name] = _Given(origin, ",".join(map(str, texts)))
    return given


# (setting, the one that is of no use without it)
NEEDED_BY = (
    ("s3_secret_key", "s3_access_key"),
    ("s3_access_key", "s3_secret_key"),
    ("oidc_client_id", "oidc_issuer"),
)


def _together(settings: Settings, origins: Mapping[str, str]) -> Iterable[SettingProblem]:
    """What is wrong between settings that are right by themselves."""
    if (protocol := settings.kafka_security_protocol).startswith("SASL_"):
        for name in ("kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"):
            if not getattr(settings, name):
                expected = f"a value: {SETTINGS['kafka_security_protocol'].env} is {protocol}"
                yield SettingProblem(name, origins[name], "", expected)
    for missing, other in NEEDED_BY:
        if getattr(settings, other) and not getattr(settings, missing):
            expected = f"a value: {SETTINGS[other].env} is set"
            yield SettingProblem(missing, origins[missing], "", expected)
    if settings.commit_interval_s >= settings.session_timeout_s:
        expected = f"less than session_timeout_s, which is {settings.session_timeout_s:g}"
        value = f"{settings.commit_interval_s:g}"
        yield SettingProblem("commit_interval_s", origins["commit_interval_s"], value, expected)
