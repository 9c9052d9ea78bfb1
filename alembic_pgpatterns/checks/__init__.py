"""The checks: a project's revisions and models, a database in use, a new revision."""
