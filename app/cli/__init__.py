"""The command line: `sluice COMMAND`. One command a file; `registry.py` lists them."""
