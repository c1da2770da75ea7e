"""The front of the house: assembles, starts, shows."""

VERSION = "0.1.0"
