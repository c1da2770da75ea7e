"""A backup: a folder that holds the keyed state of one worker as of one instant.

    manifest.json    what it is, and every file with its size and SHA-256; written last
    documents.jsonl  every version of every document, so that it can be recounted by itself
    sessions-N/      the store of shard N
    log.sqlite       the embedded stream; on Kafka the topics have it

It appears under its name when all of it is durable; until then it is NAME.part. Stores come before
the log, so that the log is never behind them: what is in the log only is applied when the state
goes on from there, as after a kill.
"""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app import VERSION
from config.settings import Settings
from domain.aggregation.instants import print_instant
from domain.errors import SluiceError
from tables.documents import Documents, version_change
from tables.formats import SHARD

MANIFEST, DOCUMENTS, LOG = "manifest.json", "documents.jsonl", "log.sqlite"
PIECE = 1 << 20


class BadBackup(SluiceError):
    """A folder is no backup, or not as it was when it was made (exit 1)."""

    def __init__(self, folder: Path, detail: str) -> None:
        self.folder = folder
        super().__init__(f"{folder}: {detail}")


class Manifest(msgspec.Struct, forbid_unknown_fields=False):
    """`shards`: by number, the changelog offset that its state goes on from. `files`: by name,
    [size, SHA-256].
    """

    version: str
    app_id: str
    topic_prefix: str
    stream: str
    partitions: int
    format: int
    at: str
    shards: dict[str, int]
    files: dict[str, tuple[int, str]]

    @property
    def numbers(self) -> list[int]:
        """The shards in it."""
        return sorted(map(int, self.shards))


def store_name(number: int) -> str:
    """The folder of a shard's store, here and in the data directory."""
    return f"sessions-{number}"


def stores(settings: Settings) -> Path:
    """Where the stores of a worker are."""
    return settings.data_dir / "tables" / settings.app_id


def begin(folder: Path) -> Path:
    """The folder that becomes `folder`; what an attempt that was killed left there is removed."""
    part = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    return part


def finish(
    part: Path,
    folder: Path,
    settings: Settings,
    documents: Documents,
    now_ms: int,
    shards: Mapping[int, int],
) -> Manifest:
    """Makes the backup in `part` whole and durable, and gives it its name."""
    lines = [
        version_change(version)[1] or b""
        for versions in documents.history.values()
        for version in versions
    ]
    (part / DOCUMENTS).write_bytes(b"\n".join(lines))
    manifest = Manifest(
        VERSION, settings.app_id, settings.topic_prefix,
        "kafka" if settings.brokers else "embedded", settings.partitions, SHARD.current,
        print_instant(now_ms), {str(number): offset for number, offset in shards.items()},
        described(part),
    )  # fmt: skip
    (part / MANIFEST).write_bytes(msgspec.json.format(msgspec.json.encode(manifest)))
    sync(part)
    part.rename(folder)
    sync_folder(folder.parent)
    return manifest


def described(folder: Path) -> dict[str, tuple[int, str]]:
    """Size and SHA-256 of every file."""
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != MANIFEST:
            found[str(path.relative_to(folder))] = (path.stat().st_size, digest(path))
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file."""
    whole = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(PIECE):
            whole.update(piece)
    return whole.hexdigest()


def read(folder: Path) -> Manifest:
    """The manifest, every file compared with it. Raises BadBackup."""
    try:
        manifest = msgspec.json.decode((folder / MANIFEST).read_bytes(), type=Manifest)
    except FileNotFoundError:
        raise BadBackup(folder, f"is no backup of sluice: it has no {MANIFEST}") from None
    except msgspec.MsgspecError as error:
        raise BadBackup(folder, f"{MANIFEST} can't be read ({error})") from error
    for name, (size, sha256) in manifest.files.items():
        path = folder / name
        if not path.is_file():
            raise BadBackup(folder, f"{name} is missing; use another backup")
        if path.stat().st_size != size or digest(path) != sha256:
            raise BadBackup(folder, f"{name} is not as it was backed up; use another backup")
    return manifest


def documents_of(folder: Path) -> Documents:
    """The documents in a backup."""
    documents = Documents()
    lines = (folder / DOCUMENTS).read_bytes().split(b"\n")
    documents.take([(b"", line) for line in lines if line])
    return documents


def sync(folder: Path) -> None:
    """Makes everything below a folder durable."""
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as file:
                os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Makes the names in a folder durable."""
    held = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(held)
    finally:
        os.close(held)


def remove(folder: Path) -> None:
    """Deletes a folder."""
    shutil.rmtree(folder, ignore_errors=True)


class InUse(SluiceError):
    """A worker has a store open (exit 2)."""

    exit_code = 2

    def __init__(self, path: Path) -> None:
        self.path = path
        super().__init__(f"{path} is in use by a worker; expected it to be stopped")


@contextmanager
def alone(stores: Path) -> Iterator[None]:
    """Holds the locks of all stores in a folder, which RocksDB takes too. Raises InUse."""
    held = []
    try:
        for lock in sorted(stores.glob("sessions-*/LOCK")):
            file = os.open(lock, os.O_RDWR)
            held.append(file)
            try:
                fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise InUse(lock.parent) from None
        yield
    finally:
        for file in held:
            os.close(file)


def copied(source: Path, target: Path, *, link: bool = False) -> None:
    """Copies a store that nobody has open. With `link`, files that never change share the disk."""
    target.mkdir(parents=True)
    for path in sorted(source.iterdir()):
        if not path.is_file() or path.name == "LOCK" or path.name.startswith("LOG"):
            continue
        if link and path.suffix == ".sst":
            try:
                os.link(path, target / path.name)
                continue
            except OSError:
                pass  # another disk, or one without links: copied
        shutil.copyfile(path, target / path.name)
