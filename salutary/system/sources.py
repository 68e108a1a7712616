"""Raw files: where they are looked for, how they are downloaded, checked and cached.

Order: ``data_dir`` (by default ``$SALUTARY_DATA_DIR``, else the user's cache), there
``<data set>/<file>`` plain or with ``.gz``; then a download into the same place. A file that is
there but wrong is an error, never silently replaced.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import sys
import tarfile
import tempfile
import zipfile
import zlib
from pathlib import Path

import pooch
import requests
import ucimlrepo

from salutary.errors import SalutaryError
from salutary.system.files import directory, write_atomic


def find(data_dir: str | None, name: str) -> Path | None:
    """The file ``name`` or ``name.gz`` below the data directory, or None."""
    plain = directory(data_dir) / name
    for path in (plain, plain.with_name(plain.name + ".gz")):
        if path.exists():
            return path
    return None


def read(path: Path, sha256: str | None = None) -> bytes:
    """The (decompressed) content of ``path``, checked against the sha256 of the raw content."""
    try:
        content = path.read_bytes()
        if path.suffix == ".gz":
            content = gzip.decompress(content)
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise SalutaryError(f"{path} is truncated or corrupt ({error}): remove or replace it") from error
    except OSError as error:
        raise SalutaryError(f"{path} cannot be read: {error.strerror}") from error
    if sha256 and (checksum := hashlib.sha256(content).hexdigest()) != sha256:
        raise SalutaryError(
            f"{path} is not the published file, or is damaged: its sha256 is {checksum},"
            f" expected {sha256}; remove or replace it"
        )
    return content


def from_gz(url: str, sha256: str, data_dir: str | None, name: str) -> bytes:
    """The raw file ``name``: found locally, or downloaded from ``url``, where it is a .gz, and cached so."""
    path = find(data_dir, name)
    if path is None:
        content = download(url, data_dir, name)
        path = directory(data_dir) / f"{name}.gz"
        try:
            checksum = hashlib.sha256(gzip.decompress(content)).hexdigest()
        except (EOFError, gzip.BadGzipFile, zlib.error):
            checksum = None
        if checksum != sha256:
            raise SalutaryError(f"{url} is not the published file (its sha256 differs)")
        _store(path, content)
    return read(path, sha256)


def from_archive(url: str, member: str, sha256: str, data_dir: str | None, name: str) -> bytes:
    """The raw file ``name``: found locally, or extracted from a zip or tar.gz archive at ``url`` and cached.

    ``member`` is the file's path in the archive; a ``!`` steps into an archive within it
    (``inner.zip!folder/file.csv``). The checksum is that of the raw file, so that it holds
    whichever way the file came.
    """
    path = find(data_dir, name)
    if path is None:
        extract = _extract_tar if url.endswith(".tar.gz") else _extract
        content = extract(download(url, data_dir, name), member, url)
        path = directory(data_dir) / name
        if hashlib.sha256(content).hexdigest() != sha256:
            raise SalutaryError(f"{member} in {url} is not the published file (its sha256 differs)")
        _store(path, content)
    return read(path, sha256)


def download(url: str, data_dir: str | None, name: str) -> bytes:
    """The content at ``url``. Raises SalutaryError that says where ``name`` can be put by hand."""
    with tempfile.TemporaryDirectory() as scratch:
        try:
            pooch.get_logger().setLevel("ERROR")
            # The raw content is checked against its own checksum once it is extracted.
            path = pooch.retrieve(url, known_hash=None, path=scratch, progressbar=sys.stderr.isatty())
        except (requests.RequestException, OSError, ValueError) as error:
            raise unavailable(url, data_dir, name) from error
        return Path(path).read_bytes()


def from_ucimlrepo(uci_id: int, data_dir: str | None, name: str, by_hand: str) -> bytes:
    """UCI's table ``uci_id`` as CSV (all columns, original order), fetched once and cached at ``name``.

    The caller checks shape and class counts; ``by_hand`` names the raw files that serve as well.
    """
    path = find(data_dir, name)
    if path is None:
        try:
            frame = ucimlrepo.fetch_ucirepo(id=uci_id).data.original
        except (ConnectionError, OSError, ValueError, ucimlrepo.DatasetNotFoundError) as error:
            raise unavailable(f"UCI data set {uci_id}", data_dir, by_hand) from error
        path = directory(data_dir) / name
        buffer = io.StringIO()
        frame.to_csv(buffer, index=False)
        _store(path, buffer.getvalue().encode())
    return read(path)


def unavailable(source: str, data_dir: str | None, name: str) -> SalutaryError:
    """The error for a file that is neither here nor to be had."""
    return SalutaryError(
        f"cannot download {source} (is there a network?); put {name}, plain or .gz,"
        f" below {directory(data_dir).resolve()}, or set data_dir"
    )


def _store(path: Path, content: bytes) -> None:
    try:
        write_atomic(path, content)
    except OSError as error:
        raise SalutaryError(f"{path} cannot be written: {error.strerror}; set data_dir") from error


def _extract(content: bytes, member: str, url: str) -> bytes:
    try:
        for step in member.split("!"):
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                content = archive.read(step)
    except (zipfile.BadZipFile, KeyError) as error:
        raise SalutaryError(f"{url} does not hold {member}: {error}") from error
    return content


def _extract_tar(content: bytes, member: str, url: str) -> bytes:
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            file = archive.extractfile(member)
            if file is None:
                raise KeyError(f"{member} is no file")
            return file.read()
    except (tarfile.TarError, EOFError, OSError, zlib.error, KeyError) as error:
        raise SalutaryError(f"{url} does not hold {member}: {error}") from error
