"""Programs that tests send a signal to."""

from __future__ import annotations

HEEDED = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
"""
"""How such a program begins: it inherits SIGINT as ignored in a shell's background jobs, SIGHUP in those of nohup."""
