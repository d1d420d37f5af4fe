"""The GraphQL interface: documents are checked, compiled once, and executed level by level."""
