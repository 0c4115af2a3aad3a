"""Objects under `s3://` addresses: one contract for a local folder and for a service (moto)."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from filmstill.errors import FilmstillError, InputError, ServiceError, StorageError
from filmstill.jobs.objects import (
    FolderObjects,
    Objects,
    S3Objects,
    below,
    open_objects,
    split_address,
)
from filmstill.jobs.order import Places


@pytest.fixture(scope="module")
def service() -> Iterator[str]:
    running = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    host, port = running.get_host_and_port()
    yield f"http://{host}:{port}"
    running.stop()


@pytest.fixture(autouse=True)
def credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")


@pytest.fixture(params=["folder", "service"])
def objects(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Objects]:
    """With the empty buckets "one" and "two"."""
    if request.param == "folder":
        for bucket in ("one", "two"):
            (tmp_path / bucket).mkdir()
        yield open_objects(Places(root=str(tmp_path)))
        return
    address = request.getfixturevalue("service")
    s3 = boto3.resource("s3", endpoint_url=address, region_name="us-east-1")
    buckets = [s3.create_bucket(Bucket=name) for name in ("one", "two")]
    yield open_objects(Places(endpoint=address))
    for bucket in buckets:
        bucket.objects.all().delete()
        bucket.delete()
    s3.meta.client.close()


class TestContract:
    @given(content=st.binary(max_size=300))
    @settings(max_examples=10, deadline=None, suppress_health_check=[*HealthCheck])
    def test_what_was_written_is_read(self, objects: Objects, content: bytes) -> None:
        objects.write("s3://one/a/b.txt", content)
        assert objects.read("s3://one/a/b.txt") == content
        objects.write("s3://one/a/b.txt", b"replaced")
        assert objects.read("s3://one/a/b.txt") == b"replaced"
        assert objects.list("s3://one/") == ["s3://one/a/b.txt"]

    def test_a_list_is_sorted_and_holds_what_begins_so(self, objects: Objects) -> None:
        keys = ["b.txt", "a/z.txt", "a/b/c.txt", "ab.txt", "a/'!(x)*.txt"]
        for key in keys:
            objects.write(f"s3://one/{key}", b"")
        objects.write("s3://two/a/other.txt", b"")

        def listed(prefix: str) -> list[str]:
            return [address.removeprefix("s3://one/") for address in objects.list(prefix)]

        below_a = ["a/'!(x)*.txt", "a/b/c.txt", "a/z.txt"]
        assert listed("s3://one") == listed("s3://one/") == [*below_a, "ab.txt", "b.txt"]
        assert listed("s3://one/a") == [*below_a, "ab.txt"]
        assert listed("s3://one/a/") == below_a
        assert listed("s3://one/a/b/c.txt") == ["a/b/c.txt"]
        assert listed("s3://one/nothing") == []

    def test_an_object_that_is_not_there(self, objects: Objects) -> None:
        with pytest.raises(InputError, match=r"s3://one/nothing.txt"):
            objects.read("s3://one/nothing.txt")
        objects.write("s3://one/a/b.txt", b"")
        with pytest.raises(InputError, match=r"s3://one/a"):
            objects.read("s3://one/a")

    def test_a_bucket_that_is_not_there(self, objects: Objects) -> None:
        with pytest.raises(InputError, match=r"s3://three/x"):
            objects.read("s3://three/x")
        with pytest.raises(InputError, match=r"s3://three/x.*bucket"):
            objects.write("s3://three/x", b"")
        with pytest.raises(InputError, match=r"s3://three/x.*bucket"):
            objects.list("s3://three/x")
        with pytest.raises(InputError):
            objects.read("s3://three/x")  # writing did not make it

    @pytest.mark.parametrize("address", ["s3://one", "s3://one/"])
    def test_a_bucket_is_no_object(self, address: str, objects: Objects) -> None:
        with pytest.raises(InputError, match="this is a bucket; name an object in it"):
            objects.read(address)
        with pytest.raises(InputError, match="this is a bucket; name an object in it"):
            objects.write(address, b"")

    @pytest.mark.parametrize("address", ["one/a", "/one/a", "s3:/one/a", "s3://", "http://one/a"])
    def test_what_is_no_address(self, address: str, objects: Objects) -> None:
        with pytest.raises(InputError, match="is no S3 address: give s3://BUCKET/KEY"):
            objects.read(address)
        with pytest.raises(InputError, match="is no S3 address: give s3://BUCKET/KEY"):
            objects.write(address, b"")
        with pytest.raises(InputError, match="is no S3 address: give s3://BUCKET/KEY"):
            objects.list(address)


@pytest.mark.slow
def test_more_objects_than_a_page_holds(service: str) -> None:
    s3 = boto3.client("s3", endpoint_url=service, region_name="us-east-1")
    s3.create_bucket(Bucket="many")
    objects = S3Objects(service)
    for number in range(1005):
        s3.put_object(Bucket="many", Key=f"{number:04}")
    assert objects.list("s3://many") == [f"s3://many/{number:04}" for number in range(1005)]
    s3.close()


def test_a_service_that_is_not_there() -> None:
    objects = S3Objects("http://127.0.0.1:9")
    with pytest.raises(ServiceError, match=r"s3://one/x: S3 cannot be used: .*--s3-endpoint"):
        objects.read("s3://one/x")


def test_an_address_of_a_service_that_is_none() -> None:
    with pytest.raises(ServiceError, match="S3 cannot be used: Invalid endpoint"):
        S3Objects("not an address")


def test_boto3_finds_the_service_by_itself(
    service: str, objects: Objects, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", service)
    if isinstance(objects, S3Objects):
        objects.write("s3://one/x", b"x")
        assert open_objects(Places()).read("s3://one/x") == b"x"


@pytest.fixture
def folder(tmp_path: Path) -> FolderObjects:
    (tmp_path / "root" / "one").mkdir(parents=True)
    (tmp_path / "root" / "one2").mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "root" / "one2" / "secret.txt").write_text("secret")
    return FolderObjects(tmp_path / "root")


@pytest.mark.parametrize(
    "key", ["../one2/secret.txt", "../../secret.txt", "a/../../one2/secret.txt", "/etc/passwd"]
)
def test_a_key_leads_nowhere_out_of_its_bucket(key: str, folder: FolderObjects) -> None:
    with pytest.raises(InputError, match="this leads out of its bucket"):
        folder.read(f"s3://one/{key}")
    with pytest.raises(InputError, match="this leads out of its bucket"):
        folder.write(f"s3://one/{key}", b"x")


def test_nor_does_a_link(folder: FolderObjects, tmp_path: Path) -> None:
    bucket = tmp_path / "root" / "one"
    (bucket / "file").symlink_to(tmp_path / "secret.txt")
    (bucket / "folder").symlink_to(tmp_path)
    for key in ("file", "folder/secret.txt", "folder/new.txt"):
        with pytest.raises(InputError, match="this leads out of its bucket"):
            folder.read(f"s3://one/{key}")
        with pytest.raises(InputError, match="this leads out of its bucket"):
            folder.write(f"s3://one/{key}", b"x")
    assert (tmp_path / "secret.txt").read_text() == "secret"
    assert not (tmp_path / "new.txt").exists()
    (bucket / "inside").symlink_to(bucket / "real.txt")
    folder.write("s3://one/real.txt", b"x")
    assert folder.read("s3://one/inside") == b"x"


@given(
    key=st.text(st.sampled_from("a./\\~\0ü "), max_size=12) | st.integers(1, 400).map("a".__mul__)
)
@settings(max_examples=200, deadline=None, suppress_health_check=[*HealthCheck])
def test_any_key_is_read_back_or_refused(key: str, folder: FolderObjects, tmp_path: Path) -> None:
    try:
        folder.write(f"s3://one/{key}", b"new")
    except FilmstillError:
        pass
    else:
        assert folder.read(f"s3://one/{key}") == b"new"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["root", "secret.txt"]
    assert sorted(path.name for path in (tmp_path / "root").iterdir()) == ["one", "one2"]
    assert (tmp_path / "root" / "one2" / "secret.txt").read_text() == "secret"


def test_an_object_below_an_object(folder: FolderObjects) -> None:
    folder.write("s3://one/a", b"x")
    with pytest.raises(StorageError, match="cannot write to folder"):
        folder.write("s3://one/a/b", b"x")
    with pytest.raises(InputError, match="there is no such object"):
        folder.read("s3://one/a/b")


BUCKETS = st.from_regex(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", fullmatch=True)


@given(BUCKETS, st.text())
def test_an_address_is_split_as_it_was_made(bucket: str, key: str) -> None:
    assert split_address(f"s3://{bucket}/{key}") == (bucket, key)
    assert split_address(f"s3://{bucket}") == (bucket, "")
    assert split_address(below(f"s3://{bucket}", "a", "b.txt")) == (bucket, "a/b.txt")


@given(st.text(max_size=8))
def test_a_text_without_a_bucket_is_no_address(text: str) -> None:
    for address in (text, f"s3:/{text}", f"s3://A{text}", f"S3://one/{text}"):
        with pytest.raises(InputError, match="is no S3 address"):
            split_address(address)


def test_below() -> None:
    assert below("s3://one/a/", "b", "c") == below("s3://one/a", "b", "c") == "s3://one/a/b/c"
    assert below("s3://one", "b") == below("s3://one/", "b") == "s3://one/b"
