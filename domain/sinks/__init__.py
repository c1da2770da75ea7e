"""Rules of sinks: what is handed to billing targets, when again, and how files are cut."""
