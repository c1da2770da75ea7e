"""What is kept of people and programs on `<app>-people`, a row a key; the last row of a key holds.

A user's password and sessions name the user by id, so that nothing of one who was removed counts
for another of the same name. Secrets are kept as digests only. Times are the machine's own.
"""

from hashlib import sha256
from typing import Literal, get_args

import msgspec

Role = Literal["viewer", "operator", "admin"]
ROLES: tuple[Role, ...] = get_args(Role)
"""Each may do what those before it may."""
Right = Literal["numbers"]
RIGHTS: tuple[Right, ...] = get_args(Right)
"""`numbers`: sees phone numbers unmasked."""


class User(msgspec.Struct, frozen=True, tag="user"):
    """A person. `subject`: who OpenID Connect says it is, empty for one with a password."""

    id: str
    name: str
    role: Role
    rights: tuple[Right, ...]
    made_ms: int
    made_by: str
    subject: str = ""


class Password(msgspec.Struct, frozen=True, tag="password"):
    """The Argon2 hash of the password of the user of that id."""

    user: str
    name: str
    hash: str
    set_ms: int


class Token(msgspec.Struct, frozen=True, tag="token"):
    """A program; `digest` is that of its token."""

    id: str
    name: str
    role: Role
    rights: tuple[Right, ...]
    made_ms: int
    made_by: str
    digest: str


class Session(msgspec.Struct, frozen=True, tag="session"):
    """A browser in which a user has signed in; `digest` is that of its cookie."""

    id: str
    user: str
    name: str
    digest: str
    started_ms: int
    ends_ms: int
    address: str


class Key(msgspec.Struct, frozen=True, tag="key"):
    """A secret of the workers themselves, in hexadecimal."""

    name: str
    secret: str


Row = User | Password | Token | Session | Key
encode = msgspec.json.Encoder().encode
decode = msgspec.json.Decoder(Row).decode


def digest(secret: str) -> str:
    """What is kept of a random secret of 256 bits, for which a plain hash does."""
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def key_of(row: Row) -> bytes:
    """The key a row is kept under."""
    name = row.digest if isinstance(row, Session) else row.name
    return f"{row.__struct_config__.tag}/{name}".encode()
