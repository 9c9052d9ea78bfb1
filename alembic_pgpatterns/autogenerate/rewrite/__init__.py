"""Rewrite: make autogenerate's operations safe for tables that are in use."""
