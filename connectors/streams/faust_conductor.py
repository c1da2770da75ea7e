"""The conductor that follows topics coming and going at run time.

Privates of faust-streaming 0.15.3 it reaches into, each guarded in
tests/connectors/streams/test_faust_privates.py:

- `_subscriber` (replaced): the stock one waits 45 s before it subscribes to a new topic, and
  forgets a change that comes during a rebalance.
- `_topics`, `_flag_changes`, `_subscription_changed`, `_subscription_done`, `_update_indices`:
  the state that `_subscriber` and `add` work on.
- `_compile_message_handler`, `_tp_to_callback`, `_tp_to_callback_lock`: the stock handler raises
  KeyError, which ends the worker, for a batch of a topic that was removed a moment ago.
"""

import asyncio

from faust.transport.conductor import Conductor as FaustConductor
from faust.types.topics import TopicT
from faust.types.transports import ConsumerCallback
from faust.types.tuples import Message
from mode import Service
from mode.utils.futures import notify

# Changes within this time become one rebalance: the topics of one document, or of a few.
_GATHER_S = 0.2
# How often the end of a rebalance is looked for before a change is put to the group.
_LOOK_S = 0.05


class Conductor(FaustConductor):
    """Delivers batches to streams; a topic added or discarded is in effect within a second.

    Each change costs the group one rebalance. Topics must exist before they are added.
    """

    def add(self, topic: TopicT) -> None:
        """Registers a topic, also a further one of a name already subscribed to.

        The stock method leaves such a one without messages until the next rebalance.
        """
        if topic not in self._topics:
            self._topics.add(topic)
            self._flag_changes()

    def subscribe_anew(self) -> None:
        """Puts the same topics to the group once more: some have more partitions."""
        self._flag_changes()

    @Service.task
    async def _subscriber(self) -> None:
        await self.app.agents.wait_until_agents_started()
        await self.app.tables.wait_until_tables_registered()
        changed = self._subscription_changed = asyncio.Event()
        while not self.should_stop:
            changed.clear()
            subscribed = list(await self._update_indices())
            if subscribed:
                await self.app.consumer.subscribe(subscribed)
            notify(self._subscription_done)
            # `changed` has `wait`, which is all that Service.wait uses of mode's own Event
            await self.wait_for_stopped(changed)  # type: ignore[arg-type]
            await self.sleep(_GATHER_S)
            while self.app.rebalancing and not self.should_stop:
                await self.sleep(_LOOK_S)

    def _compile_message_handler(self) -> ConsumerCallback:
        async def on_message(message: Message) -> None:
            async with self._tp_to_callback_lock:
                callback = self._tp_to_callback.get(message.tp)
            # None: the topic was discarded; its partitions go with the next subscription, and
            # what was not acknowledged is read again by whoever subscribes to it later
            if callback is not None:
                await callback(message)

        return on_message
