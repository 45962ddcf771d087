"""What people do in a story: imports, words, tags and pictures. What cannot be done just now is not."""

from typing import Any

from hikaze.daemon import dismissing, tagging
from hikaze.daemon.edits import NotFound, Refused, edit_model, edit_pending
from hikaze.daemon.importer import AlreadyQueued, NoSuchPending, Wish
from hikaze.daemon.pictures import PictureRefused
from hikaze.daemon.shapes import ModelPatch, PendingPatch
from hikaze.daemon.trash import TrashUnavailable
from hikaze.events.pathtext import to_path
from hikaze.events.writer import Unwritable
from hikaze.projections import images, pending
from PIL import Image

from .chance import Numbers
from .judge import models_of
from .life import Life
from .simulation import PERSON, QUEUE, World

TAGS = ("red", "Größe", "two words", "\u2603")
STRATEGIES = ("merge", "override", "ignore", "delete", None, None, None)


def _pending(world: World) -> list[int]:
    return [row[0] for row in world.db.execute("SELECT id FROM pending_import ORDER BY id")]


def bring_in(world: World, n: Numbers) -> None:
    """A person imports a pending model."""
    if numbers := _pending(world):
        number, strategy, waits = n.pick(numbers), n.pick(STRATEGIES), not n.is_one_in(3)
        world.tell(f"import {number} ({strategy}), {waits=}")
        wish = Wish(strategy, n.pick((None, None, "vae", "loras")))
        try:
            ended = world.ask_import(number, wish, waits=waits)
        except (Unwritable, NoSuchPending, AlreadyQueued) as error:
            world.tell(f"  refused: {error}")
        else:
            world.tell(f"  {ended and (ended.state, ended.status, ended.reason)}")


def bring_in_all(world: World, n: Numbers) -> None:
    """A person imports all pending models."""
    wish = Wish(n.pick((None, "merge", "override")), "loras")
    world.tell(f"import all ({wish.strategy}): {_pending(world)}")
    try:
        world.do(world.up.importer.many(None, wish, actor=QUEUE, key=None, request=b""))
    except Unwritable as error:
        world.tell(f"  refused: {error}")


def cancel(world: World, n: Numbers) -> None:  # noqa: ARG001
    """A person cancels what waits to be imported."""
    world.tell("cancel imports")
    try:
        world.do(world.up.importer.cancel(actor=QUEUE))
    except Unwritable as error:
        world.tell(f"  refused: {error}")


def send_away(world: World, n: Numbers) -> None:
    """A person dismisses a pending model."""
    if numbers := _pending(world):
        number = n.pick(numbers)
        world.tell(f"dismiss {number}")
        world.deed(
            "dismiss",
            lambda life: _dismiss(world, life, number),
            lambda events: {"subject": number} if _has(events, "pending-dismissed") else None,
            (NotFound, dismissing.NotNow, TrashUnavailable, OSError),
        )


async def _dismiss(world: World, life: Life, number: int) -> None:
    """Do as the route does."""
    found = pending.get(life.library.db, number)
    await dismissing.dismiss(life.library, life.busy, world.data, number, actor=PERSON)
    if found is not None:
        life.observer.look_again([to_path(found.path)])


def _has(events: list[dict[str, Any]], type_: str) -> bool:
    return any(event["type"] == type_ for event in events)


def _patch(world: World, n: Numbers) -> dict[str, Any]:
    world.notes += 1
    chosen: dict[str, Any] = {"description": f"note {world.notes}", "name": None, "tags": None}
    if n.is_one_in(3):
        chosen["name"] = f"name {world.notes}"
    if n.is_one_in(2):
        chosen["tags"] = [tag for tag in TAGS if n.is_one_in(2)]
    return chosen


def _given(patch: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in patch.items() if value is not None}


def write_model(world: World, n: Numbers) -> None:
    """A person writes to a model."""
    if shas := models_of(world.up):
        sha, patch = n.pick(shas), _patch(world, n)
        world.tell(f"write to model {sha[:8]}: {patch}")
        world.deed(
            "edit",
            lambda life: life.library.write(
                lambda db: edit_model(db, sha, ModelPatch(**_given(patch)), None), actor=PERSON
            ),
            lambda _: {"subject": sha, **patch},
            (NotFound, Refused),
        )


def write_pending(world: World, n: Numbers) -> None:
    """A person writes to a pending model."""
    if numbers := _pending(world):
        number, patch = n.pick(numbers), _patch(world, n)
        world.tell(f"write to pending {number}: {patch}")
        world.deed(
            "edit",
            lambda life: life.library.write(
                lambda db: edit_pending(db, number, PendingPatch(**_given(patch)), None), actor=PERSON
            ),
            lambda _: {"subject": number, **patch},
            (NotFound, Refused),
        )


def change_tag(world: World, n: Numbers) -> None:
    """A person renames, merges or deletes a tag."""
    rows: list[Any] = world.db.execute("SELECT id, name FROM tags ORDER BY id").fetchall()
    if not rows:
        return
    number, name = n.pick(rows)
    if n.is_one_in(3):
        world.tell(f"delete the tag {name}")
        world.deed(
            "delete-tag",
            lambda life: life.library.write(lambda db: tagging.delete(db, number), actor=PERSON),
            lambda _: {"old": name},
            (tagging.NoSuchTag,),
        )
    else:
        new = n.pick(TAGS)
        world.tell(f"rename the tag {name} to {new}")
        world.deed(
            "rename-tag",
            lambda life: life.library.write(lambda db: tagging.rename(db, number, new), actor=PERSON),
            lambda _: {"old": name, "new": new},
            (tagging.NoSuchTag,),
        )


def _received(world: World, life: Life) -> tuple[str, tuple[int, int, int]]:
    world.colours += 1
    colour = (world.colours * 67 % 256, world.colours * 29 % 256, world.colours * 151 % 256)
    token = life.store.new_token()
    Image.new("RGB", (4, 4), colour).save(life.store.incoming(token), "PNG")
    return token, colour


def upload(world: World, n: Numbers) -> None:
    """A person gives a model a picture."""
    if shas := models_of(world.up):
        sha = n.pick(shas)
        token, colour = _received(world, world.up)
        world.tell(f"a picture {colour} for model {sha[:8]}")
        world.deed(
            "upload",
            lambda life: life.gallery.add(sha, token, actor=PERSON),
            lambda events: {"subject": sha, "seq": events[-1]["data"]["seq"], "colour": colour},
            (NotFound, PictureRefused),
        )


def give_picture(world: World, n: Numbers) -> None:
    """A person gives a pending model a picture."""
    if numbers := _pending(world):
        number = n.pick(numbers)
        token, colour = _received(world, world.up)
        world.tell(f"a picture {colour} for pending {number}")
        world.deed(
            "give",
            lambda life: life.gallery.give_pending(number, token, actor=PERSON),
            lambda _: {"subject": number, "colour": colour},
            (NotFound, PictureRefused),
        )


def _pictures(world: World) -> list[tuple[str, int]]:
    return images.every(world.db)


def remove_picture(world: World, n: Numbers) -> None:
    """A person takes a picture away."""
    if pictures := _pictures(world):
        sha, seq = n.pick(pictures)
        world.tell(f"take picture {seq} away from model {sha[:8]}")
        world.deed(
            "remove-picture",
            lambda life: life.gallery.remove(sha, seq, actor=PERSON, key=None, request=b""),
            lambda _: {"subject": sha, "seq": seq},
            (NotFound,),
        )


def choose_cover(world: World, n: Numbers) -> None:
    """A person chooses a cover."""
    if pictures := _pictures(world):
        sha, seq = n.pick(pictures)
        world.tell(f"cover {seq} for model {sha[:8]}")
        world.deed(
            "cover",
            lambda life: life.library.write(lambda db: edit_model(db, sha, ModelPatch(cover=seq), None), actor=PERSON),
            lambda _: {"subject": sha, "seq": seq},
            (NotFound, Refused),
        )
