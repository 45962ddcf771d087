"""The API keeps the promises of its description: every route is in it, and every answer has the form it says."""

import asyncio
import contextlib
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec
import numpy as np
import pytest
from aiohttp import ClientSession, FormData, UnixConnector
from hikaze.daemon import app as root
from hikaze.daemon import shapes
from hikaze.daemon.config import Config
from hikaze.daemon.disks import Disks
from hikaze.daemon.folders import folders_of
from hikaze.daemon.instance import prepare
from hikaze.daemon.library import Library
from hikaze.daemon.listen import listen
from hikaze.daemon.openapi import document, plain_path
from hikaze.daemon.roots import adjust
from hikaze.daemon.routes.table import API
from hikaze.projections.library import ORDERS
from openapi_spec_validator import validate
from PIL import Image
from safetensors.numpy import save_file

from ..legacy import build_v2

Call = Callable[..., Awaitable[tuple[int, Any]]]


@contextlib.asynccontextmanager
async def serving(data: str) -> AsyncIterator[tuple[Call, Any]]:
    """Run every part of the daemon but the process, and give a way to call its socket."""
    config = Config(data, None, (("loras", f"{data}/loras"),), (f"{data}/pending",), "127.0.0.1", 0, f"{data}/s.sock")
    prepare(data)
    os.makedirs(f"{data}/loras", exist_ok=True)
    plan = folders_of(config, data)
    library = Library(data, host=bytes(16))
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(library.close)
        library.start()
        services = root._build(config, plan, library, asyncio.Event(), root.STEPS, Disks())
        await library.write(lambda db: adjust(db, plan.wanted or ()), actor="daemon")
        await listen(config, services, stack)
        services.observer.start()
        stack.push_async_callback(services.observer.close)
        services.importer.start()
        stack.push_async_callback(services.importer.close)
        session = await stack.enter_async_context(ClientSession(connector=UnixConnector(f"{data}/s.sock")))

        async def call(method: str, path: str, json: Any = None, **more: Any) -> tuple[int, Any]:
            headers = {"X-Hikaze": "1"} | more.pop("headers", {})
            async with session.request(
                method, "http://localhost" + path, json=json, headers=headers, **more
            ) as response:
                raw = await response.read()
                told = msgspec.json.decode(raw) if "json" in response.content_type else raw
                return response.status, told

        yield call, services


def drive(tmp_path: Any, story: Callable[[Call, Any], Awaitable[None]]) -> None:
    """Run a story against a daemon in a folder of its own."""

    async def main() -> None:
        async with serving(str(tmp_path)) as (call, services):
            await story(call, services)

    asyncio.run(main())


def a_lora(path: Any, seed: int = 1) -> None:
    """Write a file with the shape of a LoRA."""
    down = np.full((4, 8), seed, dtype=np.float32)
    part = path.with_suffix(".part")
    save_file({"lora_unet_a.lora_down.weight": down, "lora_unet_a.lora_up.weight": down.T.copy()}, part)
    part.rename(path)


async def pending_of(call: Call, count: int = 1) -> list[dict[str, Any]]:
    """Wait until so many pending models are listed."""
    items: list[dict[str, Any]] = []
    for _ in range(200):
        items = (await call("GET", "/api/migration/pending_models"))[1]["items"]
        if len(items) == count:
            return items
        await asyncio.sleep(0.02)
    raise AssertionError(items)


def test_description_is_valid_and_complete() -> None:
    """The description is valid OpenAPI and names exactly the routes that are served."""
    described = document([route for route in API if route.path != "/api/openapi.json"])
    validate(described)

    told = {(method.upper(), path) for path, those in described["paths"].items() for method in those}
    assert told == {(route.method, plain_path(route.path)) for route in API}


def test_every_order_is_described() -> None:
    """What `sort` can be told is in the description, `best` too, and which it is if nobody says."""
    (models,) = (route for route in API if (route.method, route.path) == ("GET", "/api/models"))
    (sort,) = (param for param in models.params if param.name == "sort")

    told = sort.about.replace(",", "").split("; ")[0].split()
    assert {order.lstrip("-") for order in ORDERS} | {"best"} <= set(told)


def test_answers_have_the_described_form(tmp_path: Any) -> None:
    """Every answer decodes, strictly, as what the description says of it."""
    by_route = {(route.method, plain_path(route.path)): route for route in API}
    seen: set[tuple[str, str]] = set()

    async def story(call: Call, services: Any) -> None:
        async def check(method: str, path: str, route: str, status: int, json: Any = None, **more: Any) -> Any:
            got, value = await call(method, path, json, **more)
            assert got == status, (method, path, value)
            shape = by_route[method, route].answers.get(status, shapes.Problem)
            if not isinstance(shape, str):
                _strictly(value, shape)
            seen.add((method, route))
            return value

        services.url = "http://x"
        a_lora(tmp_path / "pending" / "a.safetensors")
        Image.new("RGB", (8, 8), "red").save(tmp_path / "p.png")
        (first,) = await pending_of(call)
        number = first["id"]
        await check("GET", "/api/status", "/api/status", 200)
        await check("GET", "/api/migration/pending_models", "/api/migration/pending_models", 200)
        one = "/api/migration/pending_model"
        await check("GET", f"{one}?id={number}", one, 200)
        await check("PATCH", f"{one}?id={number}", one, 200, {"tags": ["x"], "description": "d"})
        await check("GET", f"{one}?id=99", one, 404)
        picture = "/api/images/pending/{id}"
        await check("POST", f"/api/images/pending/{number}", picture, 200, data=_form(tmp_path))
        await check("GET", f"/api/images/pending/{number}", picture, 200)
        await check("GET", f"/api/images/pending/{number}/info", picture + "/info", 200)
        way_in = "/api/migration/import_a_model"
        done = await check("POST", way_in, way_in, 200, {"id": number})
        sha = done["sha256"]
        await check("GET", "/api/models", "/api/models", 200)
        await check("GET", f"/api/models?path={done['path']}", "/api/models", 200)
        await check("GET", "/api/models?path=/nowhere", "/api/models", 404)
        found = await check("GET", "/api/models?q=a%20tag:x&sort=best&limit=1", "/api/models", 200)
        assert (found["total"], found["facets"]["tags"]) == (1, [{"name": "x", "count": 1}])
        assert (await check("GET", "/api/models?facets=5", "/api/models", 200))["total"] == 1
        assert (await check("GET", "/api/models?q=a%20(b", "/api/models", 422))["at"] == 2
        await check("GET", f"/api/models/{sha}", "/api/models/{sha256}", 200)
        await check("PATCH", f"/api/models/{sha}", "/api/models/{sha256}", 200, {"favorite": True})
        several = {"models": [sha, "0" * 64], "add_tags": ["x", "z"], "favorite": False}
        written = await check("PATCH", "/api/models", "/api/models", 200, several)
        assert (written["changed"], written["unchanged"], written["unknown"]) == (1, 0, ["0" * 64])
        await check("GET", "/api/models/get_types", "/api/models/get_types", 200)
        tags = await check("GET", "/api/tags", "/api/tags", 200)
        await check("POST", "/api/tags", "/api/tags", 200, {"name": "new"})
        await check("POST", "/api/tags", "/api/tags", 200, {"name": "NEW"})
        tag = tags["items"][0]["id"]
        await check("PATCH", f"/api/tags/{tag}", "/api/tags/{id}", 200, {"name": "y"})
        await check("DELETE", f"/api/tags/{tag}", "/api/tags/{id}", 200)
        await check("POST", "/api/images/upload", "/api/images/upload", 200, data=_form(tmp_path, sha256=sha))
        await check("GET", f"/api/images/get_sample_imgs?sha256={sha}", "/api/images/get_sample_imgs", 200)
        await check("GET", f"/api/images/get_img_count?sha256={sha}", "/api/images/get_img_count", 200)
        await check("GET", f"/api/images/{sha}_0.webp", "/api/images/{sha256}_{seq}.webp", 200)
        await check("GET", f"/api/images/{sha}.webp?quality=low", "/api/images/{sha256}.webp", 200)
        await check("GET", f"/api/images/{sha}_0/info", "/api/images/{sha256}_{seq}/info", 200)
        await check("DELETE", f"/api/images/delete?sha256={sha}&seq=0", "/api/images/delete", 200)
        way_up = "/api/migration/upload"
        sent = f"{way_up}?name=up.txt&size=3&upload=a-key_01"
        await check("POST", sent, way_up, 200, data=b"ab")
        assert (await check("POST", sent, way_up, 409, data=b"ab"))["offset"] == 2
        await check("DELETE", f"{way_up}?upload=a-key_01", way_up, 200)
        assert (await check("POST", sent, way_up, 200, data=b"abc"))["done"]
        a_lora(tmp_path / "pending" / "b.safetensors")
        (second,) = await pending_of(call)
        await check("POST", way_in, way_in, 409, {"id": second["id"]})
        listed = "/api/migration/pending_models"
        told = await check("GET", f"{listed}?import=conflict&state=waiting&q=B&limit=1", listed, 200)
        assert (told["total"], told["items"][0]["import"]["model"]) == (1, sha)
        assert (await check("GET", f"{listed}?import=failed&import=running", listed, 200))["total"] == 0
        assert (await check("GET", f"{listed}?type=lora&in_place=0", listed, 200))["total"] == 1
        assert (await check("GET", f"{listed}?type=loras&in_place=1", listed, 200))["total"] == 0
        (group,) = (await check("GET", "/api/duplicates", "/api/duplicates", 200))["items"]
        assert (group["kind"], group["files"]) == ("equal", 2)
        await check("GET", "/api/duplicates?kind=other", "/api/duplicates", 422)
        await check("GET", "/api/storage", "/api/storage", 200)
        await check("POST", way_in, way_in, 202, {"id": "all", "conflict_strategy": "ignore"})
        await check("DELETE", way_in, way_in, 200)
        await check("DELETE", f"{way_in}?id={second['id']}&id=99", way_in, 200)
        while (await call("GET", "/api/status"))[1]["imports"]["running"]:
            await asyncio.sleep(0.02)
        await check("DELETE", f"{one}?id={second['id']}", one, 200)
        wish = {"format": "text", "models": [sha]}
        await check("POST", "/api/export", "/api/export", 200, wish)
        await check("POST", "/api/export", "/api/export", 404, wish | {"models": ["0" * 64]})
        await check("DELETE", "/api/export", "/api/export", 200)
        earlier = "/api/migration/migrate_legacy_db"
        old = build_v2(tmp_path / "old", {"path": ""}, pending=[{}], tags=["alone"])
        told = await check("POST", earlier, earlier, 200, {"legacy_db_path": str(old)})
        assert (told["models"], told["pending"], told["missing"]) == (1, 1, 2)
        await check("POST", earlier, earlier, 422, {"legacy_db_path": str(tmp_path / "none")})
        await check("DELETE", earlier, earlier, 200)
        await check("POST", "/api/scan", "/api/scan", 200)
        use = {"used": [{"sha256": sha, "count": 2, "last": "2026-01-01T00:00:00Z"}, {"path": "/nowhere"}]}
        assert (await check("POST", "/api/usage", "/api/usage", 200, use))["unknown"] == ["/nowhere"]
        await check("POST", "/api/usage", "/api/usage", 422, {"used": [{"count": 1}]})
        assert (await check("GET", f"/api/models/{sha}", "/api/models/{sha256}", 200))["uses"] == 2
        where = f"/api/resolve?sha256={sha}&path=/nowhere"
        assert (await check("GET", where, "/api/resolve", 200))["found_by"] == "sha256"
        await check("GET", "/api/resolve", "/api/resolve", 422)
        loras = {"name": "Ink", "loras": [{"full_path": "/m/a.safetensors", "strength_model": 0.5}]}
        saved = await check("POST", "/api/lora-sets", "/api/lora-sets", 200, loras)
        assert (await check("POST", "/api/lora-sets", "/api/lora-sets", 409, loras))["existing"] == saved["id"]
        set_ = f"/api/lora-sets/{saved['id']}"
        await check("PUT", set_, "/api/lora-sets/{id}", 200, loras | {"note": "at night"})
        await check("PUT", set_, "/api/lora-sets/{id}", 412, loras, headers={"If-Match": '"1"'})
        await check("GET", set_, "/api/lora-sets/{id}", 200)
        await check("GET", "/api/lora-sets", "/api/lora-sets", 200)
        await check("DELETE", set_, "/api/lora-sets/{id}", 200)
        await check("GET", set_, "/api/lora-sets/{id}", 404)
        (tmp_path / "told").mkdir()
        told = {"base": "/nowhere", "folders": [{"type": "vae", "paths": [str(tmp_path / "told"), "odd"]}]}
        told = await check("PUT", "/api/comfyui/folders", "/api/comfyui/folders", 200, told)
        assert (len(told["roots"]), [each["path"] for each in told["left_out"]]) == (1, ["odd"])
        (tmp_path / "more").mkdir()
        folder = {"path": str(tmp_path / "more"), "kind": "model", "type": "upscale_models"}
        root = await check("POST", "/api/roots", "/api/roots", 200, folder)
        await check("POST", "/api/roots", "/api/roots", 409, folder | {"type": "vae"})
        await check("POST", "/api/roots", "/api/roots", 422, folder | {"path": "more"})
        place = f"/api/roots/{root['id']}"
        assert (await check("PATCH", place, "/api/roots/{id}", 200, {"paused": True}))["state"] == "paused"
        await check("GET", "/api/roots", "/api/roots", 200)
        await check("GET", "/api/status", "/api/status", 200)
        await check("DELETE", place, "/api/roots/{id}", 200)
        await check("DELETE", place, "/api/roots/{id}", 404)
        await check("GET", "/api/events", "/api/events", 200)
        await check("POST", "/api/session", "/api/session", 200, {})
        await check("POST", "/api/session", "/api/session", 401, {"code": "wrong"})
        await check("GET", "/api/openapi.json", "/api/openapi.json", 200)

    drive(tmp_path, story)
    assert seen == set(by_route)


def _form(tmp_path: Any, **fields: str) -> FormData:
    form = FormData(fields)
    form.add_field("image", (tmp_path / "p.png").read_bytes(), filename="p.png")
    return form


def _strictly(value: Any, shape: Any) -> None:
    """Decode with every unknown field refused, also in what is inside."""
    shapes_ = shape if isinstance(shape, tuple) else (shape,)
    assert any(_is(value, one) for one in shapes_), value


def _is(value: Any, shape: Any) -> bool:
    try:
        return msgspec.to_builtins(msgspec.convert(value, shape)) == value
    except msgspec.ValidationError:
        return False


BAD: tuple[tuple[str, str, Any, int], ...] = (
    ("GET", "/api/nothing", None, 404),
    ("PUT", "/api/models", None, 405),
    ("PATCH", "/api/models", {"models": ["0" * 64]}, 422),
    ("PATCH", "/api/models", {"models": ["x"], "favorite": True}, 422),
    ("PATCH", "/api/models", {"models": ["0" * 64], "name": "x"}, 422),
    ("PATCH", "/api/models", {"models": ["0" * 64], "type": "../x"}, 422),
    ("PATCH", "/api/models", {"models": ["0" * 64], "add_tags": ["x"], "remove_tags": ["X"]}, 422),
    ("GET", "/api/models?limit=0", None, 422),
    ("GET", "/api/models?limit=1001", None, 422),
    ("GET", "/api/models?limit=x", None, 422),
    ("GET", "/api/models?sort=colour", None, 422),
    ("GET", "/api/models?cursor=zzz", None, 422),
    ("GET", "/api/models/sha256", None, 404),
    ("GET", "/api/models/" + "0" * 64, None, 404),
    ("PATCH", "/api/models/" + "0" * 64, {"name": "x"}, 404),
    ("PATCH", "/api/models/" + "0" * 64, {"nom": "x"}, 422),
    ("GET", "/api/migration/pending_models?state=gone", None, 422),
    ("GET", "/api/migration/pending_models?import=planned", None, 422),
    ("GET", "/api/migration/pending_models?in_place=yes", None, 422),
    ("GET", "/api/migration/pending_models?q=" + "a" * 2_001, None, 422),
    ("DELETE", "/api/migration/import_a_model?id=x", None, 422),
    ("GET", "/api/migration/pending_model", None, 422),
    ("GET", "/api/migration/pending_model?id=-1", None, 422),
    ("POST", "/api/migration/import_a_model", {"id": 7}, 404),
    ("POST", "/api/migration/import_a_model", {"id": [7]}, 404),
    ("POST", "/api/migration/import_a_model", {"id": "some"}, 422),
    ("POST", "/api/migration/import_a_model", {"id": 7, "conflict_strategy": "guess"}, 422),
    ("POST", "/api/migration/import_a_model", {"id": 7, "type": "../x"}, 422),
    ("GET", "/api/models?q=" + "a+" * 51, None, 422),
    ("GET", "/api/models?tag=x" + "&tag=x" * 50, None, 422),
    ("GET", "/api/models?q=" + "a" * 2_001, None, 422),
    ("GET", "/api/models?q=a&q=b", None, 422),
    ("GET", "/api/models?q=a&facets=1001", None, 422),
    ("GET", "/api/models?q=a&sort=colour", None, 422),
    ("GET", "/api/models?q=a&cursor=zzz", None, 422),
    ("POST", "/api/session", {"code": "x" * 2_000}, 413),
    ("POST", "/api/tags", {"name": " "}, 422),
    ("POST", "/api/tags", {"name": 5}, 422),
    ("PATCH", "/api/tags/5", {"name": "x"}, 404),
    ("DELETE", "/api/tags/x", None, 422),
    ("GET", "/api/images/get_sample_imgs", None, 422),
    ("GET", "/api/images/" + "0" * 64 + "_0.webp", None, 404),
    ("GET", "/api/images/" + "0" * 64 + ".webp?quality=best", None, 404),
    ("GET", "/api/images/pending/1", None, 404),
    ("GET", "/api/images/pending/1/info", None, 404),
    ("GET", "/api/images/" + "0" * 64 + "_0/info", None, 404),
    ("POST", "/api/images/upload", {"image": "x"}, 415),
    ("POST", "/api/migration/upload", None, 422),
    ("POST", "/api/migration/upload?name=x.exe", None, 415),
    ("POST", "/api/migration/upload?name=a/x.ckpt", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&offset=5", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=short&size=5", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=a-key_01", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=a-key_01&size=-5", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=a-key_01&size=1099511627777", None, 422),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=a-key_01&size=1099511627776", None, 507),
    ("POST", "/api/migration/upload?name=x.ckpt&upload=a-key_01&size=5&root=99", None, 422),
    ("DELETE", "/api/migration/upload", None, 422),
    ("DELETE", "/api/migration/upload?upload=../../x", None, 422),
    ("GET", "/api/events?after=-1", None, 422),
    ("POST", "/api/export", {"format": "text", "models": ["0" * 64]}, 404),
    ("POST", "/api/export", {"format": "text", "models": "some"}, 422),
    ("POST", "/api/export", {"format": "text", "models": []}, 422),
    ("POST", "/api/export", {"format": "../text", "models": "all"}, 422),
)


def test_bad_input_gets_a_clear_error_and_changes_nothing(tmp_path: Any) -> None:
    """What cannot be gets a problem document of its status, and the library stays as it was."""

    async def story(call: Call, _services: Any) -> None:
        _, before = await call("GET", "/api/models")
        for method, path, json, status in BAD:
            got, problem = await call(method, path, json)
            assert got == status, (method, path, problem)
            assert msgspec.convert(problem, shapes.Problem).status == status
        assert (await call("GET", "/api/models"))[1] == before
        assert (await call("GET", "/api/tags"))[1]["items"] == []

    drive(tmp_path, story)


def test_broken_json_is_told_apart_from_wrong_json(tmp_path: Any) -> None:
    """A body that is no JSON gets 400, one that is not what is taken 422."""

    async def story(call: Call, _services: Any) -> None:
        assert (await call("POST", "/api/tags", data=b"{"))[0] == 400
        assert (await call("POST", "/api/tags", data=b"\xff"))[0] == 400
        assert (await call("POST", "/api/tags", data=b'{"name":' + b"[" * 100_000))[0] in (400, 422)
        assert (await call("POST", "/api/tags", data=b"[]"))[0] == 422
        assert (await call("POST", "/api/tags", data=b""))[0] == 400

    drive(tmp_path, story)


def test_a_write_repeated_under_its_key_is_done_once(tmp_path: Any) -> None:
    """The same Idempotency-Key and body again give the first answer; another body is refused."""

    async def story(call: Call, _services: Any) -> None:
        key = {"headers": {"Idempotency-Key": "k1"}}
        first = await call("POST", "/api/tags", {"name": "a"}, **key)
        again = await call("POST", "/api/tags", {"name": "a"}, **key)
        assert (await call("POST", "/api/tags", {"name": "a"}, headers={"Idempotency-Key": "é"}))[0] == 422
        assert first == (200, {"id": 1, "name": "a", "position": first[1]["position"], "merged": False})
        assert again == first
        assert (await call("POST", "/api/tags", {"name": "b"}, **key))[0] == 422

    drive(tmp_path, story)


def test_several_models_are_one_action(tmp_path: Any) -> None:
    """All events of an edit of several have one action's id, its answer the last position; its key does it once."""

    async def story(call: Call, _services: Any) -> None:
        for seed in (1, 2):
            a_lora(tmp_path / "pending" / f"{seed}.safetensors", seed)
        shas: list[str] = []
        for each in await pending_of(call, 2):
            done = (await call("POST", "/api/migration/import_a_model", {"id": each["id"]}))[1]
            shas.append(done["sha256"])
        before = (await call("GET", "/api/status"))[1]["position"]
        wish, key = {"models": shas, "add_tags": ["new"]}, {"headers": {"Idempotency-Key": "k"}}
        told = await call("PATCH", "/api/models", wish, **key)
        events = (await call("GET", f"/api/events?after={before}"))[1]["items"]
        written = [each for each in events if each["type"] in ("tag-created", "model-tagged")]
        assert [each["data"].get("model") for each in written] == [None, *shas]
        assert {each["action"] for each in written} == {written[0]["action"]}
        assert told == (200, {"changed": 2, "unchanged": 0, "unknown": [], "position": written[-1]["position"]})
        assert await call("PATCH", "/api/models", wish, **key) == told
        assert (await call("GET", "/api/models?tag=NEW"))[1]["items"][0]["tags"] == ["new"]

    drive(tmp_path, story)


def test_lost_updates_are_refused(tmp_path: Any) -> None:
    """A change made on an older version than the newest gets 412, and a fresh one goes through."""

    async def story(call: Call, _services: Any) -> None:
        a_lora(tmp_path / "pending" / "a.safetensors")
        (found,) = await pending_of(call)
        _, done = await call("POST", "/api/migration/import_a_model", {"id": found["id"]})
        path = f"/api/models/{done['sha256']}"
        _, model = await call("GET", path)
        fresh = {"headers": {"If-Match": f'"{model["version"]}"'}}
        assert (await call("PATCH", path, {"name": "mine"}, **fresh))[0] == 200
        assert (await call("PATCH", path, {"name": "theirs"}, **fresh))[0] == 412
        assert (await call("PATCH", path, {"name": "a\x1b[31mb"}))[0] == 422
        assert (await call("GET", path))[1]["name"] == "mine"

    drive(tmp_path, story)


def test_two_daemons_cannot_share_a_socket(tmp_path: Any) -> None:
    """A socket that somebody serves is not taken over."""
    from hikaze.daemon.listen import CannotStart, _bind_unix

    bound = _bind_unix(str(tmp_path / "s.sock"))
    with pytest.raises(CannotStart, match="another daemon serves"):
        _bind_unix(str(tmp_path / "s.sock"))
    bound.close()
    stale = socket.socket(socket.AF_UNIX)
    stale.bind(str(tmp_path / "old.sock"))
    stale.close()

    _bind_unix(str(tmp_path / "old.sock")).close()


@pytest.mark.parametrize(
    ("head", "tail", "status"),
    [
        ('name="file"; filename="x.ckpt"', b"--", 200),
        ('name="file"; filename="x.ckpt"', b"", 200),
        ('name="file"; filename="../x.ckpt"', b"--", 422),
        ('name="file"', b"--", 422),
        ('name="other"; filename="x.ckpt"', b"--", 422),
    ],
)
def test_a_file_in_a_form(tmp_path: Any, head: str, tail: bytes, status: int) -> None:
    """A form brings one whole file under the name it gives; another form is refused, and leaves nothing."""

    async def story(call: Call, _services: Any) -> None:
        raw = f"--b\r\nContent-Disposition: form-data; {head}\r\n\r\ncontent\r\n--b".encode() + tail + b"\r\n"
        kind = {"Content-Type": "multipart/form-data; boundary=b"}
        got, told = await call("POST", "/api/migration/upload", data=raw, headers=kind)
        assert got == status, told
        assert [path.name for path in (tmp_path / "pending").iterdir()] == (["x.ckpt"] if status == 200 else [])
        piece = "/api/migration/upload?upload=a-key_01&size=7"
        assert (await call("POST", piece, data=raw, headers=kind))[0] == 415

    drive(tmp_path, story)
