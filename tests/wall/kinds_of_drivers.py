"""Further ways to production: drivers' arguments, engines, handlers, processes, and statements of the server.

By name: where the code stands (`samples.py`), and the code; of the server the statements.
"""

from __future__ import annotations

KINDS: dict[str, tuple[str, str]] = {
    "env service late, psycopg2": (
        "env",
        "import os\n"
        "os.environ.update(PGSERVICEFILE=os.path.abspath('services.conf'), PGSERVICE='prod', PGHOSTADDR='127.0.0.1')\n"
        "config.set_main_option('sqlalchemy.url','postgresql+psycopg2://')",
    ),
    "env url query host": (
        "env",
        "config.set_main_option('sqlalchemy.url', f'postgresql+psycopg://u:p@/d?host=127.0.0.1&port={PORT}')",
    ),
    "env several hosts": (
        "env",
        "config.set_main_option('sqlalchemy.url', f'postgresql+psycopg://u:p@/d?host=127.0.0.1:{PORT}&host={FOLDER}:{PORT}')",
    ),
    "env asyncpg": (
        "env",
        "config.set_main_option('sqlalchemy.url', f'postgresql+asyncpg://u:p@127.0.0.1:{PORT}/d')",
    ),
    "engine in a thread that keeps": (
        "models",
        "import threading,time,sqlalchemy as sa\n"
        "def keep():\n"
        "    e=sa.create_engine(URL.replace('postgresql','postgresql+psycopg2'), pool_pre_ping=True, pool_size=5)\n"
        "    while True:\n"
        "        quiet(lambda: e.connect().close()); e.dispose(); time.sleep(.05)\n"
        "threading.Thread(target=keep,daemon=True).start()",
    ),
    "psycopg in thread pool atexit": (
        "models",
        "import threading, psycopg\n"
        "threading._register_atexit(lambda: quiet(psycopg.connect, TCP))\n"
        "import atexit\n"
        "atexit.register(lambda: quiet(psycopg.Connection.connect, TCP))",
    ),
    "asyncpg arguments": (
        "upgrade",
        "import asyncio, asyncpg, ssl\n"
        "for k in (dict(dsn=URL), dict(host='127.0.0.1',port=PORT,user='u',password='p'), dict(host=[FOLDER,'127.0.0.1'],port=[PORT,PORT],user='u'), dict(dsn=f'postgres://u@/d?host=127.0.0.1&port={PORT}'), dict(dsn=f'postgres://u@{FOLDER.replace(chr(47), \"%2F\")}:{PORT}/d'), dict(dsn=URL, direct_tls=True, ssl=ssl.create_default_context())):\n"
        "    async def go(): await asyncpg.connect(timeout=2, **k)\n"
        "    quiet(lambda: asyncio.run(go()))",
    ),
    "asyncpg service": (
        "upgrade",
        "import asyncio, asyncpg, os\n"
        "os.environ.update(PGSERVICEFILE=os.path.abspath('services.conf'), PGSERVICE='prod', PGHOST='127.0.0.1', PGPORT=str(PORT))\n"
        "quiet(lambda: asyncio.run(asyncpg.connect(timeout=2)))\n"
        "quiet(lambda: asyncio.run(asyncpg.connect(timeout=2, service='prod')))",
    ),
    "psycopg arguments": (
        "upgrade",
        "import psycopg\n"
        "for k in (dict(hostaddr='127.0.0.1',port=PORT,user='u'), dict(host=FOLDER,port=PORT,user='u'), dict(conninfo=TCP), dict(conninfo='', service='prod'), dict(conninfo=URL, connect_timeout=2, target_session_attrs='any', load_balance_hosts='random')):\n"
        "    quiet(lambda: psycopg.connect(**k))\n"
        "    quiet(lambda: psycopg.Connection.connect(**k))\n"
        "    quiet(lambda: psycopg.ClientCursor and psycopg.connect(cursor_factory=psycopg.ClientCursor, **k))",
    ),
    "psycopg generator by hand": (
        "upgrade",
        "from psycopg import generators, waiting, Connection\n"
        "quiet(lambda: waiting.wait_conn(Connection._connect_gen(TCP)))\n"
        "quiet(lambda: waiting.wait_conn(generators._connect(TCP, timeout=2)))",
    ),
    "psycopg cancel": (
        "upgrade",
        "import psycopg\nc=psycopg.connect(TCP)\nc.cancel()\nquiet(c.cancel_safe)",
    ),
    "psycopg2 wait callback": (
        "upgrade",
        "import psycopg2, psycopg2.extensions, psycopg2.extras\n"
        "psycopg2.extensions.set_wait_callback(psycopg2.extras.wait_select)\n"
        "quiet(psycopg2.connect, TCP)\n"
        "quiet(psycopg2._connect, TCP)\n"
        "quiet(lambda: psycopg2.connect(dsn='', host='127.0.0.1', hostaddr='127.0.0.1', port=PORT, user='u'))",
    ),
    "psycopg2 replication on class": (
        "upgrade",
        "import psycopg2.extras as x, psycopg2.extensions as e\n"
        "for c in (x.LogicalReplicationConnection, x.PhysicalReplicationConnection, x.MinTimeLoggingConnection, x.RealDictConnection, x.NamedTupleConnection):\n"
        "    quiet(c, TCP)\n"
        "    quiet(c, UNIX)",
    ),
    "pg8000 by a socket of own": (
        "upgrade",
        "import socket, pg8000.dbapi, ssl\n"
        "for k in (dict(sock=socket.socket()), dict(unix_sock=PATH), dict(host='127.0.0.1', port=PORT, source_address=('127.0.0.1',0)), dict(host='127.0.0.1', port=PORT, ssl_context=ssl.create_default_context(), tcp_keepalive=True)):\n"
        "    quiet(lambda: pg8000.dbapi.connect('u', password='p', timeout=2, **k))",
    ),
    "engine module argument": (
        "upgrade",
        "import sqlalchemy as sa, types, psycopg\n"
        "mod=types.ModuleType('m'); mod.__dict__.update(psycopg.__dict__); mod.connect=lambda *a,**k: psycopg.pq.PGconn.connect(TCP.encode())\n"
        "sa.create_engine('postgresql+psycopg://u@h/d', module=mod).connect()",
    ),
    "engine raw, pool static": (
        "upgrade",
        "import sqlalchemy as sa, psycopg\n"
        "from sqlalchemy.pool import StaticPool\n"
        "sa.create_engine(URL.replace('postgresql','postgresql+psycopg'), poolclass=StaticPool, connect_args={'hostaddr':'127.0.0.1','port':PORT}).raw_connection()",
    ),
    "engine patched dialect": (
        "upgrade",
        "import sqlalchemy as sa\n"
        "e=sa.create_engine(URL.replace('postgresql','postgresql+psycopg2'))\n"
        "e.dialect.create_connect_args=lambda url: ([TCP],{})\n"
        "e.connect()",
    ),
    "memory handler at shutdown": (
        "models",
        "import logging, logging.handlers\n"
        "h=logging.handlers.MemoryHandler(1000, target=logging.handlers.SocketHandler('127.0.0.1', PORT))\n"
        "logging.getLogger().addHandler(h)\n"
        "logging.getLogger().warning('x')",
    ),
    "smtp handler": (
        "upgrade",
        "import logging, logging.handlers\n"
        "logging.getLogger('z').addHandler(logging.handlers.SMTPHandler(('127.0.0.1',PORT),'a@b',['c@d'],'s',timeout=2))\n"
        "logging.getLogger('z').error('x')",
    ),
    "excepthook": (
        "models",
        "import sys, threading\n"
        "sys.excepthook=lambda *a: quiet(tcp)\n"
        "threading.excepthook=lambda *a: quiet(tcp)\n"
        "sys.unraisablehook=lambda *a: quiet(tcp)\n"
        "threading.Thread(target=lambda: 1/0).start()",
    ),
    "lo export": (
        "sql",
        "SELECT lo_export(lo_from_bytea(0, 'x'), '<HERE>/out.bin');;"
        "SELECT lo_import('/etc/passwd');;"
        "COPY (SELECT 1) TO '<HERE>/copied'",
    ),
    "security label": (
        "sql",
        "SECURITY LABEL FOR selinux ON TABLE book IS 'x';;SECURITY LABEL ON TABLE book IS 'y'",
    ),
    "archive library": (
        "autocommit",
        "ALTER SYSTEM SET archive_library = 'dblink';;"
        "ALTER SYSTEM SET archive_cleanup_command = 'bash -c \"exec 3<>/dev/tcp/127.0.0.1/<PORT>\"';;"
        "ALTER SYSTEM SET recovery_end_command = 'bash -c \"exec 3<>/dev/tcp/127.0.0.1/<PORT>\"';;"
        "ALTER SYSTEM SET listen_addresses='*';;"
        "ALTER SYSTEM SET unix_socket_directories='<FOLDER>';;"
        "SELECT pg_reload_conf()",
    ),
    "subscription variants": (
        "autocommit",
        "CREATE SUBSCRIPTION s CONNECTION '<TCP>' PUBLICATION p WITH (connect = true, enabled = true, create_slot = true);;"
        "CREATE SUBSCRIPTION s2 CONNECTION '<TCP>' PUBLICATION p WITH (create_slot = 'off', slot_name = NONE, enabled = false, connect = 0);;"
        "ALTER SUBSCRIPTION s2 SET (slot_name = 'x');;"
        "ALTER SUBSCRIPTION s2 ENABLE;;"
        "ALTER SUBSCRIPTION s2 REFRESH PUBLICATION;;"
        "ALTER SUBSCRIPTION s2 SKIP (lsn = '0/1');;"
        "ALTER SUBSCRIPTION s2 SET (failover = true);;"
        "DROP SUBSCRIPTION s2",
    ),
    "foreign options on mapping": (
        "sql",
        "CREATE EXTENSION IF NOT EXISTS postgres_fdw;;"
        "CREATE SERVER prod FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '127.0.0.1', port '<PORT>', dbname 'd');;"
        "CREATE USER MAPPING FOR PUBLIC SERVER prod OPTIONS (user 'u', password 'p');;"
        "CREATE FOREIGN TABLE far (id int) SERVER prod;;"
        "ALTER SERVER prod OPTIONS (ADD service 'prod');;"
        "ALTER SERVER prod OPTIONS (ADD use_remote_estimate 'true', ADD async_capable 'true');;"
        "EXPLAIN SELECT * FROM far;;"
        "CREATE TABLE l (id int);;"
        "SELECT * FROM l JOIN far USING (id);;"
        "COPY far FROM PROGRAM 'echo 1';;"
        "TRUNCATE far;;"
        "LOCK TABLE far",
    ),
    "dblink async": (
        "sql",
        "CREATE EXTENSION IF NOT EXISTS dblink;;"
        "SELECT dblink_connect_u('c', '<TCP>');;"
        "SELECT dblink_send_query('c', 'SELECT 1');;"
        "SELECT * FROM dblink('<UNIX>', 'SELECT 1') AS t(x int);;"
        "SELECT dblink_connect('postgresql://u:p@127.0.0.1:<PORT>/d');;"
        "SELECT dblink_connect('host=/nowhere,<FOLDER> port=1,<PORT>')",
    ),
    "copy program nested shell": (
        "sql",
        "COPY (SELECT 1) TO PROGRAM 'python3 -c \"import socket,os; os.fork() or socket.create_connection((''127.0.0.1'',<PORT>))\"';;"
        "COPY book FROM PROGRAM 'psql -h 127.0.0.1 -p <PORT> -U u d -c ''select 1''';;"
        "COPY (SELECT 1) TO PROGRAM 'PGHOSTADDR=127.0.0.1 PGPORT=<PORT> psql -U u d'",
    ),
    "loop of asyncio forever": (
        "models",
        "import asyncio, threading\n"
        "loop=asyncio.new_event_loop()\n"
        "async def beat():\n"
        "    while True:\n"
        "        try: await asyncio.open_connection('127.0.0.1', PORT)\n"
        "        except OSError: pass\n"
        "        await asyncio.sleep(.05)\n"
        "threading.Thread(target=loop.run_until_complete, args=(beat(),), daemon=True).start()",
    ),
    "subclass of env context": (
        "env",
        "import atexit, os\n"
        "atexit.register(tcp)\n"
        "if os.fork()==0:\n"
        "    import time\n"
        "    for _ in range(100):\n"
        "        quiet(tcp); time.sleep(.05)\n"
        "    os._exit(0)",
    ),
    "double fork setsid late": (
        "upgrade",
        "import os,time\n"
        "if os.fork()==0:\n"
        "    os.setsid()\n"
        "    if os.fork()==0:\n"
        "        for i in range(0,3):\n"
        "            pass\n"
        "        time.sleep(1)\n"
        "        for _ in range(200):\n"
        "            quiet(tcp); quiet(unix); time.sleep(.05)\n"
        "        os._exit(0)\n"
        "    os._exit(0)\n"
        "os.wait()",
    ),
    "memfd program": (
        "upgrade",
        "import os\n"
        "fd=os.memfd_create('x')\n"
        "os.write(fd, b'#!/bin/bash\\nexec 3<>/dev/tcp/127.0.0.1/%d\\n' % PORT)\n"
        "import subprocess\n"
        "subprocess.run([f'/proc/self/fd/{fd}'], pass_fds=[fd])",
    ),
    "io_uring": (
        "upgrade",
        "import ctypes\n"
        "libc=ctypes.CDLL(None,use_errno=True)\n"
        "buf=ctypes.create_string_buffer(120)\n"
        "fd=libc.syscall(425,8,buf)\n"
        "print('io_uring',fd)",
    ),
    "ptrace parent": (
        "upgrade",
        "import ctypes,os\nlibc=ctypes.CDLL(None)\nlibc.ptrace(16,os.getppid(),0,0)\ntcp()",
    ),
    "write gatekeeper memory": (
        "upgrade",
        "import os\n"
        "pp=os.getppid()\n"
        "quiet(lambda: open(f'/proc/{pp}/mem','r+b'))\n"
        "for n in os.listdir('/proc'):\n"
        "    if n.isdigit():\n"
        "        try:\n"
        "            for f in os.listdir(f'/proc/{n}/fd'):\n"
        "                pass\n"
        "        except OSError: pass\n"
        "import ctypes\n"
        "libc=ctypes.CDLL(None,use_errno=True)\n"
        "pfd=libc.syscall(434,pp,0)\n"
        "for i in range(3,30):\n"
        "    g=libc.syscall(438,pfd,i,0)\n"
        "    if g>=0:\n"
        "        quiet(os.close,g)\n"
        "tcp()",
    ),
    "steal the listener's socket": (
        "upgrade",
        "import os,ctypes,socket\n"
        "libc=ctypes.CDLL(None,use_errno=True)\n"
        "# a descriptor of production's own listening process\n"
        "for n in os.listdir('/proc'):\n"
        "    if n.isdigit():\n"
        "        p=libc.syscall(434,int(n),0)\n"
        "        if p<0: continue\n"
        "        for i in range(3,12):\n"
        "            g=libc.syscall(438,p,i,0)\n"
        "            if g>=0:\n"
        "                try:\n"
        "                    k=socket.socket(fileno=g)\n"
        "                    k.connect(('127.0.0.1',PORT))\n"
        "                except OSError: pass\n"
        "        os.close(p)",
    ),
}
