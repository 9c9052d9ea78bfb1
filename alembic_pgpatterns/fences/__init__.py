"""What keeps the project's code, and the server, from reaching anything but what belongs to the check.

Each fence holds by itself, and each closes other ways out; `stand` puts them up. Needs nothing but the standard
library (and SQLAlchemy for the redirect), since it runs in the project's process, in the project's environment.
"""
