"""The description of the API, made from the route table (OpenAPI 3.1, https://spec.openapis.org/oas/v3.1.0)."""

import re
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from aiohttp import web

from .http import PROBLEM, TITLES, Handler, Param, Route, answer
from .services import Services
from .shapes import Problem

_ALWAYS = (400, 401, 403, 422, 503)
_REF = "#/components/schemas/{name}"


def describe(routes: Sequence[Route]) -> Handler:
    """Give the handler that answers with the description of routes."""
    made: list[bytes] = []

    async def handle(_services: Services, _request: web.Request) -> web.Response:
        if not made:
            made.append(msgspec.json.encode(document(routes)))
        return answer(made[0])

    return handle


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Give the description as an OpenAPI document."""
    schemas, components = _schemas(routes)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(plain_path(route.path), {})[route.method.lower()] = _operation(route, schemas)
    own = "/api/openapi.json"
    paths[own] = {
        "get": {
            "summary": "This description",
            "operationId": "get_openapi",
            "responses": {"200": {"description": "OpenAPI", "content": {"application/json": {}}}},
        }
    }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Hikaze",
            "version": version("hikaze"),
            "description": "The library of models on this machine. On TCP every call needs the token.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "schemas": components,
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "image_key": {"type": "apiKey", "in": "query", "name": "k"},
            },
        },
    }


def plain_path(path: str) -> str:
    """Give a route's path as OpenAPI writes it: `{name}` without the pattern."""
    return re.sub(r"\{(\w+):(?:[^{}]|\{[^{}]*\})*\}", r"{\1}", path)


def _schemas(routes: Iterable[Route]) -> tuple[dict[Any, dict[str, Any]], dict[str, Any]]:
    types: list[Any] = [Problem]
    for route in routes:
        given = [route.body, *(kind for kinds in route.answers.values() for kind in _each(kinds))]
        types += [kind for kind in given if _is_type(kind)]
    unique = list({repr(kind): kind for kind in types}.values())
    schemas, components = msgspec.json.schema_components(unique, ref_template=_REF)
    return {repr(kind): schema for kind, schema in zip(unique, schemas, strict=True)}, components


def _each(kinds: Any) -> tuple[Any, ...]:
    return kinds if isinstance(kinds, tuple) else (kinds,)


def _is_type(kind: Any) -> bool:
    return kind is not None and not isinstance(kind, (str, dict))


def _operation(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "summary": route.about,
        "operationId": route.handler.__name__,
        "responses": _responses(route, schemas),
    }
    if route.params:
        operation["parameters"] = [_parameter(param) for param in route.params]
    if route.body is not None:
        operation["requestBody"] = {"required": True, "content": _body(route.body, schemas)}
    if route.path == "/api/session":
        operation["security"] = [{}, {"token": []}]
    if any(param.name == "k" for param in route.params):
        operation["security"] = [{"token": []}, {"image_key": []}]
    return operation


def _one_of(kind: Any, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    each = [schemas[repr(one)] for one in _each(kind)]
    return each[0] if len(each) == 1 else {"anyOf": each}


def _parameter(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer", "minimum": 0} if param.type is int else {"type": "string"}
    if param.repeats:
        schema = {"type": "array", "items": schema}
    return {
        "name": param.name,
        "in": param.where,
        "required": param.required or param.where == "path",
        "description": param.about,
        "schema": schema,
    }


def _body(body: Any, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    if isinstance(body, str):
        return {body: {}}
    if not isinstance(body, dict):
        return {"application/json": {"schema": schemas[repr(body)]}}
    properties = {
        name: {"type": "string", "contentMediaType": "image/*"} if kind is bytes else {"type": "string"}
        for name, kind in body.items()
    }
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"multipart/form-data": {"schema": schema}}


def _responses(route: Route, schemas: dict[Any, dict[str, Any]]) -> dict[str, Any]:
    responses: dict[str, Any] = {}
    for status, kind in route.answers.items():
        content = {kind: {}} if isinstance(kind, str) else {"application/json": {"schema": _one_of(kind, schemas)}}
        responses[str(status)] = {"description": TITLES.get(status, "Done"), "content": content}
    for status in sorted({*_ALWAYS, *route.problems} - set(route.answers)):
        content = {PROBLEM: {"schema": schemas[repr(Problem)]}}
        responses[str(status)] = {"description": TITLES[status], "content": content}
    return responses
