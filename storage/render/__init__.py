"""The JSON of the API's types, one module for each; REST, feeds and live messages all use these."""
