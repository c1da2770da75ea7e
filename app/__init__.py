"""The front of the house: assembles, starts, shows."""
