"""What a process really touches: files that are opened or made, and connections to a port."""

import ctypes
import os
import socket
import struct
import threading
from pathlib import Path

IN_OPEN, IN_CREATE, IN_MOVED_TO = 0x20, 0x100, 0x80
IN_NONBLOCK = 0o4000
_EVENT = struct.Struct("iIII")
_libc = ctypes.CDLL(None, use_errno=True)


class FileWatch:
    """Tells which files in some directories were opened or made since it was asked last, by whomever."""

    def __init__(self, directories: list[Path]):
        self._descriptor = _libc.inotify_init1(IN_NONBLOCK)
        if self._descriptor < 0:
            raise OSError(ctypes.get_errno(), "inotify_init1")
        self._directories: dict[int, Path] = {}
        for directory in directories:
            watch = _libc.inotify_add_watch(self._descriptor, str(directory).encode(),
                                            IN_OPEN | IN_CREATE | IN_MOVED_TO)
            if watch < 0:
                raise OSError(ctypes.get_errno(), f"inotify_add_watch {directory}")
            self._directories[watch] = directory

    def touched(self) -> set[str]:
        names: set[str] = set()
        while True:
            try:
                data = os.read(self._descriptor, 1 << 16)
            except BlockingIOError:
                return names
            while data:
                watch, _, _, length = _EVENT.unpack_from(data)
                name = data[_EVENT.size:_EVENT.size + length].rstrip(b"\0").decode()
                data = data[_EVENT.size + length:]
                # a directory that is listed is opened itself
                names.add(f"{self._directories[watch].name}/{name}")

    def close(self) -> None:
        os.close(self._descriptor)


class Listener:
    """A port that counts who connects; it answers nothing."""

    def __init__(self):
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._count = 0
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            self._count += 1
            connection.close()

    def connections(self) -> int:
        """Since it was asked last."""
        count, self._count = self._count, 0
        return count

    def close(self) -> None:
        self._socket.close()
