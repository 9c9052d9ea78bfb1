import os

from advanced_alchemy.base import BigIntAuditBase
from litestar import Litestar
from litestar.plugins.sqlalchemy import AsyncSessionConfig, SQLAlchemyAsyncConfig, SQLAlchemyPlugin
from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

alchemy = SQLAlchemyAsyncConfig(
    connection_string=os.environ["DATABASE_URL"],
    session_config=AsyncSessionConfig(expire_on_commit=False),
)


class Author(BigIntAuditBase):
    name: Mapped[str] = mapped_column(String(255))


class Book(BigIntAuditBase):
    title: Mapped[str] = mapped_column(String(255))
    author_id: Mapped[int] = mapped_column(ForeignKey("author.id"))


app = Litestar(plugins=[SQLAlchemyPlugin(config=alchemy)])
