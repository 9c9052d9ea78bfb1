"""PostgreSQL best practices that hold by themselves in SQLAlchemy and Alembic projects."""
