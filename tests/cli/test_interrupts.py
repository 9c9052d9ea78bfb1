"""Ctrl-C more than once: the command tidies up to its end, says that it was interrupted, and exits with 130."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from tests.signals import HEEDED

PROGRAM = """
import argparse, atexit, types
from alembic_pgpatterns.cli import exit_codes

def pause(where):
    print(where, flush=True)
    input()

def run(config, options):
    try:
        pause("running")
    finally:
        pause("tidying up")

say = exit_codes.say_error
def say_error(text):
    pause("saying")
    say(text)

exit_codes.say_error = say_error
atexit.register(pause, "leaving")
exit_codes.end(types.SimpleNamespace(cmd_opts=argparse.Namespace()), run)
"""
MOMENTS = ("running", "tidying up", "saying", "leaving")


@pytest.mark.parametrize("moments", [MOMENTS, ("running", "leaving")], ids=["always", "at the end"])
def test_only_the_first_one_counts(moments: tuple[str, ...]) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", HEEDED + PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdin is not None and process.stdout is not None and process.stderr is not None
    for moment in MOMENTS:
        assert process.stdout.readline() == f"{moment}\n"
        if moment in moments:
            process.send_signal(signal.SIGINT)
        if moment != "running":
            process.stdin.write("\n")
            process.stdin.flush()
    assert process.wait(60) == 130
    assert process.stderr.read() == "alembic: interrupted\n"
    process.stdin.close()
