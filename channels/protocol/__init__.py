"""The wire protocol without I/O: codes, messages, codecs, and the core that checks commands."""
