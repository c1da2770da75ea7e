"""Settings: where a value comes from, and what is said when it is wrong."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from config.settings import SETTINGS, Resolved, Settings, SettingsError, resolve


def resolved(
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str | None] | None = None,
    file: Path | None = None,
) -> Resolved:
    return resolve(flags or {}, environ or {}, file)


def problems_of(
    environ: Mapping[str, str] | None = None,
    flags: Mapping[str, str | None] | None = None,
    file: Path | None = None,
) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        resolved(environ, flags, file)
    return caught.value


def test_nothing_given_takes_the_defaults() -> None:
    found = resolved()
    assert found.settings == Settings()
    assert found.settings.stream == "embedded://"
    assert (found.settings.web_host, found.settings.web_port) == ("127.0.0.1", 6066)
    assert set(found.origins.values()) == {"default"}


def test_every_setting_has_its_variable_and_a_purpose() -> None:
    assert set(SETTINGS) == {field.name for field in fields(Settings)}
    assert SETTINGS["kafka_ca_file"].env == "SLUICE_KAFKA_CA_FILE"
    assert SETTINGS["data_dir"].flag == "--data-dir"
    assert all(setting.help for setting in SETTINGS.values())


@pytest.mark.parametrize(
    ("with_flag", "with_environment", "with_file", "value", "origin"),
    [
        (True, True, True, 1, "flag --partitions"),
        (False, True, True, 2, "environment SLUICE_PARTITIONS"),
        (False, False, True, 3, "file {file}"),
        (False, False, False, 4, "default"),
    ],
)
def test_the_nearest_source_wins(
    tmp_path: Path,
    with_flag: bool,
    with_environment: bool,
    with_file: bool,
    value: int,
    origin: str,
) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("partitions: 3\n" if with_file else "")
    found = resolved(
        {"SLUICE_PARTITIONS": "2"} if with_environment else {},
        {"partitions": "1" if with_flag else None},
        file,
    )
    assert found.settings.partitions == value
    assert found.origins["partitions"] == origin.format(file=file)


def test_settings_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        resolved().settings.partitions = 8  # type: ignore[misc]  # what is tried is the point


def test_an_empty_variable_counts_as_not_set() -> None:
    found = resolved({"SLUICE_PARTITIONS": "", "SLUICE_STREAM_FILE": ""})
    assert found.settings == Settings()
    assert found.origins["partitions"] == "default"


def test_name_file_reads_the_value_without_its_line_end(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("s3cret \n")
    found = resolved({"SLUICE_KAFKA_SASL_PASSWORD_FILE": str(secret)})
    assert found.settings.kafka_sasl_password == "s3cret "
    assert found.origins["kafka_sasl_password"] == "environment SLUICE_KAFKA_SASL_PASSWORD_FILE"


def test_a_setting_that_ends_with_file_has_a_file_of_its_own(tmp_path: Path) -> None:
    named = tmp_path / "named"
    named.write_text("/etc/ca.pem\n")
    direct = resolved({"SLUICE_KAFKA_CA_FILE": "/etc/ca.pem"})
    indirect = resolved({"SLUICE_KAFKA_CA_FILE_FILE": str(named)})
    assert direct.settings.kafka_ca_file == indirect.settings.kafka_ca_file == Path("/etc/ca.pem")


def test_a_value_and_its_file_together_are_refused(tmp_path: Path) -> None:
    error = problems_of({"SLUICE_TOKEN": "abc", "SLUICE_TOKEN_FILE": str(tmp_path / "token")})
    assert "only one of SLUICE_TOKEN and SLUICE_TOKEN_FILE" in str(error)
    assert "abc" not in str(error)


def test_a_file_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    error = problems_of({"SLUICE_TOKEN_FILE": str(tmp_path / "none")})
    assert [problem.name for problem in error.problems] == ["token"]
    assert str(tmp_path / "none") in str(error)


def test_all_problems_are_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("partition: 3\nlog_level: loud\n")
    error = problems_of(
        {"SLUICE_STREAM": "kafka:/broker", "SLUICE_WEB_PORT": "70000"},
        {"replication": "many"},
        file,
    )
    told = {problem.name: problem for problem in error.problems}
    assert set(told) == {"partition", "log_level", "stream", "web_port", "replication"}
    assert told["partition"].expected == "the name of a setting, partitions"
    assert told["web_port"].origin == "environment SLUICE_WEB_PORT"
    assert str(error).count("\n") == 4
    assert error.exit_code == 2


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("stream", "embedded://x"),
        ("stream", "kafka://"),
        ("stream", "kafka://a:1,,b:2"),
        ("partitions", "0"),
        ("partitions", "4.0"),
        ("partitions", "٤"),
        ("app_id", "with space"),
        ("documents", "mysql://h/db"),
        ("negatives", "mysql://"),
        ("archive", "gs://bucket"),
        ("kafka_security_protocol", "TLS"),
        ("log_format", "xml"),
        ("clock", "2025-01-01T00:00:00Z"),
        ("commit_interval_s", "fast"),
        ("commit_interval_s", "nan"),
        ("server", "localhost:6066"),
    ],
)
def test_a_wrong_value_is_named_with_what_would_be_right(name: str, value: str) -> None:
    (problem,) = problems_of({SETTINGS[name].env: value}).problems
    assert (problem.name, problem.value) == (name, value)
    assert problem.expected


@pytest.mark.parametrize(
    ("stream", "brokers"),
    [
        ("kafka://a:9092,b:9093", ("a:9092", "b:9093")),
        ("kafka://broker", ("broker:9092",)),
        ("kafka://[::1]:9000/", ("[::1]:9000",)),
        ("kafka://[::1]", ("[::1]:9092",)),
        ("embedded://", ()),
    ],
)
def test_brokers_are_read_from_the_address(stream: str, brokers: tuple[str, ...]) -> None:
    assert resolved({"SLUICE_STREAM": stream}).settings.brokers == brokers


def test_a_protocol_with_sign_in_wants_all_of_it() -> None:
    error = problems_of({"SLUICE_KAFKA_SECURITY_PROTOCOL": "sasl_ssl"})
    wanted = ["kafka_sasl_mechanism", "kafka_sasl_username", "kafka_sasl_password"]
    assert [problem.name for problem in error.problems] == wanted


def test_offsets_are_committed_more_often_than_a_worker_times_out() -> None:
    error = problems_of({"SLUICE_COMMIT_INTERVAL_S": "10"})
    assert "less than session_timeout_s, which is 10" in str(error)


def test_secrets_are_masked_wherever_they_are_shown() -> None:
    found = resolved(
        {"SLUICE_TOKEN": "hush", "SLUICE_NEGATIVES": "mysql://me:p@ss/w@db:3306/x"},
        {"kafka_sasl_password": "hush"},
    )
    assert found.shown("token") == found.shown("kafka_sasl_password") == "***"
    assert found.shown("negatives") == "mysql://me:***@db:3306/x"
    assert found.settings.token == "hush"
    assert "hush" not in repr(found)


def test_a_wrong_address_is_shown_without_its_password() -> None:
    error = problems_of({"SLUICE_DOCUMENTS": "mongo://me:hush@db/x"})
    assert "hush" not in str(error)
    assert "mongo://me:***@db/x" in str(error)


def test_an_absent_secret_is_shown_as_empty() -> None:
    assert resolved().shown("token") == ""


def test_the_clock_flag_is_a_file() -> None:
    assert resolved(flags={"clock": "t.txt"}).settings.clock == "trial:t.txt"
    assert resolved({"SLUICE_CLOCK": "trial:t.txt"}).settings.clock == "trial:t.txt"


def test_lists_are_written_with_commas_or_as_yaml(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("outbound_allow: [10.0.0.0/8, intranet]\n")
    hosts = ("10.0.0.0/8", "intranet")
    assert resolved(file=file).settings.outbound_allow == hosts
    assert (
        resolved({"SLUICE_OUTBOUND_ALLOW": "10.0.0.0/8, intranet"}).settings.outbound_allow == hosts
    )


@pytest.mark.parametrize("text", ["partitions: [1]\n", "- a\n", "partitions: {a: 1}\n", "a: ['\n"])
def test_a_settings_file_of_the_wrong_form_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "s.yaml"
    file.write_text(text)
    assert str(file) in str(problems_of(file=file))


def test_a_settings_file_may_name_settings_as_the_environment_does(tmp_path: Path) -> None:
    file = tmp_path / "s.yaml"
    file.write_text("SLUICE_PARTITIONS: 7\nweb_port: 7700\n")
    found = resolved(file=file)
    assert (found.settings.partitions, found.settings.web_port) == (7, 7700)
    file.write_text("SLUICE_TOKEN: abc\ntoken: abc\nSLUICE_PARTITION: 3\n")
    error = str(problems_of(file=file))
    assert "only one of token and SLUICE_TOKEN" in error and "abc" not in error
    assert "the name of a setting, SLUICE_PARTITIONS" in error


def test_a_mistyped_variable_is_remarked_and_a_foreign_one_is_not() -> None:
    found = resolved({"SLUICE_PARTITION": "8", "SLUICE_TEST_KAFKA": "x", "SLUICE_PORT": "tcp://"})
    (warning,) = found.warnings
    assert "SLUICE_PARTITION is no setting; it looks like SLUICE_PARTITIONS" in warning


def test_an_unknown_flag_is_an_error_of_the_program() -> None:
    with pytest.raises(KeyError):
        resolved(flags={"nonsense": "1"})
