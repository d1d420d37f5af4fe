"""The OpenAPI 3.1 document, generated from the route table and the models, so that nothing is described twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, models_json_schema

from server.edge.authentication import ACCESS_COOKIE, CSRF_HEADER
from server.edge.endpoint import FILE_FIELD, PREFIX, TOKEN_PARAMETER, Auth, BodyFormat, Endpoint
from server.edge.fields import ID_PATTERN, NAME_OR_ID_PATTERN
from server.edge.guard import no_scope
from server.edge.idempotency import HEADER, KEY_PATTERN
from server.edge.mail_requests import LINK_PATTERN
from server.edge.openapi_webhooks import MODELS, webhook_operations
from server.edge.responses import ProblemResponse
from server.identity.scopes import DESCRIPTIONS

_REFERENCE = "#/components/schemas/{model}"
# Parameters of paths that are no ids of 13 characters, by their names.
_PARAMETERS = {
    "session": {"type": "string", "format": "uuid"},
    TOKEN_PARAMETER: {"type": "string", "pattern": LINK_PATTERN},
}
_DESCRIPTIONS = {
    400: "The request is malformed, or a parameter is invalid.",
    401: "The client is not signed in, or the session has ended.",
    403: "The CSRF token is missing, a confirming password or code is wrong or required, or the account is deleted; "
    "see `code`.",
    404: "There is no such resource, or the client may not see it.",
    408: "The body arrived too slowly.",
    409: "The name is taken, or the current state does not allow the request.",
    410: "What the request continues is not kept any more, a list or a sign-in; start again.",
    413: "The body is too large.",
    415: "The media type of the body is not supported.",
    422: "The body does not fit the schema.",
    429: "A rate limit is used up; see Retry-After.",
    412: "The request states no version, or another one than the service supports.",
    423: "Another request changes this at the moment; see Retry-After.",
    460: "The body does not have the checksum that the request states.",
    502: "The response of another service is not valid.",
    503: "A part of the service is not available; see Retry-After.",
    507: "The service has no space left for what should be stored; see Retry-After.",
}
_DESCRIPTION = (
    "Photo sharing with live updates: users see new photos, likes and comments as they happen. Errors are "
    "`application/problem+json` with a stable `code`. Lists are `{items, next}`; `?cursor=` requests the next page."
)


class _ComponentNames(GenerateJsonSchema):
    """Name components after the resource: `PhotoResponse` is the component "Photo"."""

    def normalize_name(self, name: str) -> str:
        return super().normalize_name(name.replace("Response", ""))


def describe(
    endpoints: Sequence[Endpoint],
    *,
    version: str,
    public_url: str,
    scope_of: Callable[[Endpoint], str | None] = no_scope,
) -> dict[str, Any]:
    """Return the OpenAPI document of the endpoints; `scope_of` is that of `server.edge.guard`."""
    names, schemas = _schemas(endpoints)
    paths: dict[str, dict[str, Any]] = {}
    for endpoint in endpoints:
        operation = _operation(endpoint, names, schemas, scope_of(endpoint))
        paths.setdefault(PREFIX + endpoint.path, {})[endpoint.method.lower()] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "PicShare", "version": version, "description": _DESCRIPTION},
        "servers": [{"url": public_url}],
        "paths": paths,
        "webhooks": webhook_operations(names),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
                "cookie": {"type": "apiKey", "in": "cookie", "name": ACCESS_COOKIE},
                "oauth": _oauth(public_url),
            },
        },
    }


def _schemas(endpoints: Iterable[Endpoint]) -> tuple[dict[type[BaseModel], dict[str, Any]], dict[str, Any]]:
    # A request model is described as it is validated, a response model as it is serialized: defaults differ.
    wanted: dict[type[BaseModel], JsonSchemaMode] = dict.fromkeys((ProblemResponse, *MODELS), "serialization")
    for endpoint in endpoints:
        if endpoint.body is not None:
            wanted[endpoint.body] = "validation"
        if endpoint.json_body is not None:
            wanted[endpoint.json_body] = "validation"
        for response in (endpoint.response, *endpoint.alternatives, *endpoint.other_responses.values()):
            if response is not None:
                wanted[response] = "serialization"
    return _schemas_of(tuple(wanted.items()))


# Schemas depend on the models alone. They are generated once, because that takes most of the time of making an
# application; the document contains them and nothing changes them.
@cache
def _schemas_of(
    wanted: tuple[tuple[type[BaseModel], JsonSchemaMode], ...],
) -> tuple[dict[type[BaseModel], dict[str, Any]], dict[str, Any]]:
    references, document = models_json_schema(wanted, ref_template=_REFERENCE, schema_generator=_ComponentNames)
    names = {model: references[model, mode] for model, mode in wanted}
    return names, document["$defs"]


@cache
def _query_schema(model: type[BaseModel]) -> dict[str, Any]:
    return model.model_json_schema()


def _oauth(public_url: str) -> dict[str, Any]:
    """Return the scheme of applications' tokens, which docs/oauth.md describes."""
    flow = {
        "authorizationUrl": f"{public_url}/oauth/authorize",
        "tokenUrl": f"{public_url}/oauth/token",
        "refreshUrl": f"{public_url}/oauth/token",
        "scopes": dict(DESCRIPTIONS),
    }
    return {"type": "oauth2", "flows": {"authorizationCode": flow}}


def _operation(
    endpoint: Endpoint, names: dict[type[BaseModel], dict[str, Any]], schemas: dict[str, Any], scope: str | None
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": _operation_id(endpoint),
        "summary": endpoint.summary,
        "tags": [endpoint.tag],
        "responses": _responses(endpoint, names),
    }
    parameters = [*_path_parameters(endpoint), *_query_parameters(endpoint), *_header_parameters(endpoint)]
    if parameters:
        operation["parameters"] = parameters
    if endpoint.body is not None:
        schema = names[endpoint.body]
        if endpoint.body_format is BodyFormat.MULTIPART:
            schema = _with_file(schemas[schema["$ref"].rpartition("/")[2]])
        # A body whose fields are all optional may be left out.
        required = endpoint.body_format is BodyFormat.MULTIPART or _has_required_field(endpoint.body)
        content = {endpoint.body_format.value: {"schema": schema}}
        if endpoint.json_body is not None:
            content[BodyFormat.JSON.value] = {"schema": names[endpoint.json_body]}
        operation["requestBody"] = {"required": required, "content": content}
    secured: list[dict[str, list[str]]] = [{"bearer": []}, {"cookie": []}]
    if scope is not None:
        secured.append({"oauth": [scope]})
    if endpoint.auth is Auth.REQUIRED:
        operation["security"] = secured
    elif endpoint.auth is Auth.OPTIONAL:
        operation["security"] = [*secured, {}]
    return operation


def _responses(endpoint: Endpoint, names: dict[type[BaseModel], dict[str, Any]]) -> dict[str, Any]:
    success: dict[str, Any] = {"description": "Success."}
    if endpoint.response is not None:
        schemas = [names[model] for model in (endpoint.response, *endpoint.alternatives)]
        schema = schemas[0] if len(schemas) == 1 else {"oneOf": schemas}
        success["content"] = {"application/json": {"schema": schema}}
    responses = {str(endpoint.status): success}
    for status, model in endpoint.other_responses.items():
        content = {"application/json": {"schema": names[model]}}
        responses[str(status)] = {"description": "Success.", "content": content}
    if endpoint.tagged:
        success["headers"] = {"ETag": {"schema": {"type": "string"}}}
        responses["304"] = {"description": "The client has this page already: nothing has changed."}
    if endpoint.redirect is not None:
        location = {"schema": {"type": "string", "format": "uri-reference"}}
        responses["308"] = {"description": endpoint.redirect, "headers": {"Location": location}}
    for status in sorted(_error_statuses(endpoint)):
        responses[str(status)] = {
            "description": _DESCRIPTIONS[status],
            "content": {"application/problem+json": {"schema": names[ProblemResponse]}},
        }
    return responses


def _error_statuses(endpoint: Endpoint) -> set[int]:
    statuses = {429, 503, *endpoint.errors}
    if endpoint.auth is not Auth.NONE:
        statuses |= {401} if endpoint.method == "GET" else {401, 403}
    if endpoint.query is not None or "{" in endpoint.path:
        statuses.add(400)
    if endpoint.body is not None:
        statuses |= {400, 408, 413, 415, 422}
    if endpoint.method != "GET":
        statuses.add(507)
    return statuses | ({409} if endpoint.idempotent else set())


def _path_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    pattern = NAME_OR_ID_PATTERN if endpoint.by_name else ID_PATTERN
    return [
        {
            "name": name,
            "in": "path",
            "required": True,
            "schema": _PARAMETERS.get(name, {"type": "string", "pattern": pattern}),
        }
        for name in re.findall(r"{(\w+)", endpoint.path)
    ]


def _query_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    if endpoint.query is None:
        return []
    schema = _query_schema(endpoint.query)
    required = schema.get("required", [])
    return [
        {"name": name, "in": "query", "required": name in required, "schema": part}
        for name, part in schema["properties"].items()
    ]


def _header_parameters(endpoint: Endpoint) -> list[dict[str, Any]]:
    parameters = []
    if endpoint.idempotent:
        text = "A repeated request with the same key returns the response of the first one."
        schema = {"type": "string", "pattern": f"^{KEY_PATTERN}$"}
        parameters.append({"name": HEADER, "in": "header", "description": text, "schema": schema})
    if endpoint.tagged:
        text = "The `ETag` of a first page that the client has."
        parameters.append({"name": "If-None-Match", "in": "header", "description": text, "schema": {"type": "string"}})
    if endpoint.auth is not Auth.NONE and endpoint.method != "GET":
        text = "Required with cookies: the value of the CSRF cookie."
        parameters.append({"name": CSRF_HEADER, "in": "header", "description": text, "schema": {"type": "string"}})
    return parameters


def _has_required_field(model: type[BaseModel]) -> bool:
    return any(field.is_required() for field in model.model_fields.values())


def _with_file(schema: dict[str, Any]) -> dict[str, Any]:
    file = {
        "type": "string",
        "contentMediaType": "application/octet-stream",
        "description": "A JPEG, PNG, WebP, AVIF, GIF or, if it is installed, HEIC image.",
    }
    return {
        **schema,
        "properties": {FILE_FIELD: file, **schema["properties"]},
        "required": [FILE_FIELD, *schema.get("required", [])],
    }


def _operation_id(endpoint: Endpoint) -> str:
    words = [endpoint.method.lower(), *re.findall(r"\w+", endpoint.path)]
    return "_".join(words).replace("-", "_")
