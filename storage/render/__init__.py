"""The JSON of the API, one module per type; every part of PicShare that sends JSON uses these."""
