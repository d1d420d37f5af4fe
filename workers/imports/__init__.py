"""Archives that users bring: what they contain, and their files."""
