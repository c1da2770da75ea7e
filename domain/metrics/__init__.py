"""Rules of the metrics hub: fetched records, the archive, figures."""
