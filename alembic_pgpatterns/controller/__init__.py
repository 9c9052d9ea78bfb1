"""The parent of the project's process: it starts servers, has the migrations run there, and caches what can be."""
