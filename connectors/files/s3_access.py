"""How to get at S3, known before anything of it is loaded."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class S3Access:
    """How to get at S3. Empty `endpoint`: AWS's own; empty `region`: as AWS's tools find it, else
    us-east-1; empty keys: as AWS's tools find them (environment, profile, role of the machine)."""

    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = field(default="", repr=False)


AS_AWS_DOES = S3Access()
