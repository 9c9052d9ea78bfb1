"""The application that env.py asks for, found in the project's files."""

from __future__ import annotations

from pathlib import Path

import pytest

from alembic_pgpatterns.controller.application_search import alchemy_configurations, flask_applications

FACTORY = "from flask import Flask\n\ndef {}({}):\n    return Flask(__name__)\n"

FLASK = {
    "a module with app": ({"main.py": "from flask import Flask\napp = Flask(__name__)"}, ["main"]),
    "a module with another name": ({"web.py": "import flask\nserver = flask.Flask(__name__)"}, ["web:server"]),
    "a factory": ({"shop/factory.py": FACTORY.format("make", "config=None")}, ["shop.factory:make"]),
    "a function of a module's own makes it for something else": ({"ui.py": FACTORY.format("_signed", "")}, []),
    "a factory in a package": (
        {"shop/__init__.py": FACTORY.format("create_app", "*, debug=False")},
        ["shop:create_app"],
    ),
    "a factory that needs an argument, and who gives it": (
        {
            "shop/app.py": FACTORY.format("init_app", "config"),
            "autoapp.py": "from shop.app import init_app\napp = init_app('dev')",
        },
        ["autoapp"],
    ),
    "applications before factories, the nearest first": (
        {
            "shop/app.py": FACTORY.format("create_app", ""),
            "shop/deep/web.py": "from shop.app import create_app\napplication = create_app()",
            "wsgi.py": "from shop.app import create_app\napp: object = create_app()",
        },
        ["wsgi", "shop.deep.web", "shop.app:create_app"],
    ),
    "not the one that env.py makes for itself, nor those of tests": (
        {
            "shop/app.py": FACTORY.format("create_app", ""),
            "migrations/env.py": "from shop.app import create_app\napp = create_app()",
            "tests/app.py": "from shop.app import create_app\napp = create_app()",
        },
        ["shop.app:create_app"],
    ),
    "not a script that works as soon as it is imported, and one that serves first": (
        {
            "shop/__init__.py": FACTORY.format("create_app", ""),
            "archive.py": "from shop import create_app\napp = create_app()",
            "export.py": "from shop import create_app\napp = create_app()\nwith app.app_context():\n    app.dump()",
            "sync.py": "from shop import create_app\napp = create_app()\nfor row in app.rows():\n    row.send()",
            "wsgi.py": "from shop import create_app\napp = create_app()\nwith app.app_context():\n    import shop.ui",
        },
        ["wsgi", "archive", "shop:create_app"],
    ),
    "a factory that calls another one, as with connexion": (
        {
            "shop/app.py": (
                "import connexion\nfrom flask import Flask\n"
                "def create_simple_app() -> Flask:\n    return connexion.FlaskApp(__name__).app\n"
                "def create_app(keys) -> Flask:\n    made = create_simple_app().connexion_app\n    return made.app\n"
                "def serve():\n    create_app([]).run()\n"
                "def current() -> Flask:\n    return flask.current_app\n"
            ),
            "application.py": "from shop.app import create_app\napplication = create_app(['KEY'])",
            "shop/web.py": "from shop.app import create_app\ndef web_app():\n    return create_app([])",
        },
        ["application", "shop.app:create_simple_app", "shop.web:web_app"],
    ),
    "a factory that returns more than the application": (
        {
            "shop/app.py": "def create_app(args=None):\n    made = Flask(__name__)\n    return made, SocketIO(made)\n",
            "run.py": "from shop.app import create_app\napp, socketio = create_app([])",
            "start.py": "from shop.app import create_app\nio, web_app = create_app([])",
        },
        ["run", "start:web_app"],
    ),
    "a module that completes it": (
        {
            "shop/core/app.py": "api, app = 1, Flask(__name__)\napp = Flask(__name__)",
            "shop/app.py": "from shop.core.app import api, app\nfrom x import c\napp.config['KEY'] = c.key",
            "shop/db.py": "from .core.app import app\nMigrate(app, 1)",
            "shop/views.py": "from shop.core.app import app\n@app.route('/')\ndef index():\n    return ''",
        },
        ["shop.app", "shop.core.app", "shop.db"],
    ),
    "an application that Flask-Migrate is given": (
        {
            "shop/__init__.py": "def make(kind):\n    return connexion.App(kind)\n",
            "manage.py": "from shop import make\nouter = make('x')\napp = outer.app\nmigrate = Migrate(app, db)",
            "other.py": "def late(app):\n    Migrate(app, db)\n",
        },
        ["manage"],
    ),
    "a class of its own": (
        {"shop/app.py": "from apiflask import APIFlask\ndef create_app():\n    return APIFlask(__name__)\n"},
        ["shop.app:create_app"],
    ),
    "another framework's": ({"main.py": "from fastapi import FastAPI\napp = FastAPI()\n# no Flask here"}, []),
    "a file that is no Python": ({"main.py": "app = Flask(", "web.py": "app = Flask(__name__)"}, ["web"]),
}

CONFIGURATION = "alchemy = SQLAlchemyAsyncConfig(connection_string='sqlite://')"
ALCHEMY = {
    "in a module": ({"app.py": CONFIGURATION}, ["app:alchemy"]),
    "below src": ({"src/shop/config.py": CONFIGURATION}, ["shop.config:alchemy"]),
    "the configuration before the application": (
        {
            "a.py": "app = Litestar(plugins=[])",
            "shop/config.py": CONFIGURATION,
            "plugins.py": "x = SQLAlchemyPlugin(c)",
        },
        ["shop.config:alchemy", "plugins:x", "a:app"],
    ),
    "none": ({"app.py": "engine = create_engine('sqlite://')"}, []),
}


def _write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.mark.parametrize(("files", "expected"), FLASK.values(), ids=FLASK)
def test_flask(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert list(flask_applications(_write(tmp_path, files))) == expected


@pytest.mark.parametrize(("files", "expected"), ALCHEMY.values(), ids=ALCHEMY)
def test_advanced_alchemy(tmp_path: Path, files: dict[str, str], expected: list[str]) -> None:
    assert list(alchemy_configurations(_write(tmp_path, files))) == expected
