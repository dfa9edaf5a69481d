"""The OpenAPI document, derived from routes and declarations."""
