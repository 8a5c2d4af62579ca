"""Starts one part on a leash: `python leash.py PARENT SIGNAL USER PROGRAM [ARGUMENT ...]`.

Becomes PROGRAM (same pid), as USER when one is given. On Linux the kernel sends it SIGNAL when PARENT dies, so that
nothing outlives a supervisor that was killed. Needs only the standard library: it runs without our packages.
"""

import ctypes
import os
import pwd
import sys

PR_SET_PDEATHSIG = 1  # linux/prctl.h


def become(user: str) -> None:
    """Drop to `user` for good, with no groups but its own."""
    entry = pwd.getpwnam(user)
    os.setgroups([])
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def leash(parent: int, number: int) -> None:
    """Die with `parent`. After `become`: the kernel forgets the leash when the user changes."""
    if sys.platform != "linux":
        return
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, number, 0, 0, 0)
    if os.getppid() != parent:  # it died before the leash was on
        sys.exit(f"the supervisor (pid {parent}) is gone")


def main(parent: str, number: str, user: str, *command: str) -> None:
    """Become `command`; what goes wrong is said on stderr, which is the part's log."""
    if user:
        become(user)
    leash(int(parent), int(number))
    try:
        os.execvp(command[0], command)  # noqa: S606 - no shell is what we want
    except OSError as error:
        sys.exit(f"cannot run {command[0]}: {error.strerror}")


if __name__ == "__main__":
    main(*sys.argv[1:])
