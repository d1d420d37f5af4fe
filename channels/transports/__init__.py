"""How bytes come and go: WebSocket frames and connections."""
