"""argparse with short errors: what was wrong and where the help is, as a UsageError."""

import argparse
from typing import NoReturn

from domain.errors import UsageError


class Parser(argparse.ArgumentParser):
    """Abbreviated flags are not taken: a later flag would change what they mean."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs["allow_abbrev"] = False
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # passed on as they came

    def error(self, message: str) -> NoReturn:
        """Raises instead of printing the usage and leaving."""
        message = message.replace("the following arguments are required:", "missing:")
        raise UsageError(message, f"see `{self.prog} --help`")
