# Sourced by the scripts: finds the repository ($root) and a Python to begin with ($python).

# Python gets -P from its callers: what lies in the folder of the person is not imported.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
python=
for candidate in python3 python3.13 python3.12 python3.11 python; do
  if "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
    python=$candidate
    break
  fi
done
if [ -z "$python" ]; then
  echo "sluice: no Python of 3.11 or later on the PATH; install one and run this again" >&2
  exit 2
fi
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
