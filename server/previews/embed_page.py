"""The page of one photo that other sites show in a frame: an image or a video with its author, and no script."""

from __future__ import annotations

from html import escape
from string import Template

from locales.catalogues import direction, translate
from locales.sentences import marked
from server.previews.link_preview import LinkPreview

# Other sites may show this page, and it may load nothing but images, videos and its style.
POLICY = "default-src 'none'; img-src 'self'; media-src 'self'; style-src 'self'; base-uri 'none'; frame-ancestors *"
_PAGE = Template(
    """<!doctype html>
<html lang="$language" dir="$direction">
  <head>
    <meta charset="utf-8">
    <title>$title</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <link rel="canonical" href="$url">
    <link rel="icon" href="/static/icons/picshare.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/static/css/tokens.css">
    <link rel="stylesheet" href="/static/css/embed.css">
  </head>
  <body>
    <main>
    <h1>$title</h1>
    <a class="picture" href="$url" target="_blank" rel="noopener">$picture</a>
    <p class="line"><a href="$author_url" target="_blank" rel="noopener">$author</a>
    <a class="site" href="$url" target="_blank" rel="noopener">$see</a></p>
    </main>
  </body>
</html>
"""
)


def embed_page(preview: LinkPreview, language: str) -> str:
    """Return the page of a photo that visitors may see, in a language."""
    return _PAGE.substitute(
        language=language,
        direction=direction(language),
        see=escape(translate(marked("See it on PicShare"), language)),
        title=escape(preview.title),
        url=escape(preview.url),
        author=escape(preview.author),
        author_url=escape(preview.author_url),
        picture=_picture(preview),
    )


def _picture(preview: LinkPreview) -> str:
    if not preview.images:
        return f"<span>{escape(preview.description)}</span>"
    image = preview.images[0]
    size = f'width="{image.width}" height="{image.height}"'
    if preview.video_url is not None:
        return f'<video src="{escape(preview.video_url)}" poster="{escape(image.url)}" {size} controls></video>'
    return f'<img src="{escape(image.url)}" {size} alt="{escape(image.alt)}">'
