"""The parent of the project's process: start servers, run the migrations there, and cache what can be cached."""
