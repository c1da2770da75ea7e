"""Exit 0 when the worker of this machine is ready: the health check of the containers."""

import json
import os
import sys
import urllib.error
import urllib.request


def main() -> int:
    """Asks /health/ready of the port this worker listens on."""
    url = f"http://127.0.0.1:{os.environ.get('SLUICE_WEB_PORT') or 6066}/health/ready"
    try:
        with urllib.request.urlopen(url, timeout=3):
            return 0
    except urllib.error.HTTPError as error:
        try:
            print(json.load(error))  # why not: shown by `docker inspect`
        except ValueError:
            print(error)
    except OSError as error:
        print(f"{url}: {error}")
    return 1


if __name__ == "__main__":
    sys.exit(main())
