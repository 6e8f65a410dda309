"""What has no business in homework, by its name in Python, and what is said of it: see `tl_course.grading.reading`."""

__all__ = [
    "ALONE",
    "ATTRIBUTES",
    "DECIDING",
    "FINE",
    "FUNCTIONS",
    "MAGICS_WITH_PYTHON",
    "MODULES",
    "PLAIN",
    "SETTINGS",
    "SPECIAL",
    "USUAL_NAMES",
]

MODULES = {
    "gc": "looks through memory by gc",
    "ctypes": "changes memory by ctypes",
    "cffi": "changes memory by cffi",
    "builtins": "uses the module builtins",
    "_thread": "starts a thread",
    "threading": "starts a thread",
    "signal": "uses signals or timers",
    "linecache": "looks up source code by linecache",
    "marshal": "makes code of bytes by marshal",
    "imp": "imports by the module imp",
    "zipimport": "imports by zipimport",
    "runpy": "runs code by runpy",
    "code": "runs code by the module code",
    "dis": "reads bytecode by dis",
    "atexit": "runs something when the process ends",
    "faulthandler": "uses faulthandler",
    "unittest.mock": "uses unittest.mock, whose objects equal anything",
    "mock": "uses mock, whose objects equal anything",
    "ipykernel": "reaches into the kernel",
    "jupyter_client": "reaches into the kernel",
    "zmq": "reaches into the kernel",
    "traitlets": "reaches into the kernel",
    "IPython.core": "reaches into IPython",
    "IPython.utils": "reaches into IPython",
    "tl_course.grading": "uses the course's own grading",
    "importlib": "imports by a way of its own",
    "pkgutil": "imports by a way of its own",
}
ALONE = frozenset({"gc", "importlib", "threading", "tl_course.grading"})  # the import alone says little
FINE = frozenset(
    {
        *("importlib.reload", "importlib.metadata", "importlib.resources", "importlib.import_module"),
        *("IPython.core.interactiveshell", "IPython.core.interactiveshell.InteractiveShell", "IPython.core.display"),
        *("IPython.core.interactiveshell.InteractiveShell.ast_node_interactivity", "IPython.core.pylabtools"),
        *("gc.collect", "importlib.util.find_spec"),
        *("threading.active_count", "threading.current_thread", "threading.main_thread"),
    }
)
FUNCTIONS = {
    "sys.modules": "uses sys.modules",
    "sys._getframe": "looks into other functions by sys._getframe",
    "sys._current_frames": "looks into other functions by sys._current_frames",
    "sys.meta_path": "changes how modules are imported",
    "sys.path_hooks": "changes how modules are imported",
    "sys.path_importer_cache": "changes how modules are imported",
    "sys.settrace": "watches each line that runs, by sys.settrace",
    "sys.setprofile": "watches each call, by sys.setprofile",
    "sys.monitoring": "watches what runs, by sys.monitoring",
    "sys.addaudithook": "watches what runs, by an audit hook",
    "inspect.currentframe": "looks into other functions by inspect.currentframe",
    "inspect.stack": "looks into other functions by inspect.stack",
    "inspect.trace": "looks into other functions by inspect.trace",
    "inspect.getouterframes": "looks into other functions by inspect.getouterframes",
    "inspect.getinnerframes": "looks into other functions by inspect.getinnerframes",
    "inspect.getclosurevars": "looks into other functions by inspect.getclosurevars",
    "os.kill": "ends processes",
    "os.killpg": "ends processes",
    "os.abort": "ends its process",
    "os._exit": "ends its process",
    "os.fork": "starts processes by os.fork",
    "os.forkpty": "starts processes by os.forkpty",
    "os.setuid": "changes the user that it runs as",
    "os.setsid": "leaves its group of processes",
    "pickle.loads": "makes objects of bytes by pickle",
    "pytest.approx": "answers with pytest.approx, which equals many numbers",
    "operator.attrgetter": "reads attributes by operator.attrgetter",
}
ATTRIBUTES = {
    name: what
    for what, names in (
        (
            "looks into other functions",
            "f_globals f_locals f_back f_code f_builtins f_trace gi_frame cr_frame ag_frame tb_frame tb_next "
            "_getframe currentframe settrace setprofile",
        ),
        (
            "reaches into a function",
            "__code__ __globals__ __closure__ __kwdefaults__ __defaults__ cell_contents co_consts co_code co_names",
        ),
        ("looks through the classes of Python", "__subclasses__ __mro__ __base__ __bases__ mro"),
        ("reaches into Python's own modules", "__builtins__ __loader__ __spec__ meta_path"),
        ("looks through memory", "get_objects get_referents get_referrers"),
        ("changes how cells run", "ast_transformers input_transformers_post input_transformers_cleanup run_cell"),
        ("changes how results are shown", "display_formatter display_trap display_pub displayhook"),
        ("reaches into the kernel", "user_ns user_global_ns user_module"),
    )
    for name in names.split()
}
DECIDING = frozenset(
    {
        *(
            "__eq__",
            "__ne__",
            "__lt__",
            "__le__",
            "__gt__",
            "__ge__",
            "__bool__",
            "__len__",
            "__contains__",
            "__float__",
        ),
        *("__int__", "__index__", "__abs__", "__round__", "__format__", "__sub__", "__rsub__", "__array__", "__hash__"),
        *("__array_ufunc__", "__array_function__", "__torch_function__", "__instancecheck__", "__getattribute__"),
    }
)
SPECIAL = {"__reduce__": "runs something when it is unpickled", "__del__": "runs something when it is no more"}
PLAIN = frozenset({"str", "int", "float", "complex", "bytes", "list", "tuple", "dict", "set", "frozenset", "ndarray"})
USUAL_NAMES = frozenset(
    {"__main__", "__name__", "__init__", "__version__", "__file__", "__doc__", "__all__", "__len__", "__getitem__"}
)
MAGICS_WITH_PYTHON = frozenset({"time", "timeit", "capture", "prun", "python", "python3", "pypy", "memit"})
SETTINGS = ("pandas.options", "torch.backends", "matplotlib.rcParams", "sys.stdout", "sys.stderr", "sys.path")
