"""Writes one file of a tree without ever putting it into place; tests kill it.

Arguments: address, endpoint, access key, secret key, name. Says "begun" once 20 MiB are written.
"""

import sys

from connectors.files.opening import open_files
from connectors.files.s3_access import S3Access


def main(address: str, endpoint: str, access_key: str, secret_key: str, name: str) -> None:
    """Never returns."""
    files = open_files(address, S3Access(endpoint, "us-east-1", access_key, secret_key))
    writing = files.write(name)
    for number in range(10_000):  # far more than it lives to write
        writing.write(b"%07d\n" % number * 131_072)
        if number == 20:
            print("begun", flush=True)


main(*sys.argv[1:])
