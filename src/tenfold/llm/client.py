"""The client: layers around a backend."""
