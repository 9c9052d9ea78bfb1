"""Rehearsal: a revision on made-up rows, while a reader and a writer work."""
