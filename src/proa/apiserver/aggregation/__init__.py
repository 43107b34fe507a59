"""API groups that other API servers answer: APIService objects, proxying, discovery and OpenAPI of theirs and ours."""
