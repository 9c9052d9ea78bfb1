"""The fences: they let the project's code, and the server, connect only to what belongs to the check.

Each fence holds by itself, and each closes other ways out; `stand` puts them up. Needs nothing but the standard
library (and SQLAlchemy for the redirect), since it runs in the project's process, in the project's environment.
"""
