"""Archives that strangers send."""

import contextlib
import gzip
import itertools
import tarfile
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from etude.artifacts import ArtifactError
from etude.artifacts.model_definition import unpack

_SIZE = slice(124, 136)  # of a header
_CHECKSUM = slice(148, 156)


def member(name: str, body: bytes = b"x", **fields: object) -> bytes:
    info = tarfile.TarInfo(name)
    info.size = len(body)
    for field, value in fields.items():
        setattr(info, field, value)
    return info.tobuf(tarfile.PAX_FORMAT) + body + bytes(-len(body) % tarfile.BLOCKSIZE)


def archive(*members: bytes) -> bytes:
    return gzip.compress(b"".join(members) + bytes(2 * tarfile.BLOCKSIZE), mtime=0)


def header_of(size: int, kind: bytes) -> bytes:
    """The header of a member that is as large as it says, without a body."""
    raw = bytearray(tarfile.TarInfo("huge").tobuf())
    raw[156:157] = kind
    raw[_SIZE] = f"{size:011o}\0".encode()
    raw[_CHECKSUM] = b" " * 8
    raw[_CHECKSUM] = f"{sum(raw):06o}\0 ".encode()
    return bytes(raw)


GOOD = archive(member("model.py", b"a = 1"), member("data/x", 3000 * b"y"))


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (archive(member("a"), member("a/b")), "'a/b' is there twice, or is a file and a folder"),
        (archive(member("a/b"), member("a")), "'a' is there twice, or is a file and a folder"),
        (archive(member("a"), member("./a")), "'./a' is there twice"),
        (archive(member(300 * "n")), "is no plain file within"),
        (archive(member("/".join(300 * ["name"]))), "is no plain file within"),
        (archive(member("a", pax_headers={"size": "x"})), "cannot be unpacked"),
        (archive(member("a", pax_headers={"size": "-5"})), "cannot be unpacked"),
        (archive(member("a", type=tarfile.SYMTYPE, linkname="/etc/passwd")), "is no plain file within"),
        (archive(member("a", type=tarfile.CHRTYPE)), "is no plain file within"),
        (archive(header_of(2**33 - 1, tarfile.XHDTYPE)), "it has a header that is too large"),
        (archive(header_of(2**33 - 1, tarfile.GNUTYPE_LONGNAME)), "it has a header that is too large"),
        (archive(header_of(2**33 - 1, tarfile.REGTYPE)), "it has more than 950 MiB"),
        (GOOD[:-10], "Compressed file ended before the end-of-stream marker"),
        (GOOD[:-4], "Compressed file ended before the end-of-stream marker"),
        (GOOD[:-8] + bytes(8), "CRC check failed"),
        (gzip.compress(gzip.decompress(GOOD)[:2000], mtime=0), "cannot be unpacked"),
        (b"", "cannot be unpacked"),
        (b"no archive", "cannot be unpacked"),
    ],
    ids=map(str, itertools.count()),  # and not the bytes themselves
)
def test_what_is_malformed_is_refused_with_the_reason(body: bytes, message: str, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError) as caught:
        unpack(body, tmp_path)
    assert message in str(caught.value)


def test_what_is_good_is_there(tmp_path: Path) -> None:
    unpack(GOOD, tmp_path)
    assert (tmp_path / "model.py").read_text() == "a = 1"
    assert (tmp_path / "data" / "x").stat().st_size == 3000


@given(st.data())
def test_no_change_of_an_archive_does_anything_but_unpack_or_be_refused(data: st.DataObject) -> None:
    raw = bytearray(gzip.decompress(GOOD))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    if data.draw(st.booleans()):  # or else nearly all would end at the checksum
        raw[_CHECKSUM] = b" " * 8
        raw[_CHECKSUM] = f"{sum(raw[: tarfile.BLOCKSIZE]):06o}\0 ".encode()
    body = gzip.compress(bytes(raw[: data.draw(st.integers(0, len(raw)))]))
    with tempfile.TemporaryDirectory() as name, contextlib.suppress(ArtifactError):
        unpack(body, Path(name) / "model")
        assert {path.name for path in Path(name).iterdir()} <= {"model"}
