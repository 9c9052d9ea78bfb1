"""Run the project's migrations on a throw-away server, and record what they do."""
