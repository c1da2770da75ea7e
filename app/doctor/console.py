"""Who can get at the console and at the workers, and the secrets that decide on it."""

from collections.abc import Iterator

from app.doctor.check import Check
from app.listening import is_loopback
from config.settings import Settings
from connectors.sinks.base import TryLater
from connectors.sinks.webhook import key_of

SHORT = 16  # characters; fewer can be guessed by who has seen one signed call


def secrets(settings: Settings) -> Iterator[Check]:
    """Whether those that are needed are there, and long enough. Their values are never told."""
    secret = settings.cluster_secret
    if secret and len(secret) < SHORT:
        detail = f"SLUICE_CLUSTER_SECRET has {len(secret)} characters, and signs calls of workers"
        todo = f"give all workers one of {SHORT} characters or more, best by SLUICE_…_FILE"
        yield Check("cluster secret", "wrong", detail, todo)
    elif not secret and settings.brokers and not is_loopback(settings.web_host):
        detail = (
            f"SLUICE_CLUSTER_SECRET is missing, and SLUICE_WEB_HOST is {settings.web_host}: "
            "workers on other machines get no answer about sessions and figures"
        )
        todo = "set the same SLUICE_CLUSTER_SECRET on all workers"
        yield Check("cluster secret", "wrong", detail, todo)
    if settings.webhook_secret and not _is_key(settings.webhook_secret):
        detail = "SLUICE_WEBHOOK_SECRET is no key: webhooks of alerts can't be signed"
        yield Check("webhook secret", "wrong", detail, "write it as whsec_ and base64 of the key")


def exposure(settings: Settings, users: bool | None) -> Iterator[Check]:
    """Whether a console for the network has somebody to sign in. `users`: whether there is one;
    None when nobody could tell."""
    if users is not False or settings.admin_password or is_loopback(settings.web_host):
        return
    detail = (
        f"SLUICE_WEB_HOST is {settings.web_host}, and there is no user: whoever reaches the "
        "console would be its admin, so it answers its own machine only"
    )
    todo = (
        "`sluice users add NAME --role admin`, or SLUICE_ADMIN_PASSWORD_FILE and a start; "
        "a server with TLS in front"
    )
    yield Check("console", "wrong", detail, todo)


def _is_key(secret: str) -> bool:
    try:
        key_of(secret, "SLUICE_WEBHOOK_SECRET")
    except TryLater:
        return False
    return True
