"""Rows that satisfy a schema, made on the server by set-based statements."""
