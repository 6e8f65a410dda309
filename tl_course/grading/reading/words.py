"""What has no business in homework, by its name in Python, and what is said of it."""

__all__ = [
    "ALLOWED_MODULES", "ALLOWED_OF_MODULES", "ALONE", "ATTRIBUTES", "DECIDING", "FINE", "FUNCTIONS", "INNER_MODULES",
    "MAGICS_WITH_PYTHON", "MODULES", "MUTATING", "PLAIN", "REACHING", "SETTINGS", "SET_BY_HOMEWORK", "SPECIAL",
    "SPECIAL_ATTRIBUTES", "UNPICKLING", "USUAL_NAMES",
]  # fmt: skip


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


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
    "traceback.walk_stack": "looks into other functions by traceback.walk_stack",
    "traceback.walk_tb": "looks into other functions by traceback.walk_tb",
    "traceback.extract_stack": "looks into other functions by traceback.extract_stack",
    "numpy.lib.stride_tricks.as_strided": "reads and writes memory by as_strided",
    "numpy.ctypeslib": "changes memory by ctypes",
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

# What homework uses, for `tl_course.grading.reading.guarded`: what is not here is said of it where tests are guarded.
ALLOWED_MODULES = _words(
    "__future__ abc argparse array ast asyncio base64 bisect calendar cmath collections colorsys concurrent "
    "configparser contextlib copy csv dataclasses datetime decimal difflib doctest email enum errno fnmatch "
    "fractions functools getpass glob graphlib gzip hashlib heapq html http importlib inspect io ipaddress "
    "itertools json keyword locale logging lzma math mimetypes numbers operator os pathlib pickle platform "
    "pprint queue random re sched secrets shelve shutil sqlite3 statistics stat string struct subprocess sys "
    "tarfile tempfile textwrap time timeit tokenize traceback turtle types typing unicodedata unittest urllib "
    "uuid warnings wave xml zipfile zlib zoneinfo bz2 getopt multiprocessing tomllib IPython PIL "
    "albumentations altair bokeh bs4 catboost cv2 cycler datasets dateutil duckdb fastai fastcore "
    "fastdownload folium gensim geopandas google graphviz gym gymnasium h5py huggingface_hub imageio "
    "ipywidgets jax joblib keras lightgbm lxml matplotlib mpl_toolkits mlxtend networkx nltk numpy openpyxl "
    "pandas patsy plotly polars psutil pyarrow pydantic pygments pytest pytz requests rich scipy seaborn "
    "shapely skimage sklearn spacy statsmodels sympy tabulate tensorflow tiktoken timm tl_course tokenizers "
    "torch torchaudio torchinfo torchmetrics torchsummary torchvision tqdm transformers typing_extensions "
    "umap wordcloud xarray xgboost yaml"
)
ALLOWED_OF_MODULES = {
    "sys": _words(
        "argv byteorder executable exit float_info getrecursionlimit getrefcount getsizeof hash_info int_info "
        "maxsize maxunicode path platform setrecursionlimit stderr stdin stdout version version_info "
        "set_int_max_str_digits"
    ),
    "inspect": _words("signature Parameter getsource getdoc isfunction isclass ismethod"),
    "types": _words("SimpleNamespace MappingProxyType FunctionType NoneType"),
    "importlib": _words("reload metadata resources"),
    "pytest": _words("approx raises mark fixture skip importorskip fail warns param"),
    "ast": _words("literal_eval"),
    "traceback": _words("print_exc format_exc print_exception format_exception"),
    "operator": _words(
        "add sub mul truediv floordiv mod neg pow itemgetter and_ or_ xor not_ eq ne lt le gt ge abs concat "
        "contains index matmul"
    ),
}
# Modules that lie in others, by which what is told by its own name can be reached under another one.
INNER_MODULES = _words(
    "sys os builtins gc ctypes ctypeslib inspect threading _thread importlib types traceback linecache dis "
    "signal marshal subprocess weakref atexit faulthandler runpy tracemalloc mmap contextvars numba cffi f2py "
    "stride_tricks cpp_extension"
)
REACHING = _words(
    "as_strided stride_tricks ctypeslib ctypes __array_interface__ __array_struct__ data_ptr walk_stack "
    "walk_tb extract_stack extract_tb StackSummary TracebackException frombuffer from_buffer from_address "
    "memmove memset _getframe _current_frames currentframe"
)
MUTATING = _words(
    "append extend insert remove pop popitem clear update setdefault add discard sort reverse appendleft "
    "extendleft difference_update intersection_update symmetric_difference_update fill resize put itemset "
    "setflags register cache_clear setattr"
)
SET_BY_HOMEWORK = _words(
    "next prev previous parent left right head tail value val data root children columns index name names "
    "values fc classifier requires_grad grad weight bias training title text width height x y size color "
    "balance count total state score dtype shape T key visited distance "
    "propagate level disabled cost items label labels"
)
SPECIAL_ATTRIBUTES = _words(
    "__name__ __doc__ __init__ __class__ __version__ __len__ __getitem__ __iter__ __next__ __str__ __repr__ "
    "__file__ __call__ __enter__ __exit__ __wrapped__ __annotations__ __qualname__ __contains__ __eq__ __lt__ "
    "__gt__ __le__ __ge__ __ne__ __add__ __sub__ __mul__ __hash__ __post_init__ __new__ __future__ __abs__ "
    "__neg__ __members__ _get_numeric_data _asdict _replace _fields _make"
)
UNPICKLING = _words(
    "pickle.load pickle.Unpickler joblib.load pandas.read_pickle shelve.open yaml.load yaml.unsafe_load yaml.full_load "
    "dill.load dill.loads"
)
