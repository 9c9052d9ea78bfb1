"""Projects whose Python code reaches for production: each a sample of a way that somebody's application has.

The code has the names that `samples.REACH` defines: PORT, FOLDER and PATH of the server, what libpq takes for it, and
functions that connect.
"""

from __future__ import annotations

AT_IMPORT = {
    "a thread": "import threading\nthreading.Thread(target=tcp).start()",
    "a daemon thread that goes on": "import threading, time\n"
    "def beat():\n    while True:\n        quiet(tcp)\n        time.sleep(0.02)\n"
    "threading.Thread(target=beat, daemon=True).start()",
    "a timer": "import threading\nthreading.Timer(0.5, tcp).start()",
    "a pool of threads": "import concurrent.futures\nEXECUTOR = concurrent.futures.ThreadPoolExecutor()\n"
    "EXECUTOR.submit(tcp)",
    "an event loop in a thread": "import asyncio, threading\n"
    "async def main():\n    await asyncio.open_connection('127.0.0.1', PORT)\n"
    "threading.Thread(target=lambda: asyncio.run(main())).start()",
    "an alarm": "import signal\nsignal.signal(signal.SIGALRM, lambda *a: quiet(tcp))\n"
    "signal.setitimer(signal.ITIMER_REAL, 0.2, 0.2)",
    "a handler of SIGTERM": "import signal\nsignal.signal(signal.SIGTERM, lambda *a: tcp())\n"
    "signal.signal(signal.SIGHUP, lambda *a: tcp())",
    "the signal that asks where it is": "import os, signal\nsignal.signal(signal.SIGUSR2, lambda *a: quiet(tcp))\n"
    "os.kill(os.getpid(), signal.SIGUSR2)",
    "atexit": "import atexit\natexit.register(tcp)",
    "a finalizer": "import weakref\nclass Pool: pass\nPOOL = Pool()\nweakref.finalize(POOL, tcp)",
    "a destructor": "class Pool:\n    def __del__(self):\n        tcp()\nPOOL = Pool()\nPOOL = Pool()",
    "a hook of imports": "import sys\nclass Finder:\n    def find_spec(self, name, path=None, target=None):\n"
    "        quiet(tcp)\nsys.meta_path.insert(0, Finder())",
    "a trace function": "import sys\nsys.setprofile(lambda *a: (sys.setprofile(None), quiet(tcp)))",
    "a fork": "import os\nif os.fork() == 0:\n    quiet(tcp)\n    os._exit(0)\nos.wait()",
    "a fork that stays": "import os, time\nif os.fork() == 0:\n    while True:\n        quiet(tcp)\n        time.sleep(0.05)",
    "a daemon": "import os, time\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
    "        os.closerange(0, 3)\n        while True:\n            time.sleep(0.05)\n            quiet(tcp)\n"
    "    os._exit(0)\nos.wait()",
    "libc's fork": "import ctypes, os\nif ctypes.CDLL(None).fork() == 0:\n    quiet(tcp)\n    os._exit(0)\nos.wait()",
    "a pseudo-terminal": "import os, pty\npid, handle = pty.fork()\nif pid == 0:\n    quiet(tcp)\n    os._exit(0)\n"
    "os.waitpid(pid, 0)",
    "multiprocessing, forked": "import multiprocessing\nprocess = multiprocessing.get_context('fork').Process(target=tcp)\n"
    "process.start()\nprocess.join()",
    "multiprocessing, spawned": "import multiprocessing\n"
    "process = multiprocessing.get_context('spawn').Process(target=tcp)\nprocess.start()\nprocess.join()",
    "multiprocessing, a server of forks": "import multiprocessing\n"
    "process = multiprocessing.get_context('forkserver').Process(target=tcp)\nprocess.start()\nprocess.join()",
    "a pool of processes": "import concurrent.futures, multiprocessing\n"
    "with concurrent.futures.ProcessPoolExecutor(2, multiprocessing.get_context('fork')) as pool:\n"
    "    list(pool.map(quiet, [tcp, unix]))",
    "another interpreter in this process": "import _xxsubinterpreters as interpreters\n"
    "interpreters.run_string(interpreters.create(), 'import reach; reach.quiet(reach.tcp)')",
    "a module that is made anew": "import sys\nfor name in [n for n in sys.modules if n.split('.')[0] == 'psycopg']:\n"
    "    del sys.modules[name]\nimport psycopg\nquiet(lambda: psycopg.connect(TCP))\n"
    "quiet(lambda: psycopg.pq.PGconn.connect(TCP.encode()))",
    "sockets made anew": "import importlib, socket\nimportlib.reload(socket)\n"
    "quiet(lambda: socket.create_connection(('127.0.0.1', PORT), 3))",
}
"""In a module of the models, as an application does it when it is imported."""

OWN = """import os, socket
def connect(name):
    socket.socket(socket.AF_UNIX).connect(name)
os.makedirs('own', exist_ok=True)
name = os.path.abspath(f'own/.s.PGSQL.{PORT}')
listener = socket.socket(socket.AF_UNIX)
listener.bind(name)
listener.listen()
quiet(connect, name)
"""
"""A listener with the name that production's has, in a folder of the project."""
OF_THE_MACHINE = """made = []
def make(folder):
    if not os.path.isdir(folder):
        make(os.path.dirname(folder))
        os.mkdir(folder)
        made.append(folder)
def take_away():
    for folder in reversed(made):
        quiet(os.rmdir, folder)
"""
"""Folders outside of the project, which only root can make: those that were made are taken away again."""

WAYS = {
    "a socket": "tcp()",
    "a socket by its low module": "import _socket\nout = _socket.socket()\nout.connect(('127.0.0.1', PORT))",
    "connect_ex": "import socket\nsocket.socket().connect_ex(('127.0.0.1', PORT))",
    "a socket that does not block": "import socket\nout = socket.socket()\nout.setblocking(False)\n"
    "out.connect_ex(('127.0.0.1', PORT))",
    "by the name": "import socket\nsocket.create_connection(('localhost', PORT), 3)",
    "by another spelling": "import socket\nsocket.create_connection(('127.1', PORT), 3)",
    "by 0.0.0.0": "import socket\nsocket.socket().connect(('0.0.0.0', PORT))",
    "by IPv6": "import socket\nsocket.socket(socket.AF_INET6).connect(('::ffff:127.0.0.1', PORT))",
    "a Unix socket": "unix()",
    "a Unix socket from its folder": "import os, socket\nos.chdir(FOLDER)\n"
    "socket.socket(socket.AF_UNIX).connect(f'.s.PGSQL.{PORT}')",
    "a Unix socket by a link": "import os, socket\nos.symlink(FOLDER, 'link')\n"
    "socket.socket(socket.AF_UNIX).connect(f'link/.s.PGSQL.{PORT}')",
    "a Unix socket by a descriptor": "import os, socket\nhandle = os.open(FOLDER, os.O_PATH)\n"
    "socket.socket(socket.AF_UNIX).connect(f'/proc/self/fd/{handle}/.s.PGSQL.{PORT}')",
    "a Unix socket by dots": "import socket\nsocket.socket(socket.AF_UNIX).connect(f'{FOLDER}/../' + PATH.split('/', 2)[2])",
    "a link named as a check's server": "import os, socket, tempfile\nfolder = tempfile.gettempdir() + f'/pgpatterns-link{PORT}'\n"
    "quiet(os.symlink, FOLDER, folder)\ntry:\n    socket.socket(socket.AF_UNIX).connect(f'{folder}/.s.PGSQL.{PORT}')\n"
    "finally:\n    os.unlink(folder)",
    "an abstract socket": "import socket\nsocket.socket(socket.AF_UNIX).connect(f'\\0pgpatterns-production-{PORT}')",
    "UDP": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', PORT))",
    "UDP that is connected": "import socket\nout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "out.connect(('127.0.0.1', PORT))\nout.send(b'x')",
    "UDP by messages": "import socket\nout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "out.sendmsg([b'x'], [], 0, ('127.0.0.1', PORT))",
    "asyncio": "import asyncio\nasync def main():\n    _, out = await asyncio.open_connection('127.0.0.1', PORT)\n"
    "    out.write(bytes(8))\nasyncio.run(main())",
    "asyncio by a Unix socket": "import asyncio\nasync def main():\n    await asyncio.open_unix_connection(PATH)\n"
    "asyncio.run(main())",
    "asyncio's datagrams": "import asyncio\nasync def main():\n    loop = asyncio.get_running_loop()\n"
    "    out, _ = await loop.create_datagram_endpoint(asyncio.DatagramProtocol, remote_addr=('127.0.0.1', PORT))\n"
    "    out.sendto(b'x')\nasyncio.run(main())",
    "asyncpg": "import asyncio, asyncpg\nasyncio.run(asyncpg.connect(URL, timeout=3))",
    "asyncpg, a pool": "import asyncio, asyncpg\nasync def main():\n    async with asyncpg.create_pool(URL, min_size=1):\n"
    "        pass\nasyncio.run(main())",
    "asyncpg by a Unix socket": "import asyncio, asyncpg\n"
    "asyncio.run(asyncpg.connect(host=FOLDER, port=PORT, user='u', password='p', timeout=3))",
    "asyncpg below its connect": "import asyncio, asyncpg.connect_utils as below\nasync def main():\n"
    "    loop = asyncio.get_running_loop()\n"
    "    await below._connect(loop=loop, connection_class=None, record_class=None, host='127.0.0.1', port=PORT)\n"
    "asyncio.run(main())",
    "psycopg": "import psycopg\npsycopg.connect(TCP)",
    "psycopg's class": "import psycopg\npsycopg.Connection.connect(UNIX)",
    "psycopg, asynchronous": "import asyncio, psycopg\nasyncio.run(psycopg.AsyncConnection.connect(TCP))",
    "psycopg's pq": "from psycopg import pq\npq.PGconn.connect(TCP.encode())",
    "psycopg's pq, started": "from psycopg import pq\nout = pq.PGconn.connect_start(UNIX.encode())\nout.connect_poll()",
    "libpq's ping": "from psycopg import pq\npq.PGconn.ping(TCP.encode())",
    "libpq's service": "import os\nfrom psycopg import pq\nos.environ['PGSERVICEFILE'] = os.path.abspath('services.conf')\n"
    "pq.PGconn.connect(b'service=prod')",
    "libpq's folder of services": "import os\nfrom psycopg import pq\nos.environ['PGSYSCONFDIR'] = os.getcwd()\n"
    "pq.PGconn.connect(b'service=prod')",
    "libpq's password file": "import os\nfrom psycopg import pq\nos.environ['PGPASSFILE'] = os.path.abspath('passwords')\n"
    "pq.PGconn.connect(f'host=127.0.0.1 port={PORT} user=u dbname=d'.encode())",
    "libpq with options": "import os\nfrom psycopg import pq\nos.environ.update(PGOPTIONS='-c search_path=x', PGHOST=FOLDER)\n"
    "os.environ['PGPORT'] = str(PORT)\npq.PGconn.connect(b'user=u dbname=d')",
    "libpq with several hosts": "from psycopg import pq\n"
    "pq.PGconn.connect(f'host=127.0.0.1,{FOLDER} port={PORT},{PORT} user=u connect_timeout=3'.encode())",
    "psycopg2's class": "import psycopg2.extensions\npsycopg2.extensions.connection(TCP)",
    "psycopg2's pool": "import psycopg2.pool\npsycopg2.pool.ThreadedConnectionPool(1, 2, URL)",
    "psycopg2's replication": "import psycopg2.extras\npsycopg2.connect(TCP, connection_factory="
    "psycopg2.extras.LogicalReplicationConnection)",
    "pg8000": "import pg8000.dbapi\npg8000.dbapi.connect('u', host='127.0.0.1', port=PORT, password='p')",
    "pg8000's core": "import pg8000.core\npg8000.core.CoreConnection('u', host='127.0.0.1', port=PORT, timeout=3)",
    "libpq by ctypes": "import ctypes, glob, os, psycopg_binary\n"
    "folder = os.path.dirname(psycopg_binary.__file__) + '.libs'\n"
    "libpq = ctypes.CDLL(glob.glob(folder + '/libpq*')[0])\nlibpq.PQconnectdb(TCP.encode())",
    "libpq by ctypes, from libc's environment": "import ctypes, glob, os, psycopg_binary\n"
    "folder = os.path.dirname(psycopg_binary.__file__) + '.libs'\n"
    "libpq, libc = ctypes.CDLL(glob.glob(folder + '/libpq*')[0]), ctypes.CDLL(None)\n"
    "libc.setenv(b'PGHOSTADDR', b'127.0.0.1', 1)\nlibc.setenv(b'PGPORT', str(PORT).encode(), 1)\n"
    "libpq.PQconnectdb(b'user=u dbname=d connect_timeout=3')",
    "ctypes": "import ctypes, socket, struct\nout = socket.socket()\n"
    "address = struct.pack('HH4s8x', socket.AF_INET, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "ctypes.CDLL(None).connect(out.fileno(), address, len(address))",
    "ctypes by a Unix socket": "import ctypes, socket, struct\nout = socket.socket(socket.AF_UNIX)\n"
    "address = struct.pack('H108s', socket.AF_UNIX, PATH.encode())\n"
    "ctypes.CDLL(None).connect(out.fileno(), address, len(address))",
    "a system call by its number": "import ctypes, platform, socket, struct\nout = socket.socket()\n"
    "address = struct.pack('HH4s8x', socket.AF_INET, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "number = 42 if platform.machine() == 'x86_64' else 203\n"
    "ctypes.CDLL(None).syscall(number, out.fileno(), address, len(address))",
    "HTTP": "import urllib.request\nurllib.request.urlopen(f'http://127.0.0.1:{PORT}/', timeout=3)",
    "HTTP by a proxy": "import os, urllib.request\nos.environ['http_proxy'] = f'http://127.0.0.1:{PORT}'\n"
    "urllib.request.urlopen('http://example.invalid/', timeout=3)",
    "FTP": "import ftplib\nftplib.FTP().connect('127.0.0.1', PORT, timeout=3)",
    "IMAP": "import imaplib\nimaplib.IMAP4('127.0.0.1', PORT, timeout=3)",
    "logging by TCP": "import logging, logging.handlers\n"
    "logging.getLogger().addHandler(logging.handlers.SocketHandler('127.0.0.1', PORT))\nlogging.warning('x')",
    "logging by UDP": "import logging, logging.handlers\n"
    "logging.getLogger().addHandler(logging.handlers.SysLogHandler(('127.0.0.1', PORT)))\nlogging.warning('x')",
    "logging by a Unix socket": "import logging, logging.handlers\n"
    "logging.getLogger().addHandler(logging.handlers.SysLogHandler(PATH))\nlogging.warning('x')",
    "a manager": "import multiprocessing.managers as managers\nmanagers.BaseManager(('127.0.0.1', PORT), b'key').connect()",
    "an engine with a creator": "import psycopg, sqlalchemy as sa\n"
    "sa.create_engine('postgresql+psycopg://', creator=lambda: psycopg.connect(TCP)).connect()",
    "an engine with arguments": "import sqlalchemy as sa\nsa.create_engine('postgresql+psycopg2://u:p@/d', "
    "connect_args={'host': FOLDER, 'port': PORT}).connect()",
    "an engine that is asynchronous": "import asyncio\nfrom sqlalchemy.ext.asyncio import create_async_engine\n"
    "async def main():\n    async with create_async_engine(URL.replace('postgresql', 'postgresql+asyncpg')).connect():\n"
    "        pass\nasyncio.run(main())",
    "an event that connects": "import psycopg, sqlalchemy as sa\n"
    "engine = sa.create_engine(URL.replace('postgresql', 'postgresql+psycopg'))\n"
    "sa.event.listen(engine, 'do_connect', lambda *a: psycopg.Connection.connect(TCP))\nengine.connect()",
    "a hard link named as a check's server": "import os, socket, tempfile\n"
    "folder = tempfile.gettempdir() + f'/pgpatterns-hard{PORT}'\nquiet(os.mkdir, folder)\ntry:\n"
    "    os.link(PATH, f'{folder}/.s.PGSQL.{PORT}')\n"
    "    socket.socket(socket.AF_UNIX).connect(f'{folder}/.s.PGSQL.{PORT}')\n"
    "finally:\n    quiet(os.unlink, f'{folder}/.s.PGSQL.{PORT}')\n    os.rmdir(folder)",
    "a root of its own": "import os, socket\nif os.fork() == 0:\n    quiet(os.makedirs, f'{FOLDER}/tmp/pgpatterns-root')\n"
    "    quiet(os.link, PATH, f'{FOLDER}/tmp/pgpatterns-root/.s.PGSQL.{PORT}')\n    quiet(os.chroot, FOLDER)\n"
    "    quiet(socket.socket(socket.AF_UNIX).connect, f'/tmp/pgpatterns-root/.s.PGSQL.{PORT}')\n    os._exit(0)\nos.wait()",
    "UDP of no family": "import ctypes, socket, struct\nout = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
    "address = struct.pack('HH4s8x', 0, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "ctypes.CDLL(None).sendto(out.fileno(), b'x', 1, 0, address, len(address))",
    "TCP Fast Open by a message": "import socket\nsocket.socket().sendmsg([b'x'], [], 0x20000000, ('127.0.0.1', PORT))",
    "TCP Fast Open at the first write": "import socket\nout = socket.socket()\nout.setsockopt(socket.IPPROTO_TCP, 30, 1)\n"
    "out.connect(('127.0.0.1', PORT))\nout.send(b'x')",
    "multipath TCP": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_STREAM, 262).connect(('127.0.0.1', PORT))",
    "SCTP": "import socket\nsocket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).connect(('127.0.0.1', PORT))",
    "SMC": "import ctypes, socket, struct\nlibc = ctypes.CDLL(None)\nout = libc.socket(43, 1, 0)\n"
    "address = struct.pack('HH4s8x', socket.AF_INET, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "libc.connect(out, address, len(address))",
    "a copy of a descriptor": "import os, socket\nout = socket.socket()\n"
    "socket.socket(fileno=os.dup(out.fileno())).connect(('127.0.0.1', PORT))",
    "a class of sockets": "import socket\nclass Out(socket.socket):\n    def connect(self, address):\n"
    "        super().connect(address)\nOut().connect(('127.0.0.1', PORT))",
    "sockets of a module that is loaded once more": "import _socket, importlib.machinery, importlib.util\n"
    "loader = importlib.machinery.ExtensionFileLoader('_socket', _socket.__file__)\n"
    "module = importlib.util.module_from_spec(importlib.machinery.ModuleSpec('_socket', loader))\n"
    "loader.exec_module(module)\nmodule.socket().connect(('127.0.0.1', PORT))",
    "a certificate": "import ssl\nssl.get_server_certificate(('127.0.0.1', PORT), timeout=3)",
    "POP": "import poplib\npoplib.POP3('127.0.0.1', PORT, timeout=3)",
    "SMTP": "import smtplib\nsmtplib.SMTP('127.0.0.1', PORT, timeout=3)",
    "telnet": "import telnetlib\ntelnetlib.Telnet('127.0.0.1', PORT, 3)",
    "XML-RPC": "import xmlrpc.client\nxmlrpc.client.ServerProxy(f'http://127.0.0.1:{PORT}/').ping()",
    "multiprocessing's connections": "import multiprocessing.connection as connections\n"
    "connections.Client(('127.0.0.1', PORT))",
    "logging by HTTP": "import logging, logging.handlers\n"
    "logging.getLogger().addHandler(logging.handlers.HTTPHandler(f'127.0.0.1:{PORT}', '/'))\nlogging.warning('x')",
    "logging by a queue": "import logging, logging.handlers, queue\nwaiting = queue.Queue()\n"
    "listener = logging.handlers.QueueListener(waiting, logging.handlers.SocketHandler('127.0.0.1', PORT))\n"
    "listener.start()\nlogging.handlers.QueueHandler(waiting).emit(logging.makeLogRecord({'msg': 'x'}))\nlistener.stop()",
    "asyncio's programs": "import asyncio\nasync def main():\n    shell = await asyncio.create_subprocess_shell("
    "f'bash -c \"exec 3<>/dev/tcp/127.0.0.1/{PORT}\"')\n    await shell.wait()\nasyncio.run(main())",
    "asyncio by a socket": "import asyncio, socket\nasync def main():\n    out = socket.socket()\n    out.setblocking(False)\n"
    "    await asyncio.get_running_loop().sock_connect(out, ('127.0.0.1', PORT))\nasyncio.run(main())",
    "asyncio by a thread": "import asyncio\nasyncio.run(asyncio.to_thread(tcp))",
    "libc's system": "import ctypes\nctypes.CDLL(None).system(f'bash -c \"exec 3<>/dev/tcp/127.0.0.1/{PORT}\"'.encode())",
    "libc's popen": "import ctypes\nlibc = ctypes.CDLL(None)\nlibc.popen.restype = ctypes.c_void_p\n"
    "libc.pclose(ctypes.c_void_p(libc.popen(f'bash -c \"exec 3<>/dev/tcp/127.0.0.1/{PORT}\"'.encode(), b'r')))",
    "before a program starts": "import subprocess\nsubprocess.run(['true'], preexec_fn=lambda: quiet(tcp))",
    "a program of another account": "import subprocess\n"
    "subprocess.run(['bash', '-c', f'exec 3<>/dev/tcp/127.0.0.1/{PORT}'], user='nobody')",
    "an interpreter without its site": "import subprocess, sys\nsubprocess.run([sys.executable, '-I', '-S', '-c', "
    "f'import socket; socket.create_connection((\"127.0.0.1\", {PORT}))'])",
    "a dialect's own connect": "import sqlalchemy as sa\nengine = sa.create_engine('postgresql+psycopg://')\n"
    "engine.dialect.connect(TCP)",
    "a dialect of the project's": "import sqlalchemy as sa\nfrom sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg\n"
    "class Own(PGDialect_psycopg):\n    def connect(self, *arguments, **keywords):\n        tcp()\n"
    "import reach\nreach.Own = Own\nsa.dialects.registry.register('postgresql.own', 'reach', 'Own')\n"
    "sa.create_engine('postgresql+own://u:p@127.0.0.1/d').connect()",
    "a pool of the project's": "import psycopg, sqlalchemy.pool\n"
    "sqlalchemy.pool.QueuePool(lambda: psycopg.pq.PGconn.connect(TCP.encode())).connect()",
    "an engine with an asynchronous creator": "import asyncio, asyncpg\n"
    "from sqlalchemy.ext.asyncio import create_async_engine\nasync def main():\n"
    "    engine = create_async_engine('postgresql+asyncpg://', async_creator=lambda: asyncpg.connect(URL))\n"
    "    async with engine.connect():\n        pass\nasyncio.run(main())",
    "psycopg2, asynchronous": "import psycopg2\npsycopg2.connect(TCP, async_=1).poll()",
    "pg8000's legacy": "import pg8000.legacy\npg8000.legacy.Connection('u', host='127.0.0.1', port=PORT, password='p')",
    "ending the gatekeeper": "import os, signal\nif os.fork() == 0:\n    os.setsid()\n    os.kill(os.getppid(), 0)\n"
    "    parent = int(open(f'/proc/{os.getppid()}/stat').read().rpartition(')')[2].split()[1])\n"
    "    os.kill(parent, signal.SIGKILL)\n    import time\n    time.sleep(0.3)\n    quiet(tcp)\n    quiet(unix)\n"
    "    os._exit(0)\nimport time\ntime.sleep(1)",
    "ending the supervisor": "import os, signal, time\npid = os.getpid()\nfor _ in range(2):\n"
    "    pid = int(open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[1])\n"
    "os.kill(pid, signal.SIGKILL)\ntime.sleep(1)\nquiet(tcp)\ntime.sleep(5)",
    "ending the whole group": "import os, signal\nos.killpg(0, signal.SIGKILL)",
    "closing every descriptor": "import os\nos.closerange(3, 1000)\nquiet(tcp)",
    "writing to every descriptor": "import os\nfor number in range(3, 40):\n    quiet(os.write, number, b'x' * 64)\nquiet(tcp)",
    "a listener of its own that becomes a link": OWN + "os.unlink(name)\nos.symlink(PATH, name)\nconnect(name)",
    "a listener of its own that becomes a hard link": OWN + "os.unlink(name)\nos.link(PATH, name)\nconnect(name)",
    "a listener in a folder that becomes a link": OWN
    + "os.rename('own', 'gone')\nos.symlink(FOLDER, 'own')\nconnect(name)",
    "a listener in a folder that changes its place": OWN + "os.rename('own', 'gone')\nos.mkdir('own')\n"
    "os.symlink(PATH, name)\nconnect(name)",
    "a relative path": OWN + "os.chdir(FOLDER)\nconnect(os.path.basename(PATH))",
    "a relative path that leads to the check's server from elsewhere": OWN
    + "ours = os.environ['PGHOST'] + '/.s.PGSQL.5432'\n"
    "start, relative = os.getcwd(), os.path.relpath(ours)\n"
    "deep = os.path.join(start, *['deep'] * (start.count('/') + 2))\n"
    "os.makedirs(os.path.dirname(os.path.join(deep, relative)), exist_ok=True)\nos.makedirs(deep, exist_ok=True)\n"
    "os.symlink(PATH, os.path.join(deep, relative))\nos.chdir(deep)\nconnect(relative)",
    "a link in a folder of the machine's services": OWN + OF_THE_MACHINE + "make('/run/nscd')\n"
    "try:\n    os.symlink(PATH, f'/run/nscd/{PORT}')\n    connect(f'/run/nscd/{PORT}')\n"
    "finally:\n    os.unlink(f'/run/nscd/{PORT}')\n    take_away()",
    "a link in a folder of the journal": OWN + OF_THE_MACHINE + "make('/run/systemd/journal')\n"
    "try:\n    os.symlink(FOLDER, f'/run/systemd/journal/{PORT}')\n"
    "    connect(f'/run/systemd/journal/{PORT}/.s.PGSQL.{PORT}')\nfinally:\n    os.unlink(f'/run/systemd/journal/{PORT}')\n    take_away()",
    "a root of its own with the machine's services": OWN + "if os.fork() == 0:\n"
    "    quiet(os.makedirs, f'{FOLDER}/run/nscd')\n    quiet(os.link, PATH, f'{FOLDER}/run/nscd/socket')\n"
    "    quiet(os.chroot, FOLDER)\n    quiet(os.chdir, '/run/nscd')\n    quiet(connect, 'socket')\n"
    "    quiet(connect, '/run/nscd/socket')\n    os._exit(0)\nos.wait()",
    "mounts of its own": OWN + "import ctypes\nlibc = ctypes.CDLL(None)\nif os.fork() == 0:\n"
    "    libc.unshare(0x20000)\n    libc.mount(b'none', b'/', None, 0x44000, None)\n"
    "    ours = os.environ['PGHOST'].encode()\n    libc.mount(FOLDER.encode(), ours, None, 0x1000, None)\n"
    "    quiet(connect, os.fsdecode(ours) + f'/.s.PGSQL.{PORT}')\n    os._exit(0)\nos.wait()",
    "mounts of a user of its own": OWN + "import ctypes\nlibc = ctypes.CDLL(None)\nif os.fork() == 0:\n"
    "    libc.unshare(0x10020000)\n    ours = os.environ['PGHOST'].encode()\n"
    "    libc.mount(FOLDER.encode(), ours, None, 0x1000, None)\n"
    "    quiet(connect, os.fsdecode(ours) + f'/.s.PGSQL.{PORT}')\n    os._exit(0)\nos.wait()",
    "a datagram to a Unix socket": OWN + "socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(b'x', PATH)",
    "a Unix socket of packets": OWN + "socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET).connect(PATH)",
    "a listener of its own at another address": "import socket\nown = socket.create_server(('127.0.0.2', PORT))\n"
    "socket.create_connection(('127.0.0.2', PORT), 3)\ntcp()",
    "a listener of its own by IPv6": "import socket\nown = socket.socket(socket.AF_INET6)\n"
    "own.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)\nown.bind(('::', PORT))\nown.listen()\ntcp()",
    "a listener of its own at the next port": "import socket\nown = socket.create_server(('127.0.0.1', 0))\n"
    "socket.create_connection(own.getsockname())\ntcp()",
    "all other names of this machine": "import socket\nfor name in ('', '0', '0.0.0.0', '127.1', '2130706433', 'localhost', "
    "'::', '::1', '::ffff:127.0.0.1', '::ffff:0.0.0.0', '::127.0.0.1', socket.gethostname(), 'ip6-localhost', "
    "'localhost.localdomain', 'x.localhost'):\n    quiet(socket.create_connection, (name, PORT), 1)",
    "several hosts, the check's among them": "import asyncio, asyncpg, psycopg\n"
    "quiet(psycopg.connect, f'host=/nowhere,127.0.0.1 hostaddr=,127.0.0.1 port=1,{PORT} user=u connect_timeout=3')\n"
    "quiet(lambda: asyncio.run(asyncpg.connect(host=['/nowhere', '127.0.0.1'], port=[1, PORT], user='u', timeout=3)))\n"
    "quiet(lambda: asyncio.run(psycopg.AsyncConnection.connect(TCP)))",
    "variables that come late": "import os, psycopg, psycopg2\n"
    "os.environ.update(PGHOST='127.0.0.1', PGHOSTADDR='127.0.0.1', PGPORT=str(PORT), PGSERVICE='prod',\n"
    "    PGSERVICEFILE='services.conf', PGUSER='u')\n"
    "quiet(psycopg.connect, '')\nquiet(psycopg2.connect, '')\nquiet(psycopg.pq.PGconn.connect, b'')",
    "variables of C": "import ctypes, psycopg\nlibc = ctypes.CDLL(None)\n"
    "for name, value in (('PGHOSTADDR', '127.0.0.1'), ('PGPORT', str(PORT)), ('PGUSER', 'u')):\n"
    "    libc.setenv(name.encode(), value.encode(), 1)\n"
    "quiet(psycopg.pq.PGconn.connect, b'dbname=d')\nquiet(psycopg.connect, 'dbname=d')",
    "an old thread of C": "import ctypes, threading\nlibc = ctypes.CDLL(None)\n"
    "def out():\n    import socket, struct\n    handle = libc.socket(2, 1, 0)\n"
    "    address = struct.pack('HH4s8x', 2, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "    libc.connect(handle, address, 16)\nstarted = threading.Thread(target=out)\nstarted.start()\nstarted.join()",
    "a system call by both of its numbers": "import ctypes, os, socket, struct\nlibc = ctypes.CDLL(None)\nhandle = libc.socket(2, 1, 0)\n"
    "address = struct.pack('HH4s8x', 2, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "libc.syscall({'x86_64': 42, 'aarch64': 203}[os.uname().machine], handle, address, 16)\n"
    "libc.syscall(0x40000000 | 42, libc.socket(2, 1, 0), address, 16)",
    "a connection that is dissolved first": "import ctypes, socket, struct\nlibc = ctypes.CDLL(None)\nout = socket.socket()\n"
    "libc.connect(out.fileno(), struct.pack('H14x', 0), 16)\n"
    "address = struct.pack('HH4s8x', 2, socket.htons(PORT), socket.inet_aton('127.0.0.1'))\n"
    "libc.connect(out.fileno(), address, 16)",
    "a crash": "import ctypes\nctypes.string_at(0)",
}
"""In the upgrade of a revision, each in a function of its own."""

PROGRAMS = {
    "psql": "psql -h 127.0.0.1 -p <PORT> -U u -c 'SELECT 1' d",
    "psql by a URL": "psql <URL> -c 'SELECT 1'",
    "psql by a service": "PGSERVICEFILE=services.conf psql service=prod -c 'SELECT 1'",
    "psql that connects anew": "printf '\\\\connect d u 127.0.0.1 <PORT>\\n' | psql",
    "pg_dump": "pg_dump -h <FOLDER> -p <PORT> -U u d",
    "pg_isready": "pg_isready -h 127.0.0.1 -p <PORT>",
    "bash": "exec 3<>/dev/tcp/127.0.0.1/<PORT>",
    "bash by UDP": "echo x > /dev/udp/127.0.0.1/<PORT>",
    "curl": "curl -s -m 3 http://127.0.0.1:<PORT>/",
    "curl by a Unix socket": "curl -s -m 3 --unix-socket <PATH> http://production/",
    "perl": "perl -MIO::Socket -e 'IO::Socket::INET->new(PeerAddr => \"127.0.0.1:<PORT>\")'",
    "an empty environment": "env -i PGHOST=<FOLDER> PGPORT=<PORT> PGUSER=u $(command -v psql) -c 'SELECT 1' d",
    "a session of its own": "setsid bash -c 'sleep 0.3; exec 3<>/dev/tcp/127.0.0.1/<PORT>' &",
    "nohup": "nohup bash -c 'while :; do exec 3<>/dev/tcp/127.0.0.1/<PORT>; sleep 0.1; done' >/dev/null 2>&1 &",
    "gawk": "gawk 'BEGIN { s = \"/inet/tcp/0/127.0.0.1/<PORT>\"; print 1 |& s; s |& getline }'",
    "nc": "nc -w 2 127.0.0.1 <PORT> </dev/null; nc -U -w 2 <PATH> </dev/null",
    "socat": "socat -T 2 - TCP:127.0.0.1:<PORT> </dev/null; socat -T 2 - UNIX-CONNECT:<PATH> </dev/null",
    "wget": "wget -q -T 2 -t 1 -O - http://127.0.0.1:<PORT>/",
    "openssl": "openssl s_client -connect 127.0.0.1:<PORT> </dev/null",
    "ssh": "ssh -o BatchMode=yes -o ConnectTimeout=2 -p <PORT> 127.0.0.1 true",
    "git": "git ls-remote git://127.0.0.1:<PORT>/x",
    "another account": "su nobody -s /bin/bash -c 'exec 3<>/dev/tcp/127.0.0.1/<PORT>'",
    "another account by setpriv": "setpriv --reuid=65534 --clear-groups bash -c 'exec 3<>/dev/tcp/127.0.0.1/<PORT>'",
    "namespaces of its own": "unshare -m bash -c 'mkdir -p /tmp/pgpatterns-ns<PORT>; "
    "mount --bind <FOLDER> /tmp/pgpatterns-ns<PORT> && nc -U -w 2 /tmp/pgpatterns-ns<PORT>/.s.PGSQL.<PORT> </dev/null'; "
    "rmdir /tmp/pgpatterns-ns<PORT>",
    "namespaces of the first process": "nsenter -t 1 -a bash -c 'exec 3<>/dev/tcp/127.0.0.1/<PORT>'",
    "a unit of systemd": "systemd-run --wait bash -c 'exec 3<>/dev/tcp/127.0.0.1/<PORT>'",
    "a job for later": "echo 'bash -c \"exec 3<>/dev/tcp/127.0.0.1/<PORT>\"' | at now",
    "busybox": "busybox nc 127.0.0.1 <PORT> </dev/null",
    "python without anything": "env -i $(command -v python3) -I -S -c 'import socket; "
    'socket.create_connection(("127.0.0.1", <PORT>), 3)\'',
    "a program that is linked to nothing": "printf '#!/bin/bash\\nexec 3<>/dev/tcp/127.0.0.1/<PORT>\\n' >run; chmod +x run; "
    "exec -a postgres ./run",
    "a loader": "/lib64/ld-linux-x86-64.so.2 $(command -v bash) -c 'exec 3<>/dev/tcp/127.0.0.1/<PORT>'",
    "coproc": "coproc { sleep 0.2; exec 3<>/dev/tcp/127.0.0.1/<PORT>; }; wait",
    "socat from a listener of its own": "socat UNIX-LISTEN:relay,fork TCP:127.0.0.1:<PORT> & sleep 0.3; "
    "nc -w 2 -U relay </dev/null; kill %1",
    "a shell with a trap": "trap 'exec 3<>/dev/tcp/127.0.0.1/<PORT>' EXIT; exit",
    "a container": "docker run --rm --network host busybox nc -w 2 127.0.0.1 <PORT>",
}
"""Commands of bash, started by a revision. Those whose program is not installed (`NEEDED`) prove nothing and are skipped."""

NEEDED = ("at", "busybox", "curl", "docker", "gawk", "git", "nc", "openssl", "perl", "psql", "socat", "ssh", "wget")
