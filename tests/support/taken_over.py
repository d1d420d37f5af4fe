"""A decoder process that responds with what no decoder does, as if an image had taken it over."""

from __future__ import annotations

from workers.images import child

if __name__ == "__main__":
    files = {"../../../original/x": b"<html>"}
    child.main(
        lambda _request, _data: {
            "decoded": {
                "width": 1,
                "height": 1,
                "placeholder": "",
                "exif": {},
                "texts": {},
                "hdr": False,
                "motion": False,
                "variants": files,
            }
        }
    )
