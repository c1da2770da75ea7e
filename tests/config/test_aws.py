"""config/aws: its files fit AWS's own description of the services, its scripts call them in order,
and its containers' commands do what the steps do."""

import gzip
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.validate import ParamValidator

from config.aws import fill
from config.settings import SETTINGS
from connectors.files.opening import open_files
from tests.contracts.files import access_of

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "config" / "aws"
STEPS = ("partition", "join", "update")
GIVEN = {
    "ACCOUNT": "123456789012",
    "REGION": "eu-central-1",
    "VERSION": "1.2.3",
    "BUCKET": "impressions",
    "PREFIX": "sluice",
    "SUBNET": "subnet-0123456789abcdef0",
    "SECURITY_GROUP": "sg-0123456789abcdef0",
    "STEP": "partition",
}
FILES = {
    "compute-environment.json": ("batch", "CreateComputeEnvironment"),
    "job-queue.json": ("batch", "CreateJobQueue"),
    "job-definition-partition.json": ("batch", "RegisterJobDefinition"),
    "job-definition-join.json": ("batch", "RegisterJobDefinition"),
    "job-definition-update.json": ("batch", "RegisterJobDefinition"),
    "role-job.json": ("iam", "CreateRole"),
    "role-execution.json": ("iam", "CreateRole"),
    "policy-job.json": ("iam", "PutRolePolicy"),
    "policy-execution.json": ("iam", "PutRolePolicy"),
    "repository.json": ("ecr", "CreateRepository"),
    "log-group.json": ("logs", "CreateLogGroup"),
}
# Stands for AWS's command and for docker: notes what it is asked, answers as they do.
STAND_IN = r"""#!/usr/bin/env bash
printf '%s\0' "$(basename "$0")" "$@" >> "$ASKED"; printf '\n' >> "$ASKED"
case "$*" in
  *submit-job*) echo "job-$(grep -c . "$ASKED")" ;;
  *describe-compute-environments*) echo VALID ;;
  *get-login-password*) echo password ;;
  "login "*) cat > /dev/null ;;
  "ecr create-repository"*) echo "RepositoryAlreadyExistsException: already exists" >&2; exit 254 ;;
esac
"""


def filled(name: str) -> dict[str, Any]:
    """A file as the scripts fill it."""
    return fill.filled(AWS / name, GIVEN)


def operation(service: str, name: str) -> Any:
    """What AWS says an operation takes."""
    described = Loader().load_service_model(service, "service-2")
    return ServiceModel(described, service).operation_model(name).input_shape


def wrong_words(value: Any, shape: Any, path: str = "") -> Iterator[str]:
    """Where a word is none of those that AWS lists, or does not fit its pattern: botocore leaves
    both to the server."""
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if name in value:
                yield from wrong_words(value[name], member, f"{path}.{name}")
    elif shape.type_name == "list":
        for number, one in enumerate(value):
            yield from wrong_words(one, shape.member, f"{path}[{number}]")
    elif shape.type_name == "string":
        if shape.enum and value not in shape.enum:
            yield f"{path}: {value} is none of {shape.enum}"
        pattern = shape.metadata.get("pattern")
        if pattern and "\\p" not in pattern and not re.fullmatch(pattern, value):
            yield f"{path}: {value} does not fit {pattern}"


def problems(found: dict[str, Any], service: str, name: str) -> list[str]:
    """What AWS would not take."""
    shape = operation(service, name)
    said = ParamValidator().validate(found, shape).generate_report()
    return [*filter(None, said.splitlines()), *wrong_words(found, shape)]


def test_every_file_of_aws_is_checked() -> None:
    assert {path.name for path in AWS.glob("*.json")} == set(FILES)


@pytest.mark.parametrize("name", sorted(FILES))
def test_a_file_is_what_its_operation_takes(name: str) -> None:
    assert problems(filled(name), *FILES[name]) == []


def test_a_wrong_file_is_found() -> None:
    found = filled("compute-environment.json")
    found["computeResources"]["maxVcpus"] = found["computeResources"].pop("maxvCpus")
    found["type"] = "MANAGD"
    assert len(problems(found, *FILES["compute-environment.json"])) == 3


@pytest.mark.parametrize("step", STEPS)
def test_a_job_has_a_memory_that_fargate_gives_and_settings_that_exist(step: str) -> None:
    definition = filled(f"job-definition-{step}.json")
    container = definition["containerProperties"]
    wanted = {one["type"]: int(one["value"]) for one in container["resourceRequirements"]}
    assert wanted["VCPU"] == 2
    assert wanted["MEMORY"] in range(4096, 16384 + 1, 1024)
    known = {setting.env for setting in SETTINGS.values()}
    assert {one["name"] for one in container["environment"]} <= known
    assert container["jobRoleArn"].endswith(filled("role-job.json")["RoleName"])
    assert container["executionRoleArn"].endswith(filled("role-execution.json")["RoleName"])
    assert (
        container["logConfiguration"]["options"]["awslogs-group"]
        == (filled("log-group.json")["logGroupName"])
    )


def test_the_role_of_the_steps_may_do_what_the_client_does_and_no_more() -> None:
    source = "".join(path.read_text() for path in (ROOT / "connectors" / "files").glob("s3*.py"))
    called = set(re.findall(r"_client\.(\w+_(?:object|upload|part))\(", source))
    called |= set(re.findall(r'get_paginator\("(\w+)"\)', source))
    needed = {
        "head_object": "s3:GetObject",
        "get_object": "s3:GetObject",
        "put_object": "s3:PutObject",
        "delete_object": "s3:DeleteObject",
        "create_multipart_upload": "s3:PutObject",
        "upload_part": "s3:PutObject",
        "complete_multipart_upload": "s3:PutObject",
        "abort_multipart_upload": "s3:AbortMultipartUpload",
        "list_objects_v2": "s3:ListBucket",
        "list_multipart_uploads": "s3:ListBucketMultipartUploads",
    }
    assert called == set(needed)
    allowed: set[str] = set()
    for statement in json.loads(filled("policy-job.json")["PolicyDocument"])["Statement"]:
        actions = statement["Action"]
        allowed |= {actions} if isinstance(actions, str) else set(actions)
        assert statement["Resource"].startswith("arn:aws:s3:::impressions")
    assert allowed == set(needed.values())


@pytest.fixture
def asked(tmp_path: Path) -> Path:
    """Where the stand-ins for `aws` and `docker` in `tmp_path` note what they are asked."""
    for name in ("aws", "docker"):
        (tmp_path / name).write_text(STAND_IN)
        (tmp_path / name).chmod(0o755)
    return tmp_path / "asked"


def run(script: str, asked: Path, *arguments: str, **environ: str) -> str:
    """Runs a script against the stand-ins; what it printed."""
    path = f"{asked.parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", str(AWS / script), *arguments],
        env={"PATH": path, "HOME": str(asked.parent), "ASKED": str(asked), **environ},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_setting_up_asks_aws_for_every_file_once(asked: Path) -> None:
    run("setup.sh", asked, **GIVEN)
    told: dict[str, int] = {}
    text = asked.read_text()
    for part in text.split("aws\0")[1:]:
        words = part.split("\0")
        if "--cli-input-json" in words:
            operation_name = "".join(word.title() for word in words[1].split("-"))
            found = json.loads(words[words.index("--cli-input-json") + 1])
            assert problems(found, words[0], operation_name) == []
            told[operation_name] = told.get(operation_name, 0) + 1
    assert told == {
        "CreateRole": 2,
        "PutRolePolicy": 2,
        "CreateLogGroup": 1,
        "CreateComputeEnvironment": 1,
        "CreateJobQueue": 1,
        "RegisterJobDefinition": 3,
    }


def test_images_are_pushed_also_where_the_repositories_are_there(asked: Path) -> None:
    run("push.sh", asked, **GIVEN)
    text = asked.read_text()
    for step in STEPS:
        image = f"123456789012.dkr.ecr.eu-central-1.amazonaws.com/sluice-impressions-{step}:1.2.3"
        assert f"docker\0push\0{image}\0" in text
        assert image == filled(f"job-definition-{step}.json")["containerProperties"]["image"]
        assert f"--file\0{AWS / step}.Dockerfile\0" in text


@pytest.mark.parametrize("changed", [[], ["s3://b/changed.csv"]])
def test_a_step_waits_for_the_one_before(asked: Path, changed: list[str]) -> None:
    said = run("submit.sh", asked, "s3://b/f.csv.gz", "s3://b/d.csv", *changed, REGION="eu-west-1")
    jobs = [line.split() for line in said.splitlines()]
    assert [step for step, _ in jobs] == list(STEPS[: 2 + len(changed)])
    found = [line.split("\0") for line in asked.read_text().splitlines()]
    after = [
        words[words.index("--depends-on") + 1] if "--depends-on" in words else None
        for words in found
    ]
    assert after == [None, *(f"jobId={job}" for _, job in jobs[:-1])]
    for words in found:
        definition = filled(
            f"{words[words.index('--job-definition') + 1]}.json".replace(
                "sluice-impressions", "job-definition"
            )
        )
        name = words[words.index("--parameters") + 1].partition("=")[0]
        assert definition["containerProperties"]["command"] == [f"Ref::{name}"]


@pytest.mark.parametrize("step", STEPS)
def test_a_container_is_amazon_linux_and_runs_its_step(step: str) -> None:
    text = (AWS / f"{step}.Dockerfile").read_text()
    assert text.count("\nFROM ") == 1
    assert "\nFROM public.ecr.aws/amazonlinux/amazonlinux:2023\n" in text
    assert text.rstrip().endswith(f'ENTRYPOINT ["/sluice/config/aws/job.sh", "{step}"]')


def job(step: str, parameter: str, url: str, prefix: str, folder: Path) -> Any:
    """Runs the command of a job's container as a process, as Batch would run the container."""
    access, bucket = access_of(url)
    definition = filled(f"job-definition-{step}.json")["containerProperties"]
    entry = re.search(r"^ENTRYPOINT (.*)$", (AWS / f"{step}.Dockerfile").read_text(), re.MULTILINE)
    assert entry
    script, *first = json.loads(entry[1])
    environ = {one["name"]: one["value"] for one in definition["environment"]}
    environ |= {
        "SLUICE_TABLES_ROOT": f"s3://{bucket}/{prefix}",
        "SLUICE_S3_REGION": access.region,
        "SLUICE_S3_ENDPOINT": access.endpoint,
        # Batch gives the keys of the role in AWS's own way.
        "AWS_ACCESS_KEY_ID": access.access_key,
        "AWS_SECRET_ACCESS_KEY": access.secret_key,
        "SLUICE_DATA_DIR": str(folder),
        "PATH": os.environ["PATH"],
    }
    arguments = [re.sub(r"^Ref::\w+$", parameter, word) for word in definition["command"]]
    command = [script.replace("/sluice", str(ROOT), 1), *first, *arguments]
    done = subprocess.run(command, env=environ, cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_the_three_jobs_do_the_work_of_a_day(s3_url: str, tmp_path: Path) -> None:
    access, bucket = access_of(s3_url)
    prefix = f"jobs-{tmp_path.name}-{os.getpid()}"
    inputs = open_files(f"s3://{bucket}/{prefix}-in", access)
    rows = "".join(
        f"11/02/2025,{50_000 + 10 * n},campaign_0{n % 2},video_{n},{1 / (n + 2)}\n"
        for n in range(16)
    )
    for name, text in {
        "day.csv": rows,
        "dimension.csv": "campaign_id,brand\ncampaign_00,A\ncampaign_01,B\n",
        "changed.csv": "campaign_id,brand\ncampaign_01,C\n",
    }.items():
        writing = inputs.write(name)
        writing.write(gzip.compress(text.encode()) if name == "day.csv" else text.encode())
        writing.place()
    loaded = job("partition", f"{inputs.where}/day.csv", s3_url, prefix, tmp_path)
    assert (loaded["rows"], loaded["changed"]) == (16, True)
    joined = job("join", f"{inputs.where}/dimension.csv", s3_url, prefix, tmp_path)
    assert (joined["table"], joined["rows"], joined["unmatched"]) == ("FACT_JOINED", 16, 0)
    updated = job("update", f"{inputs.where}/changed.csv", s3_url, prefix, tmp_path)
    assert (updated["table"], updated["written"]["rows"]) == ("FACT_UPDATED", 8)
    # A job that Batch tries again finds its work done.
    again = job("partition", f"{inputs.where}/day.csv", s3_url, prefix, tmp_path)
    assert again["changed"] is False
