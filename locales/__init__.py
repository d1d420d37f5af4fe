"""The languages of PicShare: catalogues of translated texts, and the choice of a language for a request.

The English text is the key. `page.po` of a language has the texts of the web application, `server.po` those of the
server: notifications, mails and errors. `python -m locales.update` brings them up to date with the sources.
"""
