"""All workers and all that runs, as any of them tells it."""

import asyncio
from collections.abc import Sequence
from typing import Any

import msgspec

from app.cluster.peers import Peers
from app.cluster.watching import Watching
from app.facade.machine import Machine
from app.facade.parts import Parts
from app.facade.running import RunningHere, impression_steps
from app.process_shapes import Processes, Running, Vitals
from config.clock import system_ms

RUNNING, CANCEL = "running", "cancel_running"
STEPS_S = 5.0  # between two looks at the locks of impressions


class ProcessesHere:
    """See `ProcessesBackend`; `questions` are what the workers ask each other."""

    def __init__(self, parts: Parts, peers: Peers, machine: Machine, here: RunningHere) -> None:
        self._parts, self._peers = parts, peers
        self._machine, self._here = machine, here
        topic = parts.names.processes if parts.settings.brokers else ""
        self._watching = Watching(parts.log, topic, self.own)
        self._steps: list[Running] = []
        self._steps_s = float("-inf")
        self.questions = {RUNNING: self._tell, CANCEL: self._cancel}

    async def start(self) -> None:
        """Begins to beat and to listen."""
        await self._watching.start(self._machine.crash)

    async def stop(self) -> None:
        """Says that this worker stops."""
        await self._watching.stop()

    async def own(self) -> Vitals:
        """This worker, now."""
        machine = self._machine
        return Vitals(
            self._parts.worker, self._parts.members.own().state, machine.cpu, machine.memory,
            machine.loop_lag_s, machine.state_bytes, machine.history(), await self._here.tell(),
            system_ms(),
        )  # fmt: skip

    async def _tell(self, _: dict[str, Any]) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = msgspec.to_builtins(await self._here.tell())
        return found

    async def _cancel(self, asked: dict[str, Any]) -> bool:
        worker, _, local = asked["id"].partition(":")
        return worker == self._parts.worker and await self._here.cancel(local)

    async def processes(self) -> Processes:
        """See `ProcessesBackend`. Of workers that don't answer what runs is as they last said."""
        workers, answers, steps = await asyncio.gather(
            self._watching.all(), self._peers.ask(RUNNING, {}), self._impressions()
        )
        running = [
            one
            for vitals in workers
            for one in (
                msgspec.convert(answers[vitals.worker], list[Running])
                if vitals.worker in answers
                else vitals.running
            )
        ]
        return Processes(list(workers), sorted([*running, *steps], key=_order))

    async def _impressions(self) -> Sequence[Running]:
        now_s = self._parts.monotonic_s()
        if now_s - self._steps_s > STEPS_S:
            self._steps_s = now_s
            self._steps = await impression_steps(self._parts)
        return self._steps

    async def cancel(self, process_id: str) -> bool | None:
        """See `ProcessesBackend.cancel_process`."""
        found = await self.processes()
        one = next((each for each in found.running if each.id == process_id), None)
        if one is None:
            return None
        if not one.cancellable:
            return False
        answers = await self._peers.ask(CANCEL, {"id": process_id})
        return True if any(answers.values()) else None


def _order(one: Running) -> tuple[str, str, str]:
    return one.kind, one.name, one.id


class ProcessesArea:
    """The facade's part of `ProcessesBackend`."""

    _processes: ProcessesHere

    async def processes(self) -> Processes:
        return await self._processes.processes()

    async def cancel_process(self, process_id: str) -> bool | None:
        return await self._processes.cancel(process_id)
