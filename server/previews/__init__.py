"""Links to PicShare elsewhere: previews in chats, oEmbed, embedded photos, and what search engines may index."""
