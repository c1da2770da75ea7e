"""The systems side by side: how each is started, and how its state is read back."""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench import check
from config.names import Names

PEERS = Path(__file__).parent / "peers"
ROOT = Path(__file__).parent.parent


@dataclass(frozen=True)
class System:
    """`command(classpath)`; `decode` None: it keeps no state. `share`: of the records that others
    get, so that a slow one's run ends. `keyed`: for Sluice, whether the input is said to be;
    `event_id`: whether it drops duplicates by the records' ids.
    """

    name: str
    command: Callable[[str], list[str]]
    decode: check.Decode | None = None
    share: float = 1.0
    keyed: bool | None = None
    event_id: bool = False
    exits: bool = False

    def then(self, group: str) -> str | None:
        """The topic of its own on which records go on before they count."""
        return Names(group).sessions_in if self.keyed is False else None


def _python(name: str) -> Callable[[str], list[str]]:
    return lambda _: [sys.executable, str(PEERS / name)]


def _sluice(_: str) -> list[str]:
    return [sys.executable, "-m", "app.cli", "worker", "--role", "all"]


SYSTEMS = {
    system.name: system
    for system in (
        System("raw-confluent", _python("raw_confluent.py")),
        System("raw-aiokafka", _python("raw_aiokafka.py")),
        System("sluice", _sluice, check.sluice, keyed=True),
        System("sluice-routed", _sluice, check.sluice, keyed=False),
        System("sluice-dedup", _sluice, check.sluice, keyed=True, event_id=True),
        System(
            "kstreams",
            lambda jars: ["java", "-Xms1g", "-Xmx1g", "-cp", jars, "KStreams"],
            check.packed,
        ),
        System(
            "bytewax",
            lambda _: [
                sys.executable, "-m", "bytewax.run", "bytewax_flow:flow", "-r", "state", "-s", "1",
                "-b", "0",
            ],
            exits=True,
        ),
        System("quix", _python("quix.py"), check.as_json, share=0.15),
        System("faust", _python("faust_stock.py"), check.as_json, share=0.015),
    )
}  # fmt: skip
