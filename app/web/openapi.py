"""The OpenAPI 3.1 description, made from the routes and the types of their answers."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from app.web.routes import JSON, Answer, Param, Route

PROBLEM = "application/problem+json"
REF = "#/components/schemas/{name}"
_REGEX = re.compile(r"\{(\w+):[^{}]*\}")


class ProblemOut(msgspec.Struct):
    """A problem document (RFC 9457). `errors` have a `path` and what is wrong there."""

    type: str
    title: str
    status: int
    detail: str
    errors: list[dict[str, Any]]


def build(routes: Sequence[Route]) -> dict[str, Any]:
    """The whole description as plain data."""
    types = [ProblemOut] + [
        answer.type
        for route in routes
        for answer in route.answers.values()
        if answer.type is not None
    ]
    _, schemas = msgspec.json.schema_components(dict.fromkeys(types), ref_template=REF)
    paths: dict[str, Any] = {}
    for route in routes:
        paths.setdefault(path_of(route), {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Sluice",
            "version": "1",
            "description": "Changes take Idempotency-Key, lists page by cursor, "
            "errors are problem documents.",
        },
        "paths": paths,
        "components": {"schemas": schemas},
    }


def _operation(route: Route) -> dict[str, Any]:
    responses = {str(status): _answer(answer) for status, answer in route.answers.items()}
    for status, when in route.problems.items():
        responses[str(status)] = _problem(when)
    responses["default"] = _problem("any other problem")
    operation: dict[str, Any] = {
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.tag],
        "responses": responses,
    }
    if route.params:
        operation["parameters"] = [_param(param) for param in route.params]
    if route.body:
        operation["requestBody"] = {
            "required": True,
            "content": {
                media: {"schema": {"description": text}} for media, text in route.body.items()
            },
        }
    return operation


def operation_id(route: Route) -> str:
    """`get_api_topics`: unique, as method and path are."""
    return re.sub(r"\W+", "_", f"{route.method.lower()}{path_of(route)}").strip("_")


def path_of(route: Route) -> str:
    """The path with the bare names of its pieces."""
    return _REGEX.sub(r"{\1}", route.path)


def _answer(answer: Answer) -> dict[str, Any]:
    described: dict[str, Any] = {"description": answer.help}
    if answer.type is None:
        free: dict[str, Any] = {} if answer.media == JSON else {"type": "string"}
        described["content"] = {answer.media: {"schema": free}}
    else:
        described["content"] = {JSON: {"schema": {"$ref": REF.format(name=answer.type.__name__)}}}
    return described


def _problem(when: str) -> dict[str, Any]:
    return {
        "description": when,
        "content": {PROBLEM: {"schema": {"$ref": REF.format(name=ProblemOut.__name__)}}},
    }


def _param(param: Param) -> dict[str, Any]:
    schema: dict[str, Any] = msgspec.json.schema(param.type)
    if param.repeated:
        schema = {"type": "array", "items": schema}
    described: dict[str, Any] = {
        "name": param.name,
        "in": param.where,
        "description": param.help,
        "schema": schema,
    }
    if param.where == "path":
        described["required"] = True
    return described
