"""The throw-away PostgreSQL, and the redirect of every connection to it."""
