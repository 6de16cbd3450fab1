"""The catalogue's pages: search, resources, elements, review, applications, grants, the whole stock."""
