"""The definitions of the OpenAPI document, completed so that generated clients have exact types."""

import re
from collections.abc import Iterator
from typing import Any

from drf_yasg import openapi

PLACEHOLDERS = {openapi.TYPE_STRING: "text", openapi.TYPE_INTEGER: 1, openapi.TYPE_BOOLEAN: True}
REFERENCE = re.compile("^#/definitions/(.+)$")


def page_of(rows: openapi.Schema, components: openapi.ReferenceResolver) -> openapi.SchemaRef:
    """Return a reference to the definition of a page, named after that of its rows, such as `MoviePage`."""
    name = f"{_name_in(rows['items'])}Page"

    def make() -> openapi.Schema:
        link = {"type": openapi.TYPE_STRING, "format": openapi.FORMAT_URI, "x_nullable": True}
        properties = {
            "count": openapi.Schema(
                type=openapi.TYPE_INTEGER, minimum=0, description="The number of rows on all pages together."
            ),
            "next": openapi.Schema(description="The next page; null on the last one.", **link),
            "previous": openapi.Schema(description="The previous page; null on the first one.", **link),
            "results": rows,
        }
        return openapi.Schema(type=openapi.TYPE_OBJECT, required=list(properties), properties=properties)

    definitions = components.with_scope(openapi.SCHEMA_DEFINITIONS)
    definitions.setdefault(name, make)
    return openapi.SchemaRef(definitions, name)


def complete(swagger: openapi.Swagger) -> None:
    """Completes the responses: what is always in them is required, and each has an example.

    drf-yasg derives `required` from what a request must have, which says nothing about responses.
    """
    definitions = swagger.definitions
    responses = [response for operation in _operations(swagger) for response in operation["responses"].values()]
    used = set(_names_in(responses, definitions))
    for response in responses:
        if "schema" in response and "examples" not in response and response["schema"].get("type") != openapi.TYPE_FILE:
            response["examples"] = {"application/json": _example_of(response["schema"], definitions)}
    for name in used:
        _complete_definition(definitions[name])
    swagger["responses"] = dict(_shared_errors(swagger))


def _shared_errors(swagger: openapi.Swagger) -> Iterator[tuple[str, Any]]:
    """Replace the errors of operations that return files by references, and yield them with their names.

    `produces` of such an operation lists a file's type too, which converters apply to each response that stands in the
    operation itself. Errors are JSON.
    """
    for operation in _operations(swagger):
        if operation["responses"].get("200", {}).get("schema", {}).get("type") == openapi.TYPE_FILE:
            errors = [(status, each) for status, each in operation["responses"].items() if int(status) >= 400]
            for status, error in errors:
                name = f"{operation['operationId']}_{status}"
                operation["responses"][status] = {"$ref": f"#/responses/{name}"}
                yield name, error


def _operations(swagger: openapi.Swagger) -> Iterator[Any]:
    for path in swagger.paths.values():
        yield from (operation for operation in path.values() if "responses" in operation)


def _names_in(part: Any, definitions: dict[str, Any]) -> Iterator[str]:
    """Yield the definitions that a part of the document refers to, directly and through other definitions."""
    if isinstance(part, dict):
        if name := _name_in(part):
            yield name
            yield from _names_in(definitions[name], definitions)
        else:
            yield from _names_in(list(part.values()), definitions)
    elif isinstance(part, list):
        for each in part:
            yield from _names_in(each, definitions)


def _name_in(schema: dict[str, Any]) -> str:
    """Return the name of the definition that the schema refers to, or an empty string."""
    match = REFERENCE.match(schema.get("$ref", ""))
    return match[1] if match else ""


def _complete_definition(definition: openapi.Schema) -> None:
    """Makes the properties required, but for the fields that a serializer declares with `required=False`."""
    serializer = getattr(definition, "_NP_serializer", None)
    declared = getattr(serializer, "_declared_fields", {})
    optional = {name for name, field in declared.items() if not field.required and not field.read_only}
    definition["required"] = [name for name in definition["properties"] if name not in optional]
    for schema in definition["properties"].values():
        for key in ("readOnly", "default"):
            schema.pop(key, None)
        if "enum" in schema and schema.get("x-nullable"):
            # Validators of Swagger 2.0 refuse a null that the enum lacks, and an enum whose null is not of its type.
            schema["pattern"] = f"^({'|'.join(schema.pop('enum'))})$"
    # Swagger 2.0 knows no null, so validators refuse it here. The examples of responses have it.
    if _has_null(definition.get("example", {})):
        del definition["example"]


def _has_null(value: Any) -> bool:
    if isinstance(value, dict):
        return _has_null(list(value.values()))
    return value is None if not isinstance(value, list) else any(map(_has_null, value))


def _example_of(schema: Any, definitions: dict[str, Any]) -> Any:
    """Return the definition's example, or one made from the examples of its properties."""
    if name := _name_in(schema):
        return _example_of(definitions[name], definitions)
    if "example" in schema:
        return schema["example"]
    if schema["type"] == openapi.TYPE_ARRAY:
        return [_example_of(schema["items"], definitions)]
    if schema["type"] == openapi.TYPE_OBJECT:
        return {name: _example_of(each, definitions) for name, each in schema["properties"].items()}
    return None if schema.get("x-nullable") else schema.get("enum", [PLACEHOLDERS[schema["type"]]])[0]
