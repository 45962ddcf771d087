"""The route table: everything the API answers, in one list."""

from . import routes_images, routes_models, routes_pending, routes_system, shapes
from .http import DEFAULT_LIMIT, MAX_LIMIT, Param, Route
from .openapi import describe

_SHA = Param("sha256", "a model's hash: 64 lower-case hexadecimal digits", where="path")
_SHA_QUERY = Param("sha256", "a model's hash: 64 lower-case hexadecimal digits", required=True)
_PENDING = Param("id", "a pending model's id", int, required=True)
_TAG = Param("id", "a tag's id", int, where="path")
_LIMIT = Param("limit", f"how many items, 1 to {MAX_LIMIT}; {DEFAULT_LIMIT} if left out", int)
_CURSOR = Param("cursor", "`next` of the page before")
_QUALITY = Param("quality", "high (the default), medium or low")
_KEY = Param("k", "the image key, in place of the token")

_ALL: tuple[Route, ...] = (
    Route(
        "GET",
        "/api/status",
        routes_system.get_status,
        "What the daemon is, has and does, and what is wrong",
        answers={200: shapes.Status},
    ),
    Route(
        "POST",
        "/api/session",
        routes_system.session,
        "The token for a one-time code; without a code, from a caller who is allowed in, a new code",
        body=shapes.SessionBody,
        answers={200: shapes.Session},
        problems=(401,),
    ),
    Route(
        "GET",
        "/api/models/get_types",
        routes_models.get_types,
        "The types that exist",
        answers={200: shapes.TypePage},
    ),
    Route(
        "GET",
        "/api/models",
        routes_models.list_models,
        "A page of models; with `path`, what lies there",
        params=(
            Param("type", "only models of this type"),
            Param("q", "only models in which every one of these words occurs"),
            Param("tag", "only models with this tag; may be repeated", repeats=True),
            Param("not_tag", "only models without this tag; may be repeated", repeats=True),
            Param("sort", "name (the default), added, size, changed; with a minus downwards"),
            Param("path", "the model or pending model at this path, in place of a page"),
            _LIMIT,
            _CURSOR,
        ),
        answers={200: shapes.ModelPage | shapes.AtPath},
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/models/{sha256}",
        routes_models.get_model,
        "A model whole",
        params=(_SHA,),
        answers={200: shapes.ModelWhole},
        problems=(404,),
    ),
    Route(
        "PATCH",
        "/api/models/{sha256}",
        routes_models.patch_model,
        "Change a model; If-Match names the version it was changed on",
        params=(_SHA,),
        body=shapes.ModelPatch,
        answers={200: shapes.ModelWritten},
        problems=(404, 412),
    ),
    Route(
        "GET",
        "/api/tags",
        routes_models.list_tags,
        "A page of tags with counts",
        params=(_LIMIT, _CURSOR),
        answers={200: shapes.TagPage},
    ),
    Route(
        "POST",
        "/api/tags",
        routes_models.create_tag,
        "Make a tag (201); one that exists is given as it is (200)",
        body=shapes.TagBody,
        answers={200: shapes.TagWritten, 201: shapes.TagWritten},
    ),
    Route(
        "PATCH",
        "/api/tags/{id}",
        routes_models.rename_tag,
        "Spell a tag otherwise; a name that another tag has merges the two",
        params=(_TAG,),
        body=shapes.TagBody,
        answers={200: shapes.TagWritten},
        problems=(404,),
    ),
    Route(
        "DELETE",
        "/api/tags/{id}",
        routes_models.delete_tag,
        "Take a tag off everything",
        params=(_TAG,),
        answers={200: shapes.Written},
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/images/get_sample_imgs",
        routes_images.get_sample_images,
        "The base names of a model's pictures",
        params=(_SHA_QUERY,),
        answers={200: shapes.ImageNames},
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/images/get_img_count",
        routes_images.get_image_count,
        "How many pictures a model has",
        params=(_SHA_QUERY,),
        answers={200: shapes.ImageCount},
        problems=(404,),
    ),
    Route(
        "POST",
        "/api/images/upload",
        routes_images.upload_image,
        "Give a model a picture (PNG, JPEG, WebP, GIF, AVIF)",
        body={"image": bytes, "sha256": str},
        answers={201: shapes.ImageWritten},
        problems=(404, 413, 415),
    ),
    Route(
        "DELETE",
        "/api/images/delete",
        routes_images.delete_image,
        "Take a picture away; the others keep their numbers",
        params=(_SHA_QUERY, Param("seq", "the picture's number", int, required=True)),
        answers={200: shapes.Written},
        problems=(404,),
    ),
    Route(
        "GET",
        r"/api/images/{sha256:[0-9a-f]{64}}_{seq:\d{1,18}}.webp",
        routes_images.get_image,
        "A picture; its bytes never change",
        params=(_SHA, Param("seq", "the picture's number", int, where="path"), _QUALITY, _KEY),
        answers={200: "image/webp"},
        problems=(404,),
    ),
    Route(
        "GET",
        r"/api/images/{sha256:[0-9a-f]{64}}.webp",
        routes_images.get_cover,
        "The picture that stands for a model",
        params=(_SHA, _QUALITY, _KEY),
        answers={200: "image/webp"},
        problems=(404,),
    ),
    Route(
        "GET",
        "/api/images/pending/{id}",
        routes_images.get_pending_image,
        "The original picture of a pending model",
        params=(Param("id", "a pending model's id", int, where="path"), _KEY),
        answers={200: "image/*"},
        problems=(404,),
    ),
    Route(
        "POST",
        "/api/images/pending/{id}",
        routes_images.give_pending_image,
        "Give a pending model a picture, in place of the one it has",
        params=(Param("id", "a pending model's id", int, where="path"),),
        body={"image": bytes},
        answers={201: shapes.Written},
        problems=(404, 413, 415),
    ),
    Route(
        "GET",
        "/api/migration/pending_models",
        routes_pending.list_pending,
        "A page of pending models, newest first",
        params=(_LIMIT, _CURSOR),
        answers={200: shapes.PendingPage},
    ),
    Route(
        "GET",
        "/api/migration/pending_model",
        routes_pending.get_pending,
        "A pending model whole, with what its header tells",
        params=(_PENDING,),
        answers={200: shapes.PendingWhole},
        problems=(404,),
    ),
    Route(
        "PATCH",
        "/api/migration/pending_model",
        routes_pending.patch_pending,
        "Change a pending model before its import",
        params=(_PENDING,),
        body=shapes.PendingPatch,
        answers={200: shapes.PendingWritten},
        problems=(404, 412),
    ),
    Route(
        "DELETE",
        "/api/migration/pending_model",
        routes_pending.dismiss,
        "Dismiss a pending model: a dropped file goes to the trash, one in place is hidden until it changes",
        params=(_PENDING,),
        answers={200: shapes.Written},
        problems=(404, 409),
    ),
    Route(
        "POST",
        "/api/migration/import_a_model",
        routes_pending.import_models,
        "Import a pending model (200; 409 where its content is known), several or all (202)",
        body=shapes.ImportBody,
        answers={200: shapes.ImportDone, 202: shapes.ImportQueued, 409: shapes.ImportConflict | shapes.Problem},
        problems=(404,),
    ),
    Route(
        "DELETE",
        "/api/migration/import_a_model",
        routes_pending.cancel_imports,
        "Cancel the imports that wait",
        answers={200: shapes.ImportsCancelled},
    ),
    Route(
        "POST",
        "/api/scan",
        routes_system.scan,
        "A full look at the disks",
        body=shapes.NoBody,
        answers={200: shapes.Scanned},
    ),
    Route(
        "GET",
        "/api/events",
        routes_system.get_events,
        "The log; with `Accept: text/event-stream` a live stream, resumed by Last-Event-ID",
        params=(Param("after", "only events behind this position", int), _LIMIT),
        answers={200: shapes.EventPage},
    ),
)

OPENAPI = Route(
    "GET", "/api/openapi.json", describe(_ALL), "This description", answers={200: "application/json"}
)

API: tuple[Route, ...] = (*_ALL, OPENAPI)

PAGE: tuple[Route, ...] = (
    Route("GET", "/", routes_system.static, "The page"),
    Route("GET", r"/{name:(?!api/).+}", routes_system.static, "A file of the page"),
)
