"""The product's topics: what each is made like, and which differences matter."""

from dataclasses import replace

from config.settings import Settings
from config.topics import Topic, Topics, differences

DAY_MS = 86_400_000


def by_name(**settings: object) -> dict[str, Topic]:
    return {topic.name: topic for topic in Topics(replace(Settings(), **settings)).all()}  # type: ignore[arg-type]  # any


def test_public_topics_carry_the_prefix_and_the_others_the_app_id() -> None:
    topics = by_name(app_id="billing", topic_prefix="eu.")
    public = {topic.name for topic in topics.values() if topic.public}
    assert public == {"eu.config", "eu.usage", "eu.aggregates", "eu.aggregates.audit",
                      "eu.dead-letters", "eu.sink-dead-letters", "eu.campaign-events",
                      "eu.execution-results", "eu.executions", "eu.slot-failures",
                      "eu.campaign-audit", "eu.source-events", "eu.rollups",
                      "eu.alerts", "eu.impression-events"}  # fmt: skip
    assert all(name.startswith("billing-") for name in topics.keys() - public)


def test_state_is_compacted_only_and_records_are_kept_by_age() -> None:
    for topic in by_name().values():
        state = topic.name == "config" or not (
            topic.public or topic.name.endswith(("-in", "-audit"))
        )
        assert topic.compact is state, topic.name
        assert (topic.retention_ms is None) is state, topic.name
        assert topic.config()["cleanup.policy"] == ("compact" if state else "delete")


def test_partitions_follow_the_setting_where_keys_are_spread() -> None:
    topics = by_name(partitions=12)
    for name in ("usage", "aggregates", "sluice-sessions-in", "sluice-sessions-changelog"):
        assert topics[name].partitions == 12
    for name in ("config", "sluice-documents-changelog", "sluice-workers"):
        assert topics[name].partitions == 1


def test_a_record_of_the_limit_fits_with_what_is_around_it() -> None:
    topics = by_name(max_record_bytes=1000)
    assert topics["usage"].max_message_bytes > 1000
    assert topics["dead-letters"].max_message_bytes > 1000 * 4 // 3


def test_under_a_trial_clock_timestamps_are_ours_and_nothing_ages() -> None:
    for topic in by_name(clock="trial:clock").values():
        assert topic.config()["message.timestamp.type"] == "CreateTime"
        assert topic.retention_ms is None
    assert by_name()["usage"].config()["message.timestamp.type"] == "LogAppendTime"


def test_a_topic_as_it_was_made_does_not_differ() -> None:
    for topic in by_name().values():
        assert differences(topic, topic.partitions, topic.config()) == []


def test_an_inputs_partitions_are_its_own_business_but_states_are_not() -> None:
    topics = by_name()
    assert differences(topics["usage"], 7, {}) == []
    assert differences(topics["sluice-sessions-changelog"], 7, {}) == []  # `topics grow`
    for name, count in (("sluice-sessions-changelog", 3), ("aggregates.audit", 3)):
        state = replace(topics[name], public=False)
        (found,) = differences(state, count, {})
        assert (found.setting, found.found, found.expected, found.harm) == (
            "partitions",
            "3",
            "4",
            True,
        )


def test_a_wrong_cleanup_policy_does_harm_both_ways() -> None:
    topics = by_name()
    (state,) = differences(topics["config"], 1, {"cleanup.policy": "compact,delete"})
    (records,) = differences(topics["usage"], 4, {"cleanup.policy": "compact"})
    assert state.harm
    assert records.harm
    assert (state.why, records.why) == (
        "state would be deleted by age",
        "records would be dropped by key",
    )


def test_producers_timestamps_are_worth_a_warning_only_where_they_count() -> None:
    topics = by_name()
    config = {"message.timestamp.type": "CreateTime"}
    (found,) = differences(topics["usage"], 4, config)
    assert (found.setting, found.harm) == ("message.timestamp.type", False)
    assert differences(topics["sluice-sessions-changelog"], 4, config) == []
    trial = by_name(clock="trial:clock")["usage"]
    assert differences(trial, 4, config) == []
    assert len(differences(trial, 4, {"message.timestamp.type": "LogAppendTime"})) == 1


def test_smaller_limits_are_told_and_larger_ones_are_fine() -> None:
    usage = by_name()["usage"]
    less = {"max.message.bytes": "1000", "retention.ms": str(DAY_MS)}
    assert {d.setting for d in differences(usage, 4, less)} == set(less)
    more = {"max.message.bytes": "99999999", "retention.ms": "-1"}
    assert differences(usage, 4, more) == []


def test_a_retention_that_dedup_and_replays_rest_on_does_harm() -> None:
    deliveries = by_name()["sluice-deliveries-in"]
    (found,) = differences(deliveries, 4, {"retention.ms": str(DAY_MS)})
    assert (found.setting, found.harm) == ("retention.ms", True)
    assert differences(deliveries, 4, {"retention.ms": str(32 * DAY_MS)}) == []


def test_routing_decisions_lie_as_their_input_does() -> None:
    topic = Topics(Settings()).routes("usage", 7)
    assert (topic.name, topic.partitions) == ("sluice-routes-usage-changelog", 7)
    assert topic.compact
