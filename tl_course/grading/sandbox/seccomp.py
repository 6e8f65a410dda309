"""A seccomp filter for submissions: system calls that no homework needs fail, or do nothing.

It is a small BPF program of our own: the bindings of libseccomp are under the LGPL. It knows x86_64 and aarch64; calls
through another ABI (32 bits, x32) fail too.
"""

import ctypes
import errno
import platform
import socket
import struct

__all__ = ["filter_system_calls"]

# Numbers on x86_64 and aarch64; None where there is no such call.
_MISSING: dict[str, tuple[int | None, int | None]] = {  # ENOSYS: libraries that ask for these do without
    # memory that no limit counts, and messages that outlive a process
    "memfd_create": (319, 279), "memfd_secret": (447, 447),
    "shmget": (29, 194), "shmat": (30, 196), "shmctl": (31, 195), "shmdt": (67, 197),
    "semget": (64, 190), "semop": (65, 193), "semctl": (66, 191), "semtimedop": (220, 192),
    "msgget": (68, 186), "msgsnd": (69, 189), "msgrcv": (70, 188), "msgctl": (71, 187),
    "mq_open": (240, 180), "mq_unlink": (241, 181), "mq_timedsend": (242, 182), "mq_timedreceive": (243, 183),
    "mq_notify": (244, 184), "mq_getsetattr": (245, 185),
    "add_key": (248, 217), "request_key": (249, 218), "keyctl": (250, 219),
    # what the kernel's own weak places are reached by
    "userfaultfd": (323, 282), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "bpf": (321, 280), "perf_event_open": (298, 241), "modify_ldt": (154, None),
    # what tells which files others use: their memory, and what is done to them
    "inotify_init": (253, None), "inotify_init1": (294, 26), "inotify_add_watch": (254, 27),
    "preadv2": (327, 286), "mincore": (27, 232), "cachestat": (451, 451),
    "clone3": (435, 435),  # its flags cannot be seen: glibc then calls clone
}  # fmt: skip
_FORBIDDEN: dict[str, tuple[int | None, int | None]] = {  # EPERM
    "ptrace": (101, 117), "process_vm_readv": (310, 270), "process_vm_writev": (311, 271), "kcmp": (312, 272),
    "pidfd_getfd": (438, 438), "process_madvise": (440, 440),
    "unshare": (272, 97), "setns": (308, 268), "chroot": (161, 51), "pivot_root": (155, 41), "mount": (165, 40),
    "umount2": (166, 39), "open_tree": (428, 428), "move_mount": (429, 429), "fsopen": (430, 430),
    "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433), "mount_setattr": (442, 442),
    "open_tree_attr": (467, 467), "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262), "fanotify_mark": (301, 263), "syslog": (103, 116), "acct": (163, 89),
    "quotactl": (179, 60), "quotactl_fd": (443, 443), "swapon": (167, 224), "swapoff": (168, 225),
    "reboot": (169, 142), "kexec_load": (246, 104), "kexec_file_load": (320, 294), "init_module": (175, 105),
    "finit_module": (313, 273), "delete_module": (176, 106), "iopl": (172, None), "ioperm": (173, None),
}  # fmt: skip
# These do nothing and say that they did: libraries ask for them, and mind if they fail. A core is the sandbox's; locks
# and advice about files would be seen by whoever has the same file. Those of its own it shares with nobody.
_IDLE: dict[str, tuple[int | None, int | None]] = {
    "sched_setaffinity": (203, 122), "flock": (73, 32), "fadvise64": (221, 223), "readahead": (187, 213),
}  # fmt: skip
_CLONE, _SOCKET, _SOCKETPAIR, _FCNTL, _MADVISE = (56, 220), (41, 198), (53, 199), (72, 25), (28, 233)
# Of fcntl: F_GETLK, F_OFD_GETLK, F_SETLEASE, F_GETLEASE, F_NOTIFY, and hints of how long what is written lives: all are
# seen by others with the same file. Of madvise: MADV_COLD, MADV_PAGEOUT.
_TELLING, _EVICTING = [5, 36, 1024, 1025, 1026, *range(1035, 1041)], [20, 21]
_NEW_NAMESPACES = 0x7E020000  # flags of clone: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET
_ARCHITECTURES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # column above; AUDIT_ARCH
_X32, _NETLINK = 0x40000000, 16
_LOAD, _IS, _AT_LEAST, _HAS, _SKIP, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x05, 0x06  # BPF: ld, jeq, jge, jset, ja, ret
# Offsets in struct seccomp_data; of arguments, the lower half.
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000

_Instruction = tuple[int, int, int, int]  # code, jump where true, jump where false, operand


def filter_system_calls() -> None:
    """Filter the calls of this thread and of all that it starts, for good. Needs `no_new_privs`.

    Raises
    ------
    OSError
        The kernel takes no filter, or this is another processor.
    """
    machine = platform.machine()
    if machine not in _ARCHITECTURES:
        raise OSError(errno.ENOSYS, f"There is no filter of system calls for {machine}.")
    program = b"".join(struct.pack("=HBBI", *instruction) for instruction in _program(*_ARCHITECTURES[machine]))
    code = ctypes.create_string_buffer(program, len(program))

    class Program(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("code", ctypes.c_void_p))

    given = Program(len(program) // 8, ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    set_seccomp, mode_filter = 22, 2
    if libc.prctl(set_seccomp, ctypes.c_ulong(mode_filter), ctypes.byref(given), ctypes.c_ulong(0), ctypes.c_ulong(0)):
        raise OSError(ctypes.get_errno(), "This kernel takes no filter of system calls.")


def _program(column: int, architecture: int) -> list[_Instruction]:
    def numbers(table: dict[str, tuple[int | None, int | None]]) -> list[int]:
        return [number for pair in table.values() if (number := pair[column]) is not None]

    families = [int(family) for family in (socket.AF_UNIX, socket.AF_INET, socket.AF_INET6)]
    return [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_IS, 1, 0, architecture),
        _fail(errno.ENOSYS),
        (_LOAD, 0, 0, _NUMBER),
        (_AT_LEAST, 0, 1, _X32),
        _fail(errno.ENOSYS),
        *_where(numbers(_MISSING), [_fail(errno.ENOSYS)]),
        *_where(numbers(_FORBIDDEN), [_fail(errno.EPERM)]),
        *_where(numbers(_IDLE), [_fail(0)]),
        *_where(
            [_CLONE[column]],
            [(_LOAD, 0, 0, _FIRST), (_HAS, 0, 1, _NEW_NAMESPACES), _fail(errno.EPERM), (_RETURN, 0, 0, _ALLOW)],
        ),
        *(
            instruction
            for call, argument, values in ((_FCNTL, _SECOND, _TELLING), (_MADVISE, _THIRD, _EVICTING))
            for instruction in _where(
                [call[column]],
                [(_LOAD, 0, 0, argument), *_where(values, [_fail(errno.EINVAL)]), (_RETURN, 0, 0, _ALLOW)],
            )
        ),
        *_where(
            [_SOCKET[column]],
            [
                (_LOAD, 0, 0, _FIRST),
                *_where(families, [(_RETURN, 0, 0, _ALLOW)]),
                (_IS, 0, 2, _NETLINK),  # only to ask about interfaces
                (_LOAD, 0, 0, _THIRD),
                (_IS, 1, 0, 0),
                _fail(errno.EAFNOSUPPORT),
                (_RETURN, 0, 0, _ALLOW),
            ],
        ),
        *_where(
            [_SOCKETPAIR[column]],
            [
                (_LOAD, 0, 0, _FIRST),
                (_IS, 1, 0, socket.AF_UNIX),
                _fail(errno.EAFNOSUPPORT),
                (_RETURN, 0, 0, _ALLOW),
            ],
        ),
        (_RETURN, 0, 0, _ALLOW),
    ]


def _fail(number: int) -> _Instruction:
    return (_RETURN, 0, 0, _ERRNO | number)


def _where(values: list[int], then: list[_Instruction]) -> list[_Instruction]:
    """Do `then`, which returns, where what was loaded last is one of `values`."""
    tests = [(_IS, len(values) - place, 0, value) for place, value in enumerate(values)]
    return [*tests, (_SKIP, 0, 0, len(then)), *then]
