"""Prints a file of this folder as AWS takes it: ${NAME} as the environment has it, and policies
as text. Needs nothing but Python: `fill.py FILE`."""

import json
import os
import string
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

POLICIES = ("AssumeRolePolicyDocument", "PolicyDocument")


def filled(file: Path, environ: Mapping[str, str]) -> dict[str, Any]:
    """What a file asks for; raises KeyError with a name that the environment lacks."""
    found = dict(json.loads(string.Template(file.read_text()).substitute(environ)))
    for name in POLICIES:
        if name in found:
            found[name] = json.dumps(found[name])
    return found


def main(file: Path) -> None:
    """Exit 1 when a name is missing."""
    try:
        print(json.dumps(filled(file, os.environ)))
    except KeyError as missing:
        sys.exit(f"{file} needs {missing.args[0]} in the environment")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
