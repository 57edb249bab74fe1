"""A user model of a project's own."""
