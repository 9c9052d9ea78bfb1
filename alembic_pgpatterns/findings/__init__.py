"""Run the patterns on a schema, and keep their findings as data."""
