"""The store: one RocksDB directory, seen as an ordered map from bytes to bytes.

One column family (a snapshot covers only one), keys by prefix:

====== ======================================= ==================================================
key    rest of the key                         record
====== ======================================= ==================================================
``M``  a name                                  meta: ``format`` (plain ASCII digits), ``commit`` and others
``O``  object id, 8 bytes big endian           an object or function
``P``  object id, a letter, the piece's key    a piece of a large collection
``S``  a name of the machine's choosing        side records: frames, mailboxes, timers, sources
====== ======================================= ==================================================

Law of the store: after any crash it holds a prefix of what was written, and everything that was written before a
:meth:`Store.flush` that returned.  The recovery mode is ``tolerate_corrupted_tail_records``, since RocksDB's default
silently drops what follows a damaged spot in the middle of the log, acknowledged or not.

``write`` hands a batch to the operating system, which is safe against a killed process; ``flush`` makes it safe
against a power cut, lets other threads run meanwhile, and is never retried: what a failed fsync has lost cannot be
known.  After a failure the store takes no writes until it was reopened.  Every host error becomes one of the
``StoreError`` classes with a message for people.

Who opens a world first takes a lock of ours (``holdfast.lock``, by ``flock``): RocksDB has its own, but the folder
must be looked at, and tidied, before RocksDB is let into it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NoReturn

from holdfast.vm import logs
from holdfast.vm.batch import Batch
from holdfast.vm.readahead import BYTES_MAX, Decoder, ReadAhead

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FORMAT_VERSION = 1
FORMAT_KEY = b"Mformat"
LOCK_FILE = "holdfast.lock"

MEMTABLE_BYTES = 16 << 20
"""Written data kept in memory; opening after a crash reads about as much of the log, which takes 0.1 s."""
CACHE_BYTES = 32 << 20
WAL_BYTES_MAX = 64 << 20
LOG_FILES_KEPT = 3
LOG_FILE_BYTES_MAX = 1 << 20
BLOOM_BITS = 10
SKIPPED_MAX = 5_000
"""Deleted keys that reading ahead steps over."""

object_key: Callable[[int], bytes] = partial(struct.Struct(">cQ").pack, b"O")
"""The key of an object's record."""

Durability = Literal["power", "process"]
Recovery = Literal["refuse", "cut"]
"""What to do when the log is damaged in the middle: refuse to open, or drop all that follows."""


class StoreError(Exception):
    """Base of what can go wrong with a world's store; the message is for the person at the terminal."""


class WorldLocked(StoreError):
    """Another process has the world open."""


class WorldReadOnly(StoreError):
    """The world's folder cannot be written."""


class WorldVersion(StoreError):
    """The world was written by a later version."""


class WorldDamaged(StoreError):
    """The world's files are not what was written."""


class WorldMissing(StoreError):
    """There is no world at this place, or something else is."""


class DiskFull(StoreError):
    """There is no space left for what must be written."""


def _message(path: str, text: str) -> StoreError:
    """The error for what RocksDB said."""
    low = text.lower()
    if "lock" in low and ("resource temporarily unavailable" in low or "lock hold by" in low or "no locks" in low):
        return WorldLocked(f"the world {path} is open in another process; attach to that one, or end it and try again")
    if "no space left" in low or "disk quota" in low or "file too large" in low:
        return DiskFull(
            f"no space is left on the disk of the world {path}; nothing that was acknowledged is lost: "
            "free some space and start again"
        )
    if "read-only file system" in low or "permission denied" in low or "operation not permitted" in low:
        return WorldReadOnly(
            f"the world {path} cannot be written: its folder or file system is read-only for this user; "
            "change its permissions, or copy it to a place that can be written"
        )
    if "does not exist (create_if_missing is false)" in low:
        return WorldMissing(f"there is no world at {path}")
    if "not a directory" in low or "file exists" in low or ("is a directory" in low and "current" not in low):
        return WorldMissing(f"{path} is not a world's folder; give another place with --world")
    return WorldDamaged(
        f"the files of the world {path} are damaged ({_clean(text)}); "
        "'holdfast world check --repair' tells what can be saved, or restore a backup"
    )


def _clean(text: str) -> str:
    """RocksDB's own words, short, in one line, without control characters."""
    return re.sub(r"[^ -~]+", " ", text).strip()[:200] or "no reason given"


class Store:
    """A world's RocksDB directory, open for reading and writing."""

    def __init__(
        self,
        path: str | Path,
        *,
        durability: Durability = "power",
        create: bool = True,
        cache_bytes: int = CACHE_BYTES,
        recovery: Recovery = "refuse",
    ) -> None:
        self.path = Path(path)
        self.durability = durability
        self.cache_bytes = cache_bytes
        self.recovery = recovery
        self.broken: StoreError | None = None
        """Set by a failed write or flush; nothing is written until :meth:`reopen`."""
        self._db: Any = None
        self._ahead = ReadAhead(self.get, self._items)
        self.read = self._ahead.get
        """As :meth:`get`, for objects and pieces that a program wants: reads its neighbours ahead."""
        self._lock: int | None = None
        """The file descriptor that holds the lock."""
        self._check_folder(create)
        try:
            self._lock = lock_folder(self.path)
            self._prepare_folder()
            self._open(create)
            self._check_format()
        except BaseException:
            self._unlock()
            raise

    # ------------------------------------------------------------------ opening

    def _check_folder(self, create: bool) -> None:
        """Make the folder, or refuse what is no world's, before anything in it is touched.  Others may do the same at
        the same moment."""
        path = self.path
        try:
            if not path.exists():
                if not create:
                    raise WorldMissing(f"there is no world at {path}")
                path.mkdir(parents=True, exist_ok=True)
            if not path.is_dir():
                raise WorldMissing(f"{path} is not a folder; give another place with --world")
            names = os.listdir(path)
        except OSError as error:
            raise _message(str(path), error.strerror or str(error)) from None
        foreign = [name for name in names if not _ours(name)]
        if foreign and "CURRENT" not in names:
            raise WorldMissing(f"{path} is a folder with other files in it ({foreign[0]!r}); a world needs its own")
        if not create and not any(map(_written_by_rocksdb, names)):
            raise WorldMissing(f"there is no world at {path}")

    def _prepare_folder(self) -> None:
        """What RocksDB must not meet; with the lock held."""
        path = self.path
        try:
            names = os.listdir(path)
            if "CURRENT" not in names and any(name.endswith((".sst", ".log")) for name in names):
                # RocksDB would make an empty world on top of the remains.
                raise WorldDamaged(f"the files of the world {path} are damaged (CURRENT is missing); restore a backup")
            # rocksdict's own settings say nothing that we do not know: a damaged file of them must not matter.
            (path / "rocksdict-config.json").unlink(missing_ok=True)
            for log, at in logs.damaged(path):
                if self.recovery == "refuse" or log.suffix != ".log":
                    raise _message(str(path), f"a record of {log.name} is of a kind that is never written")
                logs.spoil(log, at)
        except OSError as error:
            raise _message(str(path), error.strerror or str(error)) from None

    def _unlock(self) -> None:
        lock, self._lock = self._lock, None
        if lock is not None:
            os.close(lock)

    def _open(self, create: bool) -> None:
        import rocksdict

        options = self._options(rocksdict)
        options.create_if_missing(create)
        try:
            self._db = rocksdict.Rdict(str(self.path), options)
        except Exception as error:
            raise _message(str(self.path), str(error)) from None
        except BaseException as error:
            # A panic of the binding is no Exception; anything else (an interrupt) is passed on.
            if type(error).__name__ != "PanicException":
                raise
            raise _message(str(self.path), str(error)) from None
        self._rocksdict = rocksdict
        self._get = self._db.get
        self.nothing = self.batch()
        """A batch that stays empty."""

    def _options(self, rocksdict: Any) -> Any:
        options = rocksdict.Options(raw_mode=True)  # the default mode unpickles what it reads
        mode = {
            "refuse": rocksdict.DBRecoveryMode.tolerate_corrupted_tail_records,
            "cut": rocksdict.DBRecoveryMode.point_in_time,
        }[self.recovery]
        options.set_wal_recovery_mode(mode())
        options.set_paranoid_checks(True)
        options.set_write_buffer_size(MEMTABLE_BYTES)
        options.set_max_total_wal_size(WAL_BYTES_MAX)
        options.set_keep_log_file_num(LOG_FILES_KEPT)
        options.set_max_log_file_size(LOG_FILE_BYTES_MAX)
        options.set_max_background_jobs(2)
        options.set_compression_type(rocksdict.DBCompressionType.lz4())
        options.set_level_compaction_dynamic_level_bytes(True)
        table = rocksdict.BlockBasedOptions()
        table.set_block_cache(rocksdict.Cache(self.cache_bytes))
        table.set_bloom_filter(BLOOM_BITS, False)
        table.set_format_version(5)
        options.set_block_based_table_factory(table)
        return options

    def _check_format(self) -> None:
        try:
            written = self.get(FORMAT_KEY)
            if written is None:
                if next(iter(self.scan(b"")), None) is not None:
                    raise WorldDamaged(f"the world {self.path} has no format version; restore a backup")
                self._db.put(FORMAT_KEY, b"%d" % FORMAT_VERSION)
                return
            if not written.isdigit() or len(written) > 9:
                raise WorldDamaged(f"the format version of the world {self.path} is unreadable; restore a backup")
            if int(written) > FORMAT_VERSION:
                raise WorldVersion(
                    f"the world {self.path} has format {int(written)}, written by a later version of Holdfast; "
                    f"this one knows formats up to {FORMAT_VERSION}: update Holdfast"
                )
        except StoreError:
            self._close_quietly()
            raise

    # ------------------------------------------------------------------ reading

    def get(self, key: bytes) -> bytes | None:
        """The record under the key, or None."""
        try:
            return self._get(key)  # type: ignore[no-any-return]
        except Exception as error:
            raise _message(str(self.path), str(error)) from None

    def get_many(self, keys: list[bytes]) -> list[bytes | None]:
        """The records under the keys, each or None."""
        try:
            return self._get(keys)  # type: ignore[no-any-return]
        except Exception as error:
            raise _message(str(self.path), str(error)) from None

    def limit_read_ahead(self, size: int) -> None:
        """Keep no more than about so many bytes of records that were read ahead."""
        self._ahead.bytes_max = min(size, BYTES_MAX)

    def decode_ahead(self, decode: Decoder) -> None:
        """Have what is read ahead decoded."""
        self._ahead.decode = decode

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and records with the prefix, in key order, from ``start`` on (the whole key).

        Close the iterator, or let it go, before the store is closed.
        """
        return _scan(self._db, str(self.path), prefix, start)

    def _items(self, start: bytes, end: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Keys and records from one key up to another, in half the time of :meth:`scan`; damage just ends it, and so
        does it when much that was deleted lies between."""
        if self._db is None:
            _closed(start)
        options = self._rocksdict.ReadOptions()
        options.set_iterate_upper_bound(end)
        options.set_max_skippable_internal_keys(SKIPPED_MAX)
        return iter(self._db.items(from_key=start, read_opt=options))

    def last_before(self, prefix: bytes, key: bytes) -> tuple[bytes, bytes] | None:
        """The last key with the prefix that is not after the given one, and its record."""
        try:
            it = self._db.iter()
            it.seek_for_prev(key)
            found = (it.key(), it.value()) if it.valid() else None
            it.status()
        except Exception as error:
            raise _message(str(self.path), str(error)) from None
        return found if found is not None and found[0].startswith(prefix) else None

    def snapshot(self) -> Snapshot:
        """The store as it is now; give it back with ``close``."""
        try:
            return Snapshot(self._db.iter(), str(self.path))
        except Exception as error:
            raise _message(str(self.path), str(error)) from None

    def statistics(self) -> dict[str, int]:
        """Sizes in bytes, and RocksDB's estimate of the number of keys."""
        names = {
            "table_bytes": "rocksdb.total-sst-files-size",
            "memory_bytes": "rocksdb.cur-size-all-mem-tables",
            "keys_estimate": "rocksdb.estimate-num-keys",
        }
        found = {name: self._db.property_int_value(prop) or 0 for name, prop in names.items()}
        found["disk_bytes"] = _disk_bytes(self.path)
        return found

    # ------------------------------------------------------------------ writing

    def batch(self) -> Batch:
        """An empty batch."""
        return Batch(self._rocksdict.WriteBatch(raw_mode=True))

    def write(self, batch: Batch) -> None:
        """Write the batch as one atomic step; it is durable after the next :meth:`flush`.

        A batch whose write failed can be written again after :meth:`reopen`.
        """
        if self.broken is not None:
            raise self.broken
        if batch.raw is None:
            again = self.batch()
            again.repeat(batch)
            batch.raw = again.raw
        raw, batch.raw = batch.raw, None
        try:
            self._write_raw(raw)
        except Exception as error:
            self._fail(error)
        if batch.has_range:
            self._ahead.clear()
        else:
            self._ahead.written(batch.keys)

    def _write_raw(self, raw: Any) -> None:
        self._db.write(raw)

    def flush(self) -> None:
        """Make durable what was written before this call; blocks, lets other threads run."""
        if self.broken is not None:
            raise self.broken
        if self.durability == "process":
            return
        try:
            self._flush_raw()
        except Exception as error:
            self._fail(error)

    def _flush_raw(self) -> None:
        self._db.flush_wal(True)

    def _fail(self, error: Exception) -> NoReturn:
        if self.broken is None:
            self.broken = _message(str(self.path), str(error))
        raise self.broken from None

    def reopen(self) -> None:
        """After a failure: close, and open what is on disk.

        No snapshot and no scan may be open.  Raises the StoreError of the failure that still stands in the way.
        """
        self._close_quietly()
        self._open(create=False)
        self.broken = None

    # ------------------------------------------------------------------ the whole

    def copy_to(self, target: str | Path) -> None:
        """A consistent copy of the store as it is now, at a place that does not exist yet."""
        target = Path(target)
        if target.exists():
            raise WorldMissing(f"{target} exists already; give a place that does not")
        if not target.parent.is_dir():
            raise WorldMissing(f"there is no folder {target.parent}; make it, or give another place")
        try:
            copier = self._rocksdict.Checkpoint(self._db)
            copier.create_checkpoint(str(target))
        except Exception as error:
            raise _message(str(target), str(error)) from None

    def compact_log(self) -> None:
        """Move what is in the log into tables, so that the log is not needed to open the world."""
        try:
            self._db.flush(True)
        except Exception as error:
            self._fail(error)

    def compact(self) -> None:
        """Give deleted data's space back to the disk now."""
        try:
            self._db.compact_range(None, None)
        except Exception as error:
            raise _message(str(self.path), str(error)) from None

    def close(self) -> None:
        """Close; what was written is handed to the operating system, and flushed unless told otherwise."""
        try:
            if self._db is not None and self.broken is None:
                self.flush()
        finally:
            self._close_quietly()
            self._unlock()

    def _close_quietly(self) -> None:
        db, self._db = self._db, None
        self._get = _closed
        self._ahead.clear()
        if db is None:
            return
        try:
            db.close()
        except Exception:
            # After a write error RocksDB reports it once more here; the caller has it already.
            pass


def _closed(key: object) -> NoReturn:
    raise StoreError("the world is closed")


def _written_by_rocksdb(name: str) -> bool:
    return (
        name in ("CURRENT", "LOCK", "IDENTITY", "LOG", "rocksdict-config.json")
        or name.startswith(("MANIFEST-", "OPTIONS-", "LOG.old"))
        or name.endswith((".sst", ".log", ".dbtmp", ".blob"))
    )


def _ours(name: str) -> bool:
    """True for the names of the files that RocksDB, or the world around it, keeps in the folder."""
    return _written_by_rocksdb(name) or name.startswith(("holdfast.", "."))


def _disk_bytes(path: Path) -> int:
    """Size of the files in the folder; RocksDB may take one away meanwhile."""
    total = 0
    for entry in os.scandir(path):
        try:
            total += entry.stat().st_size if entry.is_file() else 0
        except FileNotFoundError:
            continue
    return total


def refuse_open(path: Path) -> None:
    """Raise WorldLocked if somebody has the world in the folder open."""
    if (path / LOCK_FILE).exists():
        os.close(lock_folder(path))


def refuse_existing(target: Path) -> None:
    """Raise a StoreError if a world that is to be made at the place would have to replace something."""
    if not target.exists():
        return
    try:
        refuse_open(target)
    except WorldLocked:
        raise WorldLocked(
            f"{target} exists already, and another process has that world open; give a place that does not exist"
        ) from None
    raise WorldMissing(f"{target} exists already; give a place that does not, or move it away")


def lock_folder(path: Path) -> int:
    """Take the lock of a world's folder: a file descriptor that holds it until it is closed.

    Raises WorldLocked when somebody else has it, and other StoreErrors.
    """
    name = path / LOCK_FILE
    flags = os.O_RDWR | os.O_CLOEXEC
    try:
        try:
            lock = os.open(name, flags)
        except FileNotFoundError:
            lock = os.open(name, flags | os.O_CREAT, 0o600)
    except OSError as error:
        raise _message(str(path), error.strerror or str(error)) from None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(lock)
        if error.errno == errno.EWOULDBLOCK:
            raise _message(str(path), "lock: resource temporarily unavailable") from None
        raise _message(str(path), error.strerror or str(error)) from None
    return lock


class Snapshot:
    """A store as it was; readable while the store goes on.  RocksDB's lock stays held until ``close``.

    rocksdict's own snapshots are of no use: their iterators read the store as it is, not as it was.  But an iterator
    keeps to the state of the moment when it was made.  So this is one iterator, which all scans share.
    """

    def __init__(self, iterator: Any, path: str) -> None:
        self._iterator = iterator
        self._path = path
        self._scanning: object = None
        """The scan at whose place the iterator is."""

    def get(self, key: bytes) -> bytes | None:
        """The record under the key, or None."""
        for found, record in self.scan(key):
            return record if found == key else None
        return None

    def scan(self, prefix: bytes, start: bytes | None = None) -> Iterator[tuple[bytes, bytes]]:
        """Keys and records with the prefix, in key order, from ``start`` on."""
        it, me = self._iterator, object()
        key = prefix if start is None else start
        again = False
        try:
            while True:
                if self._scanning is not me:  # the first step, or another scan has moved the iterator
                    self._scanning = me
                    it.seek(key)
                if again:
                    it.next()
                if not it.valid():
                    it.status()  # an iterator that met damage just ends: only its status tells
                    return
                key, again = it.key(), True
                if not key.startswith(prefix):
                    return
                yield key, it.value()
        except StoreError:
            raise
        except Exception as error:
            raise _message(self._path, str(error)) from None

    def close(self) -> None:
        """Give the snapshot back."""
        self._iterator = None


def _scan(source: Any, path: str, prefix: bytes, start: bytes | None) -> Iterator[tuple[bytes, bytes]]:
    key = first = prefix if start is None else start
    try:
        for key, record in source.items(from_key=first):
            if not key.startswith(prefix):
                return
            yield key, record
        # What meets damage just ends, and such an iteration does not tell.  One that steps on from there does; it takes
        # twice as long.
        it = source.iter()
        it.seek(key)
        if it.valid():
            it.next()
        it.status()
    except StoreError:
        raise
    except Exception as error:
        raise _message(path, str(error)) from None
