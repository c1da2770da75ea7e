"""Keyed state in RocksDB: store, rows, recovery."""
