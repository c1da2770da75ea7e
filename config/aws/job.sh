#!/usr/bin/env bash
# One step of impressions: job.sh partition|join|update ARGUMENT…, as `sluice impressions` has them.
# Exit 0 done, 1 the file is wrong, 2 the job is, 3 S3 is away (which is worth another try).
set -euo pipefail
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)"
# exec: the signal that ends the container reaches the step, which leaves the old version in force.
PYTHONPATH="$root" exec "$root/.venv/bin/python" -P -m app.cli impressions "$@" --json
