"""Ways out of a process to PostgreSQL or anywhere, as a module of a project: `go` tries them all, `WAYS` one by one."""

SOURCE = '''
"""Tries to reach production in every way, whatever happens."""
import os, socket, subprocess, sys, threading

PORT, FOLDER = {port}, {folder!r}
PATH = f"{{FOLDER}}/.s.PGSQL.{{PORT}}"
TCP = f"host=127.0.0.1 port={{PORT}} user=u password=p dbname=d connect_timeout=3"
UNIX = f"host={{FOLDER}} port={{PORT}} user=u password=p dbname=d connect_timeout=3"
URL = f"postgresql://u:p@127.0.0.1:{{PORT}}/d?connect_timeout=3"


def tcp():
    socket.create_connection(("127.0.0.1", PORT), 3).close()


def unix():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(PATH)


def abstract():
    with socket.socket(socket.AF_UNIX) as out:
        out.connect(f"\\0pgpatterns-production-{{PORT}}")


def thread():
    started = threading.Thread(target=tcp)
    started.start()
    started.join()


def fork():
    if os.fork() == 0:
        try:
            tcp()
        finally:
            os._exit(0)
    os.wait()


def quietly(*command, **options):
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=20, **options)


def bash():
    quietly("bash", "-c", f"exec 3<>/dev/tcp/127.0.0.1/{{PORT}}")


def environment_program():
    """The user's PGHOST, taken along; a conninfo that names nothing."""
    quietly(sys.executable, "-c", "import psycopg; psycopg.connect('')", env={{**os.environ}})


def named_environment():
    variables = {{"PGHOST": FOLDER, "PGPORT": str(PORT), "PGUSER": "u", "PATH": os.environ["PATH"]}}
    quietly(sys.executable, "-c", "import psycopg; psycopg.connect('')", env=variables)


def conninfo_program():
    quietly(sys.executable, "-c", f"import psycopg; psycopg.connect({{TCP!r}})")


def conninfo_program_unix():
    quietly(sys.executable, "-c", f"import psycopg; psycopg.connect({{UNIX!r}})", env={{**os.environ}})


def pq():
    from psycopg import pq
    pq.PGconn.connect(TCP.encode())


def pq_unix():
    from psycopg import pq
    pq.PGconn.connect(UNIX.encode())


def generators():
    from psycopg import generators, waiting
    waiting.wait_conn(generators.connect(TCP))


def psycopg2_class():
    import psycopg2.extensions
    psycopg2.extensions.connection(TCP)


def psycopg2_unix():
    import psycopg2.extras
    psycopg2.extras.DictConnection(UNIX)


def psycopg2_low():
    import psycopg2._psycopg
    psycopg2._psycopg._connect(TCP)


def asyncpg_low():
    import asyncio, asyncpg.connect_utils
    async def go():
        await asyncio.open_connection("127.0.0.1", PORT)
    asyncio.run(go())


def pg8000_socket():
    import pg8000.core
    pg8000.core._make_socket(None, None, "127.0.0.1", PORT, 3, None, True, None)


def drivers():
    """What is redirected: these connect, to the check's server."""
    import psycopg, psycopg2, pg8000.native
    psycopg.connect(TCP).close()
    psycopg2.connect(UNIX).close()
    pg8000.native.Connection("u", host="127.0.0.1", port=PORT, password="p").close()


def sqlalchemy_engines():
    import sqlalchemy
    for driver in ("psycopg", "psycopg2", "pg8000"):
        engine = sqlalchemy.create_engine(f"postgresql+{{driver}}://u:p@127.0.0.1:{{PORT}}/d")
        engine.connect().close()
        engine.dispose()


def http():
    import urllib.request
    urllib.request.urlopen(f"http://127.0.0.1:{{PORT}}/", timeout=3)


def xmlrpc():
    import xmlrpc.client
    xmlrpc.client.ServerProxy(f"http://127.0.0.1:{{PORT}}/").ping()


def logging_handler():
    import logging.handlers
    handler = logging.handlers.SocketHandler("127.0.0.1", PORT)
    handler.emit(logging.makeLogRecord({{"msg": "x"}}))


def smtp():
    import smtplib
    smtplib.SMTP("127.0.0.1", PORT, timeout=3)


def ctypes_connect():
    import ctypes, struct
    libc = ctypes.CDLL(None, use_errno=True)
    with socket.socket() as out:
        address = struct.pack("HH4s8x", socket.AF_INET, socket.htons(PORT), socket.inet_aton("127.0.0.1"))
        libc.connect(out.fileno(), address, len(address))


def fast_open():
    with socket.socket() as out:
        out.sendto(b"x", 0x20000000, ("127.0.0.1", PORT))


def mapped():
    with socket.socket(socket.AF_INET6) as out:
        out.connect(("::ffff:127.0.0.1", PORT))


def spawned():
    import multiprocessing
    process = multiprocessing.get_context("spawn").Process(target=tcp)
    process.start()
    process.join(20)


def pool():
    from concurrent.futures import ThreadPoolExecutor
    with ThreadPoolExecutor(2) as executor:
        list(executor.map(lambda number: tcp(), range(2)))


def shell():
    os.system(f"bash -c 'exec 3<>/dev/tcp/127.0.0.1/{{PORT}}' 2>/dev/null")


def replaced_variable():
    os.environ.update(PGHOST="127.0.0.1", PGPORT=str(PORT), PGHOSTADDR="127.0.0.1")
    from psycopg import pq
    pq.PGconn.connect(b"user=u")


WAYS = {{name: value for name, value in list(globals().items()) if callable(value) and value.__module__ == __name__}}
WAYS.pop("quietly", None)
SLOW = ("environment_program", "named_environment", "conninfo_program", "conninfo_program_unix", "spawned")
"""They start Python; one place of a project has to do."""


def go(slow=False):
    """Once per project: env.py and revisions run several times."""
    if os.path.exists("tried"):
        return
    for name, way in WAYS.items():
        if name in SLOW and not slow:
            continue
        try:
            way()
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, SystemExit)):
                raise
    with open("tried", "a") as tried:
        tried.write(f"{{len(WAYS)}}\\n")
'''
