"""What a submission may do to the machine, to the next submission, and to the process that grades: as root and not.

Everybody here has answered rightly, whatever else they try: so all get full marks, from one worker after the other's.
"""

import json
import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any, NamedTuple

import nbformat
import pytest
from demo_course import SHOUT, SQUARE, WHY, answered, hand_in, make_course
from nbformat.v4 import new_code_cell, new_notebook

pytest.importorskip("nbgrader")
from tl_course.grading.batch.execute import run_notebook
from tl_course.grading.sandbox.sandbox import Limits, Sandbox

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not shutil.which("bwrap"), reason="bubblewrap is not installed"),
]

NOBODY = 65_533  # a user without an account
CALL = """
import ctypes, errno, os, platform
_libc = ctypes.CDLL(None, use_errno=True)
_libc.syscall.restype = ctypes.c_long
_column = {"x86_64": 0, "aarch64": 1}[platform.machine()]
def call(numbers, *arguments):
    done = _libc.syscall(numbers[_column], *arguments)
    return done if done >= 0 else errno.errorcode[ctypes.get_errno()]
"""
# What the first leaves behind in every way it knows, and what the second finds of it.
LEAVES = (
    CALL
    + """
import fcntl, glob, socket
left = {}
queue = call((240, 180), b'tl', 0o102, 0o666, None)
left['queue'] = queue if isinstance(queue, str) else call((242, 182), queue, b'FROM-A', 6, 0, None)
left['system v memory'] = call((29, 194), 77, 4096, 0o1666)
left['system v queue'] = call((68, 186), 77, 0o1666)
left['keyring'] = call((248, 217), b'user', b'from-a', b'FROM-A', 6, -4)
folders = '/dev/shm', '/home/student', '/home/private', '/home/given', '/home/tests', '/tmp', '/dev', '/home'
for folder in (*folders, *glob.glob('/tmp/*/*')):
    try:
        os.makedirs(f'{folder}/keep/x')
        open(f'{folder}/keep/x/m', 'w').write('FROM-A')
        os.chmod(f'{folder}/keep/x', 0), os.chmod(f'{folder}/keep', 0)
    except OSError as problem:
        left[folder] = errno.errorcode[problem.errno]
server = socket.create_server(('127.0.0.1', 0))
with socket.create_connection(server.getsockname()) as end:
    end.sendall(bytes(100_000))
print('left:', left)
"""
)
FINDS = (
    CALL
    + """
import glob
found = []
for numbers, *arguments in (
    ((240, 180), b'tl', 2, 0o666, None), ((29, 194), 77, 4096, 0), ((68, 186), 77, 0),
    ((250, 219), 10, -4, b'user', b'from-a', 0),
):
    if not isinstance(call(numbers, *arguments), str):
        found.append(numbers)
found += [path for path in glob.glob('/*/keep') + glob.glob('/*/*/keep') + glob.glob('/*/*/*/keep')]
found += [line.split()[1:3] for line in open('/proc/net/dev') if 'lo:' in line and int(line.split()[1]) > 50_000]
print('found:', found)
"""
)
FORGES = (
    CALL
    + """
import glob, socket
written = []
for path in sorted(glob.glob('/proc/[0-9]*/fd/*')):
    if path.startswith((f'/proc/{os.getpid()}/', '/proc/self/')):
        continue
    try:
        fd = os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        os.write(fd, b'{"pid": 99999, "status": -9, "ready": true}\\n' * 400)
        written.append(path)
    except OSError:
        pass
for path in ('/proc/1/mem', '/proc/1/environ', '/proc/1/maps'):
    if os.getpid() != 1:
        try: open(path, 'rb').read(10); written.append(path)
        except OSError: pass
for signal in (9, 15, 19):
    for whom in (1, -1):
        try: os.kill(whom, signal)
        except OSError: pass
print('written:', written, 'processes:', [name for name in os.listdir('/proc') if name.isdigit()])
"""
)
REFUSED = (
    CALL
    + """
asked = {'userfaultfd': ((323, 282), 1), 'io_uring_setup': ((425, 425), 4, 0), 'memfd_create': ((319, 279), b'm', 0),
    'keyctl': ((250, 219), 0, -3, 1), 'bpf': ((321, 280), 0, 0, 0), 'perf_event_open': ((298, 241), 0, 0, -1, -1, 0),
    'ptrace': ((101, 117), 0, 0, 0, 0), 'process_vm_readv': ((310, 270), os.getpid(), 0, 0, 0, 0, 0),
    'pidfd_getfd': ((438, 438), 0, 0, 0), 'unshare': ((272, 97), 0x10000000), 'setns': ((308, 268), 0, 0),
    'mount': ((165, 40), b'none', b'/home/student', b'tmpfs', 0, None), 'umount': ((166, 39), b'/home/given', 2),
    'clone of a user namespace': ((56, 220), 0x10000011, 0, 0, 0, 0), 'clone3': ((435, 435), 0, 0),
    'chroot': ((161, 51), b'/'), 'open_tree': ((428, 428), -100, b'/', 1), 'fanotify_init': ((300, 262), 0, 0),
    'inotify_init1': ((294, 26), 0), 'mincore': ((27, 232), 0, 0, 0), 'cachestat': ((451, 451), 0, 0, 0, 0)}
import fcntl, mmap, socket, struct
worked = {name: done for name, (numbers, *rest) in asked.items() if not isinstance(done := call(numbers, *rest), str)}
for family in (17, 29, 31, 38, 40, 44):
    try: socket.socket(family, socket.SOCK_RAW if family == 17 else socket.SOCK_SEQPACKET); worked[family] = 'a socket'
    except OSError: pass
try: os.setuid(0); worked['setuid'] = 0
except OSError: pass
# What a file of a library would tell of one submission to another, and whether a core is left to others.
library, seen = open(os.__file__, 'rb'), open(os.__file__, 'rb')
lock = struct.pack('hhqqi4x', fcntl.F_RDLCK, 0, 0, 0, 0)
for name, ask in {
    'pages': lambda: os.preadv(library.fileno(), [bytearray(1)], 0, os.RWF_NOWAIT),
    'locks': lambda: fcntl.fcntl(library, fcntl.F_GETLK, lock), 'leases': lambda: fcntl.fcntl(library, 1024, 0),
    'openings': lambda: fcntl.fcntl(os.open('/usr/lib', 0), fcntl.F_NOTIFY, fcntl.DN_ACCESS),
    'eviction': lambda: mmap.mmap(library.fileno(), 4096, prot=mmap.PROT_READ).madvise(21),
}.items():
    try: worked[name] = ask()
    except OSError: pass
fcntl.flock(library, fcntl.LOCK_EX)
try: fcntl.flock(seen, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError: worked['flock'] = 'is seen'
os.sched_setaffinity(0, range(os.cpu_count()))
if len(os.sched_getaffinity(0)) > 1: worked['cores'] = os.sched_getaffinity(0)
print('worked:', worked)
"""
)
FILLS = """
import os
chunk = bytes(1 << 20)
def fill(folder):
    files = size = 0
    try:
        while files < 300_000: os.close(os.open(f'{folder}/{files}', os.O_CREAT)); files += 1
    except OSError: pass
    for name in range(files): os.unlink(f'{folder}/{name}')
    try:
        with open(f'{folder}/big', 'wb', buffering=0) as file:
            while size < 2_000: size += file.write(chunk) >> 20
    except OSError: pass
    os.unlink(f'{folder}/big')
    return files, size
print('filled:', *fill('/dev/shm'), *fill('/home/student'))
"""
LIBRARIES = """
import multiprocessing, subprocess, sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import shared_memory
import filelock, joblib, numpy, sqlite3, torch
from torch.utils.data import DataLoader, TensorDataset
memory = shared_memory.SharedMemory(create=True, size=100)
memory.close(), memory.unlink()
with filelock.FileLock('x.lock', timeout=1), sqlite3.connect('x.sqlite') as table: table.execute('create table x (y)')
torch.set_num_threads(2)
torch.rand(300, 300) @ torch.rand(300, 300)
def double(x): return 2 * x
with multiprocessing.Pool(2) as pool: done = [pool.map(double, [1])]
with ProcessPoolExecutor(2) as pool: done += [list(pool.map(double, [2]))]
done += [joblib.Parallel(n_jobs=2)(joblib.delayed(abs)(x) for x in (-3,))]
done += [subprocess.run([sys.executable, '-c', 'print(4)'], capture_output=True, text=True).stdout.strip()]
done += [sum(int(x.sum()) for x, in DataLoader(TensorDataset(torch.arange(4)), batch_size=2, num_workers=2))]
import matplotlib.pyplot as plt
plt.plot([1, 2]); plt.savefig('figure.png'); plt.close()
print('libraries:', done)
"""
# A hidden test draws pictures, once, while the solution runs; an answer that is asked by a test looks for them.
DRAWS = """import os, pathlib
drawn = pathlib.Path(os.environ['TL_COURSE_CACHE'], 'drawn')
assert drawn.is_dir() != ('TL_COURSE_REHEARSAL' in os.environ)
drawn.mkdir(exist_ok=True)
_ = (drawn / 'truth').write_text('bird')
"""
READS = """
import os
def square(x):
    names = {name for _, *inside in os.walk('/home') for names in inside for name in names}
    print('seen:', sorted(names & {'drawn', 'truth', 'demo.ipynb'}))
    return x * x
"""
FORKS = """
import os, time
children = 0
try:
    while children < 5_000:
        if os.fork() == 0: time.sleep(60); os._exit(0)
        children += 1
except OSError: pass
os.system('true')
print('children:', children)
"""
STUDENTS = {
    "a leaves": LEAVES, "b finds": FINDS, "c forges": FORGES, "d honest": "", "e refused": REFUSED, "f fills": FILLS,
    "g forks": FORKS, "h finds": FINDS, "i libraries": LIBRARIES, "j reads": READS,
}  # fmt: skip


class Graded(NamedTuple):
    """A batch, what each printed, and what was left in the folder for temporary files."""

    submissions: dict[str, dict[str, Any]]
    printed: dict[str, str]
    left: list[str]


def _as_nobody(words: list[str], *seen: Path) -> list[str]:
    """A command that runs `words` as an ordinary user, who may see these folders, with `ulimit -v` below 8 GB."""
    before = (
        "import os, resource, sys\n"
        "resource.setrlimit(resource.RLIMIT_AS, (8_000_000 << 10,) * 2)\n"
        f"if os.geteuid() == 0: os.setgroups([]), os.setresgid(*[{NOBODY}] * 3), os.setresuid(*[{NOBODY}] * 3)\n"
        "os.execv(sys.argv[1], sys.argv[1:])"
    )
    command = [sys.executable, "-c", before, *words]
    if os.geteuid() != 0:
        return command
    shut = {parent for folder in seen for parent in folder.parents if not parent.stat().st_mode & 1}
    outer = ["bwrap", "--dev-bind", "/", "/"]
    for parent in sorted(shut):
        outer += ["--perms", "0755", "--tmpfs", str(parent)]
    for folder in seen:
        hidden = [parent for parent in reversed(folder.parents) if shut & set(parent.parents)]
        for parent in hidden:
            outer += ["--perms", "0755", "--dir", str(parent)]
        if shut & set(folder.parents):
            outer += ["--bind", str(folder), str(folder)]
    return [*outer, "--", *command]


@pytest.fixture(scope="module", params=["root", "an ordinary user"])
def graded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Graded:
    if request.param == "root" and os.geteuid() != 0:
        pytest.skip("This is no root.")
    place = tmp_path_factory.mktemp("place")
    course, temporary = make_course(place / "course", hidden=DRAWS), place / "tmp"
    temporary.mkdir()
    for student, code in STUDENTS.items():
        hand_in(course, student, answered(course, square=f"{SQUARE}\n{textwrap.dedent(code)}", shout=SHOUT, why=WHY))
    python = Path(sys.executable)
    own, base = Path(sys.prefix), Path(sys.base_prefix)
    if request.param != "root" and own != base:  # a .venv that is a link to another place
        (place / "venv").symlink_to(own)
        python = place / "venv" / python.relative_to(own)
    words = [str(python), "-m", "tl_course.cli", "grade", "demo", "--course", str(course), "--isolation", "bwrap"]
    words += ["--jobs", "1", "--json"]
    if request.param != "root":
        words = _as_nobody(words, own, base, Path(__file__).parents[2], place)
    if os.geteuid() == 0 and request.param != "root":
        for path in [place, *place.rglob("*")]:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
    environment = {"HOME": str(place), "TMPDIR": str(temporary), "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=os.environ | environment)
    assert done.returncode == 0, done.stderr
    submissions = {report["student"]: report for report in json.loads(done.stdout)["submissions"]}
    printed = {}
    for student in STUDENTS:
        notebook = nbformat.read(course / "autograded" / student / "demo" / "demo.ipynb", 4)
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", ())]
        printed[student] = "".join(output.get("text", "") for output in outputs)
    return Graded(submissions, printed, [path.name for path in temporary.iterdir()])


def test_all_get_what_their_answers_are_worth(graded: Graded) -> None:
    full = {"square_right": 2.0, "shout_right": 3.0, "why": None}
    assert {name: report["marks"] for name, report in graded.submissions.items()} == dict.fromkeys(STUDENTS, full)
    assert graded.left == []


def test_nothing_reaches_the_next_submission(graded: Graded) -> None:
    left = graded.printed["a leaves"]
    assert "'/home/tests': 'EROFS'" in left and "'queue': 'ENOSYS'" in left, left
    for student in ("b finds", "h finds"):
        assert "found: []" in graded.printed[student], graded.printed[student]


def test_what_a_test_keeps_for_the_next_submission_answers_do_not_see(graded: Graded) -> None:
    assert set(graded.printed["j reads"].split("seen: ")[1:]) == {"[]\n"}, graded.printed["j reads"]


def test_nothing_of_other_processes_is_written_to(graded: Graded) -> None:
    assert "written: [] processes: ['1']" in graded.printed["c forges"], graded.printed["c forges"]


def test_what_no_homework_needs_is_refused_and_what_libraries_need_is_not(graded: Graded) -> None:
    assert "worked: {}" in graded.printed["e refused"], graded.printed["e refused"]
    assert "libraries: [[2], [4], [3], '4', 6]" in graded.printed["i libraries"], graded.printed["i libraries"]


def test_files_and_processes_are_limited(graded: Graded) -> None:
    limits = Limits()
    shared, shared_size, own, own_size = map(int, graded.printed["f fills"].split("filled:")[1].split()[:4])
    assert shared < 200_000 and own < 200_000
    assert shared_size <= limits.disk >> 20 and own_size <= limits.disk >> 20
    children = int(graded.printed["g forks"].split("children:")[1].split()[0])
    assert children <= limits.processes + 16


FLOODS = {
    "[get_ipython().displayhook('x' * 20_000_000) for _ in range(9)]": "at most 100,000 are kept",
    "raise ValueError('x' * 100_000_000)": "at most 100,000 are kept",
    "from IPython.display import HTML, display\ndisplay(HTML('x' * 20_000_000))": "at most 100,000 are kept",
    "for _ in range(20_000): print('x' * 10_000)": "after the first 100,000 characters",
    "get_ipython().kernel.iopub_socket.send_multipart([b'x' * 100] * 500_000)": "far more than can be shown",
    "import os\nfor number in range(3, 100):\n    try: os.write(number, b'\\x02' + (1 << 62).to_bytes(8, 'big'))\n"
    "    except OSError: pass": "what is no message",  # the head of a message that would be as long
}


def _memory(name: str) -> int:
    """Bytes that this process takes (VmRSS), or has taken at most (VmHWM)."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith(name))
    return int(line.split()[1]) << 10


def test_what_a_kernel_sends_is_bounded_where_it_is_made_and_where_it_arrives() -> None:
    notebook = new_notebook(cells=[new_code_cell("kept = 3"), *map(new_code_cell, FLOODS), new_code_cell("kept")])
    Path("/proc/self/clear_refs").write_text("5")  # the most that it has taken counts from here
    before = _memory("VmRSS")
    with Sandbox("bwrap", limits=Limits(cell_seconds=20, output=100_000, images=100_000)) as sandbox:
        run_notebook(notebook, sandbox)
    assert _memory("VmHWM") - before < 100 << 20
    for cell, said in zip(notebook.cells[1:], FLOODS.values(), strict=False):
        assert said in str(cell.outputs) and len(str(cell.outputs)) < 300_000, (cell.source, str(cell.outputs)[-300:])
    assert notebook.cells[-1].outputs[0].data["text/plain"] == "3"


def test_processes_of_a_submission_have_a_limit_of_memory_together() -> None:
    """What a fork shares is counted once: ten children of a large process are no trouble, ten large children are."""
    shares = "import os, time\nkept = b'x' * 500_000_000\nfor _ in range(10):\n"
    shares += "    if os.fork() == 0: time.sleep(1); os._exit(0)\ntime.sleep(1)"
    takes = "for _ in range(10):\n    if os.fork() == 0:\n        hoard = b'x' * 300_000_000\n        time.sleep(9)\n"
    cells = [new_code_cell(shares), new_code_cell(f"{takes}time.sleep(9)"), new_code_cell("len(kept)")]
    with Sandbox("bwrap", limits=Limits(cell_seconds=20, memory=2 << 30)) as sandbox:
        run_notebook(notebook := new_notebook(cells=cells), sandbox)
    assert not notebook.cells[0].outputs
    assert "for the memory that it took" in notebook.cells[1].outputs[0].evalue
    assert notebook.cells[2].outputs[0].data["text/plain"] == "500000000"
