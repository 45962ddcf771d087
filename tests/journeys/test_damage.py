"""What a failing disk did to the data folder: the daemon says so, serves what it knows, writes nothing behind it."""

from pathlib import Path

import apsw

from .harness import Daemon


def spoil(path: Path, what: bytes) -> None:
    """Change a byte wherever some bytes are stored, as a failing disk does."""
    content = path.read_bytes()
    assert what in content
    path.write_bytes(content.replace(what, bytes([what[0] ^ 1]) + what[1:]))


def test_a_damaged_log(daemon: Daemon) -> None:
    """With an event damaged it starts and shows everything; a write gets 503 with what is wrong and the cure."""
    sha256 = daemon.bring_in(daemon.drop / "ink.safetensors")
    tag = daemon.post("/api/tags", {"name": "a tag to spoil"})
    assert tag
    assert daemon.stop() == 0
    spoil(daemon.data / "log.db", b"a tag to spoil")

    daemon.start(scan=False)

    assert daemon.model(sha256)["name"] == "ink"
    assert [one["name"] for one in daemon.get("/api/tags")["items"]] == ["a tag to spoil"]
    refused = daemon.ask("POST", "/api/tags", {"name": "behind it"})
    assert (refused.status, refused.headers["Retry-After"]) == (503, "5")
    assert "in the log is damaged; stop the daemon and run `hikazed check`" in refused.detail
    warning = daemon.get("/api/status")["warnings"][0]
    assert warning["what"].startswith("nothing can be written: event ")
    assert "hikazed restore" in warning["cure"]
    assert daemon.stop() == 0


def test_torn_read_tables(daemon: Daemon) -> None:
    """Read tables that tear while it runs are built anew without anybody's doing; who asked meanwhile asks again."""
    sha256 = daemon.bring_in(daemon.drop / "ink.safetensors")
    daemon.quiesce()
    path = daemon.data / "views.db"
    db = apsw.Connection(str(path))
    roots = [row[0] for row in db.execute("SELECT rootpage FROM sqlite_schema WHERE tbl_name = 'models' AND rootpage")]
    db.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_TRUNCATE)
    db.close()
    with open(path, "r+b") as file:
        for root in roots:
            file.seek((root - 1) * 4096)
            file.write(b"\xff" * 4096)

    daemon.post("/api/tags", {"name": "makes every reader look again"})
    daemon.wait_for(lambda: daemon.ask("GET", f"/api/models/{sha256}").status == 200, 20, "they are built anew")
    assert daemon.model(sha256)["name"] == "ink"
    assert "they are built anew from the log" in daemon.stderr()
