"""Rewrite: what autogenerate wants to do, made safe for tables that are in use."""
