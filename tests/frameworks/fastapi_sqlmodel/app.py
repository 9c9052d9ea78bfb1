"""An application that demands its settings when it is imported."""

from fastapi import FastAPI
from pydantic import PostgresDsn
from pydantic_settings import BaseSettings
from sqlmodel import create_engine


class Settings(BaseSettings):
    database_url: PostgresDsn
    secret_key: str


settings = Settings()
engine = create_engine(str(settings.database_url))
app = FastAPI()
