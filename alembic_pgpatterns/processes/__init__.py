"""Processes for code that is not ours: how they are started, supervised, asked and ended. Standard library only."""
