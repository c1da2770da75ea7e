"""Documents as YAML that reads back as the same values."""

from collections.abc import Mapping
from decimal import Decimal

import yaml

from domain.aggregation.numbers import plain


class _Dumper(yaml.SafeDumper):
    """Block style; numbers as JSON has them; text that could be a number in quotes."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    # PyYAML leaves 1e5 bare, which is a number in our documents.
    style = '"' if value[:1] in set("0123456789+-.") else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


def _decimal(dumper: yaml.SafeDumper, value: Decimal) -> yaml.Node:
    text = plain(value)
    kind = "float" if "." in text else "int"
    return dumper.represent_scalar(f"tag:yaml.org,2002:{kind}", text)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(Decimal, _decimal)


def yaml_text(document: Mapping[str, object]) -> str:
    """The document as YAML text, keys in their order, with a line end."""
    text: str = yaml.dump(
        dict(document), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100
    )
    return text
