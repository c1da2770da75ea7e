"""Names: two installations on one broker never meet."""

from config.names import Names


def test_public_topics_carry_the_prefix_and_internal_ones_the_app_id() -> None:
    names = Names("billing", "acme.")
    assert names.topic("usage") == "acme.usage"
    assert names.sessions_in == "billing-sessions-in"
    assert names.changelog("sessions") == "billing-sessions-changelog"
    assert names.workers == "billing-workers"


def test_public_is_the_inverse_of_topic() -> None:
    for prefix in ("", "acme."):
        names = Names("billing", prefix)
        assert names.public(names.topic("usage")) == "usage"


def test_internal_topics_are_told_from_public_ones() -> None:
    names = Names("billing")
    internal = [names.sessions_in, names.workers, names.requests, names.changelog("documents")]
    assert all(names.is_internal(topic) for topic in internal)
    assert not any(names.is_internal(topic) for topic in ("usage", "billing-usage", "x-changelog"))


def test_two_installations_share_no_name() -> None:
    one, two = Names("a", "a."), Names("b", "b.")
    for attribute in ("group", "sessions_in", "workers", "requests", "deliveries"):
        assert getattr(one, attribute) != getattr(two, attribute)
    assert one.topic("usage") != two.topic("usage")
