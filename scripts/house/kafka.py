"""One Kafka broker (KRaft, a single node) from Maven Central, for tests and trials."""

import base64
import hashlib
import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path

from scripts.house import packages
from scripts.house.processes import NotUp, Process, kept_ports, wait_for

ROOT = Path(__file__).resolve().parents[2]
POM = ROOT / "scripts" / "kafka" / "pom.xml"
LIBS = ROOT / ".servers" / "kafka-libs"
START_TIMEOUT_S = 60.0  # 4 s on a quiet machine
JAVA = ["-Xms128m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1"]

PROPERTIES = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
inter.broker.listener.name=PLAINTEXT
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
log.dirs={data}
num.network.threads=2
num.io.threads=4
# One node: nothing is replicated. Few partitions of its own: it starts and stops faster.
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=2
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# Groups form at once, and tests may let a member time out soon.
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
auto.create.topics.enable=false
# A killed broker is admitted again only when the session of its former life is over.
broker.session.timeout.ms=2500
broker.heartbeat.interval.ms=500
# Compaction and retention show within a test.
log.cleaner.enable=true
log.cleaner.dedupe.buffer.size=4194304
log.cleaner.backoff.ms=1000
log.retention.check.interval.ms=2000
log.initial.task.delay.ms=1000
log.index.size.max.bytes=1048576
"""

LOGGING = """\
Configuration:
  Appenders: {Console: {name: C, PatternLayout: {pattern: "%d %p %c{1} %m%n"}}}
  Loggers:
    Root: {level: warn, AppenderRef: {ref: C}}
    Logger: {name: kafka.server.KafkaRaftServer, level: info}
"""


class Kafka:
    """A broker whose data, log and ports live in `folder`; each folder is a broker of its own.

    Tests for faults make one in their own folder, kill it and start it again: same port, same
    data. Every method returns when its effect is there. `properties` come behind those of here (a
    later line wins), `storage` are more arguments of the storage tool.
    """

    def __init__(
        self,
        folder: Path = ROOT / ".servers" / "kafka",
        properties: str = "",
        storage: Sequence[str] = (),
    ) -> None:
        self.folder = folder.resolve()
        self._more, self._storage = properties, storage
        self.properties = self.folder / "server.properties"
        self.process = Process(self.folder, str(self.properties))
        self._ports_file = self.folder / "ports"

    @property
    def url(self) -> str:
        """kafka://127.0.0.1:PORT; the broker must have been started once."""
        return f"kafka://127.0.0.1:{self._ports()[0]}"

    def running(self) -> bool:
        """Whether its process runs."""
        return self.process.pid() is not None

    def start(self, *, fresh: bool = False) -> None:
        """Starts it unless it runs; with `fresh`, without the data of the last time.

        Raises NotUp, or NotInstalled when there is no Java or Maven to be had.
        """
        if self.running():
            return
        libs = ensure_libs()
        data = self.folder / "data"
        if fresh:
            shutil.rmtree(data, ignore_errors=True)
        port, controller = kept_ports(self._ports_file, 2)
        self.properties.write_text(
            PROPERTIES.format(port=port, controller=controller, data=data) + self._more,
            encoding="utf-8",
        )
        logging = self.folder / "log4j2.yaml"
        logging.write_text(LOGGING, encoding="utf-8")
        options = [*JAVA, f"-Dlog4j2.configurationFile={logging}", "-cp", f"{libs}/*"]
        java = [_java(), *options]
        if not (data / "meta.properties").exists():
            _format(java, self.properties, self._storage)
        self.process.start([*java, "kafka.Kafka", str(self.properties)])
        wait_for(lambda: self._started(port) or not self.running(), START_TIMEOUT_S)
        if not self._started(port):
            self.process.end(hard=True)
            raise NotUp(f"the broker did not come up, see {self.process.log}")

    def stop(self, *, hard: bool = False) -> None:
        """Ends it if it runs: in good order, or with `hard` as a crash would."""
        self.process.end(hard=hard)

    def restart(self, *, hard: bool = False) -> None:
        """Stops and starts it on the same port with the same data."""
        self.stop(hard=hard)
        self.start()

    def _ports(self) -> list[int]:
        return [int(port) for port in json.loads(self._ports_file.read_text())]

    def _started(self, port: int) -> bool:
        # It says so when the controller has admitted it; its port is open a little earlier.
        if "Kafka Server started" not in self.process.tail(20):
            return False
        with socket.socket() as probe:
            probe.settimeout(1)
            return probe.connect_ex(("127.0.0.1", port)) == 0


def ensure_libs() -> Path:
    """The folder of the broker's jars, fetched by Maven when scripts/kafka/pom.xml changed."""
    name = hashlib.sha256(POM.read_bytes()).hexdigest()[:12]
    libs = LIBS / name
    if libs.exists():
        return libs
    _java()
    maven = packages.ensure_command("mvn", "maven")
    print("sluice: fetching the jars of the broker", file=sys.stderr, flush=True)
    LIBS.mkdir(parents=True, exist_ok=True)
    work = LIBS / f"{name}.{os.getpid()}"
    goal = ["dependency:copy-dependencies", f"-DoutputDirectory={work}", "-DincludeScope=runtime"]
    command = [maven, "--quiet", "--batch-mode", *_repository(), "--file", str(POM), *goal]
    found = subprocess.run(command, capture_output=True, text=True)
    if found.returncode:
        shutil.rmtree(work, ignore_errors=True)
        lines = (found.stdout + found.stderr).strip().splitlines()[:3]
        raise NotUp("Maven could not fetch the broker: " + " ".join(lines))
    work.rename(libs)
    return libs


def _repository() -> list[str]:
    """Where Maven keeps what it fetched: its usual place when that can be written."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)
    if os.access(home, os.W_OK):
        return []
    return [f"-Dmaven.repo.local={ROOT / '.servers' / 'm2'}"]


def _java() -> str:
    return packages.ensure_command("java", "openjdk-17-jre-headless", "maven")


def _format(java: list[str], properties: Path, storage: Sequence[str]) -> None:
    cluster = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
    tool = ["kafka.tools.StorageTool", "format", "-t", f"S{cluster[1:]}", "-c", str(properties)]
    found = subprocess.run([*java, *tool, *storage], capture_output=True, text=True)
    if found.returncode:
        raise NotUp(f"the broker's folder could not be made: {found.stdout}{found.stderr}".strip())
