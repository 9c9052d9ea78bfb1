"""No secret gets through, in whatever form it is written; what is no secret stays readable."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from alembic_pgpatterns.output.secrets import without_passwords, without_secrets

SQL = (
    "ALTER ROLE bob PASSWORD 'hunter2'",
    "CREATE ROLE bob LOGIN ENCRYPTED PASSWORD 'hunter2' VALID UNTIL 'infinity'",
    "CREATE USER bob WITH password 'it''s hunter2'",
    "ALTER ROLE bob PASSWORD E'hun\\'ter2 hunter2'",
    "ALTER ROLE bob PASSWORD e'hunter2\\\\'; SELECT 1",
    "ALTER ROLE bob PASSWORD U&'hunter2\\0041'",
    "ALTER ROLE bob PASSWORD U&'!0041hunter2' UESCAPE '!'",
    "ALTER ROLE bob PASSWORD $$hunter2$$",
    "ALTER ROLE bob PASSWORD $x$hunter2 $$ hunter2$x$",
    "ALTER ROLE bob PASSWORD $é_1$hunter2$é_1$",
    "ALTER ROLE bob PASSWORD /* 'x' */ 'hunter2'",
    "ALTER ROLE bob PASSWORD -- a comment\n  'hunter2'",
    "ALTER ROLE bob PASSWORD 'hun'\n  'ter2 hunter2'",
    "ALTER ROLE bob\n PASSWORD\n\t'hunter2'",
    "CREATE USER MAPPING FOR bob SERVER s OPTIONS (user 'bob', password 'hunter2')",
    "ALTER ROLE bob PASSWORD 'hunter2",  # cut off
    "ALTER ROLE bob PASSWORD $$hunter2",
    "DO $$ BEGIN EXECUTE 'ALTER ROLE bob PASSWORD ''hunter2'''; END $$",
    "'ALTER ROLE bob PASSWORD \\'hunter2\\''",  # a repr
    "CREATE SUBSCRIPTION s CONNECTION 'host=db password=hunter2 dbname=x' PUBLICATION p",
    "SELECT dblink('dbname=x password=''hunter2''')",
    "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'a', \"password\" 'hunter2')",
    "UPDATE users SET password = 'hunter2' WHERE id = 1",
    "UPDATE users SET \"password\" = 'hunter2', name = 'x'",
    "INSERT INTO users (name, password) VALUES ('bob', 'hunter2'), ('eve', $$hunter2$$)",
    "SELECT * FROM users WHERE api_token = 'hunter2'",
    "SET app.jwt_secret TO 'hunter2'",
    "ALTER DATABASE d SET app.jwt_secret = 'hunter2'",
    "SELECT set_config('app.secret', 'hunter2', false)",
    "SELECT crypt('hunter2', gen_salt('bf'))",
    "SELECT pgp_sym_encrypt(note, 'hunter2')",
)
CONNECTIONS = (
    "postgresql://bob:hunter2@db.example/shop",
    "postgresql+asyncpg://bob:p@ss/w:hunter2@db.example/shop",
    "postgresql://bob:my pass hunter2@db.example/shop",
    "postgresql://bob:my@x pass hunter2@db.example/shop",
    'postgresql+psycopg://bob:it\'s "my" hunter2@db.example:5432 today',
    "postgresql://bob:12 hunter2@[::1]/shop",
    "postgresql://bob:%20 \t<hunter2>&#;`@db",
    "bad: 'postgresql://bob:my hunter2'",
    "https://bob:my hunter2@host/x",
    "redis://:hunter2@cache/0",
    "https://ghp_hunter2abcdefgh@github.com/x/y",
    "host=db password=hunter2 user=bob",
    "host=db password='hunter2 with space' user=bob",
    "postgresql://db/shop?user=bob&password=hunter2&sslmode=require",
    "connect(host='db', password='hunter2')",
    "{'host': 'db', 'password': 'hunter2'}",
    '{"db": {"password": "hunter2"}}',
    "{'password': b'hunter2'}",
    "[('user', 'bob'), ('password', 'hunter2')]",
)
ERRORS = (
    "PGPASSWORD=hunter2 is not set right",
    "DB_PASSWORD: hunter2",
    "SHOP_DB_PASSWORD = 'hunter2'",
    "password: hunter2",
    "aws_secret_access_key=hunter2",
    "AWS_SECRET_ACCESS_KEY: hunter2",
    "STRIPE_API_KEY=hunter2",
    "api_token: hunter2",
    "environ({'GITHUB_TOKEN': 'hunter2', 'HOME': '/root'})",
    "Settings(client_secret='hunter2', debug=True)",
    "Config(secret_key=hunter2)",
    "password = hunter2",
    "DB_PASS=hunter2",
    "No such branch: 'postgresql://bob:hunter2'",
    "DB_PWD: hunter2",
    "{'pass': 'hunter2'}",
    "Credentials(user='u', pwd='hunter2')",
    "{'password': SecretStr('hunter2')}",
    "{'pin_secret': 1234hunter2}",
    "dbPassword: hunter2",
    "apiKey: hunter2",
    "db-password: hunter2",
    "PASSWORD:hunter2",
    "password: str = 'hunter2'",
    "os.environ['SECRET_KEY'] = 'hunter2'",
    "auth_token => hunter2",
    "password => hunter2",
    "<password>hunter2</password>",
    "psql --password hunter2",
    "vault --db-token=hunter2",
    "the password 'hunter2' is too short",
    "Authorization: Basic aHVudGVy hunter2",
    "{'Authorization': 'Bearer hunter2'}",
    "sent Bearer hunter2abc",
    "x-api-key: hunter2",
    "Cookie: session=hunter2; a=hunter2",
    "AccountKey=hunter2==;EndpointSuffix=x",
    "-----BEGIN RSA PRIVATE KEY-----\nhunter2\nhunter2\n-----END RSA PRIVATE KEY-----",
    "eyJhbGciOiJIUzI1NiJ9.eyJodW50ZXIyIjoxfQ.hunter2sig",
    "ghp_hunter2hunter2hunter2",
    "[SQL: INSERT INTO users VALUES (%s, %s)]\n[parameters: ('bob', 'hunter2')]\n(Background on this error)",
    "[parameters: {'pw': 'hunter2 ] '}]",
    "duplicate key\nDETAIL:  Key (api_token)=(hunter2) already exists.",
    "a null password\nDETAIL:  Failing row contains (1, bob, hunter2).",
    'missing "=" after "hunter2" in connection info string',
    'invalid connection option "hunter2"',
    'invalid integer value "hunter2" for connection option "port"',
    "database_url\n  Input should be a valid URL [type=url_parsing, input_value='postgres:bob:hunter2']",
    "db_password\n  Input should be 8 long [type=string_too_short, input_value=hunter2, input_type=str]",
)


@pytest.mark.parametrize("text", [*SQL, *CONNECTIONS])
def test_in_everything_that_people_see(text: str) -> None:
    for hidden in (without_passwords(text), without_secrets(text), without_secrets(f"It failed: {text!r} (a.py:3)")):
        assert "hunter2" not in hidden
        assert "***" in hidden


@pytest.mark.parametrize("text", ERRORS)
def test_in_errors_of_others(text: str) -> None:
    hidden = without_secrets(f"env.py:3: ValueError: {text}")
    assert "hunter2" not in hidden
    assert "***" in hidden


@pytest.mark.parametrize(
    "text",
    [
        "public.users.password: String(255) -> Text",
        "users.password_hash: Mapped[str] = mapped_column(Text)",
        "the limit of public.users.api_token is 255 characters",
        "ALTER TABLE users ADD CONSTRAINT c CHECK (password = upper(password))",
        "CREATE INDEX ix ON users (token) WHERE token IS NOT NULL",
        'Index("ix_token_user_id", "user_id")',
        "op.create_index('ix_credential_type', 'credential', ['user_id', 'type'])",
        "ALTER TABLE tokens ADD CONSTRAINT c CHECK (token_type = 'bearer')",
        "INSERT INTO token_kinds (name) VALUES ('bearer')",
        'op.execute("UPDATE users SET token_count = 0")',
        "ALTER TABLE secret SET (fillfactor = 70)",
        "SELECT digest(note, 'sha256')",
        "a role without a PASSWORD cannot log in",
        "ALTER ROLE bob PASSWORD NULL",
        "see https://www.postgresql.org/docs/current/sql-createrole.html",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert without_passwords(text) == text


@pytest.mark.parametrize(
    "text",
    [
        'env = { SECRET_KEY = "for-the-check-only-0123456789abcdef", DB_TOKEN = "{url}" }',
        'models = ["shop.models.api_key", "shop.models.access_token", "shop.models.user"]',
    ],
)
def test_settings_that_this_package_proposes_can_be_pasted(text: str) -> None:
    assert without_secrets(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "migrations/token.py:12: KeyError: 'x'",
        "app/secret.py:3: NameError",
        "password authentication failed for user bob",
        "{'password': None, 'token': True}",
        "SECRET_KEY is not set",
        "Key (name)=(bob) already exists.",
        "PWD=/home/bob",
        "the token:: operator",
        "postgresql://localhost:5432",
        "postgresql://localhost:5432 refused bob@example.org",
        "'postgresql://localhost:5432/shop' refused 'bob@example.org'",
        "postgresql://[::1]:5432/shop",
        "{url} is postgresql://{host}:{port}/{name}",
    ],
)
def test_an_error_that_only_speaks_of_secrets_stays(text: str) -> None:
    assert without_secrets(text) == text


def test_a_text_without_end_is_cut() -> None:
    hidden = without_secrets("password='hunter2' " + "x" * 3_000_000 + " token='hunter2' end")
    assert len(hidden) < 21_000
    assert "hunter2" not in hidden
    assert hidden.endswith("end")
    assert "characters are left out" in hidden


def test_the_rest_of_an_error_stays() -> None:
    said = "env.py:3: OperationalError: connection to db failed, user=bob password=hunter2 sslmode=require: no route"
    assert without_secrets(said) == said.replace("hunter2", "***")
    again = without_secrets(without_secrets(said))
    assert again == without_secrets(said)


def sql_string(secret: str, form: int) -> str:
    """One of PostgreSQL's forms of a string constant."""
    plain = secret.replace("'", "''")
    escaped = secret.replace("\\", "\\\\").replace("'", "\\'")
    return (f"'{plain}'", f"E'{escaped}'", f"e'{plain.replace(chr(92), chr(92) * 2)}'", f"$p$${secret}$p$")[form]


@given(
    secret=st.text(st.sampled_from("xyz '\\\"$;-/*\n"), max_size=12).map(lambda text: f"hunter2{text}hunter2"),
    form=st.integers(0, 3),
    space=st.sampled_from([" ", "\n", " /* why */ ", " -- why\n"]),
)
def test_every_form_of_a_string_that_the_parser_reads(secret: str, form: int, space: str) -> None:
    statement = f"CREATE ROLE bob PASSWORD{space}{sql_string(secret, form)} LOGIN"
    assert "hunter2" not in without_passwords(statement)
    assert form in (1, 2) or without_passwords(statement).endswith(" LOGIN")
