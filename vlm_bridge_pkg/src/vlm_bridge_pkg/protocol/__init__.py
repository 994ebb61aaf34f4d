"""The service's protocol as data (docs/vlm_protocol.md): no sockets, files or clocks."""
